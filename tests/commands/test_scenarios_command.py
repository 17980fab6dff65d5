"""`hotrow scenarios`: scenarios with their knobs, built in or in a file, as text or JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from click.testing import CliRunner

from hotrow.commands.main import main
from hotrow.knob import knobs_of
from scenarios import ALL

if TYPE_CHECKING:
    from pathlib import Path


def shown(*words: str) -> str:
    done = CliRunner().invoke(main, ["scenarios", *words])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_all_are_listed_with_their_knobs() -> None:
    """Name, meaning, and each knob's option, default and range."""
    text = shown()

    assert len(ALL) >= 10
    assert len([knob for kind in ALL.values() for knob in knobs_of(kind)]) > 10
    for name, kind in ALL.items():
        assert f"\n{name} " in f"\n{text}"
        for knob in knobs_of(kind).values():
            assert knob.flag in text
            assert knob.meaning in text


def test_all_are_listed_as_json() -> None:
    """The JSON has the same facts, by name."""
    facts = json.loads(shown("--json"))

    assert set(facts) == set(ALL)
    assert facts["counter"]["knobs"] == [
        {
            "name": "shards",
            "flag": "--shards",
            "default": "1",
            "meaning": knobs_of(ALL["counter"])["shards"].meaning,
            "allowed": "a whole number from 1 to 3000",
        }
    ]
    assert facts["orders"]["kinds"] == ["order", "transfer"]


def test_a_user_s_file_is_listed_by_its_path(tmp_path: Path) -> None:
    """Only the scenario in the file is listed."""
    path = tmp_path / "mine.py"
    path.write_text(
        "from scenarios.counter import Counter\nclass Mine(Counter):\n    'My own.'\n    name = 'mine'\n"
    )

    assert shown(str(path)).splitlines()[0].split() == ["mine", "My", "own."]
    assert "transfer" not in shown(str(path))


def test_an_unknown_scenario_is_refused_in_one_line() -> None:
    """The line has the known names."""
    done = CliRunner().invoke(main, ["scenarios", "teleport"])

    assert done.exit_code == 2
    assert len(done.stderr.splitlines()) == 1
    assert "transfer" in done.stderr
