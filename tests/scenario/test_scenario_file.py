"""Scenarios by name or file; a scenario that cannot be found is refused in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hotrow.errors import UsageError
from hotrow.scenario.loading import describe, find_scenario
from scenarios import ALL

if TYPE_CHECKING:
    from pathlib import Path

MINE = """
from neighbour import MEANING
from scenarios.counter import Counter

class Mine(Counter):
    __doc__ = MEANING
    name = "mine"
"""
ANOTHER = '''
class Other(Counter):
    """Another one."""
    name = "other"
'''


def write(folder: Path, text: str, name: str = "mine.py") -> str:
    (folder / "neighbour.py").write_text('MEANING = "My own."\n')
    path = folder / name
    path.write_text(text)
    return str(path)


def test_a_name_finds_a_built_in_scenario() -> None:
    """The names are those that `hotrow scenarios` lists."""
    assert find_scenario("counter", ALL) is ALL["counter"]


def test_a_path_finds_the_scenario_of_the_file(tmp_path: Path) -> None:
    """Imported scenarios do not count, and the file can import modules beside it."""
    scenario_type = find_scenario(write(tmp_path, MINE), ALL)

    assert scenario_type.name == "mine"
    assert describe(scenario_type)["meaning"] == "My own."
    assert find_scenario(str(tmp_path / "mine.py"), ALL) is scenario_type


def test_one_of_several_scenarios_is_chosen(tmp_path: Path) -> None:
    """Its name follows the path."""
    path = write(tmp_path, MINE + ANOTHER)

    assert find_scenario(f"{path}:other", ALL).name == "other"
    with pytest.raises(UsageError, match=r"mine\.py:mine"):
        find_scenario(path, ALL)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\n", "defines no scenario"),
        (
            "from scenarios.counter import Counter\nclass A(Counter):\n    name = 'my own/one'\n",
            "'my own/one'",
        ),
        ("from scenarios.counter import Counter\nclass A(Counter):\n    name = None\n", "A has no name"),
        ("from hotrow.scenario import Scenario\nclass A(Scenario):\n    name = 'a'\n", "A lacks check, draw"),
        ("def f(:\n", r"SyntaxError.*\(line 1\)"),
        ("\nimport nowhere_to_be_found\n", r"ModuleNotFoundError.*\(line 2\)"),
        ("\n\nraise KeyError('a\\nb')\n", r"KeyError.*\(line 3\)"),
        ("import sys\n\nsys.exit(0)\n", r"cannot be loaded: SystemExit: 0 \(line 3\)"),
        ("raise KeyboardInterrupt\n", r"cannot be loaded: KeyboardInterrupt \(line 1\)"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(text: str, message: str, tmp_path: Path) -> None:
    """The message is one line, with the line of the file."""
    with pytest.raises(UsageError, match=message) as refused:
        find_scenario(write(tmp_path, text, "bad.py"), ALL)

    assert "\n" not in str(refused.value)


def test_a_file_that_would_hide_a_module_is_refused(tmp_path: Path) -> None:
    """Python searches the folder of the file first."""
    with pytest.raises(UsageError, match="hide Python's own module copy"):
        find_scenario(write(tmp_path, MINE, "copy.py"), ALL)


@pytest.mark.parametrize("text", ["teleport", "nowhere/mine.py", "", "counter.py:"])
def test_an_unknown_scenario_is_refused(text: str) -> None:
    """Unknown names, missing files and incomplete texts are refused."""
    with pytest.raises(UsageError):
        find_scenario(text, ALL)
