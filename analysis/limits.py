"""What holds the goodput of a cell back: how busy its hottest row was, and where its users' time went."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hotrow.attempt import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from analysis.tally import Tally
    from analysis.timing import Timing

BUSY = 0.85
"""From this share on the hottest row is the limit: what is left lies between two commits."""


def limit(
    cell: Mapping[str, Any], counted: Tally, times: Timing, *, p_max: float | None, at_commit: bool
) -> dict[str, Any]:
    """`limit` of a cell: the name of what holds goodput back, and the shares that it was told by.

    On one row at most one transaction commits in a window R, so the hottest row is taken for
    goodput · p · R of the time, p being the probability that a transaction writes it (at most k · p_max for k
    keys). Where that is not near 1, the limit is what took most of the users' time: `backoff`; `conflicts`,
    attempts that did not commit; `latency`, those that did, so that more users would commit more (with row
    locks `lock_waits`, for waits are in it, and more users would wait more); or `between`, whatever else lies
    between attempts: think time, and what the client itself takes. Attempts count whole in the window where
    they began; where those add up to more than its users' time, the shares are of their sum.

    Args:
        cell: of run.json.
        counted: the attempts of its window.
        times: how long they took.
        p_max: probability of the hottest key; None where the skew is not known.
        at_commit: whether the target decides conflicts at COMMIT; with row locks the window holds waits, and
            nothing is said of the row.
    """
    user_ms = cell["users"] * counted.window.seconds * 1e3
    committed = counted.attempts["outcome"] == Outcome.COMMITTED
    spent = {
        "latency": float(times.attempt_ms[committed].sum()) / user_ms,
        "conflicts": float(times.attempt_ms[~committed].sum()) / user_ms,
        "backoff": times.backoff_ms * len(counted.attempts) / user_ms,
    }
    shares = {**spent, "between": max(0.0, 1.0 - sum(spent.values()))}
    shares = {part: share / sum(shares.values()) for part, share in shares.items()}
    busy = _busy(cell, counted, times, p_max) if at_commit else None
    name = "hottest_row" if busy is not None and busy >= BUSY else max(shares, key=shares.__getitem__)
    if name == "latency" and not at_commit:
        name = "lock_waits"
    return {"name": name if len(counted.attempts) else None, "hottest_row_busy": busy, "user_time": shares}


def _busy(cell: Mapping[str, Any], counted: Tally, times: Timing, p_max: float | None) -> float | None:
    """Share of the window that the hottest row was taken by those who committed; None if not known."""
    if p_max is None or not cell.get("closed_form", True) or len(times.window_ms) == 0:
        return None
    p_row = min(1.0, cell["keys_per_transaction"] * p_max) / cell.get("rows_per_key", 1)
    goodput_per_ms = counted.committed.sum() / (counted.window.seconds * 1e3)
    return float(goodput_per_ms * p_row * times.window_ms.mean())
