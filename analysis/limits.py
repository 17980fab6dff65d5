"""The limit of a cell's goodput: how busy its hottest row was, and what its users' time went into."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.hottest_row import UNKNOWN, how_taken
from hotrow.attempt.record import Outcome
from hotrow.keys.spaces import Spaces

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from analysis.counts import Counts
    from analysis.timing import Timing
    from hotrow.keys.table import Table

MIN_BUSY = 0.85
"""The hottest row is the limit from this share on. The rest of the time lies between two commits."""
_MS = 1e6


def limit(
    cell: Mapping[str, Any],
    counts: Counts,
    times: Timing,
    table: Table | Spaces | None,
    *,
    at_commit: bool,
    think_s: float = 0.0,
    silences: Sequence[Mapping[str, float]] = (),
) -> dict[str, Any]:
    """`limit` of a cell: the name of what holds goodput back, and the shares that decided it.

    With key spaces `row` names the hottest row by its space and its key there.

    On one row at most one transaction commits per conflict window R. So the hottest row is taken for the
    conflict windows of the committed transactions that wrote it. If that share is not near 1, the limit is
    what took most of the users' time:

    - `backoff`: waits that the retry policy chose.
    - `conflicts`: attempts that lost a race.
    - `errors`: attempts that failed otherwise or are in doubt, with the time up to the user's next attempt.
    - `rejected`: attempts that the business rule rejected.
    - `latency`: attempts that committed; with row locks `lock_waits`, because they include the waits.
    - `between`: all other time between attempts, such as think time and the client's own work.

    An attempt counts whole in the interval in which it began. If attempts add up to more than the users'
    time, shares are shares of their sum.

    Args:
        cell: the cell from run.json.
        counts: the attempts of its measured interval.
        times: how long they took.
        table: its skew, laid out over its keys; None if unknown.
        at_commit: whether the target decides conflicts at COMMIT. With row locks the conflict window includes
            waits, so how busy the row was is unknown.
        think_s: the users' pause between two transactions.
        silences: `silences` of the cell; a server that stands still takes no row.
    """
    shares = _user_time(cell["users"] * counts.interval.seconds * 1e3, counts, times, think_s)
    row = how_taken(cell, counts, table, silences) if at_commit else UNKNOWN
    is_busy = row.busy is not None and row.busy >= MIN_BUSY
    name = "hottest_row" if is_busy else max(shares, key=shares.__getitem__)
    if name == "latency" and not at_commit:
        name = "lock_waits"
    return {
        "name": name if len(counts.attempts) else None,
        "hottest_row_busy": row.busy,
        "hottest_row_overlap": row.overlap,
        **({"row": table.named(table.hottest_key)} if isinstance(table, Spaces) and row.busy else {}),
        "user_time": shares,
    }


def _user_time(user_ms: float, counts: Counts, times: Timing, think_s: float) -> dict[str, float]:
    """The users' time by what it went into, as shares that add up to 1."""
    outcome = counts.attempts["outcome"]
    failed = (outcome == Outcome.ERROR) | (outcome == Outcome.UNKNOWN)
    committed, rejected = outcome == Outcome.COMMITTED, outcome == Outcome.REJECTED
    after_errors_ms = _after_ms(counts, times, failed, think_s)
    spent = {
        "latency": float(times.attempt_ms[committed].sum()) / user_ms,
        "conflicts": float(times.attempt_ms[~committed & ~rejected & ~failed].sum()) / user_ms,
        "errors": (float(times.attempt_ms[failed].sum()) + after_errors_ms) / user_ms,
        "rejected": float(times.attempt_ms[rejected].sum()) / user_ms,
        "backoff": times.backoff_ms * len(counts.attempts) / user_ms,
    }
    shares = {**spent, "between": max(0.0, 1.0 - sum(spent.values()))}
    return {part: share / sum(shares.values()) for part, share in shares.items()}


def _after_ms(counts: Counts, times: Timing, failed: NDArray[np.bool_], think_s: float) -> float:
    """Time from failed attempts to the users' next ones, without backoff and think time; a sum in ms."""
    order = np.lexsort((counts.attempts["started"], counts.users))
    attempts, users = counts.attempts[order], counts.users[order]
    ended_ms = (attempts["started"] - counts.interval.begin_ns) / _MS + times.attempt_ms[order]
    next_ms = (attempts["started"][1:] - counts.interval.begin_ns) / _MS
    waited_ms = next_ms - ended_ms[:-1] - attempts["backoff"][1:] / _MS - think_s * 1e3
    after_failure = failed[order][:-1] & (users[1:] == users[:-1])
    return float(np.maximum(waited_ms[after_failure], 0.0).sum())
