"""How evenly users get to commit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from analysis.summarise import summarise
from hotrow.attempt.record import Outcome
from tests.support.measured import attempt, cell, run_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray


def _commits(by_user: Sequence[int], worker: int = 0) -> list[NDArray[np.void]]:
    """So many commits of each user, one a ms."""
    users = [user for user, count in enumerate(by_user) for _ in range(count)]
    return [attempt(n, n, user=user, worker=worker) for n, user in enumerate(users)]


def _fairness(attempts: list[NDArray[np.void]], users: int, **settings: Any) -> dict[str, Any]:
    (found,) = summarise(run_of(attempts, cells=[cell(users=users)], **settings))["cells"]
    fairness: dict[str, Any] = found["fairness"]
    return fairness


def test_fairness_by_hand() -> None:
    """1, 2 and 6 commits: 9^2 / (3 * 41), and three times as many as the median."""
    found = _fairness(_commits([1, 2, 6]), users=3)

    assert found == {
        "users": 3,
        "jain": pytest.approx(81 / 123),
        "max_over_median": 3.0,
        "commits_min": 1,
        "commits_median": 2.0,
        "commits_max": 6,
    }


def test_equal_shares_are_perfectly_fair() -> None:
    """The index is 1, and the luckiest user has what the median has."""
    found = _fairness(_commits([5, 5, 5, 5]), users=4)

    assert (found["jain"], found["max_over_median"]) == (1.0, 1.0)


def test_who_never_began_an_attempt_has_zero() -> None:
    """One of four users has it all: 1/4, and no ratio to a median of 0."""
    found = _fairness(_commits([7]), users=4)

    assert (found["users"], found["jain"], found["max_over_median"]) == (4, 0.25, None)
    assert (found["commits_min"], found["commits_median"], found["commits_max"]) == (0, 0.0, 7)


def test_only_commits_in_the_window_count() -> None:
    """Not a conflict, not what was rejected, not what began before the interval."""
    attempts = [
        attempt(1, 50),
        *(attempt(10 + n, 100 + n, user=n % 2) for n in range(4)),
        attempt(2, 200, Outcome.CONFLICT, number=2),
        attempt(3, 210, Outcome.REJECTED, user=1),
    ]
    found = _fairness(attempts, users=2, window_ms=(100, 1_000))

    assert (found["commits_min"], found["commits_max"]) == (2, 2)


def test_workers_number_their_users_apart() -> None:
    """User 0 of two workers is two users."""
    found = _fairness([*_commits([3]), *_commits([3], worker=1)], users=2)

    assert (found["users"], found["jain"], found["commits_max"]) == (2, 1.0, 3)


def test_users_beyond_the_stated_ones_count_too() -> None:
    """Where their number was changed during the interval, nobody who began an attempt is left out."""
    found = _fairness([*_commits([2, 2]), attempt(9, 9, Outcome.CONFLICT, user=2)], users=2)

    assert (found["users"], found["jain"]) == (3, pytest.approx(2 / 3))


@pytest.mark.parametrize(("commits", "users"), [([4], 1), ([], 3), ([], 1)])
def test_fairness_of_one_user_or_no_commit_says_nothing(commits: list[int], users: int) -> None:
    """Both ratios are absent."""
    found = _fairness(_commits(commits), users)

    assert (found["users"], found["jain"], found["max_over_median"]) == (users, None, None)
