"""The attempts of a cell, region by region: where a run has several places, one rate for all hides them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from analysis import measures, timing
from analysis.tally import count_attempts, count_transactions, tally_regions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from analysis.tally import Tally

_SEVERAL = 2
_TIMES = ("latency_ms", "attempt_ms", "commit_ms", "connect_ms")


def summarise_regions(
    target: Mapping[str, Any], attempts: NDArray[np.void], together: Tally
) -> dict[str, list[dict[str, Any]]]:
    """`regions` of a cell, in the order of run.json's `target.regions`; nothing where there is one place.

    Args:
        target: of run.json; runs before there were regions have no `regions`.
        attempts: all records of the cell.
        together: those of its window, tallied as one.

    Raises:
        BrokenEquationError: the regions do not add up to the cell.
    """
    names = target.get("regions") or ()
    if len(names) < _SEVERAL:
        return {}
    at_commit = target["conflicts"] == "commit"
    dealt = tally_regions(attempts, together.window, len(names), together)
    return {
        "regions": [
            {"region": index, "name": name, **_region(one, at_commit=at_commit)}
            for index, (name, one) in enumerate(zip(names, dealt, strict=True))
        ]
    }


def _region(counted: Tally, *, at_commit: bool) -> dict[str, Any]:
    """The cell's own fields that a region can have too: what is predicted and judged is the cell's alone."""
    times = measures.times(timing.time_cell(counted, conflicts_at_commit=at_commit))
    return {
        "users": len(np.unique(counted.attempts[["worker", "user"]])),
        "transactions": count_transactions(counted),
        "attempts": count_attempts(counted),
        **measures.rates(counted),
        **{name: times[name] for name in _TIMES},
    }
