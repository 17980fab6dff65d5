"""The keys with the most conflicts of a cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hotrow.attempt.record import NO_KEY, Outcome
from hotrow.keys.spaces import Spaces

if TYPE_CHECKING:
    from analysis.counts import Counts
    from hotrow.keys.table import Table

MAX_HOT_KEYS = 10
"""Most keys that are listed."""


def hot_keys(cell: Counts, layout: Table | Spaces | None = None) -> list[dict[str, Any]]:
    """The keys with the most conflicts, at most `MAX_HOT_KEYS`: most conflicts first, then by key.

    A key stands for every attempt in whose write set it was the hottest. An attempt with several keys may
    have lost on a colder one. `share` is the key's share of all conflicts that have a key. `attempts` counts
    all attempts with this key. Empty if there was no conflict. With key spaces `space` is the name of the
    key's space, and `key` its number there.
    """
    keys = cell.attempts["key"]
    lost = keys[(cell.attempts["outcome"] == Outcome.CONFLICT) & (keys != NO_KEY)]
    numbers, conflicts = np.unique(lost, return_counts=True)
    hottest = np.lexsort((numbers, -conflicts))[:MAX_HOT_KEYS]
    return [
        {
            **(layout.named(key) if isinstance(layout, Spaces) else {"key": key}),
            "conflicts": count,
            "share": count / len(lost),
            "attempts": int(np.count_nonzero(keys == key)),
        }
        for key, count in zip(numbers[hottest].tolist(), conflicts[hottest].tolist(), strict=True)
    ]
