"""The times of one cell: latency, attempts, COMMIT, conflict window. The ledger has ns, this module ms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hotrow.attempt.record import Flag, Outcome

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from analysis.counts import Counts

    Floats = NDArray[np.float64]

MIN_P999_SAMPLES = 1_000
"""With fewer samples there is no p99.9."""
SPREAD_QUANTILES = 32
"""How many quantiles describe the distribution of the conflict window in the closed form."""
MIN_CONNECT_MS = 1.0
"""Shorter waits for a connection do not count. Reusing a connection takes microseconds; opening one takes
longer than this even on a socket of the same machine."""
_MS = 1e6


@dataclass(frozen=True, eq=False, slots=True)
class Timing:
    """The times of one cell, in ms; each array float64 by attempt."""

    latency_ms: Floats
    """Of committed transactions: from when one was due to the end of its last attempt, without `connect`."""
    attempt_ms: Floats
    """BEGIN, body and COMMIT of all attempts."""
    commit_ms: Floats
    """COMMIT of the attempts that the database decided."""
    window_ms: Floats
    """Conflict window, from snapshot to commit decision, of the same attempts."""
    cycle_ms: float | None
    """Mean time from the start of an attempt to the start of the same user's next attempt."""
    wasted_share: float | None
    """Time in attempts that did not commit / time in all attempts."""
    backoff_share: float | None
    """Backoff / (backoff + time in attempts)."""
    connect_ms: Floats
    """Waits for a connection, of the attempts that waited at least `MIN_CONNECT_MS`."""
    backoff_ms: float
    """Mean backoff before an attempt; 0 before first tries."""


def time_cell(cell: Counts, *, conflicts_at_commit: bool) -> Timing:
    """The times of the attempts in one measured interval.

    `conflicts_at_commit`: whether the target decides conflicts at COMMIT. With row locks, only attempts that
    committed were surely decided at COMMIT.
    """
    attempts = cell.attempts
    begin, body, commit, backoff = (attempts[name] / _MS for name in ("begin", "body", "commit", "backoff"))
    # `begin` is 0. In runs of older versions it is below 1 us, the time between two readings of the clock.
    # It is still subtracted from the conflict window, so that their figures do not change in any digit.
    attempt_ms = (begin + body + commit).astype(np.float64)
    outcome = attempts["outcome"]
    committed = outcome == Outcome.COMMITTED
    answered = committed & ((attempts["flags"] & Flag.RESOLVED) == 0)  # otherwise `commit` includes a look-up
    decided = answered | (outcome == Outcome.CONFLICT) if conflicts_at_commit else answered
    spent, waited = float(attempt_ms.sum()), float(backoff.sum(dtype=np.float64))
    return Timing(
        latency_ms=_latency_ms(cell, attempt_ms),
        attempt_ms=attempt_ms,
        commit_ms=commit[decided].astype(np.float64),
        window_ms=(body + commit - begin)[decided].astype(np.float64),
        cycle_ms=_cycle_ms(cell),
        wasted_share=float(attempt_ms[~committed].sum()) / spent if spent > 0 else None,
        backoff_share=waited / (waited + spent) if spent > 0 else None,
        backoff_ms=waited / max(len(attempts), 1),
        connect_ms=connect_waits_ms(attempts),
    )


def _latency_ms(cell: Counts, attempt_ms: Floats) -> Floats:
    """Latency of the committed transactions: from when one was due to the end of its last attempt.

    Waits for a connection are left out: they belong to the session, not to the transaction.
    """
    committed = cell.attempts["outcome"][cell.last] == Outcome.COMMITTED
    last = cell.last[committed]
    waited_ns = cell.attempts["started"][last] - cell.attempts["scheduled"][last]
    return np.asarray((waited_ns - cell.connect_ns[committed]) / _MS + attempt_ms[last])


def connect_waits_ms(attempts: NDArray[np.void]) -> Floats:
    """Waits for a connection of at least `MIN_CONNECT_MS`; float64, in the order of the attempts."""
    connect_ms = attempts["connect"].astype(np.float64) / _MS
    return np.asarray(connect_ms[connect_ms >= MIN_CONNECT_MS])


def _cycle_ms(cell: Counts) -> float | None:
    """(last start - first start) / (starts - 1), over all users; None if no user began two attempts."""
    began = cell.attempts["started"]
    _, users = np.unique(cell.users, return_inverse=True)
    starts = np.bincount(users)
    first = np.full(len(starts), np.iinfo(np.int64).max)
    last = np.zeros(len(starts), np.int64)
    np.minimum.at(first, users, began)
    np.maximum.at(last, users, began)
    cycles = int((starts - 1).sum())
    return float((last - first).sum()) / cycles / _MS if cycles else None


def spread(window_ms: Floats) -> Floats:
    """Quantiles of the conflict window divided by their mean, ascending, float64[32].

    `window_ms` needs at least one positive sample.
    """
    middles = (np.arange(SPREAD_QUANTILES) + 0.5) / SPREAD_QUANTILES
    quantiles = np.quantile(np.maximum(window_ms, 0.0), middles)
    return np.asarray(quantiles / quantiles.mean())


def quantiles(times_ms: Floats) -> dict[str, float | int | None]:
    """n, p50, p90, p99, p99.9 (from 1,000 samples on) and max; linear interpolation; None if n is 0."""
    n = len(times_ms)
    if n == 0:
        return {"n": 0, "p50": None, "p90": None, "p99": None, "p999": None, "max": None}
    p50, p90, p99, p999 = np.quantile(times_ms, (0.5, 0.9, 0.99, 0.999)).tolist()
    return {
        "n": n,
        "p50": p50,
        "p90": p90,
        "p99": p99,
        "p999": p999 if n >= MIN_P999_SAMPLES else None,
        "max": float(times_ms.max()),
    }


def connect_quantiles(connect_ms: Floats) -> dict[str, float | int | None]:
    """n, p50, p99 and max of the waits for a connection; None if n is 0."""
    values = quantiles(connect_ms)
    return {name: values[name] for name in ("n", "p50", "p99", "max")}


def window_quantiles(window_ms: Floats) -> dict[str, float | int | None]:
    """n, mean, p50 and p99 of the conflict window; None if n is 0."""
    if len(window_ms) == 0:
        return {"n": 0, "mean": None, "p50": None, "p99": None}
    p50, p99 = np.quantile(window_ms, (0.5, 0.99)).tolist()
    return {"n": len(window_ms), "mean": float(window_ms.mean()), "p50": p50, "p99": p99}
