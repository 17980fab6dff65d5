"""Key skew: the probabilities drawn, the bijection onto key ids, and what is refused."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest
import scipy

from hotrow.keys import zipf
from hotrow.keys.ranks import scatter, weighted
from hotrow.keys.skew import KeySource, parse_skew

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from hotrow.keys.table import Table

DRAWS = 1_000_000
P_VALUE = 0.001
WEIGHTS = (0.0, 5.0, 1.0, 3.0, 0.0, 1.0)


def _rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def _table(text: str, keys: int) -> Table:
    return parse_skew(text).table(keys)


def _zipf_p(theta: float, keys: int) -> NDArray[np.float64]:
    """The definition, in the simplest form."""
    weights = [k**-theta for k in range(1, keys + 1)]
    return np.array(weights) / math.fsum(weights)


def _p_value(ranks: NDArray[np.int64], p: NDArray[np.float64], top: int = 50) -> float:
    """Chi-square of drawn `ranks` against `p`: the `top` hottest ranks one by one, all others pooled."""
    observed = np.bincount(ranks, minlength=len(p))
    cut = min(top, len(p) - 1)
    counts = np.append(observed[:cut], observed[cut:].sum())
    expected = np.append(p[:cut], p[cut:].sum()) * len(ranks)
    return float(scipy.stats.chisquare(counts, expected).pvalue)


def _gray_ranks(theta: float, keys: int, rng: np.random.Generator, size: int) -> NDArray[np.int64]:
    """The generator of Gray et al. (SIGMOD 1994), as in YCSB: exact for two ranks, a power curve beyond."""
    weights = np.arange(1, keys + 1) ** -theta
    zeta, u = weights.sum(), rng.random(size)
    eta = (1 - (2 / keys) ** (1 - theta)) / (1 - weights[:2].sum() / zeta)
    curve = (keys * (eta * u - eta + 1) ** (1 / (1 - theta))).astype(np.int64)
    return np.where(u * zeta < 1, 0, np.where(u * zeta < 1 + 0.5**theta, 1, curve))


@pytest.fixture(name="weights_file")
def _weights_file(tmp_path: Path) -> Path:
    path = tmp_path / "weights.csv"
    rows = [f"{number},{weight}" for number, weight in enumerate(WEIGHTS)]
    path.write_text("\n".join(["key,weight", *rows]) + "\n")
    return path


@pytest.mark.parametrize("theta", [0.5, 0.99, 1.0, 1.2])
def test_zipf_draws(theta: float) -> None:
    """The top 50 ranks of 1,000 are drawn as often as Zipf's law says."""
    ranks = _table(f"zipf:{theta}", 1000).sample(_rng(), DRAWS)

    assert _p_value(ranks, _zipf_p(theta, 1000)) > P_VALUE


@pytest.mark.parametrize("theta", [0.5, 0.99])
def test_the_chi_square_catches_grays_generator(theta: float) -> None:
    """The same test refuses the generator of Gray et al., which over-draws rank 3 by 8 to 20 %."""
    p = _zipf_p(theta, 1000)
    ranks = _gray_ranks(theta, 1000, _rng(), DRAWS)

    assert 1.08 < (ranks == 2).mean() / p[2] < 1.20
    assert _p_value(ranks, p) < P_VALUE


@pytest.mark.parametrize("theta", [0.3, 0.99, 1.0, 1.0 + 1e-12, 1.2, 3.0])
@pytest.mark.parametrize("first", [1, 3])
def test_rejection_inversion_draws(theta: float, first: int) -> None:
    """Rejection-inversion draws the same distribution as the exact table, also from a later rank on."""
    p = _zipf_p(theta, 200)[first - 1 :]
    numbers = zipf.rejection_inversion(_rng(), theta, first, 200, DRAWS)

    assert numbers.min() == first
    assert _p_value(numbers - first, p / p.sum()) > P_VALUE


@pytest.mark.parametrize("theta", [0.01, 0.5, 1.0, 1.2, 2.0, 1000.0])
def test_draws_beyond_the_table(theta: float) -> None:
    """With more keys than a table holds draws stay in range, and the hottest get their share."""
    table = _table(f"zipf:{theta}", 2**32 - 1)
    ranks = table.sample(_rng(), DRAWS)
    assert table.keys > zipf.MAX_TABLE_KEYS
    assert 0 <= ranks.min() <= ranks.max() < table.keys
    for hottest in (1, 1000):
        share = table.p_max * float((np.arange(1.0, hottest + 1) ** -theta).sum())
        drawn = int((ranks < hottest).sum())
        assert scipy.stats.binomtest(drawn, len(ranks), min(share, 1.0)).pvalue > P_VALUE


class _Fixed:
    """A generator that draws `level` once, then 0: for draws so rare that no seed would meet them."""

    def __init__(self, level: float) -> None:
        self.level = level

    def random(self, size: int) -> NDArray[np.float64]:
        level, self.level = self.level, 0.0
        return np.full(size, level)


LOWEST, HIGHEST = 0.0, 1.0 - 2.0**-53


def _edge(level: float) -> np.random.Generator:
    return cast("np.random.Generator", _Fixed(level))


def test_edges_of_a_table() -> None:
    """The lowest and the highest draw fall on the coldest rank that has weight, and on the hottest."""
    cumulative = zipf.cumulate(np.array([4.0, 2.0, 1.0, 0.0, 0.0]))

    assert zipf.sample_cumulative(cumulative, _edge(LOWEST), 1).tolist() == [2]
    assert zipf.sample_cumulative(cumulative, _edge(HIGHEST), 1).tolist() == [0]
    assert zipf.sample_cumulative(cumulative, _edge(HIGHEST), 1, first=1).tolist() == [1]


@pytest.mark.parametrize("theta", [1.0, 1.2, 2.0, 27.0, 1000.0])
@pytest.mark.parametrize("first", [1, 1000])
def test_edges_of_rejection_inversion(theta: float, first: int) -> None:
    """The lowest draw is the hottest rank asked for, and the highest is in range, however steep the law."""
    last = 2**32 - 1
    highest = int(zipf.rejection_inversion(_edge(HIGHEST), theta, first, last, 1)[0])

    assert zipf.rejection_inversion(_edge(LOWEST), theta, first, last, 1).tolist() == [first]
    assert first <= highest <= last


@pytest.mark.parametrize("theta", [1.1, 1.2, 2.0, 60.0])
@pytest.mark.parametrize("keys", [10_001, 10**9])
def test_power_sum(theta: float, keys: int) -> None:
    """The sum of k^-theta equals the difference of two Hurwitz zeta functions."""
    expected = scipy.special.zeta(theta, 1) - scipy.special.zeta(theta, keys + 1)

    assert zipf.power_sum(theta, keys) == pytest.approx(expected, rel=1e-12)


def test_harmonic_sum() -> None:
    """If theta is 1, the sum is a harmonic number."""
    assert zipf.power_sum(1.0, 10**9) == pytest.approx(
        scipy.special.digamma(10**9 + 1) + np.euler_gamma, rel=1e-12
    )


@pytest.mark.parametrize("theta", [0.5, 0.99, 1.0, 1.2, 3.0])
@pytest.mark.parametrize("keys", [1, 2, 1000, 30_000])
def test_zipf_figures(theta: float, keys: int) -> None:
    """p_max, d_eff and the probabilities equal brute force, also past the ranks summed one by one."""
    p = _zipf_p(theta, keys)
    table = _table(f"zipf:{theta}", keys)

    assert table.p_max == pytest.approx(p[0], rel=1e-12)
    assert table.d_eff == pytest.approx(1 / math.fsum(p**2), rel=1e-12)
    np.testing.assert_allclose(table.probabilities(), p, rtol=1e-12)


def _every_skew(weights_file: Path) -> list[Table]:
    texts = ("uniform", "zipf:0.99", "zipf:2", "latest:1.2", "hotspot:0.1:0.9", "hotspot:0.5:0.1", "hot:3")
    return [_table(text, 40) for text in texts] + [_table(f"file:{weights_file}", 40)]


def test_the_figures_of_a_table_agree(weights_file: Path) -> None:
    """For every skew: p falls with the rank and sums to 1; support, p_max, d_eff and groups agree with p."""
    tables = _every_skew(weights_file)

    assert len(tables) > 5
    for table in tables:
        p = table.probabilities()
        group_p, count = table.groups()

        assert len(p) == 40
        assert (np.diff(p) <= 0).all()
        assert p.sum() == pytest.approx(1)
        assert table.support == (p > 0).sum()
        assert table.p_max == pytest.approx(p[0])
        assert table.d_eff == pytest.approx(1 / (p**2).sum())
        np.testing.assert_allclose(np.repeat(group_p, count.astype(int)), p[p > 0], rtol=1e-6)


@pytest.mark.parametrize("first", [0, 2])
def test_every_skew_draws_its_probabilities(weights_file: Path, first: int) -> None:
    """For every skew: ranks are drawn as often as p says, also when the two hottest are left out."""
    tables = _every_skew(weights_file)

    assert len(tables) > 5
    for table in tables:
        ranks = table.sample(_rng(), 50_000, first)
        p = table.probabilities()[first : table.support]

        assert first <= ranks.min() <= ranks.max() < table.support
        assert len(p) == 1 or _p_value(ranks - first, p / p.sum()) > P_VALUE


def test_groups_of_a_large_zipf() -> None:
    """Ten million keys become under 11,000 groups that keep the mass, the keys and the sum of squares."""
    table = _table("zipf:0.5", 10_000_001)
    p, count = table.groups()

    assert len(p) < 11_000
    assert count.sum() == table.keys
    assert (p * count).sum() == pytest.approx(1, rel=1e-12)
    assert 1 / (p * p * count).sum() == pytest.approx(table.d_eff, rel=1e-4)


def test_groups_of_many_weights(tmp_path: Path) -> None:
    """A file of more different weights than are kept one by one is binned, and keeps mass and keys."""
    path = tmp_path / "many.csv"
    weights = _rng().pareto(2, 12_000) + 0.1
    path.write_text(
        "key,weight\n" + "".join(f"{k},{weight!r}\n" for k, weight in enumerate(weights.tolist()))
    )
    table = _table(f"file:{path}", 20_000)
    p, count = table.groups()

    assert len(p) < 10_100
    assert count.sum() == table.support == 12_000
    assert (p * count).sum() == pytest.approx(1, rel=1e-12)
    assert 1 / (p * p * count).sum() == pytest.approx(table.d_eff, rel=1e-4)


@pytest.mark.parametrize("text", ["uniform", "hot:1000", "hotspot:1:0.3", "zipf:0", "latest:0"])
def test_even_skews_are_one_group(text: str) -> None:
    """A skew that makes all keys equally likely equals uniform: one group, d_eff = keys."""
    table = _table(text, 1000)

    assert [values.tolist() for values in table.groups()] == [[0.001], [1000.0]]
    assert table.d_eff == pytest.approx(1000)
    assert _p_value(table.sample(_rng(), DRAWS), np.full(1000, 0.001), top=999) > P_VALUE


def test_hotspot_shares() -> None:
    """A tenth of the keys takes nine tenths of the draws, and the share of keys is at least one key."""
    p = _table("hotspot:0.1:0.9", 50).probabilities()

    assert p == pytest.approx([0.9 / 5] * 5 + [0.1 / 45] * 45)
    assert _table("hotspot:0.001:0.5", 50).p_max == pytest.approx(0.5)


@pytest.mark.parametrize("text", ["uniform", "zipf:0.99", "zipf:1.5", "latest:1", "hotspot:0.2:0.8", "hot"])
def test_one_key(text: str) -> None:
    """With one key every skew draws this key."""
    table = _table(text, 1)

    assert (table.p_max, table.d_eff, table.support) == (1.0, 1.0, 1)
    assert KeySource(table, _rng()).draw() == (0,)


def test_bijection() -> None:
    """Ranks go to key ids one to one and come back, for every count of keys up to 300 and some large."""
    for keys in [*range(1, 301), 4096, 9973, 100_000]:
        table = _table("uniform", keys)
        ids = table.key_of(np.arange(keys))

        assert np.bincount(ids, minlength=keys).tolist() == [1] * keys
        assert table.rank_of(ids).tolist() == list(range(keys))


@pytest.mark.parametrize("keys", [2**32 - 1, 2**32 - 2, 4_000_000_007])
def test_bijection_of_very_many_keys(keys: int) -> None:
    """Nothing overflows with as many keys as the record can number."""
    table = _table("uniform", keys)
    ranks = np.concatenate([np.arange(1000), _rng().integers(keys, size=1000), keys - 1 - np.arange(1000)])
    ids, scattered = table.key_of(ranks), scatter(keys)

    assert ids.tolist() == [
        (scattered.multiplier * rank + scattered.offset) % keys for rank in ranks.tolist()
    ]
    assert (table.rank_of(ids) == ranks).all()


def test_hot_keys_are_scattered() -> None:
    """The ten hottest of 1,000 keys are not neighbours, and the hottest is not key 0."""
    ids = sorted(_table("zipf:0.99", 1000).key_of(np.arange(10)).tolist())

    assert ids[0] > 0
    assert min(np.diff(ids)) > 10


def test_latest() -> None:
    """The highest key id is the hottest, the next one below it second, without any scatter."""
    table = _table("latest:0.99", 1000)

    assert table.key_of([0, 1, 999]).tolist() == [999, 998, 0]
    assert table.rank_of([999, 998, 0]).tolist() == [0, 1, 999]


def test_file(weights_file: Path) -> None:
    """Each key has the weight in its row; keys with weight 0, or without a row, are never drawn."""
    table = _table(f"file:{weights_file}", 10)
    p_by_key = table.probabilities()[table.rank_of(np.arange(10))]

    assert p_by_key.tolist() == [0, 0.5, 0.1, 0.3, 0, 0.1, 0, 0, 0, 0]
    assert sorted(table.key_of(np.arange(10)).tolist()) == list(range(10))
    assert table.rank_of(table.key_of(np.arange(10))).tolist() == list(range(10))


def test_file_with_weights_of_any_size(tmp_path: Path) -> None:
    """Weights near the largest float are taken as they are: only their ratios count."""
    path = tmp_path / "large.csv"
    path.write_text("\ufeffkey, weight\r\n0,1.5e308\r\n\r\n1,0.5e308\r\n", encoding="utf-8")

    assert _table(f"file:{path}", 2).probabilities().tolist() == [0.75, 0.25]


@pytest.mark.parametrize("text", ["uniform", "zipf:0.99", "latest:1.2", "hotspot:0.1:0.9"])
def test_hottest(text: str) -> None:
    """The hottest of some keys is the one of lowest rank."""
    table = _table(text, 100)
    keys = _rng().permutation(100).tolist()

    assert [table.hottest(keys[i:]) for i in range(100)] == [
        min(keys[i:], key=lambda key: int(table.rank_of(key))) for i in range(100)
    ]


def test_hottest_of_a_file(weights_file: Path) -> None:
    """Keys that are not in the file are colder than all keys in it."""
    table = _table(f"file:{weights_file}", 10)

    assert [table.hottest([9, 0, 3, 1]), table.hottest([9, 0, 3]), table.hottest([9, 0])] == [1, 3, 0]


def test_tables_are_shared_and_immutable() -> None:
    """Equal skews give the same table, so that users share it, and none of its arrays can be written."""
    table = _table("zipf:0.99", 500)
    ranks, listed = weighted(np.arange(len(WEIGHTS), dtype=np.uint32), np.array(WEIGHTS), 10)
    cumulative = zipf.zipf(0.99, 500).cumulative

    assert table is _table("zipf:0.990", 500)
    assert cumulative is not None
    arrays = [cumulative, ranks.p, ranks.cumulative, listed.by_rank, listed.listed, listed.ranks]
    assert not any(array.flags.writeable for array in arrays)
