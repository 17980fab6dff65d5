"""What holds the goodput of a cell back: how busy its hottest row was, and where its users' time went."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.hottest_row import UNKNOWN, how_taken
from hotrow.attempt.record import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from analysis.counts import Counts
    from analysis.timing import Timing
    from hotrow.keys.skew import Table

BUSY = 0.85
"""From this share on the hottest row is the limit: what is left lies between two commits."""


_MS = 1e6


def limit(
    cell: Mapping[str, Any],
    counted: Counts,
    times: Timing,
    table: Table | None,
    *,
    at_commit: bool,
    think_s: float = 0.0,
    silences: Sequence[Mapping[str, float]] = (),
) -> dict[str, Any]:
    """`limit` of a cell: the name of what holds goodput back, and the shares that it was told by.

    On one row at most one transaction commits in a window R, so the hottest row is taken for the windows of
    the committed transactions that wrote it. If that is not near 1, the limit is what took most of the users'
    time: `backoff`; `conflicts`, attempts that lost a race; `errors`, those that failed otherwise or are in
    doubt, with the time up to the user's next attempt; `rejected`, those that the business rule refused;
    `latency`, those that committed (with row locks `lock_waits`, for waits are in it); or `between`, whatever
    else lies between attempts: think time, and what the client itself takes. Attempts count whole in the
    interval in which they began; if those add up to more than its users' time, shares are of their sum.

    Args:
        cell: of run.json.
        counted: the attempts of its interval.
        times: how long they took.
        table: its skew; None if that is not known.
        at_commit: whether the target decides conflicts at COMMIT; with row locks the window holds waits, and
            nothing is said of the row.
        think_s: what users pause between two transactions.
        silences: of the cell; a server that stands still takes no row.
    """
    shares = _user_time(cell["users"] * counted.interval.seconds * 1e3, counted, times, think_s)
    row = how_taken(cell, counted, table, silences) if at_commit else UNKNOWN
    full = row.busy is not None and row.busy >= BUSY
    name = "hottest_row" if full else max(shares, key=shares.__getitem__)
    if name == "latency" and not at_commit:
        name = "lock_waits"
    return {
        "name": name if len(counted.attempts) else None,
        "hottest_row_busy": row.busy,
        "hottest_row_overlap": row.overlap,
        "user_time": shares,
    }


def _user_time(user_ms: float, counted: Counts, times: Timing, think_s: float) -> dict[str, float]:
    """What the users' time went into, as shares that add up to 1."""
    outcome = counted.attempts["outcome"]
    failed = (outcome == Outcome.ERROR) | (outcome == Outcome.UNKNOWN)
    committed, rejected = outcome == Outcome.COMMITTED, outcome == Outcome.REJECTED
    after_errors_ms = _after_ms(counted, times, failed, think_s)
    spent = {
        "latency": float(times.attempt_ms[committed].sum()) / user_ms,
        "conflicts": float(times.attempt_ms[~committed & ~rejected & ~failed].sum()) / user_ms,
        "errors": (float(times.attempt_ms[failed].sum()) + after_errors_ms) / user_ms,
        "rejected": float(times.attempt_ms[rejected].sum()) / user_ms,
        "backoff": times.backoff_ms * len(counted.attempts) / user_ms,
    }
    shares = {**spent, "between": max(0.0, 1.0 - sum(spent.values()))}
    return {part: share / sum(shares.values()) for part, share in shares.items()}


def _after_ms(counted: Counts, times: Timing, failed: NDArray[np.bool_], think_s: float) -> float:
    """How long users waited from such attempts to their next one, without backoff and think time."""
    order = np.lexsort((counted.attempts["started"], counted.users))
    attempts, users = counted.attempts[order], counted.users[order]
    ended_ms = (attempts["started"] - counted.interval.begin_ns) / _MS + times.attempt_ms[order]
    next_ms = (attempts["started"][1:] - counted.interval.begin_ns) / _MS
    waited_ms = next_ms - ended_ms[:-1] - attempts["backoff"][1:] / _MS - think_s * 1e3
    counts = failed[order][:-1] & (users[1:] == users[:-1])
    return float(np.maximum(waited_ms[counts], 0.0).sum())
