"""Which attempts belong to a cell's window, and how they and their transactions ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hotrow.attempt import Flag, Outcome

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from analysis.load import Window

STATES = ("committed", "rejected", "gave_up", "failed", "unknown", "cut_off")
"""How a transaction can have ended."""

_STATE_OF = {
    Outcome.COMMITTED: "committed",
    Outcome.CONFLICT: "gave_up",
    Outcome.SCHEMA_CONFLICT: "gave_up",
    Outcome.DEADLOCK: "gave_up",
    Outcome.REJECTED: "rejected",
    Outcome.ERROR: "failed",
    Outcome.UNKNOWN: "unknown",
}
"""The state of a transaction by the outcome of its last attempt, if that was final."""


class BrokenEquationError(AssertionError):
    """Counts that must agree do not: a fault of hotrow or of the ledger, never of the database."""


@dataclass(frozen=True, eq=False, slots=True)
class Tally:
    """The attempts that began in one window, transaction after transaction."""

    window: Window
    attempts: NDArray[np.void]
    """`ATTEMPT` records; those of a transaction are neighbours, in order."""
    first: NDArray[np.int64]
    """Where each transaction's first attempt in the window is, ascending."""
    states: NDArray[np.int64]
    """How each transaction ended, as an index into `STATES`."""

    @property
    def sizes(self) -> NDArray[np.int64]:
        """How many attempts each transaction began in the window."""
        return np.diff(self.first, append=len(self.attempts))

    @property
    def last(self) -> NDArray[np.int64]:
        """Where each transaction's last attempt is."""
        return self.first + self.sizes - 1

    @property
    def first_tries(self) -> int:
        """How many of the attempts were the first of their transaction."""
        return int(np.count_nonzero(self.attempts["attempt"] == 1))

    def batches(self, count: int) -> NDArray[np.int64]:
        """In which of `count` equal parts of the window each attempt began."""
        offset_ns = self.attempts["started"] - self.window.begin_ns
        length_ns = self.window.end_ns - self.window.begin_ns
        return np.asarray(np.minimum(offset_ns * count // length_ns, count - 1))


def tally(attempts: NDArray[np.void], window: Window) -> Tally:
    """Pick the attempts that began in `window`, and the transactions that made them.

    `attempts` are all records of one cell; each worker's in the order they ended. A transaction is counted
    where it was under way: it may have begun before the window, and is cut off where it goes on after it.
    Choosing transactions by their beginning instead would leave out the long ones at one end, cut the others
    short at the other, and so find fewer retries than there are.

    Raises:
        BrokenEquationError: a transaction went on after its final attempt.
    """
    attempts = attempts[(attempts["started"] >= window.begin_ns) & (attempts["started"] < window.end_ns)]
    ids = attempts["worker"].astype(np.uint64) << np.uint64(32) | attempts["transaction"]
    order = np.argsort(ids, kind="stable")
    ids = ids[order]
    first = (
        np.flatnonzero(np.concatenate([[True], ids[1:] != ids[:-1]])) if len(ids) else np.empty(0, np.int64)
    )
    picked = attempts[order]
    states = _states(picked, np.append(first[1:], len(ids))[: len(first)] - 1)
    finals = int(np.count_nonzero(picked["flags"] & Flag.FINAL))
    finished = int(np.count_nonzero(states != STATES.index("cut_off")))
    _equal("final attempts = finished transactions", finals, finished)
    return Tally(window, picked, first, states)


def _states(attempts: NDArray[np.void], last: NDArray[np.int64]) -> NDArray[np.int64]:
    """The state of each transaction, from its last attempt."""
    of_outcome = np.array([STATES.index(_STATE_OF[outcome]) for outcome in Outcome])
    final = (attempts["flags"][last] & Flag.FINAL) != 0
    return np.where(final, of_outcome[attempts["outcome"][last]], STATES.index("cut_off"))


def count_transactions(cell: Tally) -> dict[str, int]:
    """`started` and the count of each state.

    Raises:
        BrokenEquationError: they do not add up.
    """
    counts = np.bincount(cell.states, minlength=len(STATES)).tolist()
    started = len(cell.first)
    _equal("started = committed + … + cut_off", started, sum(counts))
    return {"started": started, **dict(zip(STATES, counts, strict=True))}


def count_attempts(cell: Tally) -> dict[str, int]:
    """`total` and the count of each outcome. Raises BrokenEquationError where they do not add up."""
    counts = np.bincount(cell.attempts["outcome"], minlength=len(Outcome)).tolist()
    total = len(cell.attempts)
    opening = int(np.count_nonzero(cell.attempts["attempt"][cell.first] == 1))
    _equal("attempts = sum over outcomes", total, sum(counts[outcome] for outcome in Outcome))
    _equal("first tries = transactions that began in the window", cell.first_tries, opening)
    return {"total": total, **{outcome.name.lower(): counts[outcome] for outcome in Outcome}}


def count_sqlstates(cell: Tally) -> dict[str, int]:
    """Attempts that did not commit, by SQLSTATE; rejections and client errors have none and are left out."""
    codes = cell.attempts["sqlstate"][cell.attempts["outcome"] != Outcome.COMMITTED]
    found, counts = np.unique(codes[codes != b""], return_counts=True)
    return {code.decode(): int(count) for code, count in zip(found, counts, strict=True)}


def _equal(equation: str, left: int, right: int) -> None:
    if left != right:
        raise BrokenEquationError(f"{equation}: {left} is not {right}")
