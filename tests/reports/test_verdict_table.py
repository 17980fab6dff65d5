"""The table of invariants and gates: limit, measured value and verdict of each."""

from __future__ import annotations

from typing import Any

from reports.charts.all_charts import charts
from reports.output import html
from reports.words import wording as words
from reports.words.verdict_table import VerdictRow, verdict_rows
from tests.support.sample_summary import sample_summary

CHECK: dict[str, Any] = {"name": "total unchanged", "count": 0, "details": {}}


def summary_of(*verdicts: bool | None, gates: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """A run with one cell per verdict of its only check."""
    summary = sample_summary(skews=("hot",), users=range(1, len(verdicts) + 1))  # type: ignore[arg-type]
    for cell, valid in zip(summary["cells"], verdicts, strict=True):
        cell["verdict"] = {
            "valid": valid,
            "checks": [{**CHECK, "valid": valid, "count": 2 * (valid is False)}],
        }
    return {**summary, "gates": {"checks": gates or []}}


def gate(
    cell: int, measured: float | None, verdict: str, option: str = "--max-conflict-rate"
) -> dict[str, Any]:
    """One check of a gate with the limit 0.5."""
    return {
        "gate": option,
        "cell": cell,
        "limit": 0.5,
        "measured": measured,
        "verdict": verdict,
        "text": "line",
    }


def test_an_invariant_that_held_names_how_many_cells_it_held_in() -> None:
    """There is nothing to name if all is well."""
    assert verdict_rows(summary_of(True, True)) == (
        VerdictRow("passed", "held", "total unchanged", "0 violations", "0 violations", "all 2 cells"),
    )


def test_a_violated_invariant_has_its_violations_and_a_cell() -> None:
    """Violated beats undecided, and the violations of all cells are summed."""
    (row,) = verdict_rows(summary_of(False, None, False))

    assert row == VerdictRow(
        "failed",
        "violated",
        "total unchanged",
        "0 violations",
        "4 violations",
        "2 of 3 cells; worst: hot, 1 user",
    )


def test_an_undecided_invariant_claims_no_number() -> None:
    """Nobody knows whether there were violations."""
    (row,) = verdict_rows(summary_of(True, None))

    assert (row.verdict, row.measured, row.where) == ("undecided", "\N{EN DASH}", "1 of 2 cells")


def test_a_failed_gate_has_the_worst_measured_value_and_comes_first() -> None:
    """The values are written as what they are: shares, times, rates."""
    gates = [gate(0, 0.2, "met"), gate(1, 0.7, "failed"), gate(2, 0.9, "failed")]

    first, second = verdict_rows(summary_of(True, True, True, gates=gates))

    assert first == VerdictRow(
        "failed", "failed", "--max-conflict-rate", "50.0 %", "90.0 %", "2 of 3 cells; worst: hot, 3 users"
    )
    assert second.status == "passed"


def test_the_worst_of_a_lower_limit_is_the_lowest() -> None:
    """Goodput must not be below its limit."""
    gates = [gate(0, 0.1, "failed", "--min-goodput"), gate(1, 0.3, "failed", "--min-goodput")]

    assert verdict_rows(summary_of(True, True, gates=gates))[0].measured == "0.100/s"


def test_a_gate_that_is_met_names_the_cell_nearest_to_the_limit() -> None:
    """A reader sees how much room is left."""
    gates = [gate(0, 0.4, "met"), gate(1, 0.2, "met")]

    row = verdict_rows(summary_of(True, True, gates=gates))[1]

    assert (row.verdict, row.measured, row.where) == ("met", "40.0 %", "all 2 cells; nearest: hot, 1 user")


def test_a_gate_without_a_value_is_no_pass() -> None:
    """It had nothing to measure."""
    row = verdict_rows(summary_of(True, gates=[gate(0, None, "not measured")]))[0]

    assert (row.status, row.verdict, row.measured) == ("unknown", "not measured", "\N{EN DASH}")


def test_the_page_marks_a_failed_gate() -> None:
    """Its row has the class that is red, and so has the row of the cell."""
    gates = [gate(0, 0.7, "failed")]
    summary = summary_of(True, gates=gates)
    summary["gates"]["breaches"] = gates

    text = html.page(summary, charts(summary))

    assert '<tr class="failed"><th scope="row">--max-conflict-rate</th>' in text
    assert '<tr class="unusable">' in text or '<tr class="wrong">' in text


def test_a_gate_of_a_file_has_the_units_and_the_worst_cell_of_its_limit() -> None:
    """The lowest goodput is the worst; a share is in percent."""
    floor = [
        gate(cell, measured, "failed", "gate 1: min_goodput") for cell, measured in enumerate((0.4, 0.2))
    ]
    share = [gate(0, 0.25, "met", "gate 2, kind a: b: max_conflict_rate")]
    rows = {row.name: row for row in verdict_rows(summary_of(None, None, gates=[*floor, *share]))}

    assert rows["gate 1: min_goodput"].where == "all 2 cells; worst: hot, 2 users"
    assert rows["gate 2, kind a: b: max_conflict_rate"].measured == words.share(0.25)
