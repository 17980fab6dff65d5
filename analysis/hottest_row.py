"""The share of time for which the hottest row of a cell was taken by transactions that committed on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hotrow.attempt.record import Flag, Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from analysis.counts import Counts
    from hotrow.keys.spaces import Spaces
    from hotrow.keys.table import Table

    Floats = NDArray[np.float64]

MIN_OVERLAP = 1.05
"""Committed transactions on one row cannot overlap. If they took more than this many times the measured
interval, they wrote several rows."""
MIN_OVERLAP_COMMITS = 20
"""Fewer commits do not prove that they wrote several rows."""


@dataclass(frozen=True, slots=True)
class Taken:
    """How long the hottest row was taken, as shares of the measured interval without silences."""

    busy: float | None
    """The share for which the row was taken, at most 1; None if unknown or if there is no such row."""
    overlap: float | None
    """A lower bound of the share, if it proves that the commits were on several rows; otherwise None."""


UNKNOWN = Taken(None, None)


def how_taken(
    cell: Mapping[str, Any],
    counts: Counts,
    table: Table | Spaces | None,
    silences: Sequence[Mapping[str, float]],
) -> Taken:
    """The share of time for which the hottest row was taken, from the conflict windows R of its commits.

    On one row these windows cannot overlap. The record's key is the hottest of the write set, so every commit
    that wrote the hottest key of all has it as its key. Commits do not follow the skew: retries and give-ups
    are mostly on hot keys. R begins when BEGIN is sent, alone or not. So it includes the way to the server
    and back, which takes no longer than the body and no longer than COMMIT. R without that round trip is a
    lower bound of how long the row was taken. The share is unknown if transactions write other keys than they
    draw.

    Args:
        cell: the cell from run.json.
        counts: the attempts of its measured interval.
        table: its skew, laid out over its keys; None if unknown.
        silences: `silences` of the cell; a server that stands still takes no row.
    """
    if table is None or not cell.get("closed_form", True):
        return UNKNOWN
    attempts = counts.attempts
    wrote = (attempts["key"] == table.hottest_key) & (attempts["outcome"] == Outcome.COMMITTED)
    taken = attempts[wrote & ((attempts["flags"] & Flag.RESOLVED) == 0)]
    begin, body, commit = (taken[part].astype(np.float64) for part in ("begin", "body", "commit"))
    ends_ns = (taken["started"] - counts.interval.begin_ns) + begin + body + commit
    # `begin` is 0 or, in runs of older versions, below 1 us: see `analysis.timing.time_cell`.
    window_ns, trip_ns = body + commit - begin, np.maximum(np.minimum(body, commit) - begin, 0.0)
    rows = cell.get("rows_per_key", 1)
    share = _share(counts, ends_ns - window_ns, ends_ns, silences) / rows
    lower_bound = _share(counts, ends_ns - window_ns + trip_ns, ends_ns, silences) / rows
    if len(taken) >= MIN_OVERLAP_COMMITS and lower_bound > MIN_OVERLAP:
        return Taken(None, lower_bound)
    return Taken(min(share, 1.0), None)


def _share(
    counts: Counts, begin_ns: Floats, end_ns: Floats, silences: Sequence[Mapping[str, float]]
) -> float:
    """The spans' time within the measured interval and outside silences, as a share of all such time."""
    whole_ns = float(counts.interval.end_ns - counts.interval.begin_ns)
    still = [(gap["begin_s"] * 1e9, gap["end_s"] * 1e9) for gap in silences]
    awake_ns = whole_ns - sum(end - begin for begin, end in still)
    inside = _shared(begin_ns, end_ns, 0.0, whole_ns)
    for begin, end in still:
        inside = inside - _shared(begin_ns, end_ns, begin, end)
    return float(inside.sum() / awake_ns) if awake_ns > 0 else 0.0


def _shared(begin: Floats, end: Floats, low: float, high: float) -> Floats:
    """How much of each span [begin, end) lies in [low, high)."""
    return np.asarray(np.maximum(np.minimum(end, high) - np.maximum(begin, low), 0.0))
