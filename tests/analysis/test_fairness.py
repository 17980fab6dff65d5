"""How evenly the users' transactions commit."""

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
    """This many commits of each user, one per ms."""
    users = [user for user, count in enumerate(by_user) for _ in range(count)]
    return [attempt(n, n, user=user, worker=worker) for n, user in enumerate(users)]


def _fairness(attempts: list[NDArray[np.void]], users: int, **settings: Any) -> dict[str, Any]:
    (summarised,) = summarise(run_of(attempts, cells=[cell(users=users)], **settings))["cells"]
    fairness: dict[str, Any] = summarised["fairness"]
    return fairness


def test_fairness_by_hand() -> None:
    """1, 2 and 6 commits: the index is 9^2 / (3 * 41), and the maximum is three times the median."""
    fairness = _fairness(_commits([1, 2, 6]), users=3)

    assert fairness == {
        "users": 3,
        "jain": pytest.approx(81 / 123),
        "max_over_median": 3.0,
        "commits_min": 1,
        "commits_median": 2.0,
        "commits_max": 6,
    }


def test_equal_shares_are_perfectly_fair() -> None:
    """The index is 1, and the maximum is the median."""
    fairness = _fairness(_commits([5, 5, 5, 5]), users=4)

    assert (fairness["jain"], fairness["max_over_median"]) == (1.0, 1.0)


def test_users_without_an_attempt_have_zero_commits() -> None:
    """One of four users has all commits: the index is 1/4, and there is no ratio to a median of 0."""
    fairness = _fairness(_commits([7]), users=4)

    assert (fairness["users"], fairness["jain"], fairness["max_over_median"]) == (4, 0.25, None)
    assert (fairness["commits_min"], fairness["commits_median"], fairness["commits_max"]) == (0, 0.0, 7)


def test_only_commits_in_the_interval_count() -> None:
    """Conflicts, rejections and commits that began before the interval do not count."""
    attempts = [
        attempt(1, 50),
        *(attempt(10 + n, 100 + n, user=n % 2) for n in range(4)),
        attempt(2, 200, Outcome.CONFLICT, number=2),
        attempt(3, 210, Outcome.REJECTED, user=1),
    ]
    fairness = _fairness(attempts, users=2, window_ms=(100, 1_000))

    assert (fairness["commits_min"], fairness["commits_max"]) == (2, 2)


def test_workers_number_their_users_apart() -> None:
    """The users 0 of two workers are two users."""
    fairness = _fairness([*_commits([3]), *_commits([3], worker=1)], users=2)

    assert (fairness["users"], fairness["jain"], fairness["commits_max"]) == (2, 1.0, 3)


def test_users_beyond_the_stated_ones_count_too() -> None:
    """If more users were added during the interval, each user with an attempt counts."""
    fairness = _fairness([*_commits([2, 2]), attempt(9, 9, Outcome.CONFLICT, user=2)], users=2)

    assert (fairness["users"], fairness["jain"]) == (3, pytest.approx(2 / 3))


@pytest.mark.parametrize(("commits", "users"), [([4], 1), ([], 3), ([], 1)])
def test_one_user_or_no_commit_has_no_fairness(commits: list[int], users: int) -> None:
    """Both ratios are absent."""
    fairness = _fairness(_commits(commits), users)

    assert (fairness["users"], fairness["jain"], fairness["max_over_median"]) == (users, None, None)
