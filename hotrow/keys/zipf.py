"""Zipf's law over a finite number of ranks: P(rank k) proportional to k^-theta, k = 1..keys, any theta >= 0.

Ranks are counted from 0 in every interface here, as numpy does, so rank r has weight (r + 1)^-theta. Up to
`TABLE_KEYS_MAX` keys are drawn from an exact cumulative table, more by rejection-inversion, which needs no
memory. Neither is the generator of Gray et al. (1994) that YCSB made popular: that one over-draws the third
rank by 8 to 20 % and cannot do theta >= 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

TABLE_KEYS_MAX = 10_000_000
"""Most keys that are drawn from a cumulative table: 8 bytes a key."""

HEAD = 10_000
"""How many of the hottest ranks are summed, and handed to models, one by one."""

_BIN_RATIO = 1.02
"""Each bin of the tail reaches this much further than the one before; p^2 is off by under 1e-4 in a bin."""


@dataclass(frozen=True, eq=False, slots=True)
class Zipf:
    """Zipf's law with exponent `theta` > 0 over `keys` ranks; make it with `zipf`."""

    keys: int
    theta: float
    total: float
    """Sum of all weights k^-theta."""
    cumulative: NDArray[np.float64] | None
    """As `cumulate` makes it, read-only; None where rejection-inversion takes its place."""

    @property
    def support(self) -> int:
        """How many ranks can be drawn: all of them."""
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

    def groups(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(p, count): the first `HEAD` ranks one by one, then bins that grow geometrically, p their mean."""
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
    cumulative = cumulate(_weights(theta, keys)) if keys <= TABLE_KEYS_MAX else None
    return Zipf(keys, theta, power_sum(theta, keys), cumulative)


def power_sum(theta: float, keys: int) -> float:
    """Sum of k^-theta over k = 1..keys, to about 15 digits: `HEAD` terms one by one, the tail by formula."""
    head = min(keys, HEAD)
    total = float(_weights(theta, head)[::-1].sum())
    if keys > head:
        total += float(_tail_sum(theta, np.array([head + 1.0]), np.array([float(keys)]))[0])
    return total


def geometric_bins(head: int, keys: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Bounds [first, last) of bins that cover ranks `head` .. `keys` - 1, each ending 2 % further out."""
    if keys <= head:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    bins = math.ceil(math.log(keys / head) / math.log(_BIN_RATIO))
    edges = np.unique(np.rint(np.geomspace(head, keys, bins + 1)).astype(np.int64))
    return edges[:-1], edges[1:]


def cumulate(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cumulative sums of `weights` (by rank, hottest first) from the coldest rank on, normalised, read-only.

    Summing from the cold end keeps the tail's digits: the share of ranks >= r is exact even where the hot
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
    H(last + 1/2), round H^-1(U) to k, and accept where U >= H(k + 1/2) - h(k): a stretch of length h(k).
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
    """H(x) = integral of t^-theta from 1 to x = (x^(1-theta) - 1) / (1 - theta); ln x where theta = 1."""
    log_x = np.log(x)
    return np.asarray(log_x if theta == 1.0 else np.expm1((1.0 - theta) * log_x) / (1.0 - theta))


def _integral_inverse(theta: float, u: NDArray[np.float64]) -> NDArray[np.float64]:
    """The x with H(x) = u; where a steep law's u rounds to H(infinity), a large finite x."""
    if theta == 1.0:
        return np.asarray(np.exp(u))
    inner = np.maximum((1.0 - theta) * u, -1.0 + np.finfo(float).eps)
    return np.asarray(np.exp(np.log1p(inner) / (1.0 - theta)))


def _weights(theta: float, keys: int) -> NDArray[np.float64]:
    """k^-theta for k = 1..keys."""
    return np.asarray(np.arange(1, keys + 1, dtype=np.float64) ** -theta)


def _tail_sum(theta: float, first: NDArray[np.float64], last: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum of k^-theta over k = first..last, element by element, for first > `HEAD`.

    Euler-Maclaurin: the integral, plus half of both ends, plus the first derivatives' difference / 12. The
    next term is smaller by about 1 / (60 first^2), 1e-10 of a term that is itself 1e-9 of the sum.
    """
    ends = (first**-theta + last**-theta) / 2
    slopes = theta * (first ** (-theta - 1) - last ** (-theta - 1)) / 12
    return np.asarray(first ** (1 - theta) * _integral(theta, last / first) + ends + slopes)
