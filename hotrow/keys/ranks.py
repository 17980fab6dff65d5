"""The two parts of a skew's table: the probability of each rank, and the key id of each rank.

Rank 0 is the hottest key, and p never rises with the rank. `zipf.Zipf` implements `Ranks` too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from hotrow.keys.zipf import HEAD, cumulate, geometric_bins, sample_cumulative

if TYPE_CHECKING:
    from numpy.typing import NDArray

_GOLDEN = (1 + math.sqrt(5)) / 2


class Ranks(Protocol):
    """Probabilities by rank."""

    @property
    def support(self) -> int:
        """How many ranks have p > 0; they are the first ones."""
        ...

    @property
    def p_max(self) -> float:
        """Probability of the hottest rank."""
        ...

    @property
    def square_sum(self) -> float:
        """Sum of p^2 over all ranks."""
        ...

    def probabilities(self) -> NDArray[np.float64]:
        """Probability by rank, float64[keys]."""
        ...

    def probability(self, rank: int) -> float:
        """Probability of one rank, without the cost of an array."""
        ...

    def groups(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(p, count) of groups of ranks with about the same probability; p > 0; sum(p * count) = 1."""
        ...

    def sample(self, rng: np.random.Generator, size: int, first: int = 0) -> NDArray[np.int64]:
        """Draw `size` ranks on condition that none is hotter than rank `first` < support."""
        ...


@dataclass(frozen=True, slots=True)
class Steps:
    """A few blocks of equally likely ranks, hottest block first; made by `steps`."""

    p: tuple[float, ...]
    counts: tuple[int, ...]

    @property
    def support(self) -> int:
        """How many ranks have p > 0."""
        return sum(count for p, count in zip(self.p, self.counts, strict=True) if p > 0)

    @property
    def p_max(self) -> float:
        """Probability of the hottest rank."""
        return self.p[0]

    @property
    def square_sum(self) -> float:
        """Sum of p^2 over all ranks."""
        return math.fsum(p * p * count for p, count in zip(self.p, self.counts, strict=True))

    def probabilities(self) -> NDArray[np.float64]:
        """Probability by rank."""
        return np.repeat(np.array(self.p), self.counts)

    def probability(self, rank: int) -> float:
        """Probability of one rank: that of its block."""
        for p, count in zip(self.p, self.counts, strict=True):
            if rank < count:
                return p
            rank -= count
        return 0.0

    def groups(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(p, count) of the blocks with p > 0."""
        p, counts = np.array(self.p), np.array(self.counts, dtype=np.float64)
        return p[p > 0], counts[p > 0]

    def sample(self, rng: np.random.Generator, size: int, first: int = 0) -> NDArray[np.int64]:
        """Choose a block by its share of the ranks from `first` on, then a rank in the block."""
        ends = np.cumsum(self.counts)
        starts = np.maximum(ends - self.counts, first)
        shares = np.cumsum(np.maximum(ends - starts, 0) * self.p)
        block = np.searchsorted(shares, rng.random(size) * shares[-1], side="right")
        return np.asarray(rng.integers(starts[block], ends[block]), dtype=np.int64)


def steps(*blocks: tuple[float, int]) -> Steps:
    """Blocks of ranks from (share of all draws, number of ranks), in any order; the shares sum to 1."""
    levels = sorted(((share / count, count) for share, count in blocks if count), reverse=True)
    return Steps(tuple(p for p, _ in levels), tuple(count for _, count in levels))


@dataclass(frozen=True, eq=False, slots=True)
class Weighted:
    """Ranks with probabilities from a list; keys that are not in the list have p = 0."""

    keys: int
    p: NDArray[np.float64]
    """Probability of the listed ranks, hottest first."""
    cumulative: NDArray[np.float64]

    @property
    def support(self) -> int:
        """How many ranks have p > 0."""
        return int(np.count_nonzero(self.p))

    @property
    def p_max(self) -> float:
        """Probability of the hottest rank."""
        return float(self.p[0])

    @property
    def square_sum(self) -> float:
        """Sum of p^2 over all ranks."""
        return float((self.p**2).sum())

    def probabilities(self) -> NDArray[np.float64]:
        """Probability by rank."""
        return np.concatenate([self.p, np.zeros(self.keys - len(self.p))])

    def probability(self, rank: int) -> float:
        """Probability of one rank; 0 beyond the list."""
        return float(self.p[rank]) if rank < len(self.p) else 0.0

    def groups(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(p, count) of equal ranks; if more than `HEAD` values differ, the tail is in bins with mean p."""
        values, counts = np.unique(self.p[: self.support], return_counts=True)
        if len(values) <= HEAD:
            return values[::-1], counts[::-1].astype(np.float64)
        first, last = geometric_bins(HEAD, self.support)
        widths = (last - first).astype(np.float64)
        means = np.add.reduceat(self.p[: self.support], first) / widths
        return np.concatenate([self.p[:HEAD], means]), np.concatenate([np.ones(HEAD), widths])

    def sample(self, rng: np.random.Generator, size: int, first: int = 0) -> NDArray[np.int64]:
        """Invert the cumulative table."""
        return sample_cumulative(self.cumulative, rng, size, first)


def weighted(listed: NDArray[np.uint32], weights: NDArray[np.float64], keys: int) -> tuple[Weighted, Listed]:
    """Ranks and placement of key ids by their weights (>= 0, one of them positive); other keys have p = 0.

    Args:
        listed: key ids, ascending, each once.
        weights: the weights of these keys.
        keys: the number of all keys.
    """
    order = np.argsort(-weights, kind="stable")
    scaled = weights[order] / weights[order[0]]
    p = scaled / scaled.sum()
    ranks = np.empty_like(order)
    ranks[order] = np.arange(len(order))
    placement = Listed(listed[order].astype(np.int64), listed.astype(np.int64), ranks)
    for array in (p, placement.by_rank, placement.listed, ranks):
        array.flags.writeable = False
    return Weighted(keys, p, cumulate(p)), placement


class Placement(Protocol):
    """A bijection between ranks and key ids, both 0 .. keys - 1."""

    def key_of(self, ranks: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """The key ids of ranks."""
        ...

    def rank_of(self, keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """The ranks of key ids: the inverse of `key_of`."""
        ...

    def rank_of_key(self, key: int) -> int:
        """The rank of one key id, without the cost of an array."""
        ...


@dataclass(frozen=True, slots=True)
class Scatter:
    """key = (multiplier * rank + offset) mod keys; made by `scatter`.

    In uint64 this cannot overflow, because there are fewer than 2^32 keys.
    """

    keys: int
    multiplier: int
    inverse: int
    offset: int

    def key_of(self, ranks: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """The key ids of ranks."""
        return np.asarray((ranks * self.multiplier + self.offset) % self.keys)

    def rank_of(self, keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """The ranks of key ids."""
        return np.asarray((keys + (self.keys - self.offset)) % self.keys * self.inverse % self.keys)

    def rank_of_key(self, key: int) -> int:
        """The rank of one key id."""
        return (key - self.offset) * self.inverse % self.keys


def scatter(keys: int) -> Scatter:
    """A fixed bijection that puts neighbouring ranks far apart.

    The multiplier is the number nearest to keys / golden ratio that is coprime to `keys`. Because it is
    coprime, the map is one to one.
    """
    near = round(keys / _GOLDEN)
    outward = (near + sign * step for step in range(keys + 1) for sign in (1, -1))
    multiplier = next(number for number in outward if number > 0 and math.gcd(number, keys) == 1)
    return Scatter(keys, multiplier, pow(multiplier, -1, keys), offset=keys // 3)


@dataclass(frozen=True, slots=True)
class Newest:
    """The highest key id is the hottest, as if the newest rows were used most."""

    keys: int

    def key_of(self, ranks: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """The key ids of ranks."""
        return np.asarray((self.keys - 1) - ranks)

    def rank_of(self, keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """The ranks of key ids: the same map."""
        return self.key_of(keys)

    def rank_of_key(self, key: int) -> int:
        """The rank of one key id."""
        return self.keys - 1 - key


@dataclass(frozen=True, eq=False, slots=True)
class Listed:
    """Some key ids in a given order, then all other key ids, ascending."""

    by_rank: NDArray[np.int64]
    """The key id of each of the first ranks."""
    listed: NDArray[np.int64]
    """The same key ids, ascending."""
    ranks: NDArray[np.int64]
    """The ranks of `listed`."""

    def key_of(self, ranks: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """The key ids of ranks."""
        count = len(self.by_rank)
        numbers = ranks.astype(np.int64)
        index = np.maximum(numbers - count, 0)  # among the keys that are not listed
        unlisted = index + np.searchsorted(self.listed - np.arange(count), index, side="right")
        return np.where(numbers < count, self.by_rank[np.minimum(numbers, count - 1)], unlisted).astype(
            np.uint64
        )

    def rank_of(self, keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """The ranks of key ids."""
        count, numbers = len(self.listed), keys.astype(np.int64)
        below = np.searchsorted(self.listed, numbers)
        index = np.minimum(below, count - 1)
        is_listed = self.listed[index] == numbers
        return np.where(is_listed, self.ranks[index], count + numbers - below).astype(np.uint64)

    def rank_of_key(self, key: int) -> int:
        """The rank of one key id; about 2 us."""
        below = int(self.listed.searchsorted(key))
        if below < len(self.listed) and self.listed[below] == key:
            return int(self.ranks[below])
        return len(self.listed) + key - below
