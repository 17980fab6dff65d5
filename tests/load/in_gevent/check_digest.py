"""Digests: the figures that they add up to are those of the summary, and cost little to make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from analysis.counts import counts_in
from analysis.expected import expect
from analysis.fairness import fairness
from analysis.hot_keys import hot_keys
from analysis.rates import measure_rates, measure_times
from analysis.reading import MeasuredInterval
from analysis.timing import time_cell
from hotrow.attempt.record import ATTEMPT, Outcome
from hotrow.keys.skew import parse_skew
from hotrow.load.live.digest import Digester, Row, Sample, add, row_from_message
from hotrow.load.live.forecast import forecast
from hotrow.load.live.frequencies import Frequencies, added, bins, quantiles
from hotrow.load.live.history import evenness, figures
from tests.support.measured import attempt
from tests.support.simulated import World, simulate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

WORLD = World(users=8, skew="zipf:0.99", keys=50, retry="full-jitter:base=5ms,cap=50ms,max=3")
WARMUP_NS = 1_000_000_000


def digested(records: NDArray[np.void], *, begin_ns: int, parts: int = 7, worker: int = 0) -> list[Row]:
    """The rows of the digests of so many parts of the records, after a message; the interval is number 5."""
    digester = Digester(0, worker, at_commit=True)
    warmup = records[records["started"] < begin_ns]
    rows = digester.digest(warmup)
    digester.begin(0, 5, begin_ns)
    rest = records[records["started"] >= begin_ns]
    rows += [row for part in np.array_split(rest, parts) for row in digester.digest(part)]
    return [row_from_message(row.as_message()) for row in rows]


def measured(rows: Sequence[Row]) -> Sample:
    return add(row.sample for row in rows if row.interval == 5)


@pytest.fixture(scope="module")
def records() -> NDArray[np.void]:
    """Attempts of a simulated cell, the first second of which is its warm-up."""
    return simulate(WORLD, 6_000, seed=11)


def interval_of(records: NDArray[np.void]) -> MeasuredInterval:
    return MeasuredInterval(WARMUP_NS, int(records["started"].max()) + 1)


def test_the_sum_of_all_digests_has_the_figures_of_the_summary(records: NDArray[np.void]) -> None:
    """Rates are equal. Quantiles of times are within 1 %, because their bins are 1 % wide."""
    interval = interval_of(records)
    counts = counts_in(records, interval)
    rates, times = measure_rates(counts), measure_times(time_cell(counts, conflicts_at_commit=True))

    total = measured(digested(records, begin_ns=WARMUP_NS))
    shown = figures(total, interval.seconds)

    assert total["attempts"] == len(counts.attempts)
    for name in ("conflict_rate", "retry_rate", "give_up_rate", "error_rate", "goodput_per_s"):
        assert shown[name] == pytest.approx(rates[name]["value"])
    assert shown["attempts_per_s"] == pytest.approx(rates["attempts_per_s"])
    assert shown["wasted_share"] == pytest.approx(times["wasted_share"])
    for name in ("latency_ms", "attempt_ms"):
        for quantile in ("p50", "p99"):
            assert shown[f"{name}_{quantile}"] == pytest.approx(times[name][quantile], rel=0.01)
    assert evenness(total.commits, WORLD.users) == pytest.approx(fairness(counts, WORLD.users)["jain"])
    assert total.keys.ranked(10) == [(hot["key"], hot["conflicts"]) for hot in hot_keys(counts)]


def test_the_forecast_is_the_closed_form_of_the_summary(records: NDArray[np.void]) -> None:
    """The digests describe the measured loop; only its windows have fewer quantiles."""
    cell: dict[str, Any] = {
        "users": WORLD.users, "retry": WORLD.retry, "redraw": False, "keys_per_transaction": 1
    }  # fmt: skip
    table = parse_skew(WORLD.skew).table(WORLD.keys)
    counts = counts_in(records, interval_of(records))
    expected = expect(cell, table, counts, time_cell(counts, conflicts_at_commit=True), 0.0)

    shown = forecast(cell, table, measured(digested(records, begin_ns=WARMUP_NS)), 0.0)

    assert shown["conflict_rate"] == pytest.approx(expected["conflict_rate"], rel=0.01)
    assert shown["goodput_per_s"] == pytest.approx(expected["goodput_per_s"], rel=0.01)


def test_nothing_is_forecast_from_little_or_without_a_skew(records: NDArray[np.void]) -> None:
    """A target with locks, and a cell that has just begun, have no dashed line."""
    cell = {"users": 8, "retry": "none", "redraw": False, "keys_per_transaction": 1}
    few = measured(digested(records[:50], begin_ns=0))

    assert forecast(cell, parse_skew("hot").table(10), few, 0.0)["conflict_rate"] is None
    assert forecast(cell, None, measured(digested(records, begin_ns=0)), 0.0)["conflict_rate"] is None


def test_a_row_is_of_one_second_and_of_the_time_before_or_in_the_interval() -> None:
    """An attempt counts in the second in which it ends, and in the interval if it began there."""
    early = attempt(0, 0.0)  # begins before the interval
    late, next_second = attempt(1, 980.0), attempt(2, 995.0, user=1)  # 10 ms each
    digester = Digester(0, 3, at_commit=True)
    digester.begin(0, 9, int(late["started"]))

    rows = digester.digest(np.array([early, late, next_second], dtype=ATTEMPT))

    first = int(early["started"]) // 1_000_000_000
    assert [(row.second - first, row.interval, int(row.sample["attempts"])) for row in rows] == [
        (0, 0, 1),
        (0, 9, 1),
        (1, 9, 1),
    ]
    assert rows[2].sample.commits.numbers.tolist() == [3 << 32 | 1]


def test_waits_for_a_connection_are_no_latency_even_in_earlier_digests() -> None:
    """A transaction that reconnects before its second attempt: neither wait is part of its latency."""
    lost = attempt(
        7, 100.0, Outcome.CONFLICT, final=False, connect_ms=40.0, scheduled_ms=60.0, sqlstate="40001"
    )
    won = attempt(7, 150.0, number=2, connect_ms=30.0, scheduled_ms=60.0)
    digester = Digester(0, 0, at_commit=True)

    digester.digest(np.array([lost], dtype=ATTEMPT))
    (row,) = digester.digest(np.array([won], dtype=ATTEMPT))

    counts = counts_in(np.array([lost, won], dtype=ATTEMPT), MeasuredInterval(0, int(won["started"]) + 1))
    (exact_ms,) = time_cell(counts, conflicts_at_commit=True).latency_ms.tolist()
    assert quantiles(row.sample.latency, [0.5])[0] == pytest.approx(exact_ms, rel=0.01)
    assert exact_ms == pytest.approx(30.0)


def test_a_digest_of_nothing_has_no_rows() -> None:
    """A second without attempts is still reported, so that it is known to be complete."""
    assert Digester(0, 0, at_commit=True).digest(np.empty(0, ATTEMPT)) == []


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9, 0.99, 1.0])
def test_quantiles_of_bins_are_within_one_percent(share: float) -> None:
    """From microseconds to minutes."""
    times_ms = np.random.default_rng(1).lognormal(2.0, 2.5, 5_000)

    assert quantiles(bins(times_ms), [share])[0] == pytest.approx(np.quantile(times_ms, share), rel=0.01)


def test_frequencies_add_up_and_keep_the_most_frequent() -> None:
    """Of two equally frequent numbers the smaller one is kept."""
    both = added([Frequencies.of([5, 5, 2, 9]), Frequencies.of([2, 2, 7])])

    assert both.ranked(9) == [(2, 3), (5, 2), (7, 1), (9, 1)]
    assert both.most(3).numbers.tolist() == [2, 5, 7]
    assert quantiles(Frequencies.of([]), [0.5]) == [None]
