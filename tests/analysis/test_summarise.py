"""From attempts to summary.json: the counts, calculated by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from analysis.summarise import summarise
from hotrow.attempt.record import Outcome
from tests.support.measured import attempt, cell, contradiction, run_of, steady_commits

if TYPE_CHECKING:
    from analysis.reading import Run

CONFLICT = Outcome.CONFLICT


def _only_cell(run: Run) -> dict[str, Any]:
    (summary,) = summarise(run)["cells"]
    return summary


def test_an_attempt_belongs_to_the_interval_in_which_it_began() -> None:
    """A transaction counts if it was under way; one that goes on after the end was cut off."""
    run = run_of(
        [
            attempt(1, 99.9, CONFLICT, final=False),
            attempt(1, 150, number=2),
            attempt(2, 100, CONFLICT, final=False),
            attempt(2, 250, number=2),
            attempt(3, 200),
        ],
        window_ms=(100, 200),
    )
    summarised = _only_cell(run)

    assert summarised["transactions"]["started"] == 2
    assert (summarised["transactions"]["committed"], summarised["transactions"]["cut_off"]) == (1, 1)
    assert summarised["attempts"]["total"] == 2
    assert summarised["attempts"]["conflict"] == 1


def test_a_transaction_carried_in_counts_as_a_retry() -> None:
    """Its later attempts are retries in this interval, although its first try came before."""
    summarised = _only_cell(run_of([attempt(1, 10, number=2), attempt(2, 20)]))

    assert summarised["transactions"]["committed"] == 2
    assert summarised["retry_rate"]["value"] == 0.5


def test_every_way_to_end_is_counted_once() -> None:
    """A transaction's state is its final outcome; without a final attempt it was cut off."""
    run = run_of(
        [attempt(n, n, outcome) for n, outcome in enumerate(Outcome)] + [attempt(9, 9, CONFLICT, final=False)]
    )
    summarised = _only_cell(run)

    assert summarised["transactions"] == {
        "started": 8,
        "committed": 1,
        "rejected": 1,
        "gave_up": 3,
        "failed": 1,
        "unknown": 1,
        "cut_off": 1,
    }
    assert summarised["attempts"] == {
        "total": 8,
        "committed": 1,
        "conflict": 2,
        "schema_conflict": 1,
        "deadlock": 1,
        "rejected": 1,
        "error": 1,
        "unknown": 1,
    }


def test_an_attempt_after_the_final_one() -> None:
    """A cell with impossible counts has no figures, and the run is unusable."""
    run = run_of([attempt(1, 10), attempt(1, 20, number=2, final=False)])

    assert "final attempts" in contradiction(run)


def test_a_first_try_numbered_twice() -> None:
    """Two first attempts of one transaction break the equation of retries."""
    run = run_of([attempt(1, 10, CONFLICT, final=False), attempt(1, 20)])

    assert "first tries" in contradiction(run)


def test_workers_number_their_transactions_apart() -> None:
    """The transactions 1 of two workers are two transactions."""
    assert _only_cell(run_of([attempt(1, 10), attempt(1, 11, worker=1)]))["transactions"]["committed"] == 2


def test_cells_are_summarised_apart() -> None:
    """Each cell has its own attempts, in the order of run.json."""
    run = run_of(
        [attempt(1, 10, cell=7), attempt(2, 10, cell=3), attempt(3, 11, cell=7)], cells=[cell(7), cell(3)]
    )

    assert [
        (summarised["id"], summarised["attempts"]["total"]) for summarised in summarise(run)["cells"]
    ] == [
        (7, 2),
        (3, 1),
    ]


def test_rates_by_hand() -> None:
    """One commits at once, one at its third try, one gives up at its second: 6 attempts in 2 s."""
    run = run_of(
        [
            attempt(1, 10),
            attempt(2, 30, CONFLICT, final=False),
            attempt(3, 35, CONFLICT, final=False, user=1),
            attempt(2, 60, CONFLICT, number=2, final=False, backoff_ms=20),
            attempt(3, 65, CONFLICT, number=2, user=1, backoff_ms=20),
            attempt(2, 90, number=3, backoff_ms=20),
        ],
        window_ms=(0, 2_000),
    )
    summarised = _only_cell(run)

    assert summarised["conflict_rate"]["value"] == pytest.approx(4 / 6)
    assert summarised["retry_rate"]["value"] == pytest.approx(3 / 3)
    assert summarised["goodput_per_s"]["value"] == pytest.approx(1.0)
    assert summarised["attempts_per_s"] == pytest.approx(3.0)
    assert summarised["attempts_per_commit"] == pytest.approx(3.0)
    assert summarised["wasted_share"] == pytest.approx(4 / 6)
    assert summarised["backoff_share"] == pytest.approx(60 / (60 + 6 * 10))
    for name in ("conflict_rate", "retry_rate", "goodput_per_s"):
        assert summarised[name]["low"] <= summarised[name]["value"] <= summarised[name]["high"]


def test_retries_of_cut_off_transactions_count_but_they_are_not_finished() -> None:
    """Retry rate = all retries / (started - cut off)."""
    run = run_of(
        [
            attempt(1, 10),
            attempt(2, 20, CONFLICT, final=False),
            attempt(2, 30, CONFLICT, number=2, final=False),
        ]
    )

    assert _only_cell(run)["retry_rate"]["value"] == 1.0


def test_latency_runs_from_when_the_transaction_was_due() -> None:
    """Due at 5 ms, last attempt from 60 to 70 ms: 65 ms. Transactions that gave up have none."""
    run = run_of(
        [
            attempt(1, 10, CONFLICT, final=False, scheduled_ms=5),
            attempt(1, 60, number=2, scheduled_ms=5),
            attempt(2, 70, CONFLICT),
        ]
    )
    summarised = _only_cell(run)

    assert (summarised["latency_ms"]["n"], summarised["latency_ms"]["max"]) == (
        1,
        pytest.approx(65, rel=1e-6),
    )
    assert (summarised["attempt_ms"]["n"], summarised["attempt_ms"]["p50"]) == (
        3,
        pytest.approx(10, rel=1e-6),
    )


def test_the_window_is_body_and_commit_less_a_round_trip() -> None:
    """BEGIN 2, body 3, COMMIT 5 ms: R = 6 ms, over attempts that the database decided at COMMIT."""
    outcomes = [Outcome.COMMITTED, CONFLICT, Outcome.REJECTED, Outcome.ERROR, Outcome.UNKNOWN]
    summarised = _only_cell(run_of([attempt(n, n, outcome) for n, outcome in enumerate(outcomes)]))

    assert (summarised["window_ms"]["n"], summarised["window_ms"]["mean"]) == (2, pytest.approx(6, rel=1e-6))
    assert (summarised["commit_ms"]["n"], summarised["commit_ms"]["p50"]) == (2, pytest.approx(5, rel=1e-6))


def test_row_locks_decide_before_commit() -> None:
    """With row locks only committed attempts have a window, and nothing is predicted."""
    run = run_of([attempt(1, 10), attempt(2, 20, CONFLICT)], conflicts="locks")
    summarised = _only_cell(run)

    assert summarised["window_ms"]["n"] == 1
    assert summarised["predicted"] == {"conflict_rate": None, "goodput_per_s": None}


def test_the_cycle_is_the_mean_step_of_each_user() -> None:
    """One user starts at 0, 20 and 60 ms, another at 5 and 15 ms: (60 + 10) / 3 steps."""
    starts = [(0, 0), (1, 5), (1, 15), (0, 20), (0, 60)]
    run = run_of([attempt(n, start, user=user) for n, (user, start) in enumerate(starts)])

    assert _only_cell(run)["cycle_ms"] == pytest.approx(70 / 3)


def test_quantiles_come_with_n_and_the_last_one_only_from_a_thousand() -> None:
    """p99.9 of 999 samples is null; with 1,000 samples it has a value."""
    few, enough = (_only_cell(run_of(steady_commits(n, 1.0)))["attempt_ms"] for n in (999, 1_000))

    assert (few["n"], few["p999"]) == (999, None)
    assert enough["p999"] == pytest.approx(10, rel=1e-6)


def test_an_empty_interval_is_absent_not_zero() -> None:
    """Without attempts rates and times are null, counts are 0, and the cell is unusable."""
    summarised = _only_cell(run_of([]))

    assert summarised["conflict_rate"] == {"value": None, "low": None, "high": None}
    assert summarised["latency_ms"] == {
        "n": 0,
        "p50": None,
        "p90": None,
        "p99": None,
        "p999": None,
        "max": None,
    }
    for name in ("attempts_per_commit", "cycle_ms", "wasted_share", "backoff_share"):
        assert summarised[name] is None
    assert summarised["usable"] is False
    json.dumps(summarised, allow_nan=False)


def test_sqlstates_are_those_of_attempts_that_did_not_commit() -> None:
    """They are counted by code; a rejection has no code."""
    run = run_of(
        [
            attempt(1, 1, CONFLICT, sqlstate="40001"),
            attempt(2, 2, CONFLICT, sqlstate="40001"),
            attempt(3, 3, Outcome.ERROR, sqlstate="54000"),
            attempt(4, 4, Outcome.REJECTED),
            attempt(5, 5),
        ]
    )

    assert _only_cell(run)["sqlstates"] == {"40001": 2, "54000": 1}


@pytest.mark.parametrize(
    ("checks", "valid"),
    [((True, True), True), ((True, None), None), ((None, False, True), False), ((), None)],
)
def test_checks_merge_wrong_before_unknown_before_right(
    checks: tuple[bool | None, ...], valid: bool | None
) -> None:
    """One wrong check is wrong; one unknown is unknown; nothing checked is unknown."""
    assert _only_cell(run_of([attempt(1, 1)], checks=checks))["verdict"]["valid"] is valid


def test_think_time_is_no_backoff_and_no_window() -> None:
    """A loop of 10 ms attempts and 40 ms of think time predicts one commit per 50 ms."""
    run = run_of(steady_commits(20, 1.0), think_s=0.04)

    assert _only_cell(run)["predicted"]["goodput_per_s"] == pytest.approx(20, rel=0.01)


def test_a_cell_has_the_values_of_its_knobs() -> None:
    """They come from run.json; older runs have none."""
    turned = _only_cell(run_of(steady_commits(200, 1.0), cells=[cell(knobs={"shards": 4})]))

    assert turned["knobs"] == {"shards": 4}
    assert _only_cell(run_of(steady_commits(200, 1.0)))["knobs"] == {}


def test_cells_without_an_interval_are_missed() -> None:
    """A planned cell that never ran is not in the summary, and the run has a warning."""
    run = run_of([attempt(1, 1)], cells=[cell(0), cell(1)])
    summary = summarise(replace(run, intervals={0: run.intervals[0]}))

    assert [summarised["id"] for summarised in summary["cells"]] == [0]
    assert [warning["code"] for warning in summary["warnings"]] == ["cells_missing"]
