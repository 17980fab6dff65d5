"""A worker's digest: the figures of the attempts that ended since its last one, by cell and second."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from hotrow.attempt.record import NO_KEY, RETRYABLE, Flag, Outcome
from hotrow.load.live.frequencies import NOTHING, Frequencies, added, bins

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

SUMS = (
    "attempts",
    "conflicts",
    "retries",
    "committed",
    "gave_up",
    "rejected",
    "failed",
    "unknown",
    "finished",
    "decided",
    "spent_ms",
    "wasted_ms",
    "backoff_ms",
    "window_ms",
    "cycles",
    "cycle_ms",
)
"""The sums of a sample: counts, and times in ms.

`decided` are the attempts whose conflict window is known. `cycles` are the attempts in the measured interval
that were not the first of their user there, and `cycle_ms` is the time since its attempt before them began.
"""
PARTS = ("latency", "attempt", "window", "keys", "commits")
"""The frequencies of a sample."""
MAX_KEYS = 1_000
"""The most keys that a row of a digest names; the others have fewer conflicts in that second."""
MIN_CONNECT_NS = 1e5
"""Shorter waits for a connection are not carried over to the end of their transaction."""
_MS = 1e6
_S = 1_000_000_000
_GAVE_UP = tuple(RETRYABLE)
"""The outcomes of the last attempt of a transaction that gave up."""


@dataclass(frozen=True, eq=False, slots=True)
class Sample:
    """The figures of some attempts, in a form in which samples can be added."""

    sums: Floats
    """In the order of `SUMS`."""
    latency: Frequencies = NOTHING
    """Of committed transactions, in bins."""
    attempt: Frequencies = NOTHING
    """The times of attempts, in bins."""
    window: Frequencies = NOTHING
    """The conflict windows of decided attempts, in bins."""
    keys: Frequencies = NOTHING
    """Conflicts by hottest key of the write set."""
    commits: Frequencies = NOTHING
    """Committed transactions by user, numbered in the run."""

    def __getitem__(self, name: str) -> float:
        return float(self.sums[SUMS.index(name)])


EMPTY = Sample(np.zeros(len(SUMS)))


def add(samples: Iterable[Sample]) -> Sample:
    """The sample of all attempts of several samples."""
    every = list(samples)
    if not every:
        return EMPTY
    sums = np.sum([one.sums for one in every], axis=0)
    return Sample(sums, *(added(getattr(one, part) for one in every) for part in PARTS))


@dataclass(frozen=True, eq=False, slots=True)
class Row:
    """The attempts of one cell that ended in one second."""

    cell: int
    second: int
    """Whole seconds since 1970 (UTC), on the worker's clock."""
    interval: int
    """The number of the measured interval in which they began; 0 if they began before it."""
    sample: Sample

    def as_message(self) -> dict[str, Any]:
        """The row as plain data for Locust's messages."""
        return {
            "cell": self.cell,
            "second": self.second,
            "interval": self.interval,
            "sums": self.sample.sums.astype("<f8").tobytes(),
            "parts": [getattr(self.sample, part).as_message() for part in PARTS],
        }


def row_from_message(data: Mapping[str, Any]) -> Row:
    """The row of a message that `Row.as_message` made."""
    parts = (Frequencies.from_message(part) for part in data["parts"])
    sample = Sample(np.frombuffer(data["sums"], dtype="<f8"), *parts)
    return Row(data["cell"], data["second"], data["interval"], sample)


def _no_starts() -> NDArray[np.int64]:
    return np.empty(0, np.int64)


@dataclass(eq=False, slots=True)
class Digester:
    """Makes the digests of one worker from its records, in the order in which they were appended.

    `wall_ns` is the wall clock at the instant from which the records' times are counted.
    """

    wall_ns: int
    worker: int
    at_commit: bool
    """Whether the target decides conflicts at COMMIT."""
    _interval: tuple[int, int, int] = (-1, 0, 0)
    """(cell, number, when it began in ns since the anchor) of the measured interval."""
    _starts_ns: NDArray[np.int64] = field(default_factory=_no_starts)
    """By user: when its last attempt in the measured interval began; -1 if there was none."""
    _waited_ns: dict[int, float] = field(default_factory=dict)
    """By transaction that goes on: how long it has waited for connections."""

    def begin(self, cell: int, number: int, now_ns: int) -> None:
        """Begin the measured interval of a cell: attempts that begin from now on count in it.

        `now_ns` is counted from the same instant as the records' times.
        """
        self._interval = (cell, number, now_ns)
        self._starts_ns = _no_starts()

    def digest(self, records: NDArray[np.void]) -> list[Row]:
        """The rows of records that no earlier digest covered."""
        if not len(records):
            return []
        attempt_ns = records["begin"].astype(np.float64) + records["body"] + records["commit"]
        second = (self.wall_ns + records["started"] + attempt_ns.astype(np.int64)) // _S
        cell, number, began_ns = self._interval
        inside = (records["cell"] == cell) & (records["started"] >= began_ns)
        earlier_ns = self._earlier_waits(records)
        cycle_ns = self._cycles(records, inside)
        first = int(second.min())
        places = records["cell"].astype(np.int64) << 33 | (second - first) << 1 | inside
        rows = []
        for place in np.unique(places).tolist():
            here = np.flatnonzero(places == place)
            cycles_ms = cycle_ns[here][cycle_ns[here] >= 0] / _MS
            sample = self._sample(records[here], attempt_ns[here] / _MS, earlier_ns[here], cycles_ms)
            interval = number if place & 1 else 0
            rows.append(Row(place >> 33, first + (place >> 1 & 0xFFFFFFFF), interval, sample))
        return rows

    def _earlier_waits(self, records: NDArray[np.void]) -> Floats:
        """By record: the waits for a connection of earlier attempts of its transaction, in ns."""
        waits = np.zeros(len(records))
        ends = (records["flags"] & Flag.FINAL) != 0
        goes_on = ~ends & (records["connect"] >= MIN_CONNECT_NS)
        if not self._waited_ns and not goes_on.any():
            return waits
        carried = np.array(list(self._waited_ns), dtype=np.uint32)
        touched = goes_on | np.isin(records["transaction"], carried)
        touched = np.isin(records["transaction"], records["transaction"][touched])
        for index in np.flatnonzero(touched).tolist():
            transaction = int(records["transaction"][index])
            waits[index] = self._waited_ns.pop(transaction, 0.0)
            if not ends[index]:
                self._waited_ns[transaction] = waits[index] + float(records["connect"][index])
        return waits

    def _cycles(self, records: NDArray[np.void], inside: NDArray[np.bool_]) -> NDArray[np.int64]:
        """By record: the time since its user's last attempt in the measured interval began; -1 if unknown."""
        cycle_ns = np.full(len(records), -1)
        chosen = np.flatnonzero(inside)
        if not len(chosen):
            return cycle_ns
        chosen = chosen[np.argsort(records["user"][chosen], kind="stable")]
        users, started_ns = records["user"][chosen], records["started"][chosen]
        missing = max(0, int(users[-1]) + 1 - len(self._starts_ns))
        self._starts_ns = np.concatenate([self._starts_ns, np.full(missing, -1)])
        is_first = np.concatenate([[True], users[1:] != users[:-1]])
        before_ns = np.where(is_first, self._starts_ns[users], np.roll(started_ns, 1))
        cycle_ns[chosen] = np.where(before_ns >= 0, started_ns - before_ns, -1)
        is_last = np.roll(is_first, -1)
        self._starts_ns[users[is_last]] = started_ns[is_last]
        return cycle_ns

    def _sample(
        self, records: NDArray[np.void], attempt_ms: Floats, earlier_ns: Floats, cycles_ms: Floats
    ) -> Sample:
        outcome = records["outcome"]
        committed, conflict = outcome == Outcome.COMMITTED, outcome == Outcome.CONFLICT
        final = (records["flags"] & Flag.FINAL) != 0
        answered = committed & ((records["flags"] & Flag.RESOLVED) == 0)
        decided = answered | conflict if self.at_commit else answered
        window_ms = (records["body"].astype(np.float64) + records["commit"] - records["begin"])[decided] / _MS
        waited_ns = records["started"] - records["scheduled"] - records["connect"] - earlier_ns
        keys = records["key"][conflict]
        sums = [
            len(records),
            np.count_nonzero(conflict),
            np.count_nonzero(records["attempt"] > 1),
            np.count_nonzero(committed),
            np.count_nonzero(final & np.isin(outcome, _GAVE_UP)),
            np.count_nonzero(outcome == Outcome.REJECTED),
            np.count_nonzero(final & (outcome == Outcome.ERROR)),
            np.count_nonzero(outcome == Outcome.UNKNOWN),
            np.count_nonzero(final),
            np.count_nonzero(decided),
            attempt_ms.sum(),
            attempt_ms[~committed].sum(),
            records["backoff"].sum(dtype=np.float64) / _MS,
            window_ms.sum(),
            len(cycles_ms),
            cycles_ms.sum(),
        ]
        return Sample(
            np.array(sums, dtype=np.float64),
            latency=bins(waited_ns[committed] / _MS + attempt_ms[committed]),
            attempt=bins(attempt_ms),
            window=bins(window_ms),
            keys=Frequencies.of(keys[keys != NO_KEY]).most(MAX_KEYS),
            commits=Frequencies.of(records["user"][committed].astype(np.int64) | self.worker << 32),
        )
