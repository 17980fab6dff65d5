"""How evenly the users of a cell got their transactions committed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from analysis.counts import Counts


EVEN_ENOUGH = 0.5
"""Jain's index below which a few users had most of the commits."""
COMMITS_PER_USER_MIN = 5
"""Fewer on average may leave some users without one by chance: of 5, one user in 150."""


def is_uneven(shares: Mapping[str, Any], committed: int) -> bool:
    """Whether a few of several users had most of the commits, and chance is no reason.

    `shares` is `fairness` of a cell, `committed` how many transactions committed in it.
    """
    return shares["jain"] is not None and shares["jain"] < EVEN_ENOUGH and is_enough(shares, committed)


def is_enough(shares: Mapping[str, Any], committed: int) -> bool:
    """Whether so many commits say something of how they were dealt."""
    return bool(committed >= COMMITS_PER_USER_MIN * shares["users"])


def fairness(cell: Counts, users: int) -> dict[str, Any]:
    """`users`, `jain`, `max_over_median` and the least, median and most transactions that one committed.

    `users` is how many the cell has: those who committed nothing count as 0, also where they began no attempt
    in the interval. If more than so many began one (their number was changed meanwhile), all of those count.
    Both ratios are None where one user was alone, and where their divisor is 0.
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
    """(sum of x)^2 / (n * sum of x^2): 1 where all are alike, 1/n where one has all; None where all are 0.

    Source: R. Jain, D.-M. Chiu and W. Hawe, "A quantitative measure of fairness and discrimination for
    resource allocation in shared computer systems", DEC research report TR-301, 1984.
    """
    squares = float((shares.astype(np.float64) ** 2).sum())
    return float(shares.sum()) ** 2 / (len(shares) * squares) if squares else None


def _commits_by_user(cell: Counts, users: int) -> NDArray[np.int64]:
    """Committed transactions of each user, int64[users or more]; last those without a record."""
    found, place = np.unique(cell.users, return_inverse=True)
    ended_by = place[cell.last[cell.committed]]
    return np.bincount(ended_by, minlength=max(users, len(found)))
