"""From attempts to summary.json: what counts, by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from analysis.reading import read_run
from analysis.summarise import summarise, write_summary
from hotrow.attempt.record import Outcome
from hotrow.errors import RunError
from hotrow.run.ledger import append_event, append_health
from tests.support.measured import WALL_NS, attempt, cell, contradiction, run_json, run_of, steady_commits
from tests.support.run_files import MS, write_attempts
from tests.support.simulated import World, simulate

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from analysis.reading import Run

CONFLICT = Outcome.CONFLICT


def _only_cell(run: Run) -> dict[str, Any]:
    (summary,) = summarise(run)["cells"]
    return summary


def _busy(rejected: int = 0) -> list[NDArray[np.void]]:
    """800 attempts of eight users in a second, so many of them rejected; no conflict."""
    return [
        attempt(n, n, Outcome.REJECTED if n < rejected else Outcome.COMMITTED, user=n % 8) for n in range(800)
    ]


def _write_run(directory: Path, *, closed: bool = True) -> None:
    """A run directory with one committed and one conflicting attempt."""
    (directory / "run.json").write_text(json.dumps(run_json()))
    write_attempts(directory, [(MS, Outcome.COMMITTED, ""), (2 * MS, CONFLICT, "40001")])
    append_event(directory, {"event": "begin", "cell": 0, "begin_ns": WALL_NS})
    if closed:
        append_event(
            directory, {"event": "window", "cell": 0, "begin_ns": WALL_NS, "end_ns": WALL_NS + 10**9}
        )
        append_event(directory, {"event": "verdict", "cell": 0, "checks": []})
    append_health(directory, 0, {"wall_ns": WALL_NS + 1, "cell": 0, "lag_ms": 1.0, "cpu": 0.5})


def test_a_run_directory_becomes_a_summary_file(tmp_path: Path) -> None:
    """Written by the ledger, read back, summarised: summary.json holds the same values, without NaN."""
    _write_run(tmp_path)
    summary = summarise(read_run(tmp_path))
    path = write_summary(tmp_path, summary)

    assert json.loads(path.read_text()) == summary
    assert summary["cells"][0]["attempts"]["total"] == 2
    client = summary["cells"][0]["client"]
    assert (client["cpu"], client["lag_ms_p99"], client["machine_cpu"]) == (0.5, 1.0, None)
    assert summary["cells"][0]["seconds"] == 1.0
    assert "cells" not in summary["run"]


def test_what_the_rehearsal_found_is_a_warning_of_the_run(tmp_path: Path) -> None:
    """As it was written into events.jsonl, before what the summary found itself."""
    _write_run(tmp_path)
    found = {"code": "keys_differ", "message": "run() wrote what draw() did not", "advice": "Say it."}
    append_event(tmp_path, {"event": "rehearsal", "findings": [found]})
    run = replace(read_run(tmp_path), torn_bytes=1)

    assert [warning["code"] for warning in summarise(run)["warnings"]] == ["keys_differ", "torn_tail"]
    assert summarise(run)["warnings"][0] == found


def test_a_window_that_never_closed_ends_with_its_last_attempt(tmp_path: Path) -> None:
    """A run that was killed keeps what it measured, and says that it was interrupted."""
    _write_run(tmp_path, closed=False)
    (found,) = summarise(read_run(tmp_path))["cells"]

    assert found["attempts"]["total"] == 2
    assert found["seconds"] == pytest.approx(0.002)
    assert {"interrupted", "check_undecided"} <= {warning["code"] for warning in found["warnings"]}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "cannot be read"),
        ("{", "is not JSON"),
        ('{"format": 1}', "does not describe a run"),
        ('{"format": 2, "cells": [], "target": {}}', "format 2"),
    ],
)
def test_a_foreign_directory_is_refused_in_one_line(tmp_path: Path, text: str | None, says: str) -> None:
    """A missing, broken, foreign or newer run.json is a RunError that names the file."""
    if text is not None:
        (tmp_path / "run.json").write_text(text)
    with pytest.raises(RunError, match=says) as caught:
        read_run(tmp_path)

    assert "run.json" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_attempt_belongs_to_the_window_in_which_it_began() -> None:
    """A transaction counts where it was under way; one that goes on after the end was cut off by it."""
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
    found = _only_cell(run)

    assert found["transactions"]["started"] == 2
    assert (found["transactions"]["committed"], found["transactions"]["cut_off"]) == (1, 1)
    assert found["attempts"]["total"] == 2
    assert found["attempts"]["conflict"] == 1


def test_a_transaction_carried_in_counts_as_a_retry() -> None:
    """Its later attempts are retries of this interval, though its first try was before it."""
    found = _only_cell(run_of([attempt(1, 10, number=2), attempt(2, 20)]))

    assert found["transactions"]["committed"] == 2
    assert found["retry_rate"]["value"] == 0.5


def test_every_way_to_end_is_counted_once() -> None:
    """The state of a transaction follows from its final outcome; without a final attempt it was cut off."""
    run = run_of(
        [attempt(n, n, outcome) for n, outcome in enumerate(Outcome)] + [attempt(9, 9, CONFLICT, final=False)]
    )
    found = _only_cell(run)

    assert found["transactions"] == {
        "started": 8,
        "committed": 1,
        "rejected": 1,
        "gave_up": 3,
        "failed": 1,
        "unknown": 1,
        "cut_off": 1,
    }
    assert found["attempts"] == {
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
    """A cell whose counts cannot be right has no figures, and the run is not usable."""
    run = run_of([attempt(1, 10), attempt(1, 20, number=2, final=False)])

    assert "final attempts" in contradiction(run)


def test_a_first_try_numbered_twice() -> None:
    """Two attempts of one transaction that both claim to be the first break the equation of retries."""
    run = run_of([attempt(1, 10, CONFLICT, final=False), attempt(1, 20)])

    assert "first tries" in contradiction(run)


def test_workers_number_their_transactions_apart() -> None:
    """Transaction 1 of two workers is two transactions."""
    assert _only_cell(run_of([attempt(1, 10), attempt(1, 11, worker=1)]))["transactions"]["committed"] == 2


def test_cells_are_summarised_apart() -> None:
    """Each cell has its own attempts, in the order of run.json."""
    run = run_of(
        [attempt(1, 10, cell=7), attempt(2, 10, cell=3), attempt(3, 11, cell=7)], cells=[cell(7), cell(3)]
    )

    assert [(found["id"], found["attempts"]["total"]) for found in summarise(run)["cells"]] == [
        (7, 2),
        (3, 1),
    ]


def test_rates_by_hand() -> None:
    """Three transactions: committed at once; at the third try; given up at the second. 6 attempts in 2 s."""
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
    found = _only_cell(run)

    assert found["conflict_rate"]["value"] == pytest.approx(4 / 6)
    assert found["retry_rate"]["value"] == pytest.approx(3 / 3)
    assert found["goodput_per_s"]["value"] == pytest.approx(1.0)
    assert found["attempts_per_s"] == pytest.approx(3.0)
    assert found["attempts_per_commit"] == pytest.approx(3.0)
    assert found["wasted_share"] == pytest.approx(4 / 6)
    assert found["backoff_share"] == pytest.approx(60 / (60 + 6 * 10))
    for name in ("conflict_rate", "retry_rate", "goodput_per_s"):
        assert found[name]["low"] <= found[name]["value"] <= found[name]["high"]


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
    """Due at 5 ms, last attempt begun at 60 ms and 10 ms long: 65 ms. Given-up transactions have none."""
    run = run_of(
        [
            attempt(1, 10, CONFLICT, final=False, scheduled_ms=5),
            attempt(1, 60, number=2, scheduled_ms=5),
            attempt(2, 70, CONFLICT),
        ]
    )
    found = _only_cell(run)

    assert (found["latency_ms"]["n"], found["latency_ms"]["max"]) == (1, pytest.approx(65, rel=1e-6))
    assert (found["attempt_ms"]["n"], found["attempt_ms"]["p50"]) == (3, pytest.approx(10, rel=1e-6))


def test_the_window_is_body_and_commit_less_a_round_trip() -> None:
    """BEGIN 2, body 3, COMMIT 5: R = 6 ms, of attempts that the database decided at COMMIT."""
    outcomes = [Outcome.COMMITTED, CONFLICT, Outcome.REJECTED, Outcome.ERROR, Outcome.UNKNOWN]
    found = _only_cell(run_of([attempt(n, n, outcome) for n, outcome in enumerate(outcomes)]))

    assert (found["window_ms"]["n"], found["window_ms"]["mean"]) == (2, pytest.approx(6, rel=1e-6))
    assert (found["commit_ms"]["n"], found["commit_ms"]["p50"]) == (2, pytest.approx(5, rel=1e-6))


def test_row_locks_decide_before_commit() -> None:
    """Where conflicts are locks, only committed attempts have a window, and nothing is predicted."""
    run = run_of([attempt(1, 10), attempt(2, 20, CONFLICT)], conflicts="locks")
    found = _only_cell(run)

    assert found["window_ms"]["n"] == 1
    assert found["predicted"] == {"conflict_rate": None, "goodput_per_s": None}


def test_the_cycle_is_the_mean_step_of_each_user() -> None:
    """Starts at 0, 20, 60 of one user and 5, 15 of another: (60 + 10) / 3 steps."""
    starts = [(0, 0), (1, 5), (1, 15), (0, 20), (0, 60)]
    run = run_of([attempt(n, start, user=user) for n, (user, start) in enumerate(starts)])

    assert _only_cell(run)["cycle_ms"] == pytest.approx(70 / 3)


def test_quantiles_come_with_n_and_the_last_one_only_from_a_thousand() -> None:
    """p99.9 of 999 samples is null; of 1,000 it is there."""
    few, enough = (_only_cell(run_of(steady_commits(n, 1.0)))["attempt_ms"] for n in (999, 1_000))

    assert (few["n"], few["p999"]) == (999, None)
    assert enough["p999"] == pytest.approx(10, rel=1e-6)


def test_an_empty_window_is_absent_not_zero() -> None:
    """No attempt at all: every rate and time is null, the counts are 0, and the cell is not usable."""
    found = _only_cell(run_of([]))

    assert found["conflict_rate"] == {"value": None, "low": None, "high": None}
    assert found["latency_ms"] == {"n": 0, "p50": None, "p90": None, "p99": None, "p999": None, "max": None}
    for name in ("attempts_per_commit", "cycle_ms", "wasted_share", "backoff_share"):
        assert found[name] is None
    assert found["usable"] is False
    json.dumps(found, allow_nan=False)


def test_sqlstates_are_those_of_attempts_that_did_not_commit() -> None:
    """Counted by code; a rejection has none and is left out."""
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


def test_skew_comes_with_what_it_amounts_to() -> None:
    """D_eff and p_max of the skew; both null, and nothing predicted, where its file is gone."""
    uniform = _only_cell(run_of(steady_commits(200, 1.0)))
    lost = _only_cell(run_of(steady_commits(200, 1.0), cells=[cell(skew="file:gone.csv")]))

    assert (uniform["d_eff"], uniform["p_max"]) == (pytest.approx(100), pytest.approx(0.01))
    assert (lost["d_eff"], lost["p_max"], lost["predicted"]["conflict_rate"]) == (None, None, None)


@pytest.mark.parametrize(
    ("checks", "valid"),
    [((True, True), True), ((True, None), None), ((None, False, True), False), ((), None)],
)
def test_checks_merge_wrong_before_unknown_before_right(
    checks: tuple[bool | None, ...], valid: bool | None
) -> None:
    """One wrong check is wrong; one unknown is unknown; nothing checked is unknown."""
    assert _only_cell(run_of([attempt(1, 1)], checks=checks))["verdict"]["valid"] is valid


@pytest.mark.parametrize("retry", ["none", "full-jitter", "fixed:base=5ms,max=unlimited"])
@pytest.mark.parametrize("users", [2, 16])
def test_the_prediction_meets_a_measured_hot_row(retry: str, users: int) -> None:
    """From the ledger of a simulated hot row, the closed form finds its rate to 3 points, goodput to 5 %."""
    world = World(users, retry=retry)
    attempts = simulate(world, 20_000, seed=2)
    attempts["started"] += WALL_NS
    attempts["scheduled"] += WALL_NS
    end_ms = (int(attempts["started"].max()) - WALL_NS) / 1e6
    planned = cell(skew="hot", keys=world.keys, users=users, retry=retry)
    found = _only_cell(run_of(attempts, cells=[planned], window_ms=(end_ms / 10, end_ms)))

    assert found["predicted"]["conflict_rate"] == pytest.approx(found["conflict_rate"]["value"], abs=0.03)
    assert found["predicted"]["goodput_per_s"] == pytest.approx(found["goodput_per_s"]["value"], rel=0.05)


def test_think_time_is_no_backoff_and_no_window() -> None:
    """A loop of 10 ms attempts and 40 ms of thought, stated in run.json, predicts one commit in 50 ms."""
    run = run_of(steady_commits(20, 1.0), think_s=0.04)

    assert _only_cell(run)["predicted"]["goodput_per_s"] == pytest.approx(20, rel=0.01)


def test_a_key_spread_over_rows_is_as_many_keys() -> None:
    """Four shards of one hot row are predicted as four hot rows; the skew keeps what it amounts to."""
    sharded, hot4 = (
        _only_cell(run_of(_busy(), cells=[cell(users=8, **settings)]))
        for settings in ({"skew": "hot", "rows_per_key": 4}, {"skew": "hot:4"})
    )

    assert sharded["predicted"] == hot4["predicted"]
    assert 0.2 < sharded["predicted"]["conflict_rate"] < 0.8
    assert (sharded["d_eff"], sharded["p_max"]) == (1, 1)


def test_rows_of_a_key_that_every_transaction_takes_are_one_draw() -> None:
    """Two keys a transaction, one of them hot over four rows: it takes one of these, and not two."""
    both, one = (
        _only_cell(run_of(_busy(), cells=[cell(users=8, skew="hot", rows_per_key=4, keys_per_transaction=n)]))
        for n in (2, 1)
    )

    assert both["predicted"] == one["predicted"]


def test_nothing_is_predicted_where_transactions_write_other_than_they_draw() -> None:
    """run.json says that the closed form does not apply."""
    found = _only_cell(run_of(_busy(), cells=[cell(users=8, closed_form=False)]))

    assert found["predicted"] == {"conflict_rate": None, "goodput_per_s": None}


def test_nothing_is_predicted_of_a_budget() -> None:
    """When it is spent depends on other transactions."""
    found = _only_cell(run_of(_busy(), cells=[cell(users=8, retry="budget")]))

    assert found["predicted"] == {"conflict_rate": None, "goodput_per_s": None}


@pytest.mark.parametrize(("rejected", "predicted"), [(40, True), (41, False)])
def test_nothing_is_predicted_where_many_are_rejected(rejected: int, predicted: bool) -> None:
    """Up to 5 % of 800 attempts are within the model."""
    found = _only_cell(run_of(_busy(rejected), cells=[cell(users=8)]))

    assert (found["predicted"]["conflict_rate"] is not None) is predicted


def test_a_cell_says_where_its_knobs_stand() -> None:
    """As run.json has them; runs before there were knobs have none."""
    turned = _only_cell(run_of(steady_commits(200, 1.0), cells=[cell(knobs={"shards": 4})]))

    assert turned["knobs"] == {"shards": 4}
    assert _only_cell(run_of(steady_commits(200, 1.0)))["knobs"] == {}


def test_cells_without_a_window_are_missed() -> None:
    """A planned cell that never ran is no cell of the summary, and the run says so."""
    run = run_of([attempt(1, 1)], cells=[cell(0), cell(1)])
    summary = summarise(replace(run, intervals={0: run.intervals[0]}))

    assert [found["id"] for found in summary["cells"]] == [0]
    assert [warning["code"] for warning in summary["warnings"]] == ["cells_missing"]


def test_a_summary_with_nan_is_refused(tmp_path: Path) -> None:
    """NaN is no JSON; the file that was there before stays."""
    (tmp_path / "summary.json").write_text("before")

    with pytest.raises(ValueError, match="JSON"):
        write_summary(tmp_path, {"cells": [np.nan]})
    assert (tmp_path / "summary.json").read_text() == "before"
