"""How evenly the users of a cell got their transactions committed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from analysis.tally import Tally


def fairness(cell: Tally, users: int) -> dict[str, Any]:
    """`users`, `jain`, `max_over_median` and the least, median and most transactions that one committed.

    `users` is how many the cell has: those who committed nothing count as 0, also where they began no attempt
    in the window. Where more than so many began one (their number was changed meanwhile), all of those count.
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


def _commits_by_user(cell: Tally, users: int) -> NDArray[np.int64]:
    """Committed transactions of each user, int64[users or more]; last those without a record."""
    found, place = np.unique(cell.users, return_inverse=True)
    ended_by = place[cell.last[cell.committed]]
    return np.bincount(ended_by, minlength=max(users, len(found)))
