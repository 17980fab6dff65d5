"""The number of attempts per commit, and the share of transactions that gave up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from analysis.summarise import summarise
from hotrow.attempt.record import Outcome
from tests.support.measured import attempt, run_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CONFLICT = Outcome.CONFLICT


def _cell(attempts: list[NDArray[np.void]], **settings: Any) -> dict[str, Any]:
    (cell,) = summarise(run_of(attempts, **settings))["cells"]
    return cell


def _chain(transaction: int, begins_ms: float, tries: int, last: Outcome) -> list[NDArray[np.void]]:
    """A transaction whose attempts conflict, 20 ms apart, until the last one."""
    return [
        attempt(
            transaction,
            begins_ms + 20 * number,
            last if number == tries else CONFLICT,
            number=number,
            final=number == tries,
        )
        for number in range(1, tries + 1)
    ]


def test_commits_are_counted_by_the_number_of_their_attempt() -> None:
    """Two commit at once, one at its third try; one that gave up does not count."""
    chains = [
        (1, 1, Outcome.COMMITTED),
        (2, 1, Outcome.COMMITTED),
        (3, 3, Outcome.COMMITTED),
        (4, 2, CONFLICT),
    ]
    attempts = [record for number, tries, last in chains for record in _chain(number, number, tries, last)]

    assert _cell(attempts)["commit_on_attempt"] == {
        "n": 3,
        "p50": 1,
        "p99": 3,
        "max": 3,
        "counts": [[1, 2], [3, 1]],
    }


def test_tries_before_the_window_count() -> None:
    """A transaction with three attempts before the interval commits at its fourth, not at its first."""
    attempts = _chain(1, 0, 4, Outcome.COMMITTED)

    assert _cell(attempts, window_ms=(75, 1_000))["commit_on_attempt"]["counts"] == [[4, 1]]


def test_a_quantile_is_a_number_of_attempts_that_occurred() -> None:
    """Half of the commits took one attempt and half two: the median is 1, never 1.5."""
    attempts = [*_chain(1, 0, 1, Outcome.COMMITTED), *_chain(2, 100, 2, Outcome.COMMITTED)]

    assert _cell(attempts)["commit_on_attempt"]["p50"] == 1


def test_the_last_hundredth_is_no_part_of_p99() -> None:
    """99 of 100 commits took one attempt: p99 is 1, and the maximum is 5."""
    attempts = [record for n in range(99) for record in _chain(n, n, 1, Outcome.COMMITTED)]
    tries = _cell([*attempts, *_chain(99, 200, 5, Outcome.COMMITTED)])["commit_on_attempt"]

    assert (tries["p99"], tries["max"]) == (1, 5)


def test_without_a_commit_nothing_is_known_of_tries() -> None:
    """The quantiles are null, and there are no counts."""
    tries = _cell(_chain(1, 0, 3, CONFLICT))["commit_on_attempt"]

    assert tries == {"n": 0, "p50": None, "p99": None, "max": None, "counts": []}


def test_the_give_up_rate_is_of_transactions_that_finished() -> None:
    """One of four gave up; the fifth was cut off and does not count."""
    ends = [Outcome.COMMITTED, Outcome.COMMITTED, Outcome.REJECTED, CONFLICT]
    attempts = [record for n, last in enumerate(ends) for record in _chain(n, n, 2, last)]
    rate = _cell([*attempts, attempt(9, 9, CONFLICT, final=False)])["give_up_rate"]

    assert rate["value"] == pytest.approx(1 / 4)
    assert 0 < rate["low"] < 1 / 4 < rate["high"] < 1


def test_give_ups_that_cluster_widen_the_interval() -> None:
    """The same number of give-ups has a wider interval if all are in one tenth of the time."""
    width = {}
    for name, lost in (("spread", range(0, 500, 10)), ("clustered", range(50))):
        attempts = [attempt(n, 2 * n, CONFLICT if n in lost else Outcome.COMMITTED) for n in range(500)]
        rate = _cell(attempts)["give_up_rate"]
        assert rate["value"] == pytest.approx(0.1)
        width[name] = rate["high"] - rate["low"]

    assert width["clustered"] > 2 * width["spread"]


def test_the_give_up_rate_is_absent_where_nothing_finished() -> None:
    """A transaction that was cut off might have committed."""
    rate = _cell([attempt(1, 1, CONFLICT, final=False)])["give_up_rate"]

    assert rate == {"value": None, "low": None, "high": None}
