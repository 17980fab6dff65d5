"""The course of a cell in bins: they add up to the cell's counts, and warm-up comes before 0 s."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from analysis.over_time import MAX_BINS, MIN_BINS
from analysis.summarise import summarise
from hotrow.attempt.record import Outcome
from tests.support.measured import attempt, run_of, steady_commits

if TYPE_CHECKING:
    from numpy.typing import NDArray


def summary_of(attempts: list[NDArray[np.void]], **settings: Any) -> dict[str, Any]:
    """The summary of the only cell."""
    (cell,) = summarise(run_of(attempts, **settings))["cells"]
    return cell


def mixed(seed: int, count: int, begin_ms: float, end_ms: float) -> list[NDArray[np.void]]:
    """Single attempts at random times, a third of which conflict."""
    rng = np.random.default_rng(seed)
    return [
        attempt(
            number,
            float(rng.uniform(begin_ms, end_ms)),
            Outcome.CONFLICT if rng.random() < 1 / 3 else Outcome.COMMITTED,
            times_ms=(0.0, 1.0, float(rng.uniform(1, 9))),
        )
        for number in range(count)
    ]


@pytest.mark.parametrize("seconds", [1.0, 3.7, 60.0])
def test_the_bins_of_the_interval_add_up_to_the_cell(seconds: float) -> None:
    """Attempts, conflicts and commits; the warm-up's bins begin below 0 s and are not part of the sum."""
    cell = summary_of(mixed(1, 6_000, -500, 1e3 * seconds + 200), window_ms=(0, 1e3 * seconds))
    course = cell["over_time"]
    warmup = round(-course["begin_s"] / course["bin_s"])

    bins = len(course["attempts"])
    assert sum(course["attempts"][warmup:]) == cell["attempts"]["total"]
    assert sum(course["conflicts"][warmup:]) == cell["attempts"]["conflict"]
    assert sum(course["committed"][warmup:]) == cell["transactions"]["committed"]
    assert MIN_BINS <= bins - warmup <= bins <= MAX_BINS
    assert course["begin_s"] + bins * course["bin_s"] == pytest.approx(seconds)
    assert {len(course[name]) for name in ("conflicts", "committed", "latency_ms_p99")} == {bins}


def test_the_warmup_has_the_same_bins_before_zero() -> None:
    """A second of warm-up at half the rate."""
    slow = [attempt(number, number * 2.0 - 1_000) for number in range(500)]
    fast = [attempt(1_000 + number, number * 1.0) for number in range(1_000)]
    course = summary_of([*slow, *fast])["over_time"]

    assert course["begin_s"] == pytest.approx(-1.0)
    assert course["bin_s"] == pytest.approx(0.1)
    assert course["attempts"] == [50] * 10 + [100] * 10


def test_a_long_warmup_is_shown_in_part() -> None:
    """At most as long as the measured interval."""
    course = summary_of([*steady_commits(1_000, 1.0), attempt(2_000, -9_000)])["over_time"]

    assert course["begin_s"] == pytest.approx(-1.0)


def test_slow_commits_make_wide_bins() -> None:
    """1,000 commits in 10 s: at 100 commits per bin the bins last 1 s."""
    course = summary_of(steady_commits(1_000, 10.0), window_ms=(0, 10_000))["over_time"]

    assert course["bin_s"] == pytest.approx(1.0)
    assert course["latency_ms_p99"] == pytest.approx([10.0] * 10)


def test_p99_is_absent_in_a_bin_with_few_commits() -> None:
    """From 20 commits on; a bin of conflicts has none."""
    commits = [attempt(number, number * 1.0) for number in range(500)]
    conflicts = [attempt(1_000 + number, 500 + number * 1.0, Outcome.CONFLICT) for number in range(500)]
    course = summary_of([*commits, *conflicts])["over_time"]
    half = len(course["latency_ms_p99"]) // 2

    assert None not in course["latency_ms_p99"][:half]
    assert set(course["latency_ms_p99"][half:]) == {None}


def test_too_few_attempts_have_no_course() -> None:
    """Bins of a few attempts would show chance."""
    assert summary_of(steady_commits(100, 1.0))["over_time"] is None


def test_the_unsettled_part_ends_where_the_rate_settles() -> None:
    """Slow for 30 % of the interval, then fast."""
    slow = [attempt(number, number * 3.0) for number in range(100)]
    fast = [attempt(1_000 + number, 300 + number * 0.5) for number in range(1_400)]

    assert summary_of([*slow, *fast])["unsettled_s"] == pytest.approx(0.3, abs=0.03)
    assert summary_of(steady_commits(100, 1.0))["unsettled_s"] is None
