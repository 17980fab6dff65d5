"""How long the hottest row of a cell was taken by the transactions that committed on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hotrow.attempt.record import Flag, Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from analysis.counts import Counts
    from hotrow.keys.skew import Table

    Floats = NDArray[np.float64]

OVERLAP_MIN = 1.05
"""Transactions on one row that committed cannot overlap: more than the whole interval proves several rows."""
OVERLAP_COMMITS_MIN = 20
"""Fewer commits prove nothing."""


@dataclass(frozen=True, slots=True)
class Taken:
    """Of the interval without silences."""

    busy: float | None
    """The share for which the row was taken, at most 1; None if it is not known or there is no such row."""
    overlap: float | None
    """What the share surely is, if it proves that there is no such row."""


UNKNOWN = Taken(None, None)


def how_taken(
    cell: Mapping[str, Any], counted: Counts, table: Table | None, silences: Sequence[Mapping[str, float]]
) -> Taken:
    """By the windows of those who committed: on one row they cannot overlap.

    The record's key is the hottest of the write set, so a commit that wrote the hottest key of all names it.
    Who commits is not drawn by the skew: those who are tried again, or give up, are mostly on hot keys.
    If BEGIN travels with the first statement, R is too long by a round trip, which is no longer than the body
    and no longer than COMMIT: without it, R is surely no longer than the row was taken. Not known if
    transactions write other keys than they draw.

    Args:
        cell: of run.json.
        counted: the attempts of its interval.
        table: its skew; None if that is not known.
        silences: of the cell; a server that stands still takes no row.
    """
    if table is None or not cell.get("closed_form", True):
        return UNKNOWN
    attempts = counted.attempts
    wrote = (attempts["key"] == table.key_of([0])[0]) & (attempts["outcome"] == Outcome.COMMITTED)
    taken = attempts[wrote & ((attempts["flags"] & Flag.RESOLVED) == 0)]
    begin, body, commit = (taken[part].astype(np.float64) for part in ("begin", "body", "commit"))
    ends_ns = (taken["started"] - counted.interval.begin_ns) + begin + body + commit
    window_ns, trip_ns = body + commit - begin, np.maximum(np.minimum(body, commit) - begin, 0.0)
    rows = cell.get("rows_per_key", 1)
    share = _share(counted, ends_ns - window_ns, ends_ns, silences) / rows
    surely = _share(counted, ends_ns - window_ns + trip_ns, ends_ns, silences) / rows
    if len(taken) >= OVERLAP_COMMITS_MIN and surely > OVERLAP_MIN:
        return Taken(None, surely)
    return Taken(min(share, 1.0), None)


def _share(
    counted: Counts, begin_ns: Floats, end_ns: Floats, silences: Sequence[Mapping[str, float]]
) -> float:
    """Time in all of these spans, as far as it lies in the interval and outside silences, / all such time."""
    whole_ns = float(counted.interval.end_ns - counted.interval.begin_ns)
    still = [(gap["begin_s"] * 1e9, gap["end_s"] * 1e9) for gap in silences]
    awake_ns = whole_ns - sum(end - begin for begin, end in still)
    inside = _shared(begin_ns, end_ns, 0.0, whole_ns)
    for begin, end in still:
        inside = inside - _shared(begin_ns, end_ns, begin, end)
    return float(inside.sum() / awake_ns) if awake_ns > 0 else 0.0


def _shared(begin: Floats, end: Floats, low: float, high: float) -> Floats:
    """How much of each span [begin, end) lies in [low, high)."""
    return np.asarray(np.maximum(np.minimum(end, high) - np.maximum(begin, low), 0.0))
