"""The acknowledged transactions in the records: checks are given these counts, and reports count again."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hotrow.attempt.record import Flag, Outcome

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Acknowledged(NamedTuple):
    """Numbers of transactions by the outcome of their COMMIT."""

    committed: int
    """Transactions whose last attempt committed."""
    unknown: int
    """Transactions that may have committed or not."""


def count_acknowledged(attempts: NDArray[np.void]) -> Acknowledged:
    """The counts of `ATTEMPT` records, warm-up included."""
    return Acknowledged(
        committed=int(np.count_nonzero(are_committed(attempts))),
        unknown=int(np.count_nonzero(are_unknown(attempts))),
    )


def are_committed(attempts: NDArray[np.void]) -> NDArray[np.bool_]:
    """Which records acknowledge a commit, bool[n]."""
    return np.asarray(((attempts["flags"] & Flag.FINAL) != 0) & (attempts["outcome"] == Outcome.COMMITTED))


def are_unknown(attempts: NDArray[np.void]) -> NDArray[np.bool_]:
    """Which records are of a COMMIT with an unknown outcome, bool[n]."""
    return np.asarray(attempts["outcome"] == Outcome.UNKNOWN)
