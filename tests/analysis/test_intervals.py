"""Intervals for clustered counts, against scipy, hand-computed values and simulated coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy

from analysis.intervals import Estimate, design_effect, per_second, poisson, ratio, share, wilson


@pytest.mark.parametrize(("hits", "trials"), [(0, 10), (1, 10), (5, 10), (10, 10), (37, 1_000)])
def test_wilson_is_scipys_score_interval(hits: int, trials: int) -> None:
    """The Wilson interval equals scipy's for none, some and all successes."""
    expected = scipy.stats.binomtest(hits, trials).proportion_ci(0.95, method="wilson")

    assert wilson(hits, trials) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_of_none_and_all_touches_its_end_exactly() -> None:
    """No rounding leaves 1e-17 where the bound is 0 or 1; the other bound is z^2 / (n + z^2)."""
    z2 = scipy.stats.norm.ppf(0.975) ** 2

    assert wilson(0, 50) == (0.0, pytest.approx(z2 / (50 + z2)))
    assert wilson(50, 50) == (pytest.approx(50 / (50 + z2)), 1.0)


def test_poisson_interval_of_nothing_is_the_rule_of_three_and_a_half() -> None:
    """With no event, the mean is at most -ln 0.025 = 3.689."""
    assert poisson(0) == (0.0, pytest.approx(-math.log(0.025)))


def test_poisson_interval_of_ten() -> None:
    """Garwood's table: 10 events give 4.80 to 18.39."""
    assert poisson(10) == pytest.approx((4.795, 18.390), abs=1e-3)


def test_design_effect_by_hand() -> None:
    """Residuals -2, 0, 2 and variance 2 in three batches: 3/2 * 8 / 2 = 6, times (t_2 / z)^2 = 4.82."""
    student = scipy.stats.t.ppf(0.975, 2) / scipy.stats.norm.ppf(0.975)

    assert design_effect(np.array([-2.0, 0.0, 2.0]), 2.0) == pytest.approx(6 * student**2)


def test_design_effect_is_never_below_one() -> None:
    """Batches more even than chance, a single batch, or no variance do not narrow an interval."""
    assert design_effect(np.zeros(25), 10.0) == 1.0
    assert design_effect(np.array([5.0]), 1.0) == 1.0
    assert design_effect(np.array([1.0, -1.0]), 0.0) == 1.0


def test_share_of_nothing_is_absent() -> None:
    """Without trials there is no value and no interval."""
    assert share(np.zeros(25), np.zeros(25)) == Estimate(None, None, None)
    assert ratio(np.zeros(25), np.zeros(25)) == Estimate(None, None, None)


def test_share_of_even_batches_is_plain_wilson() -> None:
    """If every batch has the same share, the design effect is 1."""
    estimate = share(np.full(25, 3.0), np.full(25, 30.0))

    assert (estimate.low, estimate.high) == pytest.approx(wilson(75, 750))
    assert estimate.value == pytest.approx(0.1)


def test_share_widens_where_hits_cluster() -> None:
    """The same 75 hits in 5 of 25 batches have an interval several times wider."""
    clustered = np.where(np.arange(25) % 5 == 0, 15.0, 0.0)
    even = share(np.full(25, 3.0), np.full(25, 30.0))
    estimate = share(clustered, np.full(25, 30.0))

    assert estimate.value == even.value
    assert estimate.high - estimate.low > 3 * (even.high - even.low)


def test_share_of_all_hits_ends_at_one() -> None:
    """If all trials succeed, the value and the upper end are 1, and the lower end is below 1."""
    estimate = share(np.full(25, 4.0), np.full(25, 4.0))

    assert (estimate.value, estimate.high) == (1.0, 1.0)
    assert estimate.low == pytest.approx(wilson(100, 100)[0])


def test_share_covers_the_truth_where_the_textbook_does_not() -> None:
    """In bursts of 10 the interval has the truth in 95 % of 300 trials, plain Wilson in under 60 %."""
    rng = np.random.default_rng(11)
    covered = naive = 0
    for _ in range(300):
        bursts = np.repeat(rng.random(500) < 0.1, 10).reshape(25, 200).sum(axis=1).astype(float)
        estimate = share(bursts, np.full(25, 200.0))
        low, high = wilson(bursts.sum(), 5_000)
        covered += estimate.low <= 0.1 <= estimate.high
        naive += low <= 0.1 <= high

    assert covered / 300 == pytest.approx(0.95, abs=0.04)
    assert naive / 300 < 0.6


def test_ratio_may_exceed_one() -> None:
    """Three retries per transaction are a rate of 3, with Garwood's interval of 300 events over 100."""
    estimate = ratio(np.full(25, 12.0), np.full(25, 4.0))
    low, high = poisson(300)

    assert estimate.value == 3.0
    assert (estimate.low, estimate.high) == pytest.approx((low / 100, high / 100))


def test_ratio_of_no_events_has_an_upper_end() -> None:
    """No retry in 500 transactions: 0, and at most 3.689 / 500."""
    estimate = ratio(np.zeros(25), np.full(25, 20.0))

    assert estimate == Estimate(0.0, 0.0, pytest.approx(-math.log(0.025) / 500))


def test_per_second_is_students_interval_of_the_batches() -> None:
    """Counts 8, 10, 12 over 3 s: mean 10 with scipy's t interval of the mean."""
    counts = np.array([8.0, 10.0, 12.0])
    low, high = scipy.stats.t.interval(0.95, 2, loc=10, scale=scipy.stats.sem(counts))
    estimate = per_second(counts, 3.0)

    assert estimate.value == 10.0
    assert (estimate.low, estimate.high) == pytest.approx((low, high))


def test_per_second_of_one_batch_has_no_interval() -> None:
    """One batch has no scatter."""
    assert per_second(np.array([10.0]), 2.0) == Estimate(5.0, None, None)


def test_per_second_of_nothing_is_zero_with_an_upper_end() -> None:
    """No commit in 5 s is 0 commits per second; the truth may be up to 3.689 / 5."""
    assert per_second(np.zeros(25), 5.0) == Estimate(0.0, 0.0, pytest.approx(-math.log(0.025) / 5))


def test_per_second_is_never_negative() -> None:
    """With a single burst the t interval would reach below 0; it is cut off there."""
    assert per_second(np.array([0.0, 0.0, 0.0, 9.0]), 1.0).low == 0.0
