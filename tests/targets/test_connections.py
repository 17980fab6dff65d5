"""The time spent connecting: excluded from latency, summed over workers and regions, and reported."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from analysis.summarise import summarise
from hotrow.attempt.record import Outcome
from hotrow.targets.dsql.refusal import Cause
from reports.charts.all_charts import charts
from reports.words import facts
from reports.words.sentences import further_sentences
from reports.words.wording import redact
from tests.support.measured import attempt, run_of, steady_commits
from tests.support.sample_summary import sample_summary

if TYPE_CHECKING:
    from analysis.reading import Run

CONFLICT = Outcome.CONFLICT
NOBODY = {"n": 0, "p50": None, "p99": None, "max": None}


def only_cell(run: Run) -> dict[str, Any]:
    """The summary of a run's single cell."""
    (cell,) = summarise(run)["cells"]
    return cell


def connector(**counts: Any) -> dict[str, Any]:
    """The connection counts of one region in a line of a worker's health file."""
    none = {
        "region": "us-east-1",
        "opened": 0,
        "retired": 0,
        "retries": {},
        "slot_wait_s": 0.0,
        "token_s": 0.0,
    }
    return {**none, **counts}


def with_health(run: Run, *workers: list[list[dict[str, Any]]]) -> Run:
    """The run with these health lines: for each worker its lines, each with its `connections`.

    `[]` is a line without connection counts.
    """
    base = run.health[0][0]
    lines = [
        [{**base, **({"connections": connectors} if connectors else {})} for connectors in worker]
        for worker in workers
    ]
    return replace(run, health=dict(enumerate(lines)))


def test_latency_leaves_out_the_waits_for_a_connection() -> None:
    """A transaction due at 0 ms that ends at 110 ms and waited for 30 and 40 ms has a latency of 40 ms."""
    run = run_of(
        [
            attempt(1, 30, CONFLICT, final=False, scheduled_ms=0, connect_ms=30),
            attempt(1, 100, number=2, scheduled_ms=0, connect_ms=40),
            attempt(2, 200, scheduled_ms=195),
        ]
    )
    latency = only_cell(run)["latency_ms"]

    assert (latency["n"], latency["max"]) == (2, pytest.approx(40, rel=1e-5))
    assert latency["p50"] == pytest.approx((40 + 15) / 2, rel=1e-5)


def test_a_wait_before_the_measured_interval_is_left_out_too() -> None:
    """A transaction may be due before the interval; the wait of its earlier attempt is subtracted too."""
    run = run_of(
        [
            attempt(9, 90, scheduled_ms=80, connect_ms=10, worker=1),
            attempt(7, 60, CONFLICT, final=False, scheduled_ms=0, connect_ms=60),
            attempt(8, 70, connect_ms=5),
            attempt(7, 150, number=2, scheduled_ms=0),
            attempt(9, 160),
        ],
        window_ms=(100, 1_100),
    )
    latency = only_cell(run)["latency_ms"]

    assert (latency["n"], latency["max"]) == (2, pytest.approx(160 - 60, rel=1e-5))
    assert latency["p50"] == pytest.approx((100 + 10) / 2, rel=1e-5)


def test_waits_have_quantiles_of_their_own() -> None:
    """Only attempts that waited count. A few microseconds to check an open connection are not a wait."""
    waits = {5: 10.0, 50: 20.0, 95: 60.0}
    run = run_of(
        [
            attempt(n, n, CONFLICT if n == 50 else Outcome.COMMITTED, connect_ms=waits.get(n, 0.005))
            for n in range(100)
        ]
    )
    cell = only_cell(run)

    assert (cell["connect_ms"]["n"], cell["connect_ms"]["p50"]) == (3, pytest.approx(20))
    assert cell["connect_ms"]["max"] == pytest.approx(60)
    assert cell["connect_ms"].keys() == NOBODY.keys()
    assert only_cell(run_of(steady_commits(100, 1.0)))["connect_ms"] == NOBODY


def test_counts_are_summed_over_workers_and_regions() -> None:
    """The last counts of each worker are totals, also if lines without counts follow them."""
    first = [
        [connector(opened=1)],
        [
            connector(opened=8, retired=3, retries={"rate": 2}, slot_wait_s=1.5, token_s=0.25),
            connector(opened=8, retired=1, retries={"full": 1, "rate": 1}),
        ],
        [],
    ]
    second = [[connector(opened=4, retired=2, slot_wait_s=0.5)]]
    attempts = [*steady_commits(100, 1.0), attempt(900, 2_000, connect_ms=30)]

    summary = summarise(with_health(run_of(attempts), first, second))

    assert summary["connections"] == {
        "opened": 20,
        "retired": 6,
        "retries": {"full": 1, "rate": 3},
        "slot_wait_s": 2.0,
        "signing_s": 0.25,
        "connect_ms": {"n": 1, "p50": pytest.approx(30), "p99": pytest.approx(30), "max": pytest.approx(30)},
    }


def test_without_counts_there_is_no_field() -> None:
    """A target that is not Aurora DSQL has no `connections` in its summary, instead of zeros."""
    assert "connections" not in summarise(run_of(steady_commits(100, 1.0)))


def counted(**changes: Any) -> dict[str, Any]:
    """A summary whose run replaced sessions."""
    counts = {
        "opened": 128,
        "retired": 64,
        "retries": {"full": 2, "rate": 7},
        "slot_wait_s": 3.21,
        "signing_s": 0.41,
        "connect_ms": {"n": 64, "p50": 30.0, "p99": 55.0, "max": 61.5},
    }
    return {**sample_summary(), "connections": {**counts, **changes}}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {},
            (
                "64 sessions were replaced before their age limit; "
                "latency excludes waits for a connection (p50 30 ms, at most 61.5 ms)."
            ),
        ),
        ({"retired": 1, "connect_ms": NOBODY}, "1 session was replaced before its age limit."),
    ],
)
def test_replaced_sessions_are_reported(changes: dict[str, Any], sentence: str) -> None:
    """The sentence also has the waiting time, if any attempt had to wait."""
    assert further_sentences(counted(**changes))[-1] == sentence


def test_without_replaced_sessions_there_is_no_sentence() -> None:
    """There is none without counts either."""
    assert not any(
        "session" in sentence
        for sentence in further_sentences(counted(retired=0)) + further_sentences(sample_summary())
    )


def test_the_facts_have_a_line_of_counts() -> None:
    """None of its names looks like a secret that reports must hide."""
    assert dict(facts.facts(redact(counted())))["connections"] == (
        "128 opened; 64 sessions replaced before their age limit; 9 retried (full 2, rate 7); "
        "users waited 3.21 s in total for their turn; signing took 410 ms"
    )
    assert "retried" not in dict(facts.facts(counted(retries={})))["connections"]
    assert "connections" not in dict(facts.facts(sample_summary()))


def test_the_facts_have_a_line_of_waits_if_there_were_any() -> None:
    """Quantiles of cells are not merged; the line has the smallest and the largest."""
    summary = sample_summary()
    assert "waits for a connection" not in dict(facts.facts(summary))

    summary["cells"][1]["connect_ms"] = {"n": 1, "p50": 20.0, "p99": 20.0, "max": 20.0}
    one = dict(facts.facts(summary))["waits for a connection"]
    summary["cells"][2]["connect_ms"] = {"n": 63, "p50": 30.0, "p99": 50.0, "max": 61.5}
    two = dict(facts.facts(summary))["waits for a connection"]

    assert one == "1 attempt waited 1 ms or longer: p50 20 ms, at most 20 ms; latency excludes these waits"
    assert two.startswith(
        "64 attempts waited 1 ms or longer: p50 20 ms to 30 ms (by cell), at most 61.5 ms; "
    )


def test_the_latency_chart_says_that_waits_are_excluded() -> None:
    """The chart does not mention waits if there were none."""
    summary = sample_summary()
    without_waits = next(chart for chart in charts(summary) if chart.name == "latency").subtitle
    summary["cells"][1]["connect_ms"] = {"n": 1, "p50": 20.0, "p99": 20.0, "max": 20.0}
    with_waits = next(chart for chart in charts(summary) if chart.name == "latency").subtitle

    assert with_waits.replace(" Waits for a new connection are excluded.", "") == without_waits != with_waits


def test_an_older_summary_is_still_drawn() -> None:
    """A summary without these fields gives the same charts and facts as one without waits."""
    summary = sample_summary()
    older = {
        **summary,
        "cells": [{k: v for k, v in cell.items() if k != "connect_ms"} for cell in summary["cells"]],
    }

    assert [chart.subtitle for chart in charts(older)] == [chart.subtitle for chart in charts(summary)]
    assert facts.facts(older) == facts.facts(summary)


def test_no_cause_of_a_retry_is_taken_for_a_secret() -> None:
    """The page hides values whose name looks like a token. Once it hid a count, and failed because of it."""
    retries = {cause.value: 1 for cause in Cause}

    assert redact(retries) == retries
    assert "retried" in dict(facts.facts(counted(retries=retries)))["connections"]
