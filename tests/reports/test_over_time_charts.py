"""The charts of the course of single cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reports.charts.all_charts import charts
from reports.charts.marks import Shade
from tests.support.sample_summary import sample_summary

if TYPE_CHECKING:
    from reports.charts.marks import Chart

NAMES = ("attempts-over-time", "conflict-rate-over-time", "latency-over-time")


def course(summary: dict[str, Any], name: str = "conflict-rate-over-time") -> Chart:
    """One of the three charts."""
    return next(chart for chart in charts(summary) if chart.name == name)


def test_each_line_shows_its_usable_cell_with_the_most_conflicts() -> None:
    """The sample's cell with 32 users on the hot row is not usable."""
    summary = sample_summary(full=True, skews=("uniform", "hot"))

    assert [panel.title for panel in course(summary).panels] == ["uniform, 32 users", "hot, 16 users"]


def test_at_most_six_cells_are_shown() -> None:
    """Those with the most conflicts, in the order of their lines."""
    knobs = tuple({"shards": shards} for shards in (1, 2, 4, 8, 16, 32, 64, 128))
    summary = sample_summary(full=True, skews=("hot",), users=(8,), knobs=knobs)

    titles = [panel.title for panel in course(summary).panels]

    assert titles == [f"hot, 8 users, shards {shards}" for shards in (1, 2, 4, 8, 16, 32)]


def test_the_values_are_those_of_the_bins() -> None:
    """Commits and attempts per second, conflicts per attempt, and p99, at the middle of each bin."""
    summary = sample_summary(full=True, skews=("zipf:1.2",), users=(8, 1))
    bins = summary["cells"][0]["over_time"]
    goodput, attempts = course(summary, "attempts-over-time").panels[0].lines

    assert goodput.x[:2] == (-1.75, -1.25)
    assert goodput.y[5] == bins["committed"][5] / 0.5
    assert attempts.y[5] == bins["attempts"][5] / 0.5
    assert course(summary).panels[0].lines[0].y[5] == bins["conflicts"][5] / bins["attempts"][5]
    assert course(summary, "latency-over-time").panels[0].lines[0].y[5] == bins["latency_ms_p99"][5]


def test_a_bin_with_few_attempts_has_no_conflict_rate() -> None:
    """Two conflicts of three attempts would be drawn as 67 %."""
    summary = sample_summary(full=True, skews=("zipf:1.2",), users=(8, 1))
    bins = summary["cells"][0]["over_time"]
    bins["attempts"][7], bins["conflicts"][7] = 3, 2

    assert course(summary).panels[0].lines[0].y[7] is None


def test_warmup_and_the_unsettled_part_are_shaded() -> None:
    """The second only if the cell had not settled in time: MSER-5 drops something from steady cells too."""
    summary = sample_summary(full=True, skews=("zipf:1.2",), users=(8, 1))
    assert course(summary).panels[0].shades == (Shade(-2.0, 0.0, "warmup"),)

    cell = summary["cells"][0]
    cell["warnings"] = [{"code": "not_steady", "message": "it is not", "advice": "wait"}]
    cell["silences"] = [{"begin_s": 3.0, "end_s": 4.5}]
    chart = course(summary)

    unsettled = Shade(0.0, pytest.approx(4.4), "unsettled")
    assert chart.panels[0].shades[1:] == (unsettled, Shade(3.0, 4.5, "stalled"))
    assert [sign for sign, _ in chart.key] == ["warmup", "unsettled", "stalled"]
    assert "Not steady: zipf:1.2, 8 users settled after 4.4 s." in chart.subtitle


def test_the_sentence_leaves_out_the_warmup_and_the_extremes() -> None:
    """A wild warm-up does not change the range that is named."""
    summary = sample_summary(full=True, skews=("zipf:1.2",), users=(8, 1))
    before = course(summary, "latency-over-time").subtitle
    summary["cells"][0]["over_time"]["latency_ms_p99"][0] = 9_999.0

    assert course(summary, "latency-over-time").subtitle == before


def test_an_older_summary_has_no_course() -> None:
    """Nor does a summary whose cells had too few attempts."""
    few = sample_summary(full=True)
    for cell in few["cells"]:
        cell["over_time"] = None

    for summary in (sample_summary(), few):
        assert not {chart.name for chart in charts(summary)} & {*NAMES}
