"""Fairness: how evenly the users of a cell got their transactions committed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from analysis.counts import Counts


MIN_JAIN = 0.5
"""Jain's index below which a few users had most of the commits."""
MIN_COMMITS_PER_USER = 5
"""With fewer commits per user on average, some users have none by chance. With 5 it is one user in 150."""


def is_uneven(shares: Mapping[str, Any], committed: int) -> bool:
    """Whether a few users had most of the commits, and not by chance.

    `shares` is `fairness` of a cell's summary, `committed` the number of transactions that committed in it.
    """
    return shares["jain"] is not None and shares["jain"] < MIN_JAIN and is_enough(shares, committed)


def is_enough(shares: Mapping[str, Any], committed: int) -> bool:
    """Whether there are enough commits per user to judge fairness."""
    return bool(committed >= MIN_COMMITS_PER_USER * shares["users"])


def fairness(cell: Counts, users: int) -> dict[str, Any]:
    """`users`, `jain`, `max_over_median`, and the fewest, median and most commits of a user.

    `users` is the cell's number of users. Those who committed nothing count as 0, even if they began no
    attempt in the measured interval. If more users than that began an attempt, because their number was
    changed meanwhile, all of these count. Both ratios are None for a single user, and if their divisor is 0.
    """
    commits = _commits_by_user(cell, users)
    several = len(commits) > 1
    least, middle, most = (int(commits.min()), float(np.median(commits)), int(commits.max()))
    return {
        "users": len(commits),
        "jain": jain(commits) if several else None,
        "max_over_median": most / middle if several and middle else None,
        "commits_min": least,
        "commits_median": middle,
        "commits_max": most,
    }


def jain(shares: NDArray[np.int64]) -> float | None:
    """(sum of x)^2 / (n * sum of x^2): 1 if all are equal, 1/n if one has all; None if all are 0.

    Source: R. Jain, D.-M. Chiu and W. Hawe, "A quantitative measure of fairness and discrimination for
    resource allocation in shared computer systems", DEC research report TR-301, 1984.
    """
    squares = float((shares.astype(np.float64) ** 2).sum())
    return float(shares.sum()) ** 2 / (len(shares) * squares) if squares else None


def _commits_by_user(cell: Counts, users: int) -> NDArray[np.int64]:
    """Committed transactions of each user, int64[users or more]; users without a record come last."""
    numbers, index = np.unique(cell.users, return_inverse=True)
    committed_by = index[cell.last[cell.committed]]
    return np.bincount(committed_by, minlength=max(users, len(numbers)))
