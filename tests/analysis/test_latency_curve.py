"""The distribution of latency: exact quantiles, as far into the tail as the samples reach."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.latency_curve import latency_curve
from analysis.summarise import summarise
from tests.support.measured import attempt, run_of


def test_each_point_is_a_quantile_of_all_samples() -> None:
    """Of 1 to 1,001 ms half are above 501 ms and a tenth above 901 ms; the last share is 1/1,000."""
    curve = latency_curve(np.random.default_rng(1).permutation(np.arange(1.0, 1_002.0)))
    points = dict(map(tuple, curve))

    assert points[1.0] == 1.0
    assert points[0.5] == pytest.approx(501.0)
    assert points[0.1] == pytest.approx(901.0)
    assert curve[-1] == [0.001, pytest.approx(1_000.0)]


def test_shares_fall_and_times_rise() -> None:
    """It is a distribution, with about eight points per decade of the tail."""
    curve = latency_curve(np.random.default_rng(2).lognormal(3, 1, 100_000))
    shares, times_ms = [share for share, _ in curve], [ms for _, ms in curve]

    assert shares == sorted(shares, reverse=True)
    assert times_ms == sorted(times_ms)
    assert shares[-1] == 0.00001
    assert sum(0.001 <= share < 0.01 for share in shares) == 8


def test_a_few_commits_have_no_curve() -> None:
    """From 20 commits on, as for p99."""
    assert latency_curve(np.arange(19.0)) == []
    assert len(latency_curve(np.arange(20.0))) > 10


def test_the_summary_has_the_curve_of_committed_transactions() -> None:
    """Its ends are the fastest and (to a share of 1/n) the slowest latency of the cell."""
    attempts = [attempt(number, number * 9.0, times_ms=(0, 0, 1.0 + number)) for number in range(100)]
    (cell,) = summarise(run_of(attempts))["cells"]

    assert cell["latency_curve"][0] == [1.0, pytest.approx(1.0)]
    assert cell["latency_curve"][-1] == [0.01, pytest.approx(cell["latency_ms"]["p99"])]
