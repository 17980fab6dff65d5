"""`hotrow sweep SCENARIO --help` shows the knobs of the scenario, built in or in a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.commands import exit_code, run

if TYPE_CHECKING:
    from pathlib import Path

MINE = """
from hotrow.knob import Share
from scenarios.counter import Counter


class Mine(Counter):
    name = "mine"
    refunds = Share(0.25, "share of refunds")
"""


@pytest.mark.parametrize("words", [("counter", "--help"), ("--users", "3", "--help", "counter")])
def test_the_help_shows_the_knobs_of_a_built_in_scenario(words: tuple[str, ...]) -> None:
    """They come before the options, wherever the scenario is given."""
    done = run("hotrow", "sweep", *words)
    text = " ".join(done.stdout.split())

    assert exit_code(done) == 0
    assert "Knobs of counter: --shards rows that share the increments of one counter" in text
    assert "[default: 1]" in text
    assert text.index("Knobs of counter") < text.index("--duration DURATION")


def test_the_help_shows_the_knobs_of_a_file(tmp_path: Path) -> None:
    """Those of a base class come first."""
    (tmp_path / "mine.py").write_text(MINE)

    text = " ".join(run("hotrow", "sweep", str(tmp_path / "mine.py"), "--help").stdout.split())

    assert "Knobs of mine: --shards" in text
    assert "--refunds share of refunds: a share from 0 to 1 [default: 0.25]" in text


def test_the_help_of_no_scenario_has_no_knobs() -> None:
    """It says where they are shown."""
    text = run("hotrow", "sweep", "--help").stdout

    assert "Knobs of" not in text
    assert "hotrow sweep SCENARIO --help" in " ".join(text.split())


def test_the_help_of_an_unknown_scenario_is_refused() -> None:
    """In one line, with exit code 2."""
    done = run("hotrow", "sweep", "conter", "--help")

    assert exit_code(done) == 2
    assert done.stderr.strip() == "hotrow: conter: unknown scenario; did you mean counter?"
