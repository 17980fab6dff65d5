"""Gates and exit codes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from analysis.gates import GateCheck, Gates, check_gates, exit_code, missed
from analysis.summarise import summarise
from hotrow.attempt.record import Outcome
from tests.support.measured import attempt, cell, run_of, steady_commits


def _summary(**changes: Any) -> dict[str, Any]:
    """Cell 3 of a run: in one second 150 transactions commit and 50 give up, 10 ms each."""
    commits = steady_commits(150, 1.0, cell=3)
    conflicts = [attempt(1_000 + n, n, Outcome.CONFLICT, cell=3, user=1) for n in range(50)]
    return summarise(run_of([*commits, *conflicts], cells=[cell(3, users=2)], **changes))


_FAST = Gates(min_goodput_per_s=1_000)


def _empty() -> dict[str, Any]:
    return summarise(run_of([], cells=[cell(3)]))


def test_without_limits_nothing_is_breached() -> None:
    """Without gates there is no breach, and the exit code is 0."""
    summary = _summary()

    assert missed(check_gates(summary, Gates())) == []
    assert exit_code(summary, []) == 0


@pytest.mark.parametrize(
    ("gates", "gate", "measured"),
    [
        (Gates(max_conflict_rate=0.24), "--max-conflict-rate", 0.25),
        (Gates(max_give_up_rate=0.24), "--max-give-up-rate", 0.25),
        (Gates(max_p99_ms=9.0), "--max-p99-ms", 10.0),
        (Gates(min_goodput_per_s=151.0), "--min-goodput", 150.0),
    ],
)
def test_each_gate_breaks_on_its_own_value(gates: Gates, gate: str, measured: float) -> None:
    """The breach has the option, the cell, the limit and the measured value; exit code 1."""
    summary = _summary()
    (breach,) = missed(check_gates(summary, gates))

    assert (breach.gate, breach.cell) == (gate, 3)
    assert breach.measured == pytest.approx(measured, rel=1e-6)
    assert exit_code(summary, [breach]) == 1


def test_a_value_on_its_limit_passes() -> None:
    """`--max-conflict-rate 0.25` allows 0.25."""
    limits = Gates(max_conflict_rate=0.25, max_give_up_rate=0.25, max_p99_ms=10.001, min_goodput_per_s=150)

    assert missed(check_gates(_summary(), limits)) == []


def test_a_limit_of_zero_is_a_limit() -> None:
    """Zero is not "no limit"."""
    assert len(missed(check_gates(_summary(), Gates(max_conflict_rate=0.0, max_p99_ms=0.0)))) == 2


def test_a_breach_is_one_line_for_a_person() -> None:
    """The line has the option, the limit, the value and the cell."""
    (breach,) = missed(check_gates(_summary(), Gates(max_conflict_rate=0.1)))

    assert str(breach) == "--max-conflict-rate 0.1: failed: 0.25 in cell 3 (counter, uniform, 2 users, none)"


def test_a_gate_that_is_met_is_a_line_too() -> None:
    """It gives the limit, the verdict and the measured value. The error rate has a limit by default."""
    checks = check_gates(_summary(), Gates(max_conflict_rate=0.3))

    assert [str(check) for check in checks] == [
        "--max-conflict-rate 0.3: met: 0.25 in cell 3 (counter, uniform, 2 users, none)",
        "--max-error-rate 0.01: met: 0 in cell 3 (counter, uniform, 2 users, none)",
    ]
    assert [check.verdict for check in checks] == ["met", "met"]


def test_a_breach_names_the_knobs() -> None:
    """Cells that differ only in knobs are told apart."""
    turned = cell(3, knobs={"shards": 4, "for_update": "on"})
    (breach,) = missed(
        check_gates(summarise(run_of(steady_commits(150, 1.0, cell=3), cells=[turned])), _FAST)
    )

    assert breach.where == "cell 3 (counter, shards 4, for update on, uniform, 1 user, none)"


def test_a_gate_with_nothing_to_measure_is_not_a_pass() -> None:
    """Without attempts the gate fails without a value, and the run is unusable."""
    summary = _empty()
    (breach,) = missed(check_gates(summary, Gates(max_p99_ms=100)))

    assert breach.measured is None
    assert "--max-p99-ms 100: not measured in cell 3" in str(breach)
    assert exit_code(summary, [breach]) == 4
    assert exit_code(_summary(), [breach]) == 4


def test_an_unusable_cell_exits_4() -> None:
    """The client was saturated, although every gate passed."""
    assert exit_code(_summary(health=[(0.99, 1.0)]), []) == 4


def test_an_undecided_check_exits_4() -> None:
    """It is unknown whether the data is right."""
    assert exit_code(_summary(checks=[None]), []) == 4


def test_an_interrupted_cell_exits_4() -> None:
    """The run did not measure what was asked, also when it is judged again."""
    run = run_of(steady_commits(150, 1.0), cells=[cell()])
    (interval,) = run.intervals.values()
    cut = replace(run, intervals={0: replace(interval, closed=False)})

    assert exit_code(summarise(run), []) == 0
    assert exit_code(summarise(cut), []) == 4


def test_a_scenario_without_checks_exits_0() -> None:
    """Without an invariant there is no violation."""
    assert exit_code(_summary(checks=[]), []) == 0


def test_a_run_without_cells_exits_4() -> None:
    """Nothing was measured."""
    assert exit_code({"cells": [], "warnings": []}, []) == 4


def test_missing_cells_exit_4() -> None:
    """A sweep that ended early did not measure what was asked."""
    summary = _summary()

    assert exit_code({**summary, "warnings": [{"code": "cells_missing"}]}, []) == 4


def test_wrong_data_comes_before_a_gate_and_a_gate_before_usability() -> None:
    """The priority is 3, 1, 4."""
    measured = GateCheck("--max-p99-ms", 3, 1.0, 2.0, "failed", "")

    assert exit_code(_summary(checks=[False], health=[(0.99, 1.0)]), [measured]) == 3
    assert exit_code(_summary(health=[(0.99, 1.0)]), [measured]) == 1


def _cells(*checks: bool | None) -> dict[str, Any]:
    """One cell per verdict, with one check."""
    each = [_summary(checks=[valid])["cells"][0] for valid in checks]
    return {"cells": each, "warnings": []}


def test_an_expected_violation_is_no_failure() -> None:
    """The run was expected to show wrong data, and one of its cells did."""
    summary = _cells(True, False)
    breaches = missed(check_gates(summary, Gates(expect_violations=True)))

    assert (breaches, exit_code(summary, breaches, expect_violations=True)) == ([], 0)
    assert exit_code(summary, breaches) == 3


def test_an_expected_violation_that_did_not_come_exits_1() -> None:
    """Every check is right, so the expectation fails in one line."""
    summary = _cells(True, True)
    (breach,) = missed(check_gates(summary, Gates(expect_violations=True)))

    assert str(breach) == "--expect-violations: failed: no check found wrong data"
    assert exit_code(summary, [breach], expect_violations=True) == 1
    assert missed(check_gates(summary, Gates())) == []


def test_a_scenario_without_checks_violates_nothing() -> None:
    """It cannot show a violation, so the expectation fails."""
    assert len(missed(check_gates(_summary(checks=[]), Gates(expect_violations=True)))) == 1


def test_an_expected_violation_may_be_undecided() -> None:
    """With an undecided check or a missing cell the exit code is 4, because a violation is still possible."""
    for summary in (_cells(True, None), {**_cells(True), "warnings": [{"code": "cells_missing"}]}):
        breaches = missed(check_gates(summary, Gates(expect_violations=True)))

        assert (breaches, exit_code(summary, breaches, expect_violations=True)) == ([], 4)
