"""The chart of all skews over (users - 1) / D_eff."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reports.charts.all_charts import charts
from tests.support.sample_summary import sample_summary

if TYPE_CHECKING:
    from reports.charts.marks import Chart


def collapsed(summary: dict[str, Any]) -> Chart | None:
    """The chart of a summary, if it has one."""
    return next((chart for chart in charts(summary) if chart.name == "conflict-rate-collapsed"), None)


def known(summary: dict[str, Any]) -> Chart:
    """The chart of a summary that has one."""
    chart = collapsed(summary)
    assert chart is not None
    return chart


def test_x_is_the_other_users_per_row() -> None:
    """One user has no rivals and no point. Seven on one row are at 7, on 1,000 rows at 0.007."""
    lines = known(sample_summary(skews=("uniform", "hot"), users=(1, 8))).panels[0].lines

    assert [line.x for line in lines] == [(pytest.approx(0.007),), (7.0,)]


def test_the_second_panel_counts_only_users_in_their_window() -> None:
    """The sample's window is 7.2 ms of a cycle of 11.2 ms."""
    first, second = known(sample_summary(skews=("uniform", "hot"), users=(1, 8))).panels

    assert second.lines[1].x[0] == pytest.approx(first.lines[1].x[0] * 7.2 / 11.2)
    assert second.lines[1].y == first.lines[1].y


def test_a_point_is_one_repeat() -> None:
    """Its place and its height are those of the same cell, the median repeat."""
    summary = sample_summary(skews=("uniform", "zipf:1.2"), users=(4, 8), repeats=3)
    four = [cell for cell in summary["cells"] if (cell["skew"], cell["users"]) == ("zipf:1.2", 4)]
    for cell, cycle_ms in zip(four, (10.0, 20.0, 30.0), strict=True):
        cell["cycle_ms"] = cycle_ms
    median = sorted(four, key=lambda cell: cell["conflict_rate"]["value"])[1]

    line = known(summary).panels[1].lines[1]

    assert line.x[0] == pytest.approx(3 / median["d_eff"] * 7.2 / median["cycle_ms"])
    assert line.y[0] == median["conflict_rate"]["value"]


def test_rows_per_key_spread_a_hot_key() -> None:
    """Seven rivals on a hot key with four shards are as many as on four hot rows."""
    summary = sample_summary(skews=("uniform", "hot"), users=(1, 8))
    for cell in summary["cells"]:
        cell["rows_per_key"] = 4

    assert known(summary).panels[0].lines[1].x == (7 / 4,)


def test_the_closed_form_is_one_curve_for_all_skews() -> None:
    """For one key per transaction it is x / (1 + x), from the first point to the last."""
    curve = known(sample_summary(full=True, skews=("uniform", "hot"), users=(1, 8))).panels[0].curve

    assert curve[-1] == (pytest.approx(7.0), pytest.approx(7 / 8))
    assert all(y == pytest.approx(x / (1 + x)) for x, y in curve)


def test_without_the_number_of_keys_there_is_no_curve() -> None:
    """Older runs do not tell how many keys a transaction draws."""
    chart = known(sample_summary())

    assert chart.panels[0].curve == ()
    assert "closed form" not in chart.subtitle


def test_the_sentence_names_the_largest_distance_of_a_usable_point() -> None:
    """A point that is far away and not usable does not count."""
    summary = sample_summary(full=True, skews=("uniform", "hot"), users=(1, 4, 8))
    summary["cells"][-1]["conflict_rate"]["value"] = 0.0  # the unusable one

    assert "hot (D_eff 1) at 4 users, is " in known(summary).subtitle


def test_policies_have_a_panel_each() -> None:
    """In the order of the other charts."""
    chart = known(sample_summary(users=(1, 8), retries=("none", "full-jitter:base=10ms,cap=1s,max=10")))

    assert [panel.title for panel in chart.panels] == ["no retry", "retry full-jitter"]


@pytest.mark.parametrize("settings", [{"skews": ("hot",)}, {"users": (1,)}, {"conflicts": "locks"}])
def test_it_needs_several_d_eff_rivals_and_conflicts_at_commit(settings: dict[str, Any]) -> None:
    """Otherwise there is nothing to compare."""
    assert collapsed(sample_summary(**settings)) is None
