"""Charts as values, before anything is drawn."""

from __future__ import annotations

import pytest

from reports.charts.all_charts import Chart, charts
from tests.support.sample_summary import SKEWS, USERS, sample_summary


def chart(name: str, **settings: object) -> Chart:
    """One chart of a sample summary."""
    return next(chart for chart in charts(sample_summary(**settings)) if chart.name == name)  # type: ignore[arg-type]


def test_an_older_summary_has_the_charts_of_its_figures() -> None:
    """Eight charts in reading order, named after their files. A chart without figures is left out."""
    names = [chart.name for chart in charts(sample_summary())]

    assert names == [
        "conflict-rate",
        "heatmap",
        "conflict-rate-collapsed",
        "retry-rate",
        "goodput",
        "latency",
        "goodput-latency",
        "wasted-share",
    ]


def test_a_full_summary_has_all_charts_in_reading_order() -> None:
    """Give-ups and attempts per commit follow retries, and fairness follows latency."""
    names = [chart.name for chart in charts(sample_summary(full=True))]

    assert names == [
        "conflict-rate",
        "heatmap",
        "conflict-rate-collapsed",
        "retry-rate",
        "give-up-rate",
        "attempts-per-commit",
        "goodput",
        "latency",
        "latency-distribution",
        "goodput-latency",
        "fairness",
        "wasted-share",
        "time-spent",
        "attempts-over-time",
        "conflict-rate-over-time",
        "latency-over-time",
    ]


def test_nothing_measured_makes_no_chart() -> None:
    """A run that was stopped before its first cell has no charts, and this is no error."""
    assert charts({**sample_summary(), "cells": []}) == []


def test_a_line_per_skew_from_spread_out_to_hot_with_its_d_eff() -> None:
    """Skews are ordered by D_eff, which is beside each name, because theta alone does not compare."""
    labels = [line.label for line in chart("conflict-rate", skews=SKEWS[::-1]).panels[0].lines]

    assert labels == [
        "uniform  (D_eff 1,000)",
        "zipf:0.8  (D_eff 106)",
        "zipf:1.2  (D_eff 13.6)",
        "hot  (D_eff 1)",
    ]


def test_values_intervals_and_predictions_are_those_of_the_summary() -> None:
    """A line has the measured rates, their intervals and the closed form, level by level."""
    summary = sample_summary()
    cells = [cell for cell in summary["cells"] if cell["skew"] == "zipf:1.2"]

    line = charts(summary)[0].panels[0].lines[2]

    assert line.x == USERS
    assert line.y == tuple(cell["conflict_rate"]["value"] for cell in cells)
    assert line.low == tuple(cell["conflict_rate"]["low"] for cell in cells)
    assert line.high == tuple(cell["conflict_rate"]["high"] for cell in cells)
    assert line.predicted_x == USERS
    assert line.predicted_y == tuple(cell["predicted"]["conflict_rate"] for cell in cells)


def test_an_unusable_cell_is_hollow() -> None:
    """Only the point with a saturated client is hollow, and the key explains it."""
    drawn = chart("conflict-rate")

    hollow = [[flag for flag in line.hollow if flag] for line in drawn.panels[0].lines]

    assert hollow == [[], [], [], [True]]
    assert drawn.panels[0].lines[3].hollow[-1]
    assert ("hollow", "not usable, or mostly rejected: see warnings") in drawn.key


def test_an_absent_value_is_a_gap_and_not_zero() -> None:
    """A p99 that is null becomes None."""
    p99 = next(line for line in chart("latency").panels[0].lines if line.meaning == "p99")

    assert p99.y[0] is None
    assert all(value is not None and value > 0 for value in p99.y[1:])


def test_a_chart_without_any_value_still_has_a_scale() -> None:
    """If every wasted share is null, the panel is empty, from 0 to 100 %."""
    drawn = chart("wasted-share", users=(8,), skews=("hot",))

    assert drawn.panels[0].lines[0].y == (None,)
    assert drawn.y.ticks[-1][1] == "100 %"


def test_the_footer_names_what_the_figures_depend_on() -> None:
    """Every chart has the target with its profile, the scenario, keys, policy, redraw and loop."""
    footers = {chart.footer[0] for chart in charts(sample_summary())}

    assert " ".join(footers) == (
        "local (rtt 2 ms, commit 5 ms) · counter · 1,000 keys · retry full-jitter:base=10ms,cap=1s,max=10 · "
        "same keys on retry · closed loop"
    )


def test_without_retries_the_footer_says_so_and_omits_redraw() -> None:
    """A policy without retries does not redraw keys."""
    footer = chart("conflict-rate", retries=("none",)).footer[0]

    assert footer == "local (rtt 2 ms, commit 5 ms) · counter · 1,000 keys · no retry · closed loop"


def test_fresh_keys_on_retry_are_stated() -> None:
    """A retry with the same keys and one with new keys give different results."""
    assert "fresh keys on retry" in chart("goodput", redraws=(True,)).footer[0]


def test_without_retries_the_retry_rate_claims_no_measurement() -> None:
    """Rates that are 0 by definition have no interval."""
    drawn = chart("retry-rate", retries=("none",))

    assert drawn.subtitle == "The retry policy of this run makes no retries."
    assert {value for line in drawn.panels[0].lines for value in line.high} == {None}


def test_a_target_that_waits_for_locks_says_so_on_every_chart() -> None:
    """Plain PostgreSQL waits when the stand-in conflicts; a reader must not confuse the two."""
    subtitles = [chart.subtitle for chart in charts(sample_summary(conflicts="locks"))]

    assert all("This target waits for row locks" in subtitle for subtitle in subtitles)


def test_goodput_has_a_panel_per_skew_on_one_scale_with_the_waste_shaded() -> None:
    """The band in each panel goes from the goodput to the attempts."""
    drawn = chart("goodput")

    assert [panel.title for panel in drawn.panels][-1] == "hot  (D_eff 1)"
    for panel in drawn.panels:
        goodput, attempts = panel.lines
        assert panel.bands[0].low == goodput.y
        assert panel.bands[0].high == attempts.y
        assert all(value <= drawn.y.high for value in attempts.y if value is not None)


def test_the_overview_shows_goodput_alone_in_one_panel() -> None:
    """Four bands in one panel would hide each other."""
    compact = chart("goodput").compact

    assert compact is not None
    assert [line.label.partition(" ")[0] for line in compact.panels[0].lines] == list(SKEWS)
    assert compact.panels[0].bands == ()


def test_a_single_level_puts_the_lines_beside_each_other() -> None:
    """With one level the axis has the skews, and a stroke around each position shows the closed form."""
    drawn = chart("conflict-rate", users=(8,))

    assert drawn.x.label == "at 8 users"
    assert drawn.x.ticks[0][1] == "uniform  (D_eff 1,000)"
    assert [line.x for line in drawn.panels[0].lines] == [(0.0,), (1.0,), (2.0,), (3.0,)]
    assert drawn.panels[0].lines[1].predicted_x == pytest.approx((0.72, 1.28))


def test_a_single_cell_is_a_chart() -> None:
    """One skew at one level has a point, a scale around it, and its setting in the footer."""
    drawn = chart("latency", users=(4,), skews=("hot",), seed=3)

    assert len(drawn.panels[0].lines[0].y) == 1
    assert len(drawn.y.ticks) >= 2
    assert "hot (D_eff 1)" in drawn.footer[0]


def test_policies_beside_skews_split_into_panels() -> None:
    """One panel per skew and one line per policy; labels have only what varies."""
    drawn = chart("conflict-rate", retries=("none", "full-jitter:base=10ms,cap=1s,max=10"))

    assert drawn.panels[0].title == "uniform  (D_eff 1,000)"
    assert [line.label for line in drawn.panels[0].lines] == ["no retry", "retry full-jitter"]
    assert "jitter" not in drawn.footer[0]


def test_policies_of_one_name_keep_their_parameters() -> None:
    """Two full-jitter policies have different labels."""
    lines = (
        chart("conflict-rate", skews=("hot",), retries=("fixed:delay=1ms", "fixed:delay=9ms")).panels[0].lines
    )

    assert [line.label for line in lines] == ["retry fixed:delay=1ms", "retry fixed:delay=9ms"]


def test_redraw_and_scenario_split_lines_too() -> None:
    """Whatever varies, other than users and repeat, gets its own line."""
    lines = chart("conflict-rate", skews=("hot",), redraws=(False, True)).panels[0].lines

    assert [line.label for line in lines] == ["same keys", "fresh keys"]


def test_where_keys_vary_each_line_has_its_own_d_eff() -> None:
    """D_eff depends on the number of keys, so it moves from the panel's title to the line."""
    panel = chart("conflict-rate", skews=("uniform", "zipf:0.8"), keys=(100, 1000)).panels[0]

    assert panel.title == "uniform"
    assert {line.label for line in panel.lines} == {"100 keys  (D_eff 100)", "1,000 keys  (D_eff 1,000)"}


def test_repeats_are_never_averaged() -> None:
    """The line goes through the middle repeat, with its interval; every repeat is a point."""
    summary = sample_summary(repeats=3, skews=("zipf:1.2", "uniform"))
    eight = [cell for cell in summary["cells"] if cell["users"] == 8 and cell["skew"] == "zipf:1.2"]
    middle = sorted(eight, key=lambda cell: cell["latency_ms"]["p50"])[1]

    latency = next(chart for chart in charts(summary) if chart.name == "latency")
    line = next(line for line in latency.panels[0].lines if line.label.startswith("zipf"))

    assert line.y[3] == middle["latency_ms"]["p50"]
    assert sorted(y for x, y, _ in line.repeats if x == 8) == sorted(
        cell["latency_ms"]["p50"] for cell in eight
    )


def test_a_usable_repeat_represents_its_level() -> None:
    """An unusable repeat is shown, but the line uses a usable one if there is one."""
    summary = sample_summary(repeats=2, skews=("hot",), users=(1, 8))
    summary["cells"][-1]["conflict_rate"]["value"] = 0.0

    line = charts(summary)[0].panels[0].lines[0]

    assert line.y[-1] == summary["cells"][-2]["conflict_rate"]["value"]
    assert not line.hollow[-1]
    assert (8.0, 0.0, True) in line.repeats


def test_a_chart_has_a_sentence_for_readers_who_do_not_see_it() -> None:
    """The text for readers who do not see the picture has the last level."""
    alt = chart("conflict-rate").alt

    assert alt.startswith("Conflict rate, against concurrency. At 32 users: uniform  (D_eff 1,000) 1.9 %; ")


def test_no_secret_reaches_a_chart() -> None:
    """A password in the target's label is left out."""
    summary = sample_summary()
    summary["run"]["target"]["label"] = "postgresql://app:hunter2@db.example/x"

    assert all("hunter2" not in repr(chart) for chart in charts(summary))
