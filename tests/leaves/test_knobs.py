"""Knobs: they read, refuse and write their values, and a scenario takes the values by name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hotrow.errors import UsageError
from hotrow.knob import Choice, Duration, Knob, Share, Switch, Whole, knobs_of
from hotrow.run.plan import knob_variants
from scenarios import ALL
from scenarios.counter import Counter


class Turned(Counter):
    """A counter with one knob of each kind."""

    name = "turned"
    rows = Whole(3, "rows", least=1, most=9)
    reads = Share(0.5, "reads")
    ids = Choice("random", "ids", ("random", "sequential"))
    for_update = Switch("guard")
    hold = Duration("50ms", "hold")


def test_every_knob_has_its_default() -> None:
    """Scenarios get numbers, words, booleans and seconds."""
    scenario = Turned()

    assert (scenario.shards, scenario.rows, scenario.reads) == (1, 3, 0.5)
    assert (scenario.ids, scenario.for_update, scenario.hold) == ("random", False, 0.05)


def test_the_values_in_run_json_make_an_equal_scenario() -> None:
    """The values go through JSON and back."""
    scenario = Turned(rows="7", reads=0.25, ids="sequential", for_update=True, hold="1.5s", shards=4)

    again = Turned(**json.loads(json.dumps(scenario.knobs)))

    assert again.knobs == scenario.knobs
    assert scenario.knobs == {
        "shards": 4,
        "rows": 7,
        "reads": 0.25,
        "ids": "sequential",
        "for_update": "on",
        "hold": "1.5s",
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rows", "0"),
        ("rows", "10"),
        ("rows", "-1"),
        ("rows", "2.5"),
        ("rows", ""),
        ("rows", "9" * 30),
        ("reads", "1.01"),
        ("reads", "nan"),
        ("reads", "most"),
        ("ids", "uuid"),
        ("for_update", "yes"),
        ("hold", "50"),
    ],
)
def test_a_value_that_is_not_allowed_is_refused(name: str, value: str) -> None:
    """One line names the option."""
    with pytest.raises(UsageError) as refused:
        Turned(**{name: value})

    assert knobs_of(Turned)[name].flag in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_unknown_knob_is_refused() -> None:
    """The message has the names of the knobs."""
    with pytest.raises(UsageError, match="shards"):
        Counter(shard=4)


def test_a_sweep_turns_every_combination() -> None:
    """The values keep their order, and the last knob varies fastest."""
    turns = knob_variants(Turned(), {"shards": ("4", "1"), "for_update": ("off", "on")})

    assert [(turn.knobs["shards"], turn.knobs["for_update"]) for turn in turns] == [
        (4, "off"),
        (4, "on"),
        (1, "off"),
        (1, "on"),
    ]


def test_a_value_given_twice_is_refused() -> None:
    """Two spellings of one value would give the same cell twice."""
    with pytest.raises(UsageError, match="twice"):
        knob_variants(Counter(), {"shards": ("1", "01")})


@pytest.mark.parametrize("kind", ALL.values(), ids=ALL.keys())
def test_every_built_in_knob_says_what_it_is(kind: Any) -> None:
    """Each has a meaning, a range, and a default that it accepts."""
    for knob in knobs_of(kind).values():
        assert isinstance(knob, Knob)
        assert knob.meaning
        assert knob.allowed
        knob.parse(knob.default)
