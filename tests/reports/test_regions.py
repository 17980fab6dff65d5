"""Runs of several regions in charts and sentences."""

from __future__ import annotations

from typing import Any

from reports.charts.all_charts import Chart, charts
from reports.output import html
from reports.words import facts
from reports.words.sentences import further_sentences
from tests.support.sample_summary import USERS, sample_summary

EAST = ("us-east-1", "us-east-2")


def regional(name: str, **settings: Any) -> Chart:
    """One chart of a sample with two regions."""
    return next(chart for chart in charts(sample_summary(regions=EAST, **settings)) if chart.name == name)


def test_two_more_charts_stand_behind_those_that_they_split() -> None:
    """Only runs with several regions have them; the other charts stay the same."""
    one, two = charts(sample_summary()), charts(sample_summary(regions=EAST))
    names = [chart.name for chart in two]

    for split in ("conflict-rate", "latency"):
        assert names[names.index(split) + 1] == f"{split}-by-region"
    assert [name for name in names if "by-region" not in name] == [chart.name for chart in one]
    assert len(two) == len(one) + 2
    assert [chart.panels for chart in two if "by-region" not in chart.name] == [chart.panels for chart in one]


def test_a_panel_per_line_with_a_line_per_region() -> None:
    """Values and intervals are those of the regions, level by level; nothing is predicted."""
    summary = sample_summary(regions=EAST)
    hot = [cell["regions"] for cell in summary["cells"] if cell["skew"] == "hot"]

    chart = charts(summary)[1]
    near, far = chart.panels[3].lines

    assert [panel.title for panel in chart.panels][3] == "hot  (D_eff 1)"
    assert (near.label, far.label, near.x) == (*EAST, USERS)
    assert far.y == tuple(regions[1]["conflict_rate"]["value"] for regions in hot)
    assert far.low == tuple(regions[1]["conflict_rate"]["low"] for regions in hot)
    assert far.y[0] is None  # the only user was in the other region
    assert not any(line.predicted_x for panel in chart.panels for line in panel.lines)
    assert {panel.lines[1].tint for panel in chart.panels} == {far.tint} != {near.tint}


def test_latency_by_region_has_both_quantiles() -> None:
    """p50 is solid and p99 dotted, for each region; the axis includes the slowest."""
    chart = regional("latency-by-region")

    strokes = {(line.label, line.meaning, line.stroke) for line in chart.panels[0].lines}
    assert strokes == {(name, *way) for name in EAST for way in (("p50", "solid"), ("p99", "dotted"))}
    tops = [y for panel in chart.panels for line in panel.lines for y in line.y if y is not None]
    assert max(tops) < chart.y.high


def test_a_single_line_needs_no_panel_s_title() -> None:
    """Its settings are in the footer. If policies vary, each has a panel."""
    (panel,) = regional("conflict-rate-by-region", skews=("hot",)).panels
    policies = regional("conflict-rate-by-region", skews=("hot",), retries=("none", "immediate"))

    assert panel.title == ""
    assert [panel.title for panel in policies.panels] == ["no retry", "retry immediate"]
    assert all(len(panel.lines) == 2 for panel in policies.panels)


def test_at_one_level_the_regions_stand_beside_each_other() -> None:
    """The axis has their names."""
    chart = regional("conflict-rate-by-region", users=(8,))

    assert [name for _, name in chart.x.ticks] == list(EAST)


def test_a_chart_by_region_has_a_sentence_for_readers_who_do_not_see_it() -> None:
    """The sentence has line and region, at the highest level."""
    alt = regional("conflict-rate-by-region").alt

    assert alt.startswith(
        "Conflict rate by region, against concurrency. At 32 users: uniform  (D_eff 1,000), us-e"
    )
    assert "hot  (D_eff 1), us-east-2 94.9 %." in alt


def test_two_endpoints_of_one_region_are_told_apart() -> None:
    """They are numbered, or one line would hide the other."""
    summary = sample_summary(regions=("us-east-1", "us-east-1"), skews=("hot",))

    lines = charts(summary)[1].panels[0].lines

    assert [line.label for line in lines] == ["us-east-1 (1)", "us-east-1 (2)"]
    assert dict(facts.facts(summary))["regions"] == "us-east-1 (1) and us-east-1 (2)"
    assert any("us-east-1 (1) 7" in sentence for sentence in further_sentences(summary))


def test_the_page_shows_what_the_pictures_show() -> None:
    """The page has both charts, with a key by region, and the facts have the regions."""
    summary = sample_summary(regions=EAST)
    page = html.page(summary, charts(summary))

    for name in ("conflict-rate-by-region", "latency-by-region"):
        assert f'id="{name}"' in page
    assert 'data-line="us-east-2"' in page
    assert ("regions", "us-east-1 and us-east-2") in facts.facts(summary)
    assert "regions" not in dict(facts.facts(sample_summary()))


def test_a_sentence_has_the_hot_line_by_region() -> None:
    """The sentence is about the highest usable level; with one region there is none."""
    sentences = [
        sentence for sentence in further_sentences(sample_summary(regions=EAST)) if "by region" in sentence
    ]

    assert len(sentences) == 1
    assert sentences[0].startswith("Conflict rate by region, on one hot row at 16 users: us-east-1 77.")
    assert ", us-east-2 91.0 % (goodput " in sentences[0]
    assert not any("by region" in sentence for sentence in further_sentences(sample_summary()))
