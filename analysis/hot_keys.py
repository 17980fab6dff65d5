"""Which keys the conflicts of a cell were on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hotrow.attempt.record import NO_KEY, Outcome

if TYPE_CHECKING:
    from analysis.counts import Counts

MOST = 10
"""Keys that are listed."""


def hot_keys(cell: Counts) -> list[dict[str, Any]]:
    """The keys with the most conflicts, at most `MOST`, most first, then by key; none without a conflict.

    A key stands for every attempt in whose write set it was the hottest: with several keys an attempt may
    have lost on a colder one. `share` is of all conflicts that have a key, `attempts` all with this key.
    """
    keys = cell.attempts["key"]
    lost = keys[(cell.attempts["outcome"] == Outcome.CONFLICT) & (keys != NO_KEY)]
    found, conflicts = np.unique(lost, return_counts=True)
    hottest = np.lexsort((found, -conflicts))[:MOST]
    return [
        {
            "key": key,
            "conflicts": count,
            "share": count / len(lost),
            "attempts": int(np.count_nonzero(keys == key)),
        }
        for key, count in zip(found[hottest].tolist(), conflicts[hottest].tolist(), strict=True)
    ]
