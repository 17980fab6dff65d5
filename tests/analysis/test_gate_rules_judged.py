"""Gates of a file: which cells and kinds they judge, and what they say."""

from __future__ import annotations

from typing import Any

import pytest

from analysis.gates import GateCheck, Gates, check_gates, exit_code, judged
from analysis.summarise import summarise
from hotrow.attempt.record import Outcome
from hotrow.run.options import read_gates
from tests.support.measured import attempt, cell, run_of, steady_commits


def two_cells() -> dict[str, Any]:
    """Cell 0 has no conflict; in cell 1, which is hot, a quarter of the attempts conflict and give up."""
    lost = [attempt(1_000 + n, n, Outcome.CONFLICT, cell=1, user=1) for n in range(50)]
    commits = [*steady_commits(150, 1.0, cell=0), *steady_commits(150, 1.0, cell=1)]
    return summarise(run_of([*commits, *lost], cells=[cell(0, users=2), cell(1, users=2, skew="hot")]))


def two_kinds(**failed: Any) -> dict[str, Any]:
    """Reads commit in 10 ms; a third of the edits conflict and give up."""
    reads = steady_commits(200, 1.0)
    edits = [attempt(500 + n, 5 * n, kind=1, times_ms=(2.0, 30.0, 8.0)) for n in range(100)]
    lost = [attempt(700 + n, 5 * n, Outcome.CONFLICT, kind=1) for n in range(50)]
    errors = [attempt(800 + n, 5 * n, Outcome.ERROR, **failed) for n in range(20)] if failed else []
    return summarise(run_of([*reads, *edits, *lost, *errors], kinds=("read", "write"), cells=[cell(users=2)]))


def gates(*tables: dict[str, Any], **limits: float) -> Gates:
    return Gates(**{**read_gates({}, list(tables)), **limits})


def lines(summary: dict[str, Any], judging: Gates) -> list[tuple[str, int | None, float | None, str]]:
    """What `judging` says, the error rate that has a limit by default left out."""
    return [
        (check.gate, check.cell, check.measured, check.verdict)
        for check in check_gates(summary, judging)
        if check.gate != "--max-error-rate"
    ]


def test_a_rule_judges_the_cells_that_it_selects() -> None:
    """The hot cell may conflict more than the others; each has its own limit."""
    judging = gates({"skew": "uniform", "max_conflict_rate": 0.01}, {"skew": "hot", "max_conflict_rate": 0.2})

    assert lines(two_cells(), judging) == [
        ("gate 1: max_conflict_rate", 0, 0.0, "met"),
        ("gate 2: max_conflict_rate", 1, pytest.approx(0.25), "failed"),
    ]
    assert exit_code(two_cells(), check_gates(two_cells(), judging)) == 1


def test_the_limits_for_all_cells_hold_too() -> None:
    """A rule does not take a cell out of the gates of the command line."""
    judging = gates({"skew": "hot", "max_conflict_rate": 0.5}, max_conflict_rate=0.1)

    assert [verdict for *_, verdict in lines(two_cells(), judging)] == ["met", "failed", "met"]


@pytest.mark.parametrize(
    ("limit", "kind", "measured"),
    [
        ({"max_conflict_rate": 0.9}, "read", 0.0),
        ({"max_conflict_rate": 0.9}, "write", pytest.approx(1 / 3)),
        ({"max_give_up_rate": 0.9}, "write", pytest.approx(1 / 3)),
        ({"max_p99_ms": 100}, "read", pytest.approx(10, rel=0.01)),
        ({"max_p99_ms": 100}, "write", pytest.approx(40, rel=0.01)),
        ({"min_goodput": 50}, "write", pytest.approx(100, rel=0.01)),
    ],
)
def test_a_rule_judges_one_kind_of_transaction(limit: dict[str, float], kind: str, measured: float) -> None:
    """Its values are those of that kind, not of the cell."""
    (check,) = [
        check for check in check_gates(two_kinds(), gates({"kind": kind, **limit})) if "gate" in check.gate
    ]

    assert (check.measured, check.verdict) == (measured, "met")
    assert str(check).startswith(f"gate 1, kind {kind}: {next(iter(limit))} ")


@pytest.mark.parametrize(("kind", "verdicts"), [(None, ["met"]), (1, ["failed", "met"])])
def test_a_limit_of_errors_replaces_the_default_unless_it_is_for_a_kind(
    kind: int | None, verdicts: list[str]
) -> None:
    """Of 370 transactions 20 fail: more than one percent by default, less than a rule allows."""
    summary = two_kinds(sqlstate="57014", kind=0)
    table = {"max_error_rate": 0.1, **({} if kind is None else {"kind": "write"})}

    assert [check.verdict for check in check_gates(summary, gates(table))] == verdicts


def test_a_kind_without_transactions_is_not_measured() -> None:
    """That is no pass."""
    summary = summarise(run_of(steady_commits(200, 1.0), kinds=("read", "write"), cells=[cell()]))

    assert [*lines(summary, gates({"kind": "write", "max_p99_ms": 5}))] == [
        ("gate 1, kind write: max_p99_ms", 0, None, "not measured")
    ]


def test_the_summary_has_the_rules() -> None:
    """In the form of the file; the limits of the command line stay plain numbers."""
    judging = gates({"skew": "hot", "users": 2, "max_conflict_rate": 0.5}, max_p99_ms=9.0)
    found = judged(judging, [GateCheck("gate 1: max_conflict_rate", 1, 0.5, 0.2, "met", "cell 1")])

    assert found["rules"] == [{"skew": ["hot"], "users": [2], "max_conflict_rate": 0.5}]
    assert found["limits"]["max_p99_ms"] == 9.0
    assert "rules" not in found["limits"]
    assert found["checks"][0]["text"] == "gate 1: max_conflict_rate 0.5: met: 0.2 in cell 1"
