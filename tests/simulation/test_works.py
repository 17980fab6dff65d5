"""Works that are drawn all at once have the distribution of those that are drawn one by one."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import scipy

from hotrow.keys.skew import KeySource, parse_skew
from hotrow.simulation.works import DrawnKeys, ScenarioWorks
from scenarios import ALL

COUNT = 8_000


@pytest.mark.parametrize(
    ("skew", "keys", "drawn"), [("zipf:1.2", 6, 2), ("hot:2", 5, 3), ("hot", 4, 2), ("zipf:3", 5, 4)]
)
def test_all_at_once_is_one_by_one(skew: str, keys: int, drawn: int) -> None:
    """Each ordered choice of keys comes as often: a chi-square test of two samples."""
    table = parse_skew(skew).table(keys)
    at_once = DrawnKeys(table, drawn).draw(COUNT, np.random.default_rng(1)).rows
    source = KeySource(table, np.random.default_rng(2))
    one_by_one = [source.draw(drawn) for _ in range(COUNT)]

    counts = Counter(map(tuple, at_once.tolist())), Counter(one_by_one)
    choices = [choice for choice in counts[0] | counts[1] if min(c[choice] for c in counts) > 4]
    observed = np.array([[c[choice] for choice in choices] for c in counts])
    assert len(choices) >= 3
    assert scipy.stats.chi2_contingency(observed).pvalue > 1e-4


def test_the_hottest_key_is_that_of_the_table() -> None:
    table = parse_skew("zipf:0.99").table(100)
    works = DrawnKeys(table, 3).draw(500, np.random.default_rng(1))
    assert works.hottest.tolist() == [table.hottest(keys) for keys in works.rows.tolist()]


def test_a_key_has_its_own_rows() -> None:
    works = DrawnKeys(parse_skew("hot").table(3), 1, rows_per_key=16).draw(2_000, np.random.default_rng(1))
    assert set((works.rows // 16).ravel()) == set(works.hottest)
    assert len(np.unique(works.rows)) == 16


@pytest.mark.parametrize("name", sorted(ALL))
def test_every_scenario_s_own_works_can_be_drawn(name: str) -> None:
    """Rows are those that `draw` declares, kinds are known, and a work without writes has no row."""
    scenario = ALL[name]()
    table = parse_skew("zipf:0.99").table(200)
    works = ScenarioWorks(scenario, table).draw(300, np.random.default_rng(1))
    written = works.rows[works.rows >= 0]
    assert written.max(initial=0) < 200 * scenario.rows_per_key
    assert ((works.rows >= 0).any(axis=1) == (works.hottest >= 0)).all()
    assert set(works.kind) <= set(range(max(1, len(scenario.kinds))))
