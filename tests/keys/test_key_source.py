"""The keys that one user draws: distinct, by the skew, from a generator of the user's own."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import pytest
import scipy

from hotrow.errors import UsageError
from hotrow.keys.skew import KeySource, parse_skew

if TYPE_CHECKING:
    from hotrow.keys.table import Table

P_VALUE = 0.001


def _rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


EVERY_SKEW = ("uniform", "zipf:0.99", "zipf:2", "latest:1.2", "hotspot:0.1:0.9", "hotspot:0.5:0.1", "hot:3")


def _table(text: str, keys: int) -> Table:
    return parse_skew(text).table(keys)


@pytest.mark.parametrize("text", EVERY_SKEW)
@pytest.mark.parametrize("how_many", [0, 2, 5, 40])
def test_draws_are_distinct(text: str, how_many: int) -> None:
    """A draw of several keys has distinct ids of the table, for every skew, up to all keys there are."""
    source = KeySource(_table(text, 40), _rng())
    for _ in range(50):
        keys = source.draw(how_many)

        assert len(keys) == len(set(keys)) == how_many
        assert set(keys) <= set(range(40))


@pytest.mark.parametrize("tries", [0, 8])
def test_distribution_of_pairs(tries: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second of two keys has the skew's probabilities given the first, by either way of finding it."""
    monkeypatch.setattr("hotrow.keys.skew._TRIES", tries)
    table = _table("zipf:1.2", 5)
    source = KeySource(table, _rng())
    # Without tries every key comes from the ranks that are left, which is the way out of extreme skew.
    drawn = [table.rank_of(source.draw(2)) for _ in range(20_000)]
    p = table.probabilities()
    pairs = list(itertools.permutations(range(5), 2))
    codes = [int(first) * 5 + int(second) for first, second in drawn]
    expected = [p[i] * p[j] / (1 - p[i]) * len(drawn) for i, j in pairs]

    assert scipy.stats.chisquare([codes.count(i * 5 + j) for i, j in pairs], expected).pvalue > P_VALUE


def test_single_draws_follow_the_skew() -> None:
    """A user's keys, taken back to ranks, have the skew's probabilities over many prefetched blocks."""
    table = _table("zipf:0.99", 50)
    source = KeySource(table, _rng())
    ranks = table.rank_of([source.draw()[0] for _ in range(50_000)])

    assert source.count == 50
    assert scipy.stats.chisquare(np.bincount(ranks), table.probabilities() * len(ranks)).pvalue > P_VALUE


def test_extreme_skew_does_not_hang() -> None:
    """If the hottest key takes all but 1e-18 of the draws, further keys are the next hottest ones."""
    table = _table("zipf:60", 1000)
    source = KeySource(table, _rng())

    assert {tuple(table.rank_of(source.draw(3)).tolist()) for _ in range(50)} == {(0, 1, 2)}


def test_skew_beyond_floating_point() -> None:
    """If the weights of cold keys are too small for a float, the hottest key not yet taken comes next."""
    table = _table("zipf:1000", 5)

    assert table.rank_of(KeySource(table, _rng()).draw(5)).tolist() == [0, 1, 2, 3, 4]


def test_hot_with_two_keys() -> None:
    """`hot` with two keys per transaction is the hot row and one other key, uniformly."""
    table = _table("hot", 20)
    source = KeySource(table, _rng())
    draws = [source.draw(2) for _ in range(20_000)]
    hot = int(table.key_of(0))
    others = [other for _, other in draws]

    assert {first for first, _ in draws} == {hot}
    assert hot not in others
    counts = [others.count(key) for key in range(20) if key != hot]
    assert scipy.stats.chisquare(counts).pvalue > P_VALUE


def test_seeds() -> None:
    """The same seed draws the same keys, another seed others."""
    table = _table("zipf:0.99", 1000)
    drawn = [[KeySource(table, _rng(seed)).draw(5) for _ in range(3)] for seed in (1, 1, 2)]

    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2]


def test_a_source_draws_on() -> None:
    """One source does not repeat itself from draw to draw or from block to block."""
    source = KeySource(_table("uniform", 10**9), _rng())

    assert len({source.draw() for _ in range(1000)}) == 1000


def test_more_keys_than_there_are_cannot_be_drawn() -> None:
    """A draw of more keys than there are is refused instead of running forever."""
    with pytest.raises(UsageError, match="3 distinct keys"):
        KeySource(_table("hot", 2), _rng()).draw(3)
