"""The attempts of a cell, part by part, where a run has several regions or kinds of transaction.

One rate for all would hide them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from analysis import rates as measures
from analysis import timing
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
    """`regions` of a cell, in the order of run.json's `target.regions`; nothing where there is one place.

    Args:
        target: of run.json; runs before there were regions have no `regions`.
        attempts: all records of the cell.
        together: the counts of all of them.

    Raises:
        BrokenEquationError: the regions do not add up to the cell.
    """
    names = target.get("regions") or ()
    at_commit = target["conflicts"] == "commit"
    dealt = _split("region", names, attempts, together)
    found = [
        {
            "region": index,
            "name": name,
            "users": len(np.unique(one.users)),
            **_part(one, at_commit=at_commit),
        }
        for index, (name, one) in enumerate(dealt)
    ]
    return {"regions": found} if found else {}


def summarise_kinds(
    meta: Mapping[str, Any], attempts: NDArray[np.void], together: Counts
) -> dict[str, list[dict[str, Any]]]:
    """`kinds` of a cell, in the order of run.json's `kinds`; nothing where all transactions are alike.

    Args:
        meta: run.json; runs before there were kinds have no `kinds`.
        attempts: all records of the cell.
        together: the counts of all of them.

    Raises:
        BrokenEquationError: the kinds do not add up to the cell.
    """
    names = meta.get("kinds") or ()
    at_commit = meta["target"]["conflicts"] == "commit"
    found = [
        {"kind": index, "name": name, **_part(one, at_commit=at_commit)}
        for index, (name, one) in enumerate(_split("kind", names, attempts, together))
    ]
    return {"kinds": found} if found else {}


def _split(
    field: str, names: Sequence[str], attempts: NDArray[np.void], together: Counts
) -> Sequence[tuple[str, Counts]]:
    """Each name with its part; none where there are not several."""
    if len(names) < _SEVERAL:
        return ()
    return list(zip(names, split(attempts, together, field, len(names)), strict=True))


def _part(counted: Counts, *, at_commit: bool) -> dict[str, Any]:
    """The cell's own fields that a part can have too: what is predicted and judged is the cell's alone."""
    times = measures.times(timing.time_cell(counted, conflicts_at_commit=at_commit))
    return {
        "transactions": count_transactions(counted),
        "attempts": count_attempts(counted),
        **measures.rates(counted),
        **{name: times[name] for name in _TIMES},
    }
