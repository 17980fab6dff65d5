"""Goodput against latency: points, the Pareto front, and the numbers of users beside the points."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from reports.charts.all_charts import Chart, charts
from reports.charts.scatter import front
from reports.output.plotly_figures import figure
from tests.support.sample_summary import sample_summary

CROWDED = 40
FULL_JITTER = "full-jitter:base=10ms,cap=1s,max=10"


def scatter(summary: dict[str, Any]) -> Chart:
    """The chart of goodput against latency."""
    return next(chart for chart in charts(summary) if chart.name == "goodput-latency")


def test_a_point_is_one_cell() -> None:
    """It has the goodput and p99 of one cell, in the order of users; without a p99 there is no point."""
    summary = sample_summary(skews=("hot",), users=(1, 4, 8))
    cells = summary["cells"][1:]  # the first has no p99

    (line,) = scatter(summary).panels[0].lines

    assert line.x == tuple(cell["goodput_per_s"]["value"] for cell in cells)
    assert line.y == tuple(cell["latency_ms"]["p99"] for cell in cells)
    assert line.hollow == (False, True)
    assert [remark.partition(",")[0] for remark in line.remarks] == ["4 users", "8 users"]


def test_the_front_has_the_points_that_none_beats() -> None:
    """A point is beaten by one with more goodput at no more latency."""
    points = [(100.0, 10.0), (90.0, 12.0), (80.0, 5.0), (80.0, 7.0), (120.0, 40.0), (120.0, 40.0)]

    assert front(points) == ((80.0, 5.0), (100.0, 10.0), (120.0, 40.0))


def test_no_point_of_a_random_front_is_beaten() -> None:
    """This is the definition, checked over all pairs."""
    rng = np.random.default_rng(3)
    points = [(float(x), float(y)) for x, y in rng.integers(1, 30, (200, 2))]

    best = front(points)

    beaten = [p for p in best for q in points if q[0] >= p[0] and q[1] <= p[1] and q != p]
    assert beaten == []
    assert all(any(b[0] >= p[0] and b[1] <= p[1] for b in best) for p in points)


def test_only_cells_of_one_skew_are_a_choice() -> None:
    """Uniform keys do not beat the hot row: you cannot choose your workload's skew."""
    summary = sample_summary(skews=("uniform", "hot"), users=(2, 8, 16))
    hot = [cell["latency_ms"]["p99"] for cell in summary["cells"] if cell["skew"] == "hot"]

    fronts = scatter(summary).panels[0].fronts

    assert len(fronts) == 2
    assert hot[0] in {y for points in fronts for _, y in points}


def test_an_unusable_cell_is_not_on_the_front() -> None:
    """Its figures must not be quoted, even the best ones."""
    summary = sample_summary(skews=("hot",), users=(2, 4, 8))
    summary["cells"][-1]["goodput_per_s"]["value"] = 9_999.0
    summary["cells"][-1]["latency_ms"]["p99"] = 0.1

    assert 9_999.0 not in {x for points in scatter(summary).panels[0].fronts for x, _ in points}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("give_up_rate", {"value": 0.06, "low": 0.05, "high": 0.07}),
        ("fairness", {"jain": 0.2, "max_over_median": 13.0}),
    ],
)
def test_a_p99_that_looks_too_good_is_not_on_the_front(name: str, value: dict[str, Any]) -> None:
    """If many gave up or few users got nearly all, p99 describes the lucky ones; a remark says so."""
    summary = sample_summary(skews=("hot",), users=(2, 4, 8, 16), full=True)
    lucky = summary["cells"][2]
    for cell in summary["cells"]:
        cell["give_up_rate"] = {"value": 0.0, "low": 0.0, "high": 0.01}
        cell["fairness"] = {"jain": 0.9, "max_over_median": 1.2}
    lucky["goodput_per_s"]["value"], lucky["latency_ms"]["p99"] = 9_999.0, 0.1
    assert 9_999.0 in {x for points in scatter(summary).panels[0].fronts for x, _ in points}

    lucky[name] = value

    chart = scatter(summary)
    assert 9_999.0 not in {x for points in chart.panels[0].fronts for x, _ in points}
    assert "looks too good" in chart.subtitle
    assert any(
        "gave up" in remark or "Jain's index 0.2" in remark for remark in chart.panels[0].lines[0].remarks
    )


def test_one_level_makes_points_and_names_them_in_the_key() -> None:
    """Each policy has a line with one point, and the axis stays goodput."""
    chart = scatter(sample_summary(users=(8,), skews=("hot", "zipf:1.2"), retries=("none", FULL_JITTER)))

    assert chart.x.label.startswith("goodput per second")
    assert {line.label for panel in chart.panels for line in panel.lines} == {
        "no retry",
        "retry full-jitter",
    }
    assert all(len(line.x) <= 1 for panel in chart.panels for line in panel.lines)


def test_users_beside_points_keep_clear_of_each_other() -> None:
    """A single line has numbers at both ends; if two lines coincide, most are left out."""
    (alone,) = scatter(sample_summary(skews=("hot",), users=(2, 4, 8, 16), seed=1)).panels[0].lines
    crowded = scatter(
        sample_summary(skews=("uniform",), users=tuple(range(1, 40)), retries=("none", FULL_JITTER))
    )

    assert {"4", "16"} <= {note.text for note in alone.notes}
    assert 2 <= sum(len(line.notes) for line in crowded.panels[0].lines) < CROWDED


def test_points_of_a_scatter_are_joined_faintly() -> None:
    """The line only guides the eye; the points are the figures."""
    chart = scatter(sample_summary(skews=("hot",)))

    (points,) = [trace for trace in figure(chart, chart.panels[0])["data"] if "hovertemplate" in trace]

    assert points["line"]["width"] < 2
    assert points["line"]["color"].endswith("/0.45")


def test_widely_different_goodput_has_a_logarithmic_axis_that_says_so() -> None:
    """Otherwise the hot row would be a dot in a corner."""
    wide, narrow = scatter(sample_summary()), scatter(sample_summary(skews=("hot",)))

    assert (wide.x.scale, narrow.x.scale) == ("log", "linear")
    assert "logarithmic" in wide.x.label
