"""A gate that passes because most users starved is marked with Jain's index."""

from __future__ import annotations

from typing import Any

import pytest

from analysis.gates import GateCheck, Gates, check_gates, exit_code, judged, missed
from analysis.summarise import summarise
from hotrow.attempt.record import Outcome
from reports.charts.all_charts import charts
from reports.output import html
from reports.output.terminal import details, ending
from reports.words.gate_lines import gate_lines
from tests.support.measured import attempt, cell, run_of, steady_commits
from tests.support.sample_summary import sample_summary


def _starved(commits: int = 1_000, others: int = 0) -> dict[str, Any]:
    """Four users: one commits nearly all transactions, the others few."""
    fed = [attempt(7_000 + n, 3.0 * n, user=1 + n % 3) for n in range(others)]
    lost = [attempt(5_000 + n, 90.0 * n, Outcome.CONFLICT, user=1 + n % 3) for n in range(3)]
    return summarise(run_of([*steady_commits(commits, 1.0), *fed, *lost], cells=[cell(skew="hot", users=4)]))


def doubts(summary: dict[str, Any], gates: Gates) -> list[GateCheck]:
    """The gates that were met for a reason that proves little."""
    return [check for check in check_gates(summary, gates) if check.verdict == "doubtful"]


@pytest.mark.parametrize(
    ("gates", "names"),
    [
        (Gates(max_conflict_rate=0.05), ["--max-conflict-rate"]),
        (Gates(max_give_up_rate=0.05, max_p99_ms=50.0), ["--max-give-up-rate", "--max-p99-ms"]),
        (Gates(min_goodput_per_s=900), ["--min-goodput"]),
        (Gates(), []),
    ],
)
def test_a_gate_that_one_user_met_is_marked(gates: Gates, names: list[str]) -> None:
    """The gate passes: no breach, exit code 0. The line has the reason for doubt."""
    summary = _starved()
    marked = doubts(summary, gates)

    assert [doubt.gate for doubt in marked] == names
    assert missed(check_gates(summary, gates)) == []
    assert exit_code(summary, []) == 0
    for doubt in marked:
        assert ": met: " in str(doubt)
        assert "Jain's index 0.25" in str(doubt)


def test_a_gate_that_failed_is_not_met() -> None:
    """It is a breach, and there is no doubt beside it."""
    assert doubts(_starved(), Gates(max_conflict_rate=0.0)) == []


def test_even_users_raise_no_doubt() -> None:
    """Neither do few commits, because some users then have none by chance."""
    assert doubts(_starved(300, others=300), Gates(max_conflict_rate=0.05)) == []
    assert doubts(_starved(19), Gates(max_conflict_rate=0.5)) == []


def test_console_and_page_show_the_doubt() -> None:
    """The doubt has its own line beside the verdict."""
    gates = Gates(max_conflict_rate=0.05)
    summary = sample_summary(skews=("hot",))
    summary["gates"] = judged(gates, check_gates(_starved(), gates))

    assert "1 gate was met, but only because most users hardly committed." in ending(summary)
    assert any("Jain's index 0.25" in line.text for line in gate_lines(summary["gates"]))
    assert not any("Jain's index 0.25" in line for line in details(summary))
    assert ">met, but<" in html.page(summary, charts(summary))


def test_a_failed_gate_does_not_stand_beside_valid_alone() -> None:
    """All data is right, but the run did not pass."""
    summary = sample_summary(skews=("hot",))
    for summarised in summary["cells"]:
        summarised["verdict"] = {"valid": True, "checks": []}
    gates = Gates(max_conflict_rate=0.0)
    summary["gates"] = judged(gates, check_gates(_starved(), gates))

    text = ending(summary)
    assert "1 gate failed." in text
    assert "The data is valid (every invariant held in 6 cells), but the run did not pass." in text
    assert "Valid:" not in text
    assert "1 gate failed." in html.page(summary, charts(summary))
