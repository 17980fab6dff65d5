"""MSER-5 on attempt rates that settle, never settle, or are steady from the start."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.steady import BINS, is_steady, transient, truncation


def test_truncation_finds_the_end_of_a_step() -> None:
    """A rate that jumps after 30 % of the series is cut there, to the nearest batch."""
    rng = np.random.default_rng(1)
    series = rng.poisson(np.where(np.arange(200) < 60, 20, 60)).astype(float)

    assert truncation(series) == pytest.approx(0.3, abs=0.025)


def test_truncation_minimises_the_squared_error_by_hand() -> None:
    """Batch means 0, 0, 4, 4, 4, 4, 4, 4, 4, 4: without the first two there is no variance."""
    assert truncation(np.repeat([0.0, 0.0] + [4.0] * 8, 5)) == 0.2


def test_truncation_needs_four_batches() -> None:
    """Fewer than 20 observations are not enough."""
    assert truncation(np.ones(19)) is None
    assert truncation(np.ones(20)) == 0.0


def test_steady_rate_is_steady() -> None:
    """A Poisson stream is called unsteady in at most 3 % of 300 trials."""
    rng = np.random.default_rng(2)
    verdicts = [is_steady(transient(np.sort(rng.uniform(0, 5, 2_000)), 5.0)) for _ in range(300)]

    assert verdicts.count(False) <= 9


def test_ramp_is_not_steady() -> None:
    """A rate that grows through the whole interval never settles."""
    rng = np.random.default_rng(3)

    assert is_steady(transient(5 * np.sqrt(rng.random(20_000)), 5.0)) is False


def test_late_jump_is_not_steady_and_early_one_is() -> None:
    """Idle for 55 % of the interval, it is not steady; idle for 20 %, it settles in time."""
    rng = np.random.default_rng(4)

    assert is_steady(transient(rng.uniform(2.75, 5, 5_000), 5.0)) is False
    assert is_steady(transient(rng.uniform(1.0, 5, 5_000), 5.0)) is True


def test_few_attempts_cannot_tell() -> None:
    """With less than one attempt per bin the answer is None."""
    assert is_steady(transient(np.linspace(0, 4.9, BINS - 1), 5.0)) is None
