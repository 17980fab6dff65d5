"""On which keys a cell's conflicts were."""

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
    """Those of a cell with an attempt of each key and outcome."""
    records: list[NDArray[np.void]] = [
        attempt(n, n, outcome, key=key) for n, (key, outcome) in enumerate(attempts)
    ]
    (found,) = summarise(run_of(records))["cells"]
    keys: list[dict[str, Any]] = found["hot_keys"]
    return keys


def test_keys_stand_in_order_of_their_conflicts() -> None:
    """Three on key 7 in four attempts, one on key 5; key 2 had none and is not listed."""
    lost = [(7, CONFLICT)] * 3 + [(5, CONFLICT)]
    fine = [(7, Outcome.COMMITTED), (2, Outcome.COMMITTED)]

    assert _hot_keys([*fine, *lost]) == [
        {"key": 7, "conflicts": 3, "share": 0.75, "attempts": 4},
        {"key": 5, "conflicts": 1, "share": 0.25, "attempts": 1},
    ]


def test_of_equals_the_lower_key_comes_first() -> None:
    """So that the same run gives the same list."""
    assert [each["key"] for each in _hot_keys([(9, CONFLICT), (3, CONFLICT), (6, CONFLICT)])] == [3, 6, 9]


def test_at_most_ten_keys_are_listed() -> None:
    """The coldest of twelve are left out, and shares are still of all conflicts."""
    found = _hot_keys((key, CONFLICT) for key in range(12) for _ in range(key + 1))

    assert [each["key"] for each in found] == list(range(11, 1, -1))
    assert found[0]["share"] == pytest.approx(12 / 78)


def test_attempts_without_a_key_are_left_out() -> None:
    """Neither is there such a key, nor does its conflict count in the shares."""
    assert _hot_keys([(NO_KEY, CONFLICT), (4, CONFLICT)]) == [
        {"key": 4, "conflicts": 1, "share": 1.0, "attempts": 1}
    ]


def test_only_conflicts_count() -> None:
    """A deadlock and a schema conflict are counted apart, as in the conflict rate."""
    assert _hot_keys([(1, Outcome.DEADLOCK), (1, Outcome.SCHEMA_CONFLICT), (1, Outcome.COMMITTED)]) == []
