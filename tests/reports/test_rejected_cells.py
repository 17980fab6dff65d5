"""A cell whose attempts were mostly rejected: every surface says so, and none shows its goodput as 0."""

from __future__ import annotations

from typing import Any

from reports.charts.all_charts import charts
from reports.output.terminal import console_columns
from reports.words.cell_table import columns, marks
from reports.words.wording import ABSENT
from tests.support.sample_summary import sample_summary


def sold_out() -> dict[str, Any]:
    """A summary whose second cell, that of 8 users, committed nothing: the shop was sold out."""
    summary = sample_summary(users=(1, 8, 16), skews=("hot",))
    cell = summary["cells"][1]
    cell["attempts"] = {**dict.fromkeys(cell["attempts"], 0), "total": 900, "rejected": 900}
    cell["goodput_per_s"] = {"value": 0.0, "low": 0.0, "high": 0.0}
    return summary


def test_the_table_marks_the_cell_and_gives_no_goodput() -> None:
    """The mark stands beside its verdict; a cell that sold all it had is not marked."""
    _, cell, other = sold_out()["cells"]
    (goodput,) = [column for column in columns([cell, other]) if column.head == "goodput"]

    assert (marks(cell), goodput.text(cell), goodput.value(cell)) == (["mostly rejected"], ABSENT, None)
    assert goodput.below is not None
    assert goodput.below(cell) == ""
    assert goodput.value(other) is not None
    assert "mostly rejected" not in marks(other)


def test_the_charts_of_goodput_leave_the_cell_out_and_say_so() -> None:
    """So does the PNG, which draws them; the conflict rate of the cell is drawn hollow."""
    drawn = {chart.name: chart for chart in charts(sold_out())}
    goodput = drawn["goodput"]

    assert "1 cell without goodput: the business rule rejected most attempts." in goodput.subtitle
    assert goodput.compact is not None
    assert "1 cell without goodput" in goodput.compact.subtitle
    assert goodput.panels[0].lines[0].y[1] is None
    assert goodput.panels[0].lines[0].low[1] is None
    assert drawn["conflict-rate"].panels[0].lines[0].hollow[1]


def test_the_console_says_rejected() -> None:
    """Its verdict column has the word, and its goodput column no figure."""
    cells = sold_out()["cells"]
    shown = {column.head: column.text(cells[1]) for column in console_columns(cells)}

    assert (shown["verdict"], shown["goodput\n/s"]) == ("rejected", ABSENT)
