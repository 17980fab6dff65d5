"""docs/scenarios.md: its example scenario runs unchanged, and its table names the existing scenarios."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from hotrow.knob import knobs_of
from hotrow.run.plan import knob_variants
from scenarios import ALL
from tests.support.commands import ROOT, exit_code, only_run, run, summary_of

if TYPE_CHECKING:
    from pathlib import Path

PAGE = (ROOT / "docs" / "scenarios.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
LIKES, EXAMPLES = BLOCKS[:2], BLOCKS[2:]
"""The scenario and its user class; then the examples of single parts, each after those before it."""
ROWS = {row[0].strip("` "): row for row in re.findall(r"^\|(.*?)\|(.*?)\|(.*?)\|$", PAGE, re.MULTILINE)}
COMMANDS = {line.split()[2]: line for line in re.findall(r"^hotrow sweep .+$", PAGE, re.MULTILINE)}


def test_the_scenario_of_the_page_runs(hotrow_home: Path, tmp_path: Path) -> None:
    """It runs under `locust -f`, with a valid verdict and no warning from the rehearsal."""
    assert hotrow_home
    (tmp_path / "likes.py").write_text("\n\n".join(LIKES))
    words = [
        "--headless",
        "-H",
        "local",
        "-u",
        "4",
        "-r",
        "4",
        "-t",
        "2s",
        "--warmup",
        "200ms",
        "--most",
        "5",
    ]

    done = run(
        "locust",
        "-f",
        str(tmp_path / "likes.py"),
        *words,
        "--only-summary",
        "--no-report",
        "--out",
        str(tmp_path / "r"),
    )

    assert exit_code(done) in {0, 4}, done.stderr
    summary = summary_of(only_run(tmp_path / "r"))
    (cell,) = summary["cells"]
    assert cell["verdict"]["valid"] is True
    assert cell["transactions"]["committed"] > 20
    assert not [warning for warning in summary["warnings"] if warning["code"].startswith("writes_")]


def test_the_scenario_of_the_page_has_40_lines_at_most() -> None:
    """Empty lines do not count."""
    assert len([line for line in "".join(LIKES).splitlines() if line.strip()]) <= 40


def test_the_examples_of_the_page_are_true() -> None:
    """They run one after the other, as in one file, and each states what it shows with `assert`."""
    names: dict[str, object] = {"__name__": "examples_of_the_page"}
    for example in EXAMPLES:
        exec(example, names)  # noqa: S102 - the page's own code


def test_the_reference_names_everything_that_a_scenario_imports() -> None:
    """Each public name has a heading with its signature."""
    reference = PAGE.partition("## Reference")[2].partition("\n## ")[0]
    headings = set(re.findall(r"^### `(?:hotrow\.knob\.)?(\w+)", reference, re.MULTILINE))

    assert headings >= {"Whole", "Share", "Choice", "Switch", "Duration", "Result", "Tally", "Verdict"}
    assert headings >= {"judge", "applied_once", "key_ranges", "keys_per_transaction", "Work"}


@pytest.mark.parametrize("name", ALL)
def test_the_page_has_each_scenario_with_all_its_knobs(name: str) -> None:
    """It also has a command for each scenario, whose knobs and values the scenario accepts."""
    _, _, flags = ROWS[name]
    command = COMMANDS[name]
    options = dict(re.findall(r"(--[\w-]+) (\S+)", command))
    known = {knob.flag: knob.name for knob in knobs_of(ALL[name]).values()}
    knobs = {known[flag]: values.split(",") for flag, values in options.items() if flag in known}

    assert set(re.findall(r"--[\w-]+", flags)) == set(known)
    assert command.startswith(f"hotrow sweep {name} ")
    assert set(options) <= {"--skew", "--users", *known}
    assert knob_variants(ALL[name](), knobs)


def test_the_commands_name_the_existing_scenarios() -> None:
    """Each command of the page is for an existing scenario or a file, and each scenario has a command."""
    assert {name for name in re.findall(r"hotrow sweep (\S+)", PAGE) if ".py" not in name} == set(ALL)
