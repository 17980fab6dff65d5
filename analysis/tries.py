"""The number of attempts that transactions needed to commit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from analysis.counts import Counts


def commit_on_attempt(cell: Counts) -> dict[str, Any]:
    """n, p50, p99, max and counts of the attempts that committed, numbered from 1 in each transaction.

    `counts` are pairs [attempt, transactions], ascending, without attempts at which no transaction committed.
    p50 is the first attempt by which half of the committed transactions had committed: a whole number. p99
    likewise. None if n is 0.
    """
    numbers = cell.attempts["attempt"][cell.last[cell.committed]]
    if not len(numbers):
        return {"n": 0, "p50": None, "p99": None, "max": None, "counts": []}
    p50, p99 = np.quantile(numbers, (0.5, 0.99), method="inverted_cdf").tolist()
    attempts, counts = np.unique(numbers, return_counts=True)
    pairs = np.column_stack([attempts, counts]).tolist()
    return {"n": len(numbers), "p50": p50, "p99": p99, "max": pairs[-1][0], "counts": pairs}
