"""The attempts of a measured interval, and how they and their transactions ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hotrow.attempt.record import Flag, Outcome

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from analysis.reading import MeasuredInterval

STATES = ("committed", "rejected", "gave_up", "failed", "unknown", "cut_off")
"""The states of a transaction: how it ended."""

_STATE_OF = {
    Outcome.COMMITTED: "committed",
    Outcome.CONFLICT: "gave_up",
    Outcome.SCHEMA_CONFLICT: "gave_up",
    Outcome.DEADLOCK: "gave_up",
    Outcome.REJECTED: "rejected",
    Outcome.ERROR: "failed",
    Outcome.UNKNOWN: "unknown",
}
"""The state of a transaction by the outcome of its last attempt, if that attempt was final."""


class BrokenEquationError(AssertionError):
    """Counts that must agree differ: a fault of hotrow or of the ledger, never of the database."""


@dataclass(frozen=True, eq=False, slots=True)
class Counts:
    """The attempts that began in one measured interval, grouped by transaction."""

    interval: MeasuredInterval
    attempts: NDArray[np.void]
    """`ATTEMPT` records; those of a transaction are neighbours, in order."""
    first: NDArray[np.int64]
    """Index of each transaction's first attempt in the interval, ascending."""
    states: NDArray[np.int64]
    """How each transaction ended, as an index into `STATES`."""
    connect_ns: NDArray[np.float64]
    """How long each transaction waited for connections; attempts before the interval count too."""

    @property
    def sizes(self) -> NDArray[np.int64]:
        """How many attempts each transaction began in the interval."""
        return np.diff(self.first, append=len(self.attempts))

    @property
    def last(self) -> NDArray[np.int64]:
        """Index of each transaction's last attempt."""
        return self.first + self.sizes - 1

    @property
    def committed(self) -> NDArray[np.bool_]:
        """Which transactions committed."""
        return np.asarray(self.states == STATES.index("committed"))

    @property
    def users(self) -> NDArray[np.uint64]:
        """The user of each attempt, as a number that is unique in the run."""
        return numbered(self.attempts, "user")

    @property
    def first_tries(self) -> int:
        """How many attempts were the first of their transaction."""
        return int(np.count_nonzero(self.attempts["attempt"] == 1))

    def batches(self, count: int) -> NDArray[np.int64]:
        """The batch in which each attempt began: 0 to `count` - 1, equal parts of the interval."""
        offset_ns = self.attempts["started"] - self.interval.begin_ns
        length_ns = self.interval.end_ns - self.interval.begin_ns
        return np.asarray(np.minimum(offset_ns * count // length_ns, count - 1))


def counts_in(attempts: NDArray[np.void], interval: MeasuredInterval) -> Counts:
    """The attempts that began in `interval`, and the transactions that made them.

    `attempts` are all records of one cell, each worker's in the order in which they ended. A transaction
    counts if one of its attempts began in the interval. It may have begun earlier, and it is cut off if it
    goes on after the interval. Choosing transactions by their begin instead would leave out long ones at one
    end, cut others short at the other end, and so find too few retries.

    Raises:
        BrokenEquationError: a transaction went on after its final attempt.
    """
    earlier = attempts[attempts["started"] < interval.begin_ns]
    attempts = attempts[(attempts["started"] >= interval.begin_ns) & (attempts["started"] < interval.end_ns)]
    ids = numbered(attempts, "transaction")
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
    return Counts(interval, picked, first, states, _connect_ns(earlier, picked, ids[first]))


def split(attempts: NDArray[np.void], together: Counts, field: str, parts: int) -> tuple[Counts, ...]:
    """The counts of each part of a cell: each region, or each kind of transaction.

    Args:
        attempts: all records of the cell.
        together: the counts of all these records.
        field: `region` or `kind`: the field of the record that holds the part's number, from 0.
        parts: how many parts the run has.

    Raises:
        BrokenEquationError: the parts do not add up to the cell, because an attempt belongs to a part that
            the run does not have, or a transaction belongs to several.
    """
    by_part = tuple(counts_in(attempts[attempts[field] == part], together.interval) for part in range(parts))
    _equal(f"attempts = sum over {field}s", len(together.attempts), sum(len(one.attempts) for one in by_part))
    _equal(f"transactions = sum over {field}s", len(together.first), sum(len(one.first) for one in by_part))
    return by_part


def lasted_ns(attempts: NDArray[np.void]) -> NDArray[np.float64]:
    """How long each attempt took, from BEGIN to the answer to COMMIT or ROLLBACK, in ns; float64[n]."""
    return np.asarray(sum(attempts[part].astype(np.float64) for part in ("begin", "body", "commit")))


def numbered(attempts: NDArray[np.void], field: str) -> NDArray[np.uint64]:
    """`transaction` or `user` as numbers that are unique in the run: every worker counts from 0."""
    return np.asarray(attempts["worker"].astype(np.uint64) << np.uint64(32) | attempts[field])


def _connect_ns(
    earlier: NDArray[np.void], attempts: NDArray[np.void], ids: NDArray[np.uint64]
) -> NDArray[np.float64]:
    """The sum of `connect` of each transaction in `ids` (ascending), over both groups of attempts."""
    total = np.zeros(len(ids))
    for group in (earlier, attempts):
        numbers = numbered(group, "transaction")
        indices = np.searchsorted(ids, numbers)
        known = indices < len(ids)
        known[known] = ids[indices[known]] == numbers[known]
        total += np.bincount(indices[known], weights=group["connect"][known], minlength=len(ids))
    return total


def _states(attempts: NDArray[np.void], last: NDArray[np.int64]) -> NDArray[np.int64]:
    """The state of each transaction, from its last attempt."""
    of_outcome = np.array([STATES.index(_STATE_OF[outcome]) for outcome in Outcome])
    final = (attempts["flags"][last] & Flag.FINAL) != 0
    return np.where(final, of_outcome[attempts["outcome"][last]], STATES.index("cut_off"))


def count_transactions(cell: Counts) -> dict[str, int]:
    """`started` and the count of each state.

    Raises:
        BrokenEquationError: they do not add up.
    """
    counts = np.bincount(cell.states, minlength=len(STATES)).tolist()
    started = len(cell.first)
    _equal("started = committed + … + cut_off", started, sum(counts))
    return {"started": started, **dict(zip(STATES, counts, strict=True))}


def count_attempts(cell: Counts) -> dict[str, int]:
    """`total` and the count of each outcome.

    Raises:
        BrokenEquationError: they do not add up.
    """
    counts = np.bincount(cell.attempts["outcome"], minlength=len(Outcome)).tolist()
    total = len(cell.attempts)
    opening = int(np.count_nonzero(cell.attempts["attempt"][cell.first] == 1))
    _equal("attempts = sum over outcomes", total, sum(counts[outcome] for outcome in Outcome))
    _equal("first tries = transactions that began in the interval", cell.first_tries, opening)
    return {"total": total, **{outcome.name.lower(): counts[outcome] for outcome in Outcome}}


def count_in_doubt(cell: Counts) -> dict[str, int]:
    """Attempts whose COMMIT was never answered, by what is known about them now.

    `total` is the sum of `applied` and `not_applied`, which their receipts show, and `unknown`.

    Raises:
        BrokenEquationError: an attempt is marked as resolved but has an outcome that no receipt can show.
    """
    outcome, resolved = cell.attempts["outcome"], (cell.attempts["flags"] & Flag.RESOLVED) != 0
    applied = int(np.count_nonzero(resolved & (outcome == Outcome.COMMITTED)))
    not_applied = int(np.count_nonzero(resolved & (outcome == Outcome.ERROR)))
    unknown = int(np.count_nonzero(outcome == Outcome.UNKNOWN))
    _equal("resolved = applied + not applied", int(np.count_nonzero(resolved)), applied + not_applied)
    total = applied + not_applied + unknown
    return {"total": total, "applied": applied, "not_applied": not_applied, "unknown": unknown}


def count_sqlstates(cell: Counts) -> dict[str, int]:
    """Attempts that certainly did not commit, by SQLSTATE. `count_in_doubt` counts those in doubt.

    Rejections and client errors have no SQLSTATE and are left out.
    """
    outcome, resolved = cell.attempts["outcome"], (cell.attempts["flags"] & Flag.RESOLVED) != 0
    refused = (outcome != Outcome.COMMITTED) & (outcome != Outcome.UNKNOWN) & ~resolved
    codes = cell.attempts["sqlstate"][refused]
    different, counts = np.unique(codes[codes != b""], return_counts=True)
    return {code.decode(): int(count) for code, count in zip(different, counts, strict=True)}


def _equal(equation: str, left: int, right: int) -> None:
    if left != right:
        raise BrokenEquationError(f"{equation}: {left} is not {right}")
