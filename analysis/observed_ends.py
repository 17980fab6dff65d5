"""How the transactions of an observed run ended: after a conflict only the client knows if it gives up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hotrow.attempt.record import RETRYABLE, Flag

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

CUT_OFF_NS = 1_000_000_000
"""A conflict so shortly before the end of the run may have been retried after it."""


def settle(attempts: NDArray[np.void], intervals: Mapping[int, tuple[int, int]]) -> None:
    """Mark the last attempt of each transaction that was given up as final, in place.

    A transaction was given up if its last attempt had a conflict, was not repeated, and ended at least a
    second before its cell did. Later ones are cut off: nobody knows.
    """
    ended = attempts["started"] + (attempts["body"] + attempts["commit"]).astype(np.int64)
    last = _last(attempts)
    retryable = np.isin(attempts["outcome"][last], list(map(int, RETRYABLE)))
    for cell, (_, end_ns) in intervals.items():
        known = last[retryable & (attempts["cell"][last] == cell) & (ended[last] <= end_ns - CUT_OFF_NS)]
        attempts["flags"][known] |= np.uint8(Flag.FINAL)


def _last(attempts: NDArray[np.void]) -> NDArray[np.int64]:
    """Index of the last attempt of each transaction."""
    order = np.lexsort((attempts["attempt"], attempts["transaction"], attempts["worker"]))
    numbers = attempts["transaction"][order]
    workers = attempts["worker"][order]
    ends = np.ones(len(order), dtype=bool)
    ends[:-1] = (numbers[1:] != numbers[:-1]) | (workers[1:] != workers[:-1])
    return order[ends]
