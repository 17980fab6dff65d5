"""Calls of a scenario's methods: errors and values that are not valid are refused in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from hotrow.errors import HotrowError, UsageError
from hotrow.keys.skew import KeySource, parse_skew
from hotrow.knob import Whole
from hotrow.scenario import Work, check_name
from hotrow.scenario.calling import draw_checked, make_scenario, positive_number
from tests.support.liars import Honest

if TYPE_CHECKING:
    from collections.abc import Callable


class Knobbed(Honest):
    """A scenario with one knob."""

    shards = Whole(1, "shards")


class IgnoresKnobs(Knobbed):
    """A scenario whose `__init__` does not set the knob."""

    def __init__(self, **knobs: object) -> None:
        pass


def raising(error: BaseException) -> Callable[..., Any]:
    """A method that raises this error."""

    def leave(*_: object, **__: object) -> Any:
        raise error

    return leave


@pytest.mark.parametrize("error", [SystemExit(0), SystemExit("a\nb"), KeyboardInterrupt(), KeyError("x")])
@pytest.mark.parametrize("method", ["__init__", "keys_per_transaction", "draw"])
def test_an_error_of_the_scenario_is_one_line(method: str, error: BaseException) -> None:
    """This includes an error that would end the program."""
    method_body = raising(error)
    scenario_type = type(
        "Mine",
        (Honest,),
        {
            method: property(method_body) if method.startswith("keys") else method_body,
            "__module__": __name__,
        },
    )
    source = KeySource(parse_skew("uniform").table(10), np.random.default_rng(1))

    def call() -> None:
        positive_number(make_scenario(scenario_type, {}), "keys_per_transaction")
        draw_checked(make_scenario(scenario_type, {}), source, np.random.default_rng(1))

    with pytest.raises(UsageError, match=r"^cannot run mine: .*test_calling.py, line \d+\)$") as refused:
        call()

    assert f"{method}(): {type(error).__name__}" in str(refused.value)


def test_an_init_that_ignores_knobs_is_refused() -> None:
    """The `__init__` of a scenario must pass the knobs on."""
    assert make_scenario(Knobbed, {"shards": "4"}).knobs == {"shards": 4}
    assert make_scenario(IgnoresKnobs, {"shards": "1"}).knobs == {"shards": 1}
    with pytest.raises(UsageError, match=r"does not set the knobs; call super\(\)"):
        make_scenario(IgnoresKnobs, {"shards": "4"})


@pytest.mark.parametrize("value", [0, -1, 1.5, "2", None, True])
def test_a_number_of_keys_is_a_whole_number(value: object) -> None:
    """It is at least 1. Any other value would make all expected figures wrong."""
    scenario = type("Mine", (Honest,), {"rows_per_key": value})()

    with pytest.raises(UsageError, match=r"rows_per_key is .*; return a whole number of at least 1"):
        positive_number(scenario, "rows_per_key")


@pytest.mark.parametrize(
    "kinds", ["order", ("a", "a"), ("a", ""), (1, 2), None, 3, tuple(f"k{number}" for number in range(257))]
)
def test_kinds_are_different_names(kinds: object) -> None:
    """A single text is refused: `("order")` would be five kinds, one per letter."""
    with pytest.raises(HotrowError, match="kinds of scenario mine"):
        check_name(type("Mine", (Honest,), {"kinds": kinds}))


def test_drawn_work_is_made_repeatable() -> None:
    """Lists become tuples, and numpy's numbers become plain numbers."""
    drawn = Work([1, 2], [np.int64(3)], np.int64(0))  # type: ignore[arg-type]
    scenario = type("Mine", (Honest,), {"draw": lambda *_: drawn})()
    source = KeySource(parse_skew("uniform").table(10), np.random.default_rng(1))

    work = draw_checked(scenario, source, np.random.default_rng(1))

    assert work == Work((1, 2), (3,), 0)
    assert type(work.writes[0]) is type(work.kind) is int


def test_a_name_too_long_for_a_file_is_refused() -> None:
    """The directory of a run is named after its scenario."""
    check_name(type("Mine", (Honest,), {"name": "a" * 64}))

    with pytest.raises(UsageError, match="at most 64") as caught:
        check_name(type("Mine", (Honest,), {"name": "a" * 300}))
    assert len(str(caught.value)) < 200
