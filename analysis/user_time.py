"""What the users of one cell spent their time on, in seconds that add up exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from analysis.counts import lasted_ns, numbered
from hotrow.attempt.record import RETRYABLE, Flag, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from analysis.reading import MeasuredInterval

    Floats = NDArray[np.float64]
    Which = NDArray[np.bool_]

PARTS = (
    "first_attempts",
    "later_attempts",
    "conflicts",
    "rejected",
    "errors",
    "backoff",
    "connecting",
    "think",
    "other",
)
"""Where time goes: attempts by how they ended, then the waits between them."""

_ENDED_BY = (
    ("conflicts", tuple(RETRYABLE)),
    ("rejected", (Outcome.REJECTED,)),
    ("errors", (Outcome.ERROR, Outcome.UNKNOWN)),
)


def user_time_s(
    attempts: NDArray[np.void], interval: MeasuredInterval, users: int, think_s: float
) -> dict[str, float]:
    """`user_time_s` of a cell: seconds of all users together, by `PARTS`, and their sum as `total`.

    - `first_attempts`, `later_attempts`: attempts that committed, at the first try or at a later one.
    - `conflicts`, `rejected`, `errors`: attempts that ended so. Schema conflicts and deadlocks are conflicts;
      attempts in doubt are errors.
    - `backoff`: waits that the retry policy chose.
    - `connecting`: waits for a connection.
    - `think`: pauses between transactions, up to the think time.
    - `other`: the rest, such as the client's own work and users who were not there yet.

    Every part is cut at both edges of the interval, so an attempt that crosses an edge counts for the time
    that lies inside. `total` is users times seconds. If the users changed during the cell and spent more
    than that, it is what they spent, and `other` is 0.

    Args:
        attempts: all records of the cell, also those before and after the interval.
        interval: the measured interval.
        users: how many users the cell had.
        think_s: their pause between two transactions.
    """
    length_ns = float(interval.end_ns - interval.begin_ns)
    spent = {name: ns / 1e9 for name, ns in _spent_ns(attempts, interval, length_ns, think_s * 1e9).items()}
    total = max(users * interval.seconds, sum(spent.values()))
    return {"total": total, **spent, "other": max(0.0, total - sum(spent.values()))}


def _spent_ns(
    attempts: NDArray[np.void], interval: MeasuredInterval, length_ns: float, think_ns: float
) -> dict[str, float]:
    """Time of each part but `other` within the interval, in ns."""
    user = numbered(attempts, "user")
    order = np.lexsort((attempts["started"], user))
    attempts, user = attempts[order], user[order]
    started = (attempts["started"] - interval.begin_ns).astype(np.float64)
    ended = started + lasted_ns(attempts)
    asked = started - attempts["connect"]
    # The next thing that the same user did; after the last attempt, the end of the interval.
    is_last = np.append(user[1:] != user[:-1], [True])[: len(user)]
    following = np.where(is_last, length_ns, np.append(asked[1:], [0.0])[: len(asked)])
    final = (attempts["flags"] & Flag.FINAL) != 0
    paused = np.where(is_last, length_ns, np.append(attempts["backoff"][1:], [0.0])[: len(asked)])

    def inside(begin: Floats, end: Floats, which: Which) -> float:
        """The sum of the lengths of [begin, end) inside the interval, of some attempts."""
        cut = np.minimum(end, length_ns) - np.maximum(begin, 0.0)
        return float(np.maximum(cut, 0.0)[which].sum())

    return {
        **_in_attempts(attempts, lambda which: inside(started, ended, which)),
        "backoff": inside(np.maximum(ended, following - paused), following, ~final),
        "connecting": inside(asked, started, np.ones(len(asked), np.bool_)),
        "think": inside(ended, np.minimum(ended + think_ns, following), final),
    }


def _in_attempts(attempts: NDArray[np.void], seconds_of: Callable[[Which], float]) -> dict[str, float]:
    outcome, first = attempts["outcome"], attempts["attempt"] == 1
    committed = outcome == Outcome.COMMITTED
    return {
        "first_attempts": seconds_of(committed & first),
        "later_attempts": seconds_of(committed & ~first),
        **{name: seconds_of(np.isin(outcome, outcomes)) for name, outcomes in _ENDED_BY},
    }
