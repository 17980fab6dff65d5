"""The sentence of a chart over users: from usable cells, and only if there is a clear difference."""

from __future__ import annotations

from typing import Any

from reports.charts.all_charts import charts
from tests.support.sample_summary import sample_summary


def subtitle(summary: dict[str, Any], name: str = "conflict-rate") -> str:
    """The subtitle of a chart."""
    return next(chart.subtitle for chart in charts(summary) if chart.name == name)


def rate(summary: dict[str, Any], skew: str, users: int) -> dict[str, float]:
    """The conflict rate of a cell, to be changed."""
    found: dict[str, float] = next(
        cell["conflict_rate"] for cell in summary["cells"] if (cell["skew"], cell["users"]) == (skew, users)
    )
    return found


def test_the_lines_with_the_lowest_and_the_highest_value_are_named() -> None:
    """At the highest level that several usable lines have: the hot row at 32 users is not usable."""
    summary = sample_summary(skews=("uniform", "zipf:1.2", "hot"))
    rate(summary, "zipf:1.2", 32)["value"] = 0.5

    assert "At 32 users: 1.9 % with uniform (D_eff 1,000); 50.0 % with zipf:1.2" in subtitle(summary)


def test_one_line_is_followed_from_its_first_level_to_its_last() -> None:
    """The last usable one."""
    summary = sample_summary(skews=("hot",), users=(1, 8, 32))
    rate(summary, "hot", 8)["value"] = 0.8

    assert subtitle(summary).endswith("same row. 0 % at 1 user; 80.0 % at 8 users.")


def test_intervals_that_overlap_are_no_difference() -> None:
    """Nothing is said, instead of reading a difference out of noise."""
    summary = sample_summary(skews=("uniform", "zipf:0.8", "hot"), users=(8, 32))
    rate(summary, "uniform", 32).update({"value": 0.02, "low": 0.01, "high": 0.04})
    rate(summary, "zipf:0.8", 32).update({"value": 0.05, "low": 0.03, "high": 0.07})

    assert subtitle(summary).endswith("had written the same row.")


def test_the_quantity_is_named_if_the_chart_has_two() -> None:
    """Latency shows p50 and p99, goodput shows attempts too."""
    summary = sample_summary(skews=("hot", "uniform"))

    assert "At 32 users, p50: " not in subtitle(summary)
    assert ", p50: " in subtitle(summary, "latency")
    assert ", goodput: " in subtitle(summary, "goodput")
