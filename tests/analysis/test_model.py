"""The closed forms: exact cases by hand, and the simulation of `tests.support.simulated` as the oracle."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
import scipy
from scipy.integrate import quad

from analysis.keysets import Draws, KeySets, Pairs, key_sets
from analysis.model import Effort, Loop, Prediction, predict, restarts_of, survival
from hotrow.attempt.retry import parse_retry
from hotrow.keys.skew import KeySource, parse_skew
from tests.support.mva import throughput_per_s
from tests.support.simulated import World, commits_per_s, conflict_rate, simulate

WINDOW_S = 0.007
ATTEMPTS = 30_000


def _sets(skew: str, keys: int, keys_per_transaction: int = 1) -> KeySets:
    return key_sets(*parse_skew(skew).table(keys).groups(), keys_per_transaction)


def _gamma_spread(cv: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    shape = cv**-2
    quantiles = scipy.stats.gamma.ppf((np.arange(32) + 0.5) / 32, shape)
    return quantiles / quantiles.mean()


def _predict(world: World) -> Prediction:
    sets = _sets(world.skew, world.keys, world.keys_per_transaction)
    spread = _gamma_spread(world.window_cv)
    loop = Loop(world.users, world.window_s, world.outside_s, spread=spread)
    return predict(sets, loop, parse_retry(world.retry), redraw=world.redraw)


def _error_points(world: World) -> float:
    """Predicted minus simulated conflict rate, in points."""
    return 100 * (_predict(world).conflict_rate - conflict_rate(simulate(world, ATTEMPTS, seed=3)))


def _simple(skew: str, keys: int, users: int, *, outside_s: float = 0.0, retry: str = "none") -> Prediction:
    loop = Loop(users, WINDOW_S, outside_s)
    return predict(_sets(skew, keys), loop, parse_retry(retry), redraw=False)


@pytest.mark.parametrize("keys", [1, 2, 10, 1_000])
@pytest.mark.parametrize("users", [2, 8, 100])
def test_uniform_without_pause_is_the_textbook_form(keys: int, users: int) -> None:
    """Uniform over D rows and Z = 0: (N - 1) / (N - 1 + D)."""
    expected = (users - 1) / (users - 1 + keys)

    assert _simple("uniform", keys, users).conflict_rate == pytest.approx(expected, rel=1e-6)


def test_one_key_is_the_sum_over_keys() -> None:
    """One key and no retry: sum p * m p / (1 + m p) with m = (N - 1) R / (R + Z)."""
    p = parse_skew("zipf:0.99").table(50).probabilities()
    m = 15 * WINDOW_S / (WINDOW_S + 0.01)
    expected = float((p * m * p / (1 + m * p)).sum())

    assert _simple("zipf:0.99", 50, 16, outside_s=0.01).conflict_rate == pytest.approx(expected, rel=1e-3)


def test_zipf_zero_is_uniform() -> None:
    """Theta 0 predicts the same as uniform."""
    assert _simple("zipf:0", 100, 8) == _simple("uniform", 100, 8)


def test_one_user_never_conflicts() -> None:
    """Every attempt commits, one per cycle."""
    alone = _simple("hot", 10, 1, outside_s=0.003)

    assert alone.conflict_rate == 0
    assert alone.goodput_per_s == pytest.approx(100)


@pytest.mark.parametrize("retry", ["none", "immediate:max=unlimited", "full-jitter", "fixed:max=unlimited"])
@pytest.mark.parametrize("users", [2, 16, 1_000])
def test_one_row_commits_at_most_once_a_window(retry: str, users: int) -> None:
    """The ceiling of one row is 1/R for every policy; unlimited retry converges even at 1,000 users."""
    predicted = _simple("hot", 10, users, outside_s=0.001, retry=retry)

    assert predicted.goodput_per_s <= 1 / WINDOW_S * (1 + 1e-6)
    assert 0 < predicted.conflict_rate < 1


def test_one_row_without_pause_reaches_its_ceiling() -> None:
    """With Z = 0 the next attempt is already under way at each commit: 1/R per second."""
    assert _simple("hot", 10, 8).goodput_per_s == pytest.approx(1 / WINDOW_S, rel=1e-6)


def test_reach_lowers_both_conflicts_and_rivals() -> None:
    """Attempts that never reach COMMIT neither conflict nor cause conflicts."""
    loop = Loop(9, WINDOW_S, 0.0, reach=0.5)
    predicted = predict(_sets("uniform", 100), loop, parse_retry("none"), redraw=False)

    assert predicted.conflict_rate == pytest.approx(0.5 * 4 / 104, rel=1e-6)
    assert predicted.goodput_per_s == pytest.approx(9 / WINDOW_S * 0.5 * 100 / 104, rel=1e-6)


def test_think_time_counts_once_a_transaction() -> None:
    """Without retries, think time and other time outside the window have the same effect."""
    sets = _sets("uniform", 20)
    thinking = predict(sets, Loop(8, WINDOW_S, 0.001, think_s=0.02), parse_retry("none"), redraw=False)
    outside = predict(sets, Loop(8, WINDOW_S, 0.021), parse_retry("none"), redraw=False)

    assert thinking == outside


def test_survival_of_a_constant_window() -> None:
    """1 / (1 + starts), and 1 if no rival begins."""
    starts = np.array([0.0, 0.5, 3.0])

    assert survival(starts, np.ones(1)) == pytest.approx(1 / (1 + starts))


def test_survival_is_the_first_departure_of_a_queue() -> None:
    """Windows of 0.5 and 1.5 equally often: 1 / (a E[T]), with E[T] integrated numerically."""
    spread = np.array([0.5, 1.5])
    wait, _ = quad(lambda t: np.exp(-2.0 * np.maximum(t - spread, 0).mean()), 0, 40, points=[0.5, 1.5])

    assert survival(np.array(2.0), spread) == pytest.approx(1 / (2.0 * wait), rel=1e-6)


def test_varying_windows_lose_fewer() -> None:
    """The shorter window wins the race, so variance lowers conflicts."""
    even, varied = (survival(np.array(5.0), _gamma_spread(cv)) for cv in (0.01, 0.6))

    assert varied > even + 0.05


def test_restarts_add_up_the_failures() -> None:
    """At most three retries at 10 ms: 1 + P + P^2 + P^3 attempts, and 10 ms for each power."""
    restarts = restarts_of(parse_retry("fixed:base=10ms,max=3"), 0.01)

    assert restarts.tries(0.5) == pytest.approx(1.875)
    assert restarts.waits_s(0.5) == pytest.approx(0.00875)


def test_restarts_without_end_are_a_geometric_series() -> None:
    """Unlimited: 1 / (1 - P) attempts; 100 retries: cut off at P^100."""
    unlimited = restarts_of(parse_retry("fixed:base=1ms,max=unlimited"), 0.01)
    hundred = restarts_of(parse_retry("fixed:base=1ms,max=100"), 0.01)

    assert unlimited.tries(0.9) == pytest.approx(10)
    assert unlimited.waits_s(0.9) == pytest.approx(0.009)
    assert hundred.tries(0.99) == pytest.approx((1 - 0.99**101) / 0.01)


def test_restarts_end_with_the_time_allowed() -> None:
    """Attempts and waits of 10 ms within 35 ms: failures at 10 and 30 ms retry, the one at 50 ms does not."""
    assert len(restarts_of(parse_retry("fixed:base=10ms,within=35ms"), 0.01).delays_s) == 2


def test_no_retry_has_no_restarts() -> None:
    """`none` makes one attempt and no pause."""
    restarts = restarts_of(parse_retry("none"), 0.01)

    assert (restarts.tries(0.7), restarts.waits_s(0.7)) == (1.0, 0.0)


def test_pairs_are_successive_draws() -> None:
    """P(i then j) = p_i p_j / (1 - p_i), either order."""
    p = np.array([0.5, 0.3, 0.2])
    sets = key_sets(p, np.ones(3), 2)
    ordered = p[:, None] * p / (1 - p[:, None]) * (1 - np.eye(3))

    assert isinstance(sets, Pairs)
    assert sets.mass == pytest.approx((ordered + ordered.T) / 2)


def test_grouped_pairs_equal_single_ones() -> None:
    """Four keys as two groups give the load of four keys one by one."""
    single = key_sets(np.array([0.3, 0.3, 0.2, 0.2]), np.ones(4), 2)
    grouped = key_sets(np.array([0.3, 0.2]), np.array([2.0, 2.0]), 2)
    load = single.load(single.mass, np.array([0.6, 0.6, 0.9, 0.9]))

    assert grouped.load(grouped.mass, np.array([0.6, 0.9])) == pytest.approx(load[[0, 2]])
    assert grouped.mass.sum() == pytest.approx(1)


def test_third_draw_is_near_what_is_drawn() -> None:
    """The marginals of three draws agree with 40,000 draws of the real `KeySource` within 1 point."""
    table = parse_skew("zipf:1").table(20)
    sets = key_sets(*table.groups(), 3)
    source = KeySource(table, np.random.default_rng(5))
    thirds = Counter(source.draw(3)[2] for _ in range(40_000))
    seen = np.array([thirds[int(key)] for key in table.key_of(np.arange(20))]) / 40_000

    assert isinstance(sets, Draws)
    assert 3 * sets.mass[2] == pytest.approx(seen, abs=0.01)


@pytest.mark.parametrize(
    ("skew", "keys", "keys_per_transaction"), [("hot", 1_000, 2), ("hot:2", 50, 2), ("uniform", 3, 3)]
)
def test_a_key_in_every_set_decides_alone(skew: str, keys: int, keys_per_transaction: int) -> None:
    """If one of the two accounts is always the hot one, conflicts are those of one hot row."""
    assert _sets(skew, keys, keys_per_transaction).counts.sum() == 1


def test_binning_keeps_the_conflicts_of_a_long_tail() -> None:
    """Groups of 100,000 keys, binned or not, predict the same within 0.1 % of the value."""
    p = parse_skew("zipf:0.99").table(100_000).probabilities()
    m = 31.0
    expected = float((p * m * p / (1 + m * p)).sum())

    assert _simple("zipf:0.99", 100_000, 32).conflict_rate == pytest.approx(expected, rel=1e-3)


def test_mva_of_alike_keys() -> None:
    """D alike keys without think time: X(N) = N D / (R (N + D - 1)); one client: 1 / (R + Z)."""
    p, counts = np.array([0.25]), np.array([4.0])

    assert throughput_per_s(p, counts, 3, 0.01)[2] == pytest.approx(3 * 4 / (0.01 * 6))
    assert throughput_per_s(p, counts, 1, 0.01, think_s=0.03)[0] == pytest.approx(25)


def test_mva_of_two_keys_by_hand() -> None:
    """Keys of 2/3 and 1/3, R = 1: one client queues 2/3 and 1/3 there, so X(2) = 2 / (10/9 + 4/9)."""
    p = np.array([2 / 3, 1 / 3])

    assert throughput_per_s(p, np.ones(2), 2, 1.0) == pytest.approx([1.0, 2 / (10 / 9 + 4 / 9)])


def test_mva_stays_under_its_ceilings() -> None:
    """X(N) <= min(N / (R + Z), 1 / (p_max R)), and reaches the second with many clients."""
    p, counts = parse_skew("zipf:1").table(100).groups()
    rates = throughput_per_s(p, counts, 500, 0.01, think_s=0.02)
    ceiling = np.minimum(np.arange(1, 501) / 0.03, 1 / (p[0] * 0.01))

    assert (rates <= ceiling * (1 + 1e-9)).all()
    assert rates[-1] == pytest.approx(ceiling[-1], rel=1e-3)


@pytest.mark.parametrize("users", [2, 8, 32])
def test_unlimited_retry_at_once_is_near_mva(users: int) -> None:
    """Attempts per commit of the mean field and of the exact MVA differ by at most 7 % on a zipf skew."""
    p, counts = parse_skew("zipf:0.99").table(200).groups()
    exact = users / (throughput_per_s(p, counts, users, WINDOW_S)[-1] * WINDOW_S)
    conflict = _simple("zipf:0.99", 200, users, retry="immediate:max=unlimited").conflict_rate

    assert 1 / (1 - conflict) == pytest.approx(exact, rel=0.07)


@pytest.mark.parametrize(
    "world",
    [
        World(2, "uniform", 20),
        World(8, "uniform", 20),
        World(32, "uniform", 100, 2),
        World(8, "uniform", 50, 3),
        World(8, "zipf:0.99"),
        World(32, "zipf:0.99", 1_000, 2),
        World(8, "zipf:0.99", 1_000, 2, outside_s=0.02),
        World(32, "zipf:1.2"),
        World(8, "zipf:1.2", 1_000, 2),
        World(32, "zipf:1.5", 1_000, 2),
        World(16, "hotspot:0.2:0.8", 100),
        World(8, "hot:4"),
        World(32, "hot:4", 1_000, 2),
        World(2, "hot"),
        World(8, "hot"),
        World(32, "hot", 1_000, 2),
        World(8, "hot", window_cv=0.1),
        World(100, "latest:0.8", 10_000, 2),
        World(32, "zipf:0.99", window_cv=1.0),
    ],
    ids=lambda world: f"{world.skew}-k{world.keys_per_transaction}-n{world.users}",
)
def test_no_retry_is_within_a_point_and_a_half(world: World) -> None:
    """Without retries the closed form is within 1.5 points of the simulation."""
    assert abs(_error_points(world)) <= 1.5


@pytest.mark.parametrize(
    "retry", ["none", "full-jitter", "exponential", "aws-connector", "fixed:max=unlimited"]
)
@pytest.mark.parametrize("users", [2, 8, 32])
def test_one_row_with_any_policy_is_within_two_points(retry: str, users: int) -> None:
    """One hot row and a winner that is back soon (Z < R/2): 2 points and 4 % of goodput.

    A mean field that does not remember the winner is off by up to 34 points here, because the winner runs on
    while losers wait.
    """
    world = World(users, "hot", retry=retry)
    attempts = simulate(world, ATTEMPTS, seed=3)
    predicted = _predict(world)

    assert 100 * predicted.conflict_rate == pytest.approx(100 * conflict_rate(attempts), abs=2)
    assert predicted.goodput_per_s == pytest.approx(commits_per_s(attempts), rel=0.04)


@pytest.mark.parametrize(
    ("world", "points"),
    [
        (World(8, "zipf:0.99", retry="full-jitter"), 2),
        (World(32, "zipf:0.99", 1_000, 2, retry="full-jitter"), 2),
        (World(8, "zipf:0.99", 1_000, 2, retry="immediate:max=unlimited"), 4),
        (World(8, "zipf:1.2", retry="immediate:max=unlimited"), 5),
        (World(32, "zipf:1.2", 1_000, 2, retry="decorrelated"), 3),
        (World(8, "uniform", 50, 2, retry="aws-connector"), 1),
        (World(8, "hot:2", retry="full-jitter"), 8),
        (World(8, "zipf:1.5", 1_000, 2, retry="full-jitter"), 10),
        (World(8, "zipf:1.2", 1_000, 2, retry="full-jitter", redraw=True), 2),
        (World(8, "hot", outside_s=0.02, retry="full-jitter"), 2),
    ],
    ids=lambda value: (
        f"{value.skew}-{value.retry}-n{value.users}" if isinstance(value, World) else str(value)
    ),
)
def test_retries_are_within_the_stated_bounds(world: World, points: float) -> None:
    """The bounds for retries on several keys in docs/summary.md hold."""
    assert abs(_error_points(world)) <= points


def test_simulation_knows_the_exact_answer_of_two_clients() -> None:
    """The oracle itself: two clients, one row, a constant window, no pause; half of the attempts conflict."""
    attempts = simulate(World(2, "hot", window_cv=0, outside_s=0), 2_000, seed=1)

    assert conflict_rate(attempts) == pytest.approx(0.5, abs=1e-3)
    assert commits_per_s(attempts) == pytest.approx(1 / WINDOW_S, rel=1e-3)


def test_less_effort_gives_nearly_the_same_and_rests_between_rounds() -> None:
    """A live page needs no ten digits, and its process has transactions to go on with."""
    rounds: list[int] = []
    loop = Loop(16, WINDOW_S, 0.001)
    policy = parse_retry("full-jitter:base=5ms,cap=50ms,max=3")

    exact = predict(_sets("zipf:0.99", 50), loop, policy, redraw=False)
    rough = predict(
        _sets("zipf:0.99", 50), loop, policy, redraw=False, effort=Effort(1e-4, lambda: rounds.append(1))
    )

    assert rough.conflict_rate == pytest.approx(exact.conflict_rate, rel=0.002)
    assert rough.goodput_per_s == pytest.approx(exact.goodput_per_s, rel=0.002)
    assert 0 < len(rounds) < 60
