"""What holds the goodput of a cell back: how busy its hottest row was, and where its users' time went."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hotrow.attempt import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from analysis.tally import Tally
    from analysis.timing import Timing
    from hotrow.skew import Table

BUSY = 0.85
"""From this share on the hottest row is the limit: what is left lies between two commits."""


def limit(
    cell: Mapping[str, Any], counted: Tally, times: Timing, table: Table | None, *, at_commit: bool
) -> dict[str, Any]:
    """`limit` of a cell: the name of what holds goodput back, and the shares that it was told by.

    On one row at most one transaction commits in a window R, so the hottest row is taken for the committed
    transactions a second that wrote it, times R. Where that is not near 1, the limit is what took most of the
    users' time: `backoff`; `conflicts`, attempts that did not commit; `rejected`, those that the business
    rule refused; `latency`, those that committed (with row locks `lock_waits`, for waits are in it); or
    `between`, whatever else lies between attempts: think time, and what the client itself takes. Attempts
    count whole in the window where they began; where those add up to more than its users' time, shares are
    of their sum.

    Args:
        cell: of run.json.
        counted: the attempts of its window.
        times: how long they took.
        table: its skew; None where that is not known.
        at_commit: whether the target decides conflicts at COMMIT; with row locks the window holds waits, and
            nothing is said of the row.
    """
    shares = _user_time(cell["users"] * counted.window.seconds * 1e3, counted, times)
    busy = _busy(cell, counted, times, table) if at_commit else None
    name = "hottest_row" if busy is not None and busy >= BUSY else max(shares, key=shares.__getitem__)
    if name == "latency" and not at_commit:
        name = "lock_waits"
    return {"name": name if len(counted.attempts) else None, "hottest_row_busy": busy, "user_time": shares}


def _user_time(user_ms: float, counted: Tally, times: Timing) -> dict[str, float]:
    """What the users' time went into, as shares that add up to 1."""
    outcome = counted.attempts["outcome"]
    committed, rejected = outcome == Outcome.COMMITTED, outcome == Outcome.REJECTED
    spent = {
        "latency": float(times.attempt_ms[committed].sum()) / user_ms,
        "conflicts": float(times.attempt_ms[~committed & ~rejected].sum()) / user_ms,
        "rejected": float(times.attempt_ms[rejected].sum()) / user_ms,
        "backoff": times.backoff_ms * len(counted.attempts) / user_ms,
    }
    shares = {**spent, "between": max(0.0, 1.0 - sum(spent.values()))}
    return {part: share / sum(shares.values()) for part, share in shares.items()}


def _busy(cell: Mapping[str, Any], counted: Tally, times: Timing, table: Table | None) -> float | None:
    """Share of the window that the hottest row was taken by those who committed; None if not known.

    The record's key is the hottest of the write set, so a commit that wrote the hottest key of all names it.
    Who commits is not drawn by the skew: those who are tried again, or give up, are mostly on hot keys.
    """
    if table is None or not cell.get("closed_form", True) or len(times.window_ms) == 0:
        return None
    wrote = counted.attempts["key"] == table.key_of([0])[0]
    commits = np.count_nonzero(wrote & (counted.attempts["outcome"] == Outcome.COMMITTED))
    rows = cell.get("rows_per_key", 1)
    return float(commits / rows * times.window_ms.mean() / (counted.window.seconds * 1e3))
