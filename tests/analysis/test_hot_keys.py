"""The keys with the most conflicts of a cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from analysis.summarise import summarise
from hotrow.attempt.record import NO_KEY, Outcome
from tests.support.measured import attempt, run_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    from numpy.typing import NDArray

CONFLICT = Outcome.CONFLICT


def _hot_keys(attempts: Iterable[tuple[int, Outcome]]) -> list[dict[str, Any]]:
    """The hot keys of a cell with one attempt per key and outcome."""
    records: list[NDArray[np.void]] = [
        attempt(n, n, outcome, key=key) for n, (key, outcome) in enumerate(attempts)
    ]
    (summarised,) = summarise(run_of(records))["cells"]
    keys: list[dict[str, Any]] = summarised["hot_keys"]
    return keys


def test_keys_stand_in_order_of_their_conflicts() -> None:
    """Key 7 has three conflicts in four attempts, key 5 has one; key 2 has none and is not listed."""
    lost = [(7, CONFLICT)] * 3 + [(5, CONFLICT)]
    fine = [(7, Outcome.COMMITTED), (2, Outcome.COMMITTED)]

    assert _hot_keys([*fine, *lost]) == [
        {"key": 7, "conflicts": 3, "share": 0.75, "attempts": 4},
        {"key": 5, "conflicts": 1, "share": 0.25, "attempts": 1},
    ]


def test_of_equals_the_lower_key_comes_first() -> None:
    """So the same run gives the same list."""
    assert [each["key"] for each in _hot_keys([(9, CONFLICT), (3, CONFLICT), (6, CONFLICT)])] == [3, 6, 9]


def test_at_most_ten_keys_are_listed() -> None:
    """The coldest two of twelve are left out; shares are of all conflicts."""
    listed = _hot_keys((key, CONFLICT) for key in range(12) for _ in range(key + 1))

    assert [each["key"] for each in listed] == list(range(11, 1, -1))
    assert listed[0]["share"] == pytest.approx(12 / 78)


def test_attempts_without_a_key_are_left_out() -> None:
    """They have no entry, and their conflicts do not count in the shares."""
    assert _hot_keys([(NO_KEY, CONFLICT), (4, CONFLICT)]) == [
        {"key": 4, "conflicts": 1, "share": 1.0, "attempts": 1}
    ]


def test_only_conflicts_count() -> None:
    """Deadlocks and schema conflicts are counted separately, as in the conflict rate."""
    assert _hot_keys([(1, Outcome.DEADLOCK), (1, Outcome.SCHEMA_CONFLICT), (1, Outcome.COMMITTED)]) == []
