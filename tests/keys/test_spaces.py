"""Key spaces: one range of ids, a skew for each space, and the hottest key over all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from hotrow.errors import UsageError
from hotrow.keys.skew import group_skews, is_spelled_right, keep_skews, load_skew, parse_skew
from hotrow.keys.spaces import Spaces, SpaceSize, SpaceSource, check_draws, complete, key_source, lay_out

if TYPE_CHECKING:
    from pathlib import Path

SIZES = (SpaceSize("account", 1000, 1), SpaceSize("branch", 10, 1), SpaceSize("total", 1, 1))


def laid_out(skew: str, sizes: tuple[SpaceSize, ...] = SIZES) -> Spaces:
    layout = lay_out(parse_skew(skew), 1000, sizes)
    assert isinstance(layout, Spaces)
    return layout


def source_of(skew: str) -> SpaceSource:
    source = key_source(laid_out(skew), np.random.default_rng(1))
    assert isinstance(source, SpaceSource)
    return source


def test_spaces_lie_one_after_another() -> None:
    """So a record needs one number for a key of any space."""
    layout = laid_out("uniform")

    assert layout.keys == 1011
    assert [layout.name_of(key) for key in (0, 999, 1000, 1009, 1010)] == [
        ("account", 0),
        ("account", 999),
        ("branch", 0),
        ("branch", 9),
        ("total", 0),
    ]
    assert source_of("uniform").ids(branch=(3,), account=(7, 8)) == (1003, 7, 8)


def test_each_space_draws_by_its_own_skew() -> None:
    """A hot branch does not make accounts hot."""
    source = source_of("account=uniform,branch=hot")
    accounts = {source["account"].draw(1) for _ in range(300)}
    branches = {source["branch"].draw(1) for _ in range(300)}

    assert len(accounts) > 200
    assert len(branches) == 1
    assert source["total"].draw(1) == (0,)


@pytest.mark.parametrize(
    ("skew", "spec"),
    [
        ("hot", "account=hot,branch=uniform,total=uniform"),
        ("branch=hot", "account=uniform,branch=hot,total=uniform"),
        ("branch=hot:2,account=zipf:0.99", "account=zipf:0.99,branch=hot:2,total=uniform"),
    ],
)
def test_a_skew_is_completed(skew: str, spec: str) -> None:
    """Without a name it is that of the first space; spaces that are not named are uniform."""
    assert complete(parse_skew(skew), SIZES).spec == spec
    assert parse_skew(spec).spec == spec
    assert is_spelled_right(spec)


def test_the_hottest_key_is_that_with_the_most_expected_writes() -> None:
    """A uniform branch is written by 10 % of transactions, the hottest account of zipf:2 by 61 %."""
    sizes = SIZES[:2]
    cold, hot = laid_out("uniform", sizes), laid_out("zipf:2", sizes)

    assert cold.name_of(cold.hottest((3, 1003))) == ("branch", 3)
    assert cold.name_of(cold.hottest_key)[0] == "branch"
    assert hot.name_of(hot.hottest_key)[0] == "account"
    assert hot.hottest((hot.hottest_key, 1003)) == hot.hottest_key
    assert laid_out("hot").name_of(laid_out("hot").hottest_key)[0] == "account"
    assert laid_out("uniform").name_of(laid_out("uniform").hottest_key) == ("total", 0)


@pytest.mark.parametrize(
    "skew", ["uniform", "zipf:0.99", "hotspot:0.1:0.9", "latest:1.1", "hot:3", "account=hot"]
)
def test_every_write_set_with_the_hottest_key_has_it_as_its_hottest(skew: str) -> None:
    """The share of time for which the hottest row was taken depends on it (`analysis.hottest_row`)."""
    layout = laid_out(skew)
    rng = np.random.default_rng(3)

    for _ in range(200):
        others = [int(rng.integers(0, 1000)), 1000 + int(rng.integers(10))]
        assert layout.hottest([*others, layout.hottest_key]) == layout.hottest_key


@pytest.mark.parametrize(
    "skew", ["uniform", "zipf:0.99", "latest:2", "hotspot:0.1:0.9", "hot:3", "conflict-share:0.2"]
)
def test_the_probability_of_one_rank_is_that_of_the_table(skew: str) -> None:
    """One by one and as an array they are the same, and D_eff is that of the hottest space."""
    table = parse_skew(skew).table(10)

    assert [table.ranks.probability(rank) for rank in range(10)] == pytest.approx(table.probabilities())
    assert laid_out(f"branch={skew}", SIZES[:2]).d_eff == pytest.approx(table.d_eff)


def test_neighbours_in_a_list_are_one_skew_until_a_name_repeats() -> None:
    """So a sweep takes several skews of several spaces."""
    texts = ["uniform", "account=uniform", "branch=hot", "account=hot", "branch=hot", "hot"]

    assert group_skews(texts) == (
        "uniform",
        "account=uniform,branch=hot",
        "account=hot,branch=hot",
        "hot",
    )


@pytest.mark.parametrize(
    ("skew", "message"),
    [
        ("teller=hot", "no key space teller; it has account, branch, total"),
        ("account=hot,account=uniform", "names account twice"),
        ("account=hot,uniform", "has no space"),
        ("account=branch=hot", "names two spaces"),
        ("account=zipf", "is not a skew"),
        ("branch=hot:11", "only 10 keys exist"),
    ],
)
def test_what_cannot_be_laid_out_is_refused(skew: str, message: str) -> None:
    """In one line that says what is allowed."""
    with pytest.raises(UsageError, match=message):
        laid_out(skew)


def test_names_need_spaces_and_spaces_need_names() -> None:
    """A scenario without key spaces takes no named skew, and `draw` has to say which space it means."""
    with pytest.raises(UsageError, match="no key spaces"):
        lay_out(parse_skew("account=hot"), 1000)
    with pytest.raises(UsageError, match=r"keys\['account'\].draw\(2\)"):
        source_of("hot").draw(2)
    with pytest.raises(UsageError, match="key space 'teller'; the scenario has account, branch, total"):
        source_of("hot")["teller"]
    with pytest.raises(UsageError, match=r"writes branch 10; its keys are 0 to 9"):
        source_of("hot").ids(branch=(10,))
    with pytest.raises(UsageError, match="declares no `spaces`"):
        key_source(lay_out(parse_skew("hot"), 10), np.random.default_rng(1)).ids(branch=(1,))


def test_a_transaction_cannot_draw_more_keys_than_a_space_has() -> None:
    """The message names the space."""
    with pytest.raises(UsageError, match="key space pair has 1 keys, and a transaction draws 2"):
        check_draws(laid_out("uniform", (SpaceSize("pair", 1, 2),)), 2)


def test_files_of_spaces_are_kept_with_the_run(tmp_path: Path) -> None:
    """Each space may have weights of its own, which the run's directory gives back."""
    (tmp_path / "weights.csv").write_text("key,weight\n0,1\n3,9\n")
    skew = parse_skew(f"account=hot,branch=file:{tmp_path / 'weights.csv'}")
    run = tmp_path / "run"
    run.mkdir()

    keep_skews(run, [skew])

    assert load_skew(skew.spec, run) == skew
    assert is_spelled_right(skew.spec)
    assert load_skew(skew.spec, run).by_space[1][1].table(10).hottest_key == 3


def test_one_hot_key_has_its_share_of_the_draws() -> None:
    """The others share the rest evenly: with 101 keys and a share of 0.02, the hot key has 2 %."""
    table = parse_skew("conflict-share:0.02").table(101)

    assert parse_skew("conflict-share:0.02").spec == "conflict-share:0.02"
    assert (table.p_max, table.support) == (pytest.approx(0.02), 101)
    assert table.probabilities()[1:] == pytest.approx(0.0098)
    assert parse_skew("conflict-share:0.5").table(1).p_max == 1.0
    with pytest.raises(UsageError, match="above 0 and at most 1"):
        parse_skew("conflict-share:0")
