"""`hotrow scenarios`: every scenario with its knobs, built in or in a file, for people and for machines."""

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


def test_a_machine_may_read_it() -> None:
    """The same as JSON, by name."""
    told = json.loads(shown("--json"))

    assert set(told) == set(ALL)
    assert told["counter"]["knobs"] == [
        {
            "name": "shards",
            "flag": "--shards",
            "default": "1",
            "meaning": knobs_of(ALL["counter"])["shards"].meaning,
            "allowed": "a whole number from 1 to 3000",
        }
    ]
    assert told["orders"]["kinds"] == ["order", "transfer"]


def test_a_file_of_one_s_own_is_listed_by_its_path(tmp_path: Path) -> None:
    """Nothing else is."""
    path = tmp_path / "mine.py"
    path.write_text(
        "from scenarios.counter import Counter\nclass Mine(Counter):\n    'My own.'\n    name = 'mine'\n"
    )

    assert shown(str(path)).splitlines()[0].split() == ["mine", "My", "own."]
    assert "transfer" not in shown(str(path))


def test_what_is_not_there_is_refused_in_a_line() -> None:
    """With the names that there are."""
    done = CliRunner().invoke(main, ["scenarios", "teleport"])

    assert done.exit_code == 2
    assert len(done.stderr.splitlines()) == 1
    assert "transfer" in done.stderr
