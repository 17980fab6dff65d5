"""Zipf's law over a finite number of ranks: P(rank k) proportional to k^-theta, k = 1..keys, any theta >= 0.

Ranks start at 0 in every interface here, as in numpy, so rank r has the weight (r + 1)^-theta. Up to
`MAX_TABLE_KEYS` keys are drawn from an exact cumulative table. More keys are drawn by rejection-inversion,
which needs no memory. The generator of Gray et al. (1994), known from YCSB, is not used: it draws the third
rank 8 to 20 % too often and cannot do theta >= 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_TABLE_KEYS = 10_000_000
"""The largest number of keys with a cumulative table of 8 bytes per key."""

HEAD = 10_000
"""How many of the hottest ranks are summed one by one, and passed to models one by one."""

_BIN_RATIO = 1.02
"""The end of each bin of the tail, relative to the end of the one before. The error of p^2 is below 1e-4."""


@dataclass(frozen=True, eq=False, slots=True)
class Zipf:
    """Zipf's law with exponent `theta` > 0 over `keys` ranks; made by `zipf`."""

    keys: int
    theta: float
    total: float
    """Sum of all weights k^-theta."""
    cumulative: NDArray[np.float64] | None
    """As `cumulate` returns it, read-only; None if rejection-inversion is used instead."""

    @property
    def support(self) -> int:
        """How many ranks have p > 0: all of them."""
        return self.keys

    @property
    def p_max(self) -> float:
        """Probability of the hottest rank."""
        return 1.0 / self.total

    @property
    def square_sum(self) -> float:
        """Sum of p^2 over all ranks."""
        return power_sum(2 * self.theta, self.keys) / self.total**2

    def probabilities(self) -> NDArray[np.float64]:
        """Probability by rank, float64[keys]."""
        return _weights(self.theta, self.keys) / self.total

    def probability(self, rank: int) -> float:
        """Probability of one rank."""
        return float((rank + 1) ** -self.theta) / self.total

    def groups(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(p, count): the first `HEAD` ranks one by one, then bins that grow geometrically, with mean p."""
        head = min(self.keys, HEAD)
        first, last = geometric_bins(head, self.keys)
        counts = (last - first).astype(np.float64)
        means = _tail_sum(self.theta, (first + 1).astype(np.float64), last.astype(np.float64)) / counts
        p = np.concatenate([_weights(self.theta, head), means]) / self.total
        return p, np.concatenate([np.ones(head), counts])

    def sample(self, rng: np.random.Generator, size: int, first: int = 0) -> NDArray[np.int64]:
        """Draw `size` ranks, int64, on condition that none is hotter than rank `first`."""
        if self.cumulative is not None:
            return sample_cumulative(self.cumulative, rng, size, first)
        return rejection_inversion(rng, self.theta, first + 1, self.keys, size) - 1


def zipf(theta: float, keys: int) -> Zipf:
    """Zipf's law with exponent `theta` > 0 over `keys` >= 1 ranks."""
    cumulative = cumulate(_weights(theta, keys)) if keys <= MAX_TABLE_KEYS else None
    return Zipf(keys, theta, power_sum(theta, keys), cumulative)


def power_sum(theta: float, keys: int) -> float:
    """Sum of k^-theta over k = 1..keys to about 15 digits: `HEAD` terms one by one, then a formula."""
    head = min(keys, HEAD)
    total = float(_weights(theta, head)[::-1].sum())
    if keys > head:
        total += float(_tail_sum(theta, np.array([head + 1.0]), np.array([float(keys)]))[0])
    return total


def geometric_bins(head: int, keys: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Bounds [first, last) of bins that cover the ranks `head` .. `keys` - 1; each ends 2 % further out."""
    if keys <= head:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    bins = math.ceil(math.log(keys / head) / math.log(_BIN_RATIO))
    edges = np.unique(np.rint(np.geomspace(head, keys, bins + 1)).astype(np.int64))
    return edges[:-1], edges[1:]


def cumulate(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cumulative sums of `weights` (by rank, hottest first) from the coldest rank on, normalised, read-only.

    Summing from the cold end keeps the digits of the tail: the share of ranks >= r is exact even if the hot
    ranks take all but 1e-30 of the draws.
    """
    sums = np.cumsum(weights[::-1])
    sums /= sums[-1]
    sums.flags.writeable = False
    return sums


def sample_cumulative(
    cumulative: NDArray[np.float64], rng: np.random.Generator, size: int, first: int = 0
) -> NDArray[np.int64]:
    """Draw `size` ranks by inverting `cumulative`, on condition that none is hotter than rank `first`."""
    last = len(cumulative) - 1
    level = rng.random(size) * cumulative[last - first]
    cold = np.searchsorted(cumulative, level, side="right")
    return np.asarray(last - np.minimum(cold, last - first), dtype=np.int64)


def rejection_inversion(
    rng: np.random.Generator, theta: float, first: int, last: int, size: int
) -> NDArray[np.int64]:
    """Draw `size` integers k in [first, last] with P(k) proportional to k^-theta, theta > 0, first >= 1.

    W. Hoermann and G. Derflinger, "Rejection-inversion to generate variates from monotone discrete
    distributions", ACM TOMACS 6(3), 1996. With h(x) = x^-theta and H its integral, h is convex, so the area
    H(k + 1/2) - H(k - 1/2) under it is at least h(k). Draw U uniformly between H(first + 1/2) - h(first) and
    H(last + 1/2), round H^-1(U) to k, and accept k if U >= H(k + 1/2) - h(k): an interval of length h(k).
    x is measured in units of `first`, with H(first) = 0, so that no exponent overflows.
    """
    low = _integral(theta, (first + 0.5) / first) - 1.0 / first
    high = _integral(theta, (last + 0.5) / first)
    drawn = np.empty(size, dtype=np.int64)
    filled = 0
    while filled < size:
        u = low + rng.random(size - filled) * (high - low)
        k = np.rint(np.clip(first * _integral_inverse(theta, u), first, last))
        accepted = k[u >= _integral(theta, (k + 0.5) / first) - (k / first) ** -theta / first]
        drawn[filled : filled + len(accepted)] = accepted
        filled += len(accepted)
    return drawn


def _integral(theta: float, x: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """H(x) = integral of t^-theta from 1 to x = (x^(1-theta) - 1) / (1 - theta); ln x if theta = 1."""
    log_x = np.log(x)
    return np.asarray(log_x if theta == 1.0 else np.expm1((1.0 - theta) * log_x) / (1.0 - theta))


def _integral_inverse(theta: float, u: NDArray[np.float64]) -> NDArray[np.float64]:
    """The x with H(x) = u; a large finite x if u rounds to H(infinity), as it can for a large theta."""
    if theta == 1.0:
        return np.asarray(np.exp(u))
    inner = np.maximum((1.0 - theta) * u, -1.0 + np.finfo(float).eps)
    return np.asarray(np.exp(np.log1p(inner) / (1.0 - theta)))


def _weights(theta: float, keys: int) -> NDArray[np.float64]:
    """k^-theta for k = 1..keys."""
    return np.asarray(np.arange(1, keys + 1, dtype=np.float64) ** -theta)


def _tail_sum(theta: float, first: NDArray[np.float64], last: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum of k^-theta over k = first..last, element by element, for first > `HEAD`.

    Euler-Maclaurin: the integral, plus half of both ends, plus the difference of the first derivatives / 12.
    The next term is smaller by about 1 / (60 first^2): 1e-10 of a term that is itself 1e-9 of the sum.
    """
    ends = (first**-theta + last**-theta) / 2
    slopes = theta * (first ** (-theta - 1) - last ** (-theta - 1)) / 12
    return np.asarray(first ** (1 - theta) * _integral(theta, last / first) + ends + slopes)
