"""How often each number occurred: compact enough for a message per second, and quick to add up.

Times are kept as numbers of bins that are 1 % wide, so a quantile is within half a percent of the exact one.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

BIN_RATIO = 1.01
"""The upper end of a bin divided by its lower end."""
MIN_MS = 1e-3
"""The lower end of the first bin; shorter times are counted in it."""
_STEP = log(BIN_RATIO)


@dataclass(frozen=True, eq=False, slots=True)
class Frequencies:
    """Different numbers, ascending, and how often each occurred."""

    numbers: Integers
    counts: Integers

    @classmethod
    def of(cls, values: ArrayLike) -> Frequencies:
        """The frequencies of whole numbers."""
        numbers, counts = np.unique(np.asarray(values), return_counts=True)
        return cls(numbers.astype(np.int64), counts.astype(np.int64))

    @classmethod
    def from_message(cls, parts: Sequence[bytes]) -> Frequencies:
        """The frequencies of a message that `as_message` made."""
        numbers, counts = (np.frombuffer(part, dtype="<i8") for part in parts)
        return cls(numbers, counts)

    def as_message(self) -> list[bytes]:
        """The frequencies as plain data for Locust's messages."""
        return [self.numbers.astype("<i8").tobytes(), self.counts.astype("<i8").tobytes()]

    @property
    def total(self) -> int:
        """How many values were counted."""
        return int(self.counts.sum())

    def most(self, limit: int) -> Frequencies:
        """The most frequent numbers, at most `limit` of them."""
        if len(self.numbers) <= limit:
            return self
        kept = np.sort(np.lexsort((self.numbers, -self.counts))[:limit])
        return Frequencies(self.numbers[kept], self.counts[kept])

    def ranked(self, limit: int) -> list[tuple[int, int]]:
        """(number, count) of the most frequent numbers: most frequent first, then by number."""
        order = np.lexsort((self.numbers, -self.counts))[:limit]
        return list(zip(self.numbers[order].tolist(), self.counts[order].tolist(), strict=True))


NOTHING = Frequencies(np.empty(0, np.int64), np.empty(0, np.int64))


def added(parts: Iterable[Frequencies]) -> Frequencies:
    """The sum of several frequencies."""
    some = [part for part in parts if len(part.numbers)]
    if len(some) < 2:  # noqa: PLR2004 - nothing to add
        return some[0] if some else NOTHING
    numbers, places = np.unique(np.concatenate([part.numbers for part in some]), return_inverse=True)
    counts = np.bincount(places, weights=np.concatenate([part.counts for part in some]))
    return Frequencies(numbers, np.rint(counts).astype(np.int64))


def bins(times_ms: Floats) -> Frequencies:
    """The frequencies of the bins of times in ms."""
    return Frequencies.of((np.log(np.maximum(times_ms, MIN_MS) / MIN_MS) / _STEP).astype(np.int16))


def quantiles(times: Frequencies, shares: Sequence[float]) -> list[float | None]:
    """Quantiles in ms of times in bins, with linear interpolation between ranks; None if there are none."""
    if not len(times.numbers):
        return [None for _ in shares]
    ranks = np.asarray(shares) * (times.total - 1)
    ends = np.cumsum(times.counts)
    middles = MIN_MS * np.exp((times.numbers + 0.5) * _STEP)
    low, high = (
        middles[np.searchsorted(ends, rank, side="right")] for rank in (np.floor(ranks), np.ceil(ranks))
    )
    return [float(value) for value in low + (high - low) * (ranks - np.floor(ranks))]
