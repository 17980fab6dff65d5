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
    """The attempts of the transactions of one window, transaction after transaction."""

    window: Window
    attempts: NDArray[np.void]
    """`ATTEMPT` records; those of a transaction are neighbours, in order."""
    first: NDArray[np.int64]
    """Where each transaction's first attempt is, ascending."""
    states: NDArray[np.int64]
    """How each transaction ended, as an index into `STATES`."""

    @property
    def sizes(self) -> NDArray[np.int64]:
        """How many attempts each transaction had."""
        return np.diff(self.first, append=len(self.attempts))

    @property
    def last(self) -> NDArray[np.int64]:
        """Where each transaction's last attempt is."""
        return self.first + self.sizes - 1

    def batches(self, count: int) -> NDArray[np.int64]:
        """In which of `count` equal parts of the window each transaction began."""
        offset_ns = self.attempts["started"][self.first] - self.window.begin_ns
        length_ns = self.window.end_ns - self.window.begin_ns
        return np.asarray(np.minimum(offset_ns * count // length_ns, count - 1))


def tally(attempts: NDArray[np.void], window: Window) -> Tally:
    """Pick the transactions whose first attempt began in `window`, with all their attempts.

    `attempts` are all records of one cell; each worker's in the order they ended. A transaction whose first
    attempt is not among them (it began in another cell) does not belong.

    Raises:
        BrokenEquationError: a transaction went on after its final attempt.
    """
    ids = attempts["worker"].astype(np.uint64) << np.uint64(32) | attempts["transaction"]
    order = np.argsort(ids, kind="stable")
    ids = ids[order]
    first = (
        np.flatnonzero(np.concatenate([[True], ids[1:] != ids[:-1]])) if len(ids) else np.empty(0, np.int64)
    )
    heads = attempts[order[first]]
    belongs = (
        (heads["started"] >= window.begin_ns) & (heads["started"] < window.end_ns) & (heads["attempt"] == 1)
    )
    sizes = np.diff(first, append=len(ids))
    picked = attempts[order[np.repeat(belongs, sizes)]]
    first = np.cumsum(sizes[belongs]) - sizes[belongs]
    states = _states(picked, first + sizes[belongs] - 1)
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
    """`started` and the count of each state. Raises BrokenEquationError where they do not add up."""
    counts = np.bincount(cell.states, minlength=len(STATES)).tolist()
    started = len(cell.first)
    _equal("started = committed + … + cut_off", started, sum(counts))
    return {"started": started, **dict(zip(STATES, counts, strict=True))}


def count_attempts(cell: Tally) -> dict[str, int]:
    """`total` and the count of each outcome. Raises BrokenEquationError where they do not add up."""
    counts = np.bincount(cell.attempts["outcome"], minlength=len(Outcome)).tolist()
    total = len(cell.attempts)
    first_tries = int(np.count_nonzero(cell.attempts["attempt"] == 1))
    _equal("attempts = sum over outcomes", total, sum(counts[outcome] for outcome in Outcome))
    _equal("first tries = transactions started", first_tries, len(cell.first))
    _equal("attempts = first tries + retries", total, first_tries + int((cell.sizes - 1).sum()))
    return {"total": total, **{outcome.name.lower(): counts[outcome] for outcome in Outcome}}


def count_sqlstates(cell: Tally) -> dict[str, int]:
    """Attempts that did not commit, by SQLSTATE; rejections and client errors have none and are left out."""
    codes = cell.attempts["sqlstate"][cell.attempts["outcome"] != Outcome.COMMITTED]
    found, counts = np.unique(codes[codes != b""], return_counts=True)
    return {code.decode(): int(count) for code, count in zip(found, counts, strict=True)}


def _equal(equation: str, left: int, right: int) -> None:
    if left != right:
        raise BrokenEquationError(f"{equation}: {left} is not {right}")
