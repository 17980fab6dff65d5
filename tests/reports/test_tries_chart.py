"""The chart of attempts per commit."""

from __future__ import annotations

import pytest

from reports.charts.all_charts import charts
from reports.charts.tries_chart import tail
from tests.support.sample_summary import sample_summary


def test_the_tail_is_the_share_that_took_as_many_or_more() -> None:
    """Of 10 commits 6 took one attempt, 3 two and 1 seven; every drawn point is exact."""
    points = dict(tail([[1, 6], [2, 3], [7, 1]]))

    assert points[1.0] == 1.0
    assert points[2.0] == pytest.approx(0.4)
    assert points[3.0] == pytest.approx(0.1)
    assert points[7.0] == pytest.approx(0.1)
    assert max(points) == 7.0


def test_a_long_tail_has_few_points() -> None:
    """It has about ten points per decade, for any number of attempts, and always the last one."""
    points = tail([[attempt, 1] for attempt in range(1, 5001)])

    assert len(points) < 45
    assert points[-1] == (5000.0, 1 / 5000)


def test_no_commit_makes_no_point() -> None:
    """Without commits nothing is known."""
    assert tail([]) == []


def test_it_is_drawn_at_the_highest_level_that_all_lines_have() -> None:
    """The subtitle has the level."""
    summary = sample_summary(full=True, skews=("uniform", "hot"))
    summary["cells"].pop()  # hot at 32 users

    chart = next(chart for chart in charts(summary) if chart.name == "attempts-per-commit")

    cell = next(cell for cell in summary["cells"] if cell["skew"] == "hot" and cell["users"] == 16)
    assert "at 16 users" in chart.subtitle
    assert chart.panels[0].lines[1].x[-1] == cell["commit_on_attempt"]["max"]
    assert chart.panels[0].lines[1].y[0] == 1.0


def test_without_retries_there_is_no_such_chart() -> None:
    """Every commit took one attempt."""
    names = [chart.name for chart in charts(sample_summary(full=True, retries=("none",)))]

    assert "attempts-per-commit" not in names
