"""Tiles, stacks, periods and curves in both forms: as a picture and as a figure of the page."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from reports.charts.all_charts import charts
from reports.output import html, palette, png
from reports.output import plotly_figures as interactive
from tests.support.sample_summary import sample_summary

if TYPE_CHECKING:
    from reports.charts.marks import Chart

SUMMARY = sample_summary(
    full=True, skews=("uniform", "hot"), users=(1, 8), knobs=({"shards": 1}, {"shards": 4})
)
CHARTS = {chart.name: chart for chart in charts(SUMMARY)}
NEW = (
    "heatmap",
    "conflict-rate-collapsed",
    "knob-shards-goodput",
    "latency-distribution",
    "time-spent",
    "attempts-over-time",
)


def boxes(name: str) -> list[Rectangle]:
    """The rectangles on the first pair of axes of a picture."""
    axes = png.figure(CHARTS[name]).axes[0]
    return [patch for patch in axes.patches if isinstance(patch, Rectangle)]


def first_figure(chart: Chart) -> dict[str, Any]:
    """The figure of a chart's first panel."""
    return interactive.figure(chart, chart.panels[0])


@pytest.mark.parametrize("name", NEW)
def test_a_figure_of_the_page_is_valid(name: str) -> None:
    """Plotly's own validation accepts every property."""
    figures = [interactive.figure(CHARTS[name], panel) for panel in CHARTS[name].panels]

    assert figures
    for figure in figures:
        go.Figure(json.loads(re.sub(r'"@[a-z]+\d?(/[.\d]+)?"', '"#123456"', json.dumps(figure))))


def test_the_tiles_are_as_strong_in_both_forms() -> None:
    """The opacity of a filled tile is its strength; a hollow one is an outline."""
    tiles = CHARTS["heatmap"].panels[0].tiles
    faces = [patch.get_facecolor()[3] for patch in boxes("heatmap")]
    shapes = first_figure(CHARTS["heatmap"])["layout"]["shapes"]

    assert faces == [0.0 if tile.hollow else pytest.approx(tile.strength) for tile in tiles]
    assert [float(shape["fillcolor"].split("/")[1]) for shape in shapes] == pytest.approx(faces, abs=0.001)
    assert [shape["line"]["width"] > 0 for shape in shapes] == [tile.hollow for tile in tiles]


def test_the_stacks_are_as_high_in_both_forms() -> None:
    """The picture draws each part from its lower end, the page stacks them."""
    bars = CHARTS["time-spent"].panels[0].bars
    figure = first_figure(CHARTS["time-spent"])
    heights = [high - low for bar in bars for low, high in zip(bar.low, bar.high, strict=True)]

    assert [patch.get_height() for patch in boxes("time-spent")] == pytest.approx(heights)
    assert [patch.get_y() for patch in boxes("time-spent")] == [low for bar in bars for low in bar.low]
    assert [y for trace in figure["data"] for y in trace["y"]] == pytest.approx(heights)
    assert figure["layout"]["barmode"] == "stack"


def test_the_rest_is_grey_and_the_parts_have_their_colours() -> None:
    """In the picture, in the figure and in the page's key."""
    parts = CHARTS["time-spent"].panels[0].bars
    colours = [trace["marker"]["color"] for trace in first_figure(CHARTS["time-spent"])["data"]]
    key = re.findall(
        r'--(\w+)\)">\s*<path[^>]*/></svg>\s*([a-z ]+)<', html.page(SUMMARY, [CHARTS["time-spent"]])
    )

    assert to_hex(boxes("time-spent")[-1].get_facecolor()).upper() == palette.FAINT
    assert (colours[-1], parts[-1].label) == ("@grid", "other")
    assert [f"@{colour}" for colour, _ in key] == colours
    assert [label for _, label in key] == [part.label for part in parts]


def test_the_warmup_is_shaded_in_both_forms() -> None:
    """From the first bin to 0 s, over the whole height."""
    (shape,) = first_figure(CHARTS["attempts-over-time"])["layout"]["shapes"]
    spans = [(patch.get_x(), patch.get_width()) for patch in boxes("attempts-over-time")]

    assert (shape["x0"], shape["x1"], shape["yref"]) == (-2.0, 0.0, "paper")
    assert spans == [(-2.0, 2.0)]


def test_the_curve_belongs_to_no_line() -> None:
    """It stays visible when lines are switched off."""
    traces = [
        trace
        for trace in first_figure(CHARTS["conflict-rate-collapsed"])["data"]
        if "legendgroup" not in trace
    ]

    assert [trace["line"]["dash"] for trace in traces] == ["6px,4px"]
    assert len(traces[0]["x"]) == len(CHARTS["conflict-rate-collapsed"].panels[0].curve)


def test_a_text_of_a_tile_is_escaped() -> None:
    """A skew with markup is text in every hover."""
    summary = json.loads(json.dumps(SUMMARY).replace('"uniform"', '"<b>uniform"'))
    chart = next(chart for chart in charts(summary) if chart.name == "heatmap")

    assert "<b>" not in json.dumps(first_figure(chart)["data"])


@pytest.mark.parametrize("name", ["heatmap", "time-spent"])
def test_hover_texts_are_broken_to_the_width_of_a_phone(name: str) -> None:
    """One long line would be cut off at the edges of its panel."""
    texts = [text for trace in first_figure(CHARTS[name])["data"] for text in trace["hovertext"]]

    assert texts
    assert max(len(line) for text in texts for line in text.split("<br>")) <= 36
