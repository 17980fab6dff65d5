"""The simulation against a second implementation, exact answers, and the rules of its policies."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.counts import count_attempts, count_transactions, counts_in
from analysis.reading import MeasuredInterval
from hotrow.attempt.record import NO_KEY, Flag, Outcome
from hotrow.attempt.retry import parse_retry
from hotrow.keys.skew import parse_skew
from hotrow.simulation.simulate import CHUNK, simulate
from hotrow.simulation.works import DrawnKeys, Works
from hotrow.simulation.world import Gamma, Measured, World
from tests.support import simulated
from tests.support.simulated import commits_per_s, conflict_rate

ATTEMPTS = 100_000
OTHERS, POINTS = 20_000, 1.2
"""The second implementation makes fewer attempts: its conflict rate has a standard error of 0.4 points."""


def world(
    users: int = 8,
    skew: str = "hot",
    retry: str = "none",
    *,
    keys_per_transaction: int = 1,
    redraw: bool = False,
) -> World:
    """The world with the defaults of `tests.support.simulated.World`."""
    table = parse_skew(skew).table(1_000)
    return World(
        users=users,
        works=DrawnKeys(table, keys_per_transaction),
        window=Gamma(0.007, 0.25),
        outside=Gamma(0.002, 0.3),
        policy=parse_retry(retry),
        redraw=redraw,
    )


def made(one: World, attempts: int = ATTEMPTS, seed: int = 1) -> np.ndarray:
    return np.concatenate(list(simulate(one, seed, attempts=attempts)))


@pytest.mark.parametrize(
    ("skew", "keys", "retry", "users", "redraw"),
    [
        ("hot", 1, "none", 8, False),
        ("hot", 1, "immediate:max=unlimited", 16, False),
        ("hot", 2, "exponential:base=10ms,cap=1s,max=10,within=100ms", 16, False),
        ("hot:8", 2, "decorrelated", 32, False),
        ("zipf:0.99", 2, "full-jitter", 32, False),
        ("zipf:1.2", 2, "immediate", 32, False),
        ("zipf:0.99", 1, "aws-connector", 32, True),
        ("uniform", 1, "equal-jitter", 64, False),
    ],
)
def test_it_agrees_with_the_second_implementation(
    skew: str, keys: int, retry: str, users: int, redraw: bool
) -> None:
    """Conflict rate, goodput and attempts per transaction are the same within the noise."""
    one = made(world(users, skew, retry, keys_per_transaction=keys, redraw=redraw))
    setting = simulated.World(users, skew, keys_per_transaction=keys, retry=retry, redraw=redraw)
    other = simulated.simulate(setting, OTHERS, seed=2)

    assert 100 * conflict_rate(one) == pytest.approx(100 * conflict_rate(other), abs=POINTS)
    assert commits_per_s(one) == pytest.approx(commits_per_s(other), rel=0.04)
    assert _tries(one) == pytest.approx(_tries(other), rel=0.04)


def _tries(attempts: np.ndarray) -> float:
    return len(attempts) / np.count_nonzero(attempts["flags"] & Flag.FINAL)


def test_two_users_without_pauses_on_one_row_lose_every_second_attempt() -> None:
    """Two attempts that always overlap: one of two commits, whatever the window."""
    one = World(2, DrawnKeys(parse_skew("hot").table(1), 1), Gamma(0.007))
    lost = made(one, 10_000)["outcome"] == Outcome.CONFLICT
    assert lost.mean() == pytest.approx(0.5, abs=0.001)


def test_disjoint_rows_never_conflict_and_read_only_works_have_no_key() -> None:
    class Apart:
        def draw(self, count: int, rng: np.random.Generator) -> Works:
            rows = rng.permutation(10**6)[:count, None].astype(np.int64)
            rows[::2] = -1
            return Works(rows, rows[:, 0], np.zeros(count, np.int64))

    attempts = made(World(50, Apart(), Gamma(0.007, 0.5)), 30_000)
    assert (attempts["outcome"] == Outcome.COMMITTED).all()
    assert 0.45 < np.mean(attempts["key"] == NO_KEY) < 0.55


def test_equal_seeds_give_equal_attempts() -> None:
    """Over the border of a chunk, too."""
    one, again, other = (made(world(16, "hot:4"), CHUNK + 5_000, seed) for seed in (3, 3, 4))
    assert np.array_equal(one, again)
    assert not np.array_equal(one["outcome"], other["outcome"])


def test_counts_add_up() -> None:
    """Design's equations hold: `count_…` raise if they do not."""
    attempts = made(world(16, "zipf:0.99", "full-jitter:max=3", keys_per_transaction=2))
    counts = counts_in(attempts, MeasuredInterval(0, 10**12))
    assert count_attempts(counts)["total"] == len(attempts)
    ended = count_transactions(counts)
    assert ended["committed"] + ended["gave_up"] == np.count_nonzero(attempts["flags"] & Flag.FINAL)


def test_attempts_of_a_transaction_are_numbered_and_only_the_last_is_final() -> None:
    attempts = made(world(8, "hot", "immediate:max=4"), 20_000)
    order = np.lexsort((attempts["attempt"], attempts["transaction"]))
    ordered = attempts[order]
    first = np.r_[True, ordered["transaction"][1:] != ordered["transaction"][:-1]]
    assert (ordered["attempt"][first] == 1).all()
    last = np.r_[first[1:], True]
    whole = np.isin(ordered["transaction"], ordered["transaction"][ordered["flags"] == Flag.FINAL])
    assert (ordered["flags"][whole] == np.where(last[whole], Flag.FINAL, 0)).all()
    assert ordered["attempt"].max() == 5


def test_a_budget_bounds_the_retries() -> None:
    """N transactions of a user make at most burst + ratio n retries, and a saturated row uses all of them."""
    attempts = made(world(16, "hot", "budget:ratio=0.2,burst=10,base=1ms,cap=1ms"))
    retries = np.count_nonzero(attempts["attempt"] > 1)
    transactions = np.count_nonzero(attempts["attempt"] == 1)
    assert retries <= 16 * 10 + 0.2 * transactions
    assert retries == pytest.approx(0.2 * transactions, rel=0.05)


def test_think_time_lies_between_transactions_and_backoff_between_attempts() -> None:
    one = World(
        1,
        DrawnKeys(parse_skew("uniform").table(10), 1),
        Gamma(0.01),
        think_s=0.5,
        outside=Gamma(0.001),
    )
    attempts = made(one, 10)
    assert np.diff(attempts["started"]) == pytest.approx([511e6] * 9)


def test_measured_windows_are_drawn_as_they_are() -> None:
    one = World(3, DrawnKeys(parse_skew("hot").table(1), 1), Measured(np.array([0.001, 0.004])))
    windows = np.unique(np.rint(made(one, 1_000)["body"] / 1e6))
    assert windows.tolist() == [1.0, 4.0]


def test_it_ends_in_time() -> None:
    attempts = np.concatenate(list(simulate(world(8), 1, until_s=2.0)))
    ends = attempts["started"] + attempts["body"]
    assert ends.max() < 2e9 < ends.max() + 0.02e9
    assert (np.diff(ends) > -1e3).all()
