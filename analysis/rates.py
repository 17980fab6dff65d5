"""Rates and times of the attempts in a measured interval, as JSON values; for a cell or a part of it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis import intervals, timing
from analysis.counts import STATES
from hotrow.attempt.record import Outcome

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from analysis.counts import Counts


def measure_rates(cell: Counts) -> dict[str, Any]:
    """Rates with their 95 % intervals, from counts in equal batches of the measured interval."""
    batch = cell.batches(intervals.BATCHES)
    ending = batch[cell.last]
    attempts = _in_batches(batch)
    conflicts = _in_batches(batch[cell.attempts["outcome"] == Outcome.CONFLICT])
    retries = _in_batches(batch[cell.attempts["attempt"] > 1])
    finished = _in_batches(ending[cell.states != STATES.index("cut_off")])
    gave_up = _in_batches(ending[cell.states == STATES.index("gave_up")])
    failed = _in_batches(ending[cell.states == STATES.index("failed")])
    commits = _in_batches(ending[cell.committed])
    seconds, total, committed = cell.interval.seconds, len(cell.attempts), int(commits.sum())
    return {
        "conflict_rate": asdict(intervals.share(conflicts, attempts)),
        "retry_rate": asdict(intervals.ratio(retries, finished)),
        "give_up_rate": asdict(intervals.share(gave_up, finished)),
        "error_rate": asdict(intervals.share(failed, finished)),
        "goodput_per_s": asdict(intervals.per_second(commits, seconds)),
        "attempts_per_s": total / seconds,
        "attempts_per_commit": total / committed if committed else None,
    }


def _in_batches(batches: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.bincount(batches, minlength=intervals.BATCHES).astype(np.float64)


def measure_times(measured: timing.Timing) -> dict[str, Any]:
    """Quantiles of latency, attempt time, COMMIT time, conflict window and connecting, in ms."""
    return {
        "latency_ms": timing.quantiles(measured.latency_ms),
        "attempt_ms": timing.quantiles(measured.attempt_ms),
        "commit_ms": timing.quantiles(measured.commit_ms),
        "window_ms": timing.window_quantiles(measured.window_ms),
        "connect_ms": timing.connect_quantiles(measured.connect_ms),
        "cycle_ms": measured.cycle_ms,
        "wasted_share": measured.wasted_share,
        "backoff_share": measured.backoff_share,
    }
