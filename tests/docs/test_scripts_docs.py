"""docs/scripts.md: its example runs unchanged, and its table names every function and command."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from hotrow.script.built_in_scripts import BUILT_IN
from hotrow.script.finding_scripts import find_any_scenario
from hotrow.script.functions import FUNCTIONS
from hotrow.script.script_checks import read_checks
from hotrow.script.source_text import Source
from tests.support.commands import ROOT, exit_code, only_run, run

if TYPE_CHECKING:
    from pathlib import Path

PAGE = (ROOT / "docs" / "scripts.md").read_text()
SQL = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
FILES = dict(zip(("move.sql", "move.setup.sql", "move.check.sql"), SQL, strict=False))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the files of the example."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.usefixtures("hotrow_home")
def test_the_example_runs(folder: Path) -> None:
    """It ends with a valid verdict, and the report has nothing to add."""
    words = COMMANDS[0].split()
    words[words.index("--users") + 1] = "2"

    done = run(*words, "--duration", "1s", "--warmup", "100ms", "--no-report", cwd=folder)

    assert exit_code(done) == 0, done.stderr
    events = (only_run(folder / "results") / "events.jsonl").read_text().splitlines()
    verdicts = [each for line in events for each in json.loads(line).get("checks", [])]
    assert {(each["name"], each["valid"]) for each in verdicts} == {("total balance unchanged", True)}
    assert not [line for line in events if '"rehearsal"' in line]


@pytest.mark.parametrize("command", COMMANDS[1:])
def test_the_commands_name_scripts_and_knobs(command: str) -> None:
    """They are not run."""
    words = command.split()
    knobs = {word[2:]: words[at + 1] for at, word in enumerate(words) if word in {"--key", "--scale"}}

    assert words[:2] == ["hotrow", "sweep"]
    assert find_any_scenario(words[2], {})(**knobs)


def test_the_checks_are_read() -> None:
    """The second block of checks."""
    assert [check.name for check in read_checks(Source("checks", SQL[3]), ())] == [
        "no account is overdrawn",
        "money is neither made nor lost",
    ]


def test_the_page_names_every_function_and_built_in_script() -> None:
    """A new one needs a word."""
    (listed,) = re.findall(r"The functions are (.*?)\.", PAGE, re.DOTALL)

    assert re.findall(r"\w+", listed) == sorted(FUNCTIONS)
    assert all(name in PAGE for name in BUILT_IN)
