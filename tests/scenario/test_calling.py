"""Calls of a scenario's own code: what it raises or returns that cannot be is refused in one line."""

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


class Turned(Honest):
    """A scenario with a knob."""

    shards = Whole(1, "shards")


class Deaf(Turned):
    """One that does not turn it."""

    def __init__(self, **knobs: object) -> None:
        pass


def leaving(error: BaseException) -> Callable[..., Any]:
    """A method that raises this."""

    def leave(*_: object, **__: object) -> Any:
        raise error

    return leave


@pytest.mark.parametrize("error", [SystemExit(0), SystemExit("a\nb"), KeyboardInterrupt(), KeyError("x")])
@pytest.mark.parametrize("method", ["__init__", "keys_per_transaction", "draw"])
def test_an_error_of_the_scenario_is_one_line(method: str, error: BaseException) -> None:
    """Also if it wants to leave the program."""
    own = leaving(error)
    kind = type(
        "Mine",
        (Honest,),
        {method: property(own) if method.startswith("keys") else own, "__module__": __name__},
    )
    source = KeySource(parse_skew("uniform").table(10), np.random.default_rng(1))

    def call() -> None:
        positive_number(make_scenario(kind, {}), "keys_per_transaction")
        draw_checked(make_scenario(kind, {}), source, np.random.default_rng(1))

    with pytest.raises(UsageError, match=r"^cannot run mine: .*test_calling.py, line \d+\)$") as refused:
        call()

    assert f"{method}(): {type(error).__name__}" in str(refused.value)


def test_a_knob_that_is_not_turned_is_refused() -> None:
    """An `__init__` of its own must pass the knobs on."""
    assert make_scenario(Turned, {"shards": "4"}).knobs == {"shards": 4}
    assert make_scenario(Deaf, {"shards": "1"}).knobs == {"shards": 1}
    with pytest.raises(UsageError, match=r"does not set the knobs; call super\(\)"):
        make_scenario(Deaf, {"shards": "4"})


@pytest.mark.parametrize("value", [0, -1, 1.5, "2", None, True])
def test_a_number_of_keys_is_a_whole_number(value: object) -> None:
    """From 1 up; anything else would make every expectation false."""
    scenario = type("Mine", (Honest,), {"rows_per_key": value})()

    with pytest.raises(UsageError, match=r"rows_per_key is .*; return a whole number of at least 1"):
        positive_number(scenario, "rows_per_key")


@pytest.mark.parametrize(
    "kinds", ["order", ("a", "a"), ("a", ""), (1, 2), None, 3, tuple(f"k{number}" for number in range(257))]
)
def test_kinds_are_different_names(kinds: object) -> None:
    """A text is a tuple of its letters: `("order")` would be five kinds."""
    with pytest.raises(HotrowError, match="kinds of scenario mine"):
        check_name(type("Mine", (Honest,), {"kinds": kinds}))


def test_a_drawn_work_is_one_that_a_retry_can_repeat() -> None:
    """Lists become tuples and numbers of numpy plain ones."""
    drawn = Work([1, 2], [np.int64(3)], np.int64(0))  # type: ignore[arg-type]
    scenario = type("Mine", (Honest,), {"draw": lambda *_: drawn})()
    source = KeySource(parse_skew("uniform").table(10), np.random.default_rng(1))

    work = draw_checked(scenario, source, np.random.default_rng(1))

    assert work == Work((1, 2), (3,), 0)
    assert type(work.writes[0]) is type(work.kind) is int


def test_a_name_too_long_for_a_file_is_refused() -> None:
    """The run's directory is called after the scenario."""
    check_name(type("Mine", (Honest,), {"name": "a" * 64}))

    with pytest.raises(UsageError, match="at most 64") as caught:
        check_name(type("Mine", (Honest,), {"name": "a" * 300}))
    assert len(str(caught.value)) < 200
