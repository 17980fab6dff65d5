"""What holds the goodput of a cell back: how busy its hottest row was, and where its users' time went."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hotrow.attempt import Flag, Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from analysis.tally import Tally
    from analysis.timing import Timing
    from hotrow.skew import Table

BUSY = 0.85
"""From this share on the hottest row is the limit: what is left lies between two commits."""


OVERLAP_MIN = 1.05
"""Transactions on one row that committed cannot overlap: more than the whole interval proves several rows."""
OVERLAP_COMMITS_MIN = 20
"""Fewer commits prove nothing."""
_MS = 1e6


def limit(
    cell: Mapping[str, Any],
    counted: Tally,
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
    window in which they began; if those add up to more than its users' time, shares are of their sum.

    Args:
        cell: of run.json.
        counted: the attempts of its window.
        times: how long they took.
        table: its skew; None if that is not known.
        at_commit: whether the target decides conflicts at COMMIT; with row locks the window holds waits, and
            nothing is said of the row.
        think_s: what users pause between two transactions.
        silences: of the cell; a server that stands still takes no row.
    """
    shares = _user_time(cell["users"] * counted.window.seconds * 1e3, counted, times, think_s)
    busy, surely = _busy(cell, counted, table, silences) if at_commit else (None, None)
    overlap = surely if surely is not None and surely > OVERLAP_MIN else None
    busy = None if busy is None or overlap is not None else min(busy, 1.0)
    name = "hottest_row" if busy is not None and busy >= BUSY else max(shares, key=shares.__getitem__)
    if name == "latency" and not at_commit:
        name = "lock_waits"
    return {
        "name": name if len(counted.attempts) else None,
        "hottest_row_busy": busy,
        "hottest_row_overlap": overlap,
        "user_time": shares,
    }


def _user_time(user_ms: float, counted: Tally, times: Timing, think_s: float) -> dict[str, float]:
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


def _after_ms(counted: Tally, times: Timing, failed: NDArray[np.bool_], think_s: float) -> float:
    """How long users waited from such attempts to their next one, without backoff and think time."""
    order = np.lexsort((counted.attempts["started"], counted.users))
    attempts, users = counted.attempts[order], counted.users[order]
    ended_ms = (attempts["started"] - counted.window.begin_ns) / _MS + times.attempt_ms[order]
    next_ms = (attempts["started"][1:] - counted.window.begin_ns) / _MS
    waited_ms = next_ms - ended_ms[:-1] - attempts["backoff"][1:] / _MS - think_s * 1e3
    counts = failed[order][:-1] & (users[1:] == users[:-1])
    return float(np.maximum(waited_ms[counts], 0.0).sum())


def _busy(
    cell: Mapping[str, Any],
    counted: Tally,
    table: Table | None,
    silences: Sequence[Mapping[str, float]],
) -> tuple[float, float | None] | tuple[None, None]:
    """Share of the window that the hottest row was taken by those who committed; then what it surely was.

    The record's key is the hottest of the write set, so a commit that wrote the hottest key of all names it.
    Who commits is not drawn by the skew: those who are tried again, or give up, are mostly on hot keys.
    Where BEGIN travels with the first statement, R is too long by a round trip, which is no longer than the
    body and no longer than COMMIT: without it, R is surely no longer than the row was taken. Not known if
    transactions write other keys than they draw.
    """
    if table is None or not cell.get("closed_form", True):
        return None, None
    attempts = counted.attempts
    wrote = (attempts["key"] == table.key_of([0])[0]) & (attempts["outcome"] == Outcome.COMMITTED)
    taken = attempts[wrote & ((attempts["flags"] & Flag.RESOLVED) == 0)]
    begin, body, commit = (taken[part].astype(np.float64) for part in ("begin", "body", "commit"))
    ends_ns = (taken["started"] - counted.window.begin_ns) + begin + body + commit
    window_ns, trip_ns = body + commit - begin, np.maximum(np.minimum(body, commit) - begin, 0.0)
    whole_ns, rows = float(counted.window.end_ns - counted.window.begin_ns), cell.get("rows_per_key", 1)
    still = [(gap["begin_s"] * 1e9, gap["end_s"] * 1e9) for gap in silences]

    def awake_ns(begin_ns: NDArray[np.float64], end_ns: NDArray[np.float64]) -> float:
        """Time in all of these spans, as far as it lies in the interval and outside silences."""
        inside = _shared(begin_ns, end_ns, 0.0, whole_ns)
        return float((inside - sum(_shared(begin_ns, end_ns, *gap) for gap in still)).sum())

    awake_whole_ns = awake_ns(np.zeros(1), np.full(1, whole_ns))
    if awake_whole_ns <= 0:
        return None, None

    def share(length_ns: NDArray[np.float64]) -> float:
        return awake_ns(ends_ns - length_ns, ends_ns) / (awake_whole_ns * float(rows))

    return share(window_ns), share(window_ns - trip_ns) if len(taken) >= OVERLAP_COMMITS_MIN else None


def _shared(
    begin: NDArray[np.float64], end: NDArray[np.float64], low: float, high: float
) -> NDArray[np.float64]:
    """How much of each span [begin, end) lies in [low, high)."""
    return np.asarray(np.maximum(np.minimum(end, high) - np.maximum(begin, low), 0.0))
