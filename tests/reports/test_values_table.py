"""The values of a chart as a table: what hovering shows, for readers without a mouse."""

from __future__ import annotations

from reports.charts.all_charts import charts
from reports.charts.values_table import values_table
from tests.support.sample_summary import sample_summary


def test_every_point_of_every_line_is_a_row() -> None:
    """It has line, level, value, interval, closed form, and whether it may be compared."""
    summary = sample_summary(skews=("uniform", "hot"), users=(1, 32))
    chart = charts(summary)[0]

    table = values_table(chart)

    assert table.heads == ("line", "users", "conflicts per attempt", "95 % interval", "closed form", "remark")
    assert [row[:2] for row in table.rows] == [
        ("uniform  (D_eff 1,000)", "1"),
        ("uniform  (D_eff 1,000)", "32"),
        ("hot  (D_eff 1)", "1"),
        ("hot  (D_eff 1)", "32"),
    ]
    assert table.rows[1][2] == chart.y.write(chart.panels[0].lines[0].y[1])
    assert table.rows[3][5] == "not comparable"


def test_lines_of_one_level_are_named_by_their_ticks() -> None:
    """On an axis of names the place is a name, and its closed form belongs to it."""
    summary = sample_summary(skews=("uniform", "hot"), users=(8,))
    chart = charts(summary)[0]

    table = values_table(chart)

    at = table.heads.index("closed form")
    assert [row[1] for row in table.rows] == ["uniform  (D_eff 1,000)", "hot  (D_eff 1)"]
    assert [row[at] for row in table.rows] == [
        chart.y.write(cell["predicted"]["conflict_rate"]) for cell in summary["cells"]
    ]


def test_every_chart_has_such_a_table() -> None:
    """No chart can be read by its picture alone."""
    summary = sample_summary(full=True, regions=("a", "b"), kinds=("order", "pay"))

    assert all(values_table(chart).rows for chart in charts(summary))


def test_tiles_and_stacks_are_rows_too() -> None:
    """With the names of their places and the whole value, which the picture shortens."""
    summary = sample_summary(full=True, skews=("uniform", "hot"), users=(2, 32))
    drawn = {chart.name: values_table(chart) for chart in charts(summary)}

    heat, stacks = drawn["heatmap"], drawn["time-spent"]
    assert heat.heads == ("panel", "line", "users", "value", "remark")
    assert heat.rows[0][:3] == ("conflict rate in %", "uniform  (D_eff 1,000)", "2")
    assert heat.rows[3][4] == stacks.rows[-1][4] == "not comparable"
    assert stacks.rows[0][:3] == ("uniform  (D_eff 1,000)", "first attempts that committed", "2")
