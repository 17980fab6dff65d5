"""The course of one cell: attempts, conflicts, commits and p99 latency in equal bins of time.

The bins cover the measured interval and the warm-up before it. Sums over the bins of the interval are the
counts of the cell.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis import timing
from analysis.cell_findings import MIN_COMMITS
from analysis.counts import counts_in
from analysis.reading import MeasuredInterval
from hotrow.attempt.record import Outcome

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from analysis.counts import Counts

MAX_BINS = 120
"""Bins of warm-up and measured interval together."""
MIN_BINS = 8
"""Bins of the measured interval, if it has any."""
MIN_ATTEMPTS = 200
COMMITS_PER_BIN = 100
"""Bins are so wide that they hold this many commits on average, or that only `MIN_BINS` are left."""
_WIDTHS_S = tuple(mark * 10.0**power for power in range(-1, 6) for mark in (1, 2, 5))


def over_time(attempts: NDArray[np.void], measured: Counts) -> dict[str, Any] | None:
    """`over_time` of a cell; None if it has fewer than `MIN_ATTEMPTS`.

    `begin_s` is the begin of the first bin, in seconds of the measured interval: negative in the warm-up. All
    bins last `bin_s` seconds, and the last one ends with the interval. An attempt counts in the bin in which
    it began, a transaction in the bin of its last attempt. The warm-up is shown for at most as long as the
    interval lasts. p99 is None in bins with fewer than 20 commits.

    Args:
        attempts: all records of the cell.
        measured: the counts of its measured interval.
    """
    interval = measured.interval
    if len(measured.attempts) < MIN_ATTEMPTS:
        return None
    warmup_s = _warmup_s(attempts, interval)
    bin_s = _bin_s(interval.seconds, warmup_s, int(np.count_nonzero(measured.committed)))
    before = int(warmup_s / bin_s + 1e-9)
    begin_ns = interval.begin_ns - math.floor(before * bin_s * 1e9)
    shown = counts_in(attempts, MeasuredInterval(begin_ns, interval.end_ns))
    bins = before + round(interval.seconds / bin_s)
    return {
        "begin_s": -before * bin_s,
        "bin_s": bin_s,
        **_counted(shown, interval, bins, before),
    }


def _warmup_s(attempts: NDArray[np.void], interval: MeasuredInterval) -> float:
    """How long before the interval the first attempt began, in seconds; at most the interval's length."""
    first_ns = int(attempts["started"].min())
    return min(max(0.0, (interval.begin_ns - first_ns) / 1e9), interval.seconds)


def _bin_s(seconds: float, warmup_s: float, committed: int) -> float:
    """The length of a bin: near 1, 2 or 5 times a power of ten, and a whole part of the interval."""
    least = max((seconds + warmup_s) / MAX_BINS, seconds * COMMITS_PER_BIN / max(committed, 1))
    most = seconds / MIN_BINS
    width = next((width for width in _WIDTHS_S if width >= min(least, most)), most)
    return seconds / max(MIN_BINS, math.floor(seconds / min(width, most) + 1e-9))


def _counted(shown: Counts, interval: MeasuredInterval, bins: int, before: int) -> dict[str, Any]:
    """The lists, by bin."""
    place = _bin_of(shown.attempts["started"], interval, bins, before)
    last = place[shown.last[shown.committed]]
    latency_ms = timing.time_cell(shown, conflicts_at_commit=True).latency_ms
    return {
        "attempts": _per_bin(place, bins),
        "conflicts": _per_bin(place[shown.attempts["outcome"] == Outcome.CONFLICT], bins),
        "committed": _per_bin(last, bins),
        "latency_ms_p99": [_p99(latency_ms[last == number]) for number in range(bins)],
    }


def _bin_of(
    started_ns: NDArray[np.int64], interval: MeasuredInterval, bins: int, before: int
) -> NDArray[np.int64]:
    """The bin of each start. No rounding moves an attempt across the begin of the interval."""
    length_ns, measured = interval.end_ns - interval.begin_ns, bins - before
    place = before + (started_ns - interval.begin_ns) * measured // length_ns
    return np.asarray(np.clip(place, 0, bins - 1))


def _per_bin(places: NDArray[np.int64], bins: int) -> list[int]:
    counts: list[int] = np.bincount(places, minlength=bins).tolist()
    return counts


def _p99(latency_ms: NDArray[np.float64]) -> float | None:
    return float(np.quantile(latency_ms, 0.99)) if len(latency_ms) >= MIN_COMMITS else None
