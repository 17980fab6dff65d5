"""The table of a skew: its probabilities and placement, laid out over a number of keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hotrow.errors import UsageError
from hotrow.keys import MAX_KEYS
from hotrow.keys.ranks import Newest, scatter, steps, weighted
from hotrow.keys.zipf import zipf

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from hotrow.keys.ranks import Placement, Ranks
    from hotrow.keys.weights import Weights


@dataclass(frozen=True, eq=False, slots=True)
class Table:
    """A skew for a given number of keys: the probability of each rank, and the key id of each rank."""

    spec: str
    keys: int
    ranks: Ranks
    placement: Placement

    @property
    def p_max(self) -> float:
        """Probability of the hottest key."""
        return self.ranks.p_max

    @property
    def d_eff(self) -> float:
        """1 / sum of p^2: how many equally likely keys the skew amounts to."""
        return 1.0 / self.ranks.square_sum

    @property
    def support(self) -> int:
        """How many ranks have p > 0."""
        return self.ranks.support

    @property
    def hottest_key(self) -> int:
        """The id of the hottest key."""
        return int(self.key_of([0])[0])

    def key_of(self, ranks: ArrayLike) -> NDArray[np.int64]:
        """The key ids of ranks: a bijection on 0 .. keys - 1, element by element."""
        return self.placement.key_of(np.asarray(ranks, dtype=np.uint64)).astype(np.int64)

    def rank_of(self, keys: ArrayLike) -> NDArray[np.int64]:
        """The ranks of key ids: the inverse of `key_of`."""
        return self.placement.rank_of(np.asarray(keys, dtype=np.uint64)).astype(np.int64)

    def hottest(self, keys: Sequence[int]) -> int:
        """The hottest of one or more key ids; takes about 0.3 us per key."""
        return min(keys, key=self.placement.rank_of_key)

    def probabilities(self) -> NDArray[np.float64]:
        """Probability by rank, hottest first, float64[keys]: 8 bytes per key."""
        return self.ranks.probabilities()

    def groups(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(p, count) of groups of similar ranks, for models: p > 0 and sum(p * count) = 1.

        Exact for uniform, hotspot and hot (one or two groups). Other skews have up to 10,000 ranks one by one
        and a tail in bins, each 2 % longer than the one before and with its mean p.
        """
        return self.ranks.groups()

    def sample(self, rng: np.random.Generator, size: int, first: int = 0) -> NDArray[np.int64]:
        """Draw `size` ranks with replacement, int64, on condition that none is hotter than rank `first`."""
        return self.ranks.sample(rng, size, first)


def make_table(spec: str, name: str, numbers: tuple[float, ...], weights: Weights | None, keys: int) -> Table:
    """The table of a skew with this name and these numbers or weights, for `keys` keys.

    Raises:
        UsageError: too few or too many keys for this skew.
    """
    if not 1 <= keys <= MAX_KEYS:
        raise UsageError(f"--keys {keys}: the number of keys must be from 1 to {MAX_KEYS}")
    return Table(spec, keys, *_ranks_and_placement(name, numbers, weights, keys))


def _ranks_and_placement(
    name: str, numbers: tuple[float, ...], weights: Weights | None, keys: int
) -> tuple[Ranks, Placement]:
    """The ranks of a skew for `keys` keys, and their placement among the key ids."""
    if weights is not None:
        return _from_weights(weights, keys)
    return _ranks(name, numbers, keys), Newest(keys) if name == "latest" else scatter(keys)


def _ranks(name: str, numbers: tuple[float, ...], keys: int) -> Ranks:
    match name:
        case "zipf" | "latest":
            return _zipf_or_uniform(numbers[0], keys)
        case "hotspot":
            return _hotspot(*numbers, keys=keys)
        case "conflict-share":
            return _one_hot(numbers[0], keys)
        case "hot":
            return _hot(int(numbers[0]), keys)
    return steps((1.0, keys))


def _zipf_or_uniform(theta: float, keys: int) -> Ranks:
    return zipf(theta, keys) if theta > 0 else steps((1.0, keys))


def _hotspot(share_of_keys: float, share_of_ops: float, *, keys: int) -> Ranks:
    """Hot keys and the others. The hot set is rounded to whole keys, at least one, and may be all keys."""
    hot = min(keys, max(1, round(share_of_keys * keys)))
    if hot == keys:
        return steps((1.0, keys))
    return steps((share_of_ops, hot), (1.0 - share_of_ops, keys - hot))


def _one_hot(share: float, keys: int) -> Ranks:
    """One hot key with this share of the draws; the others share the rest evenly."""
    return steps((1.0, 1)) if keys == 1 else steps((share, 1), (1.0 - share, keys - 1))


def _hot(hot: int, keys: int) -> Ranks:
    if hot > keys:
        raise UsageError(
            f"--skew hot:{hot}: only {keys} keys exist; lower it, or raise --keys to {hot} or more"
        )
    return steps((1.0, hot), (0.0, keys - hot))


def _from_weights(weights: Weights, keys: int) -> tuple[Ranks, Placement]:
    listed = np.frombuffer(weights.keys, dtype=np.uint32)
    if listed[-1] >= keys:
        raise UsageError(
            f"--keys {keys}: --skew file: {weights.name!r} has a weight for key {listed[-1]};"
            f" raise --keys to {int(listed[-1]) + 1} or more"
        )
    return weighted(listed, np.frombuffer(weights.weights), keys)
