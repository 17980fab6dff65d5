"""The figures of each region and of each kind of transaction in a cell.

One rate for the whole cell would hide how they differ.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from analysis import rates, timing
from analysis.counts import count_attempts, count_transactions, split

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from analysis.counts import Counts

_SEVERAL = 2
_TIMES = ("latency_ms", "attempt_ms", "commit_ms", "connect_ms")


def summarise_regions(
    target: Mapping[str, Any], attempts: NDArray[np.void], together: Counts
) -> dict[str, list[dict[str, Any]]]:
    """`regions` of a cell, in the order of run.json's `target.regions`; empty if the target has one region.

    Args:
        target: the target from run.json; runs of older versions have no `regions`.
        attempts: all records of the cell.
        together: the counts of all these records.

    Raises:
        BrokenEquationError: the regions do not add up to the cell.
    """
    names = target.get("regions") or ()
    at_commit = target["conflicts"] == "commit"
    regions = [
        {
            "region": index,
            "name": name,
            "users": len(np.unique(counts.users)),
            **_part(counts, at_commit=at_commit),
        }
        for index, (name, counts) in enumerate(_split("region", names, attempts, together))
    ]
    return {"regions": regions} if regions else {}


def summarise_kinds(
    meta: Mapping[str, Any], attempts: NDArray[np.void], together: Counts
) -> dict[str, list[dict[str, Any]]]:
    """`kinds` of a cell, in the order of run.json's `kinds`; empty if the scenario has one kind.

    Args:
        meta: run.json; runs of older versions have no `kinds`.
        attempts: all records of the cell.
        together: the counts of all these records.

    Raises:
        BrokenEquationError: the kinds do not add up to the cell.
    """
    names = meta.get("kinds") or ()
    at_commit = meta["target"]["conflicts"] == "commit"
    kinds = [
        {"kind": index, "name": name, **_part(counts, at_commit=at_commit)}
        for index, (name, counts) in enumerate(_split("kind", names, attempts, together))
    ]
    return {"kinds": kinds} if kinds else {}


def _split(
    field: str, names: Sequence[str], attempts: NDArray[np.void], together: Counts
) -> Sequence[tuple[str, Counts]]:
    """Each name with the counts of its part; empty unless there are several."""
    if len(names) < _SEVERAL:
        return ()
    return list(zip(names, split(attempts, together, field, len(names)), strict=True))


def _part(counts: Counts, *, at_commit: bool) -> dict[str, Any]:
    """The fields that a part shares with its cell. Predictions and verdicts exist for the whole cell only."""
    times = rates.measure_times(timing.time_cell(counts, conflicts_at_commit=at_commit))
    return {
        "transactions": count_transactions(counts),
        "attempts": count_attempts(counts),
        **rates.measure_rates(counts),
        **{name: times[name] for name in _TIMES},
    }
