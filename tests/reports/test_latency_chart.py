"""The chart of the distribution of latency."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reports.charts.all_charts import charts
from tests.support.sample_summary import sample_summary

if TYPE_CHECKING:
    from reports.charts.marks import Chart


def distribution(summary: dict[str, Any]) -> Chart | None:
    """The chart of a summary, if it has one."""
    return next((chart for chart in charts(summary) if chart.name == "latency-distribution"), None)


def test_a_curve_is_the_share_that_took_longer() -> None:
    """Every pair of the summary is a point, at the highest level that all lines have."""
    summary = sample_summary(full=True, skews=("uniform", "hot"), users=(1, 8))
    cell = next(cell for cell in summary["cells"] if cell["skew"] == "hot" and cell["users"] == 8)
    chart = distribution(summary)

    assert chart is not None
    assert "at 8 users" in chart.subtitle
    line = chart.panels[0].lines[1]
    assert list(zip(line.y, line.x, strict=True)) == [tuple(pair) for pair in cell["latency_curve"]]
    assert (chart.x.scale, chart.y.scale) == ("log", "log")


def test_the_sentence_quotes_only_usable_cells() -> None:
    """The last cell of the sample, the hottest one, is not usable: its p99 is not named."""
    chart = distribution(sample_summary(full=True, skews=("uniform", "zipf:1.2", "hot"), users=(1, 8)))

    assert chart is not None
    assert "With uniform (D_eff 1,000) p50" in chart.alt
    assert "with zipf:1.2 (D_eff 13.6) p50" in chart.alt
    assert "hot" not in chart.alt


def test_without_curves_there_is_no_chart() -> None:
    """Older summaries have none, and neither have cells with a few commits."""
    few = sample_summary(full=True)
    for cell in few["cells"]:
        cell["latency_curve"] = []

    assert distribution(sample_summary()) is None
    assert distribution(few) is None
