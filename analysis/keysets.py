"""The sets of keys that transactions take together on a skew, in the few numbers that the model needs.

Keys of (nearly) equal probability form a group: group g has `counts[g]` keys of probability `p[g]` each. A
*class* is a set of key sets with the same groups. Each class is one element of the array `mass`, which holds
its probability; they sum to 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_HEAD = 32
"""The hottest groups are kept one by one, because they cause the conflicts."""
_BIN_RATIO = 1.15
"""Colder groups whose p are within this ratio are merged. This changes the sum of p^2 by less than 0.5 %."""
_PAIR = 2


class KeySets(Protocol):
    """The key sets of a skew, class by class."""

    @property
    def mass(self) -> Floats:
        """Probability of each class for a first try; an array of any shape."""
        ...

    @property
    def counts(self) -> Floats:
        """How many keys each group has."""
        ...

    def conflict(self, survival: Floats) -> Floats:
        """Probability, by class, that some key of the set does not survive; `survival` is by group."""
        ...

    def load(self, weights: Floats, survival: Floats) -> Floats:
        """By group: the probability that an attempt takes a given key of it and its other keys survive.

        `weights` are the shares of the classes among attempts (`mass` if all attempts are first tries).
        """
        ...


@dataclass(frozen=True, eq=False, slots=True)
class Pairs:
    """Two keys per transaction. Class (g, h) has one key of group g and one of h; `mass` is symmetric."""

    mass: Floats
    counts: Floats

    def conflict(self, survival: Floats) -> Floats:
        """1 - s_g * s_h, because both keys must survive."""
        return 1.0 - np.outer(survival, survival)

    def load(self, weights: Floats, survival: Floats) -> Floats:
        """Twice the row sum, because either key of the pair can be the given one."""
        return np.asarray(2.0 * (weights @ survival) / self.counts)


@dataclass(frozen=True, eq=False, slots=True)
class Draws:
    """k keys per transaction, taken as independent draws. In class (d, g) the d-th key is of group g.

    Exact for k = 1. For more keys it ignores that the draws exclude one another (see docs/summary.md).
    """

    mass: Floats
    """float64[k, groups]; every row sums to 1/k."""
    counts: Floats

    def conflict(self, survival: Floats) -> Floats:
        """1 - s_g * (the product of the mean survivals of the other draws), because all keys must survive."""
        return 1.0 - survival * _others(self.mass, survival)

    def load(self, weights: Floats, survival: Floats) -> Floats:
        """The sum over the draws by which the key can be taken."""
        taken = len(weights) * weights * _others(weights, survival)
        return np.asarray(taken.sum(axis=0) / self.counts)


def _others(weights: Floats, survival: Floats) -> Floats:
    """The product of the mean survivals of all other draws, for each draw; a column."""
    means = weights @ survival / weights.sum(axis=1)
    return np.array([[np.prod(np.delete(means, draw))] for draw in range(len(means))])


def key_sets(p: Floats, counts: Floats, keys_per_transaction: int) -> KeySets:
    """The key sets of transactions that draw distinct keys, one after the other, without replacement.

    Args:
        p: float64[groups], probability of each key of a group, hottest first, above 0.
        counts: float64[groups], keys in the group; sum(p * counts) = 1.
        keys_per_transaction: how many keys each transaction draws, at least 1. If no more keys than that have
            p > 0 (such as `hot` with two accounts), every transaction takes all of them. Transactions that
            meet on one key then meet on all, so one key stands for the set.

    Source: successive sampling; the exact marginal of the second draw is p_j * (T - p_j / (1 - p_j)) with
    T = sum p / (1 - p), of later draws by B. Rosén, "Asymptotic theory for successive sampling", 1972.
    """
    if counts.sum() <= keys_per_transaction:
        return Draws(np.ones((1, 1)), np.ones(1))
    p, counts = _compressed(p, counts)
    if keys_per_transaction == _PAIR:
        return Pairs(_pair_mass(p, counts), counts)
    mass = np.array([draw * counts for draw in _draws(p, counts, keys_per_transaction)])
    return Draws(mass / mass.sum(axis=1, keepdims=True) / len(mass), counts)


def space_sets(spaces: Sequence[tuple[Floats, Floats, int]]) -> KeySets:
    """The key sets of transactions that draw from several key spaces, independently of one another.

    If every transaction takes all keys of some space, any two transactions meet there. So one key stands for
    the set. Two spaces with one draw each are exact; more draws are taken as in `Draws`.

    Args:
        spaces: of each space `p` and `counts` as in `key_sets`, and how many keys each transaction draws.
    """
    if any(counts.sum() <= drawn for _, counts, drawn in spaces):
        return Draws(np.ones((1, 1)), np.ones(1))
    groups = [(*_compressed(p, counts), drawn) for p, counts, drawn in spaces]
    counts = np.concatenate([each for _, each, _ in groups])
    ends = np.cumsum([len(each) for _, each, _ in groups])
    rows = []
    for (p, each, drawn), end in zip(groups, ends, strict=True):
        for draw in _draws(p, each, drawn):
            row = np.zeros(len(counts))
            row[end - len(each) : end] = draw * each / (draw * each).sum()
            rows.append(row)
    if len(rows) == _PAIR and len(groups) == _PAIR:
        mass = np.outer(*rows)
        return Pairs((mass + mass.T) / 2.0, counts)
    return Draws(np.array(rows) / len(rows), counts)


def _draws(p: Floats, counts: Floats, drawn: int) -> list[Floats]:
    """Probability of a key of each group to be the first, second … drawn."""
    return [p, *(_later_draw(p, counts, draw) for draw in range(2, drawn + 1))]


def _compressed(p: Floats, counts: Floats) -> tuple[Floats, Floats]:
    """The same groups with the cold ones merged into bins; `p` of a bin is its mean."""
    if len(p) <= _HEAD:
        return p, counts
    steps = np.floor(np.log(p[_HEAD] / p[_HEAD:]) / np.log(_BIN_RATIO))
    _, binned = np.unique(steps, return_inverse=True)
    group = np.concatenate([np.arange(_HEAD), _HEAD + binned])
    sizes = np.bincount(group, weights=counts)
    return np.bincount(group, weights=p * counts) / sizes, sizes.astype(np.float64)


def _pair_mass(p: Floats, counts: Floats) -> Floats:
    """P(first of g, second of h) = c_g p_g * (c_h - [g = h]) p_h / (1 - p_g), made symmetric."""
    second = np.tile(counts * p, (len(p), 1))
    second[np.diag_indices(len(p))] = np.maximum(counts - 1.0, 0.0) * p
    ordered = (counts * p / (1.0 - p))[:, None] * second
    mass = (ordered + ordered.T) / 2.0
    return np.asarray(mass / mass.sum())


def _later_draw(p: Floats, counts: Floats, draw: int) -> Floats:
    """Probability that a given key of a group is the `draw`-th drawn, by group; draw >= 2.

    Each key rings once, after an exponential time of rate p. The d-th key to ring is the d-th drawn. For
    d > 2 the moment of the d-th ring is taken as certain (Rosén).
    """
    if draw == _PAIR:
        odds = p / (1.0 - p)
        return np.asarray(p * ((odds * counts).sum() - odds))
    return np.exp(-p * _time_of(p, counts, draw - 1)) - np.exp(-p * _time_of(p, counts, draw))


def _time_of(p: Floats, counts: Floats, rung: int) -> float:
    """The time by which `rung` keys are expected to have rung; `rung` is below the number of keys."""

    def missing(time: float) -> float:
        return float((counts * -np.expm1(-p * time)).sum()) - rung

    latest = 1.0
    while missing(latest) < 0.0:
        latest *= 2.0
    from scipy.optimize import brentq  # noqa: PLC0415 - half a second of imports that only this function needs

    return float(brentq(missing, 0.0, latest))
