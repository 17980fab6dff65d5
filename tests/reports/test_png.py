"""PNG files: their content and size, with nothing cut off or overlapping."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from matplotlib.text import Text
from PIL import Image

from reports.charts import forms
from reports.charts.all_charts import Chart, charts
from reports.output import palette, png
from reports.output.png import OVERVIEW
from tests.support.sample_summary import sample_summary

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.transforms import Bbox

Pixels = np.ndarray[Any, np.dtype[np.uint8]]

BY_REGION = ("conflict-rate-by-region", "latency-by-region")
VARIANTS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "four skews": ({"full": True}, ()),
    "one level": (
        {"users": (8,), "full": True},
        ("conflict-rate", "latency", "goodput-latency", "time-spent", OVERVIEW),
    ),
    "one cell": (
        {"users": (8,), "skews": ("hot",), "full": True},
        ("conflict-rate", "attempts-per-commit", "time-spent", "attempts-over-time"),
    ),
    "policies": (
        {"users": (1, 4, 8), "retries": ("none", "full-jitter:base=10ms,cap=1s,max=10")},
        ("goodput", "goodput-latency", "heatmap", "conflict-rate-collapsed", OVERVIEW),
    ),
    "two regions": (
        {"skews": ("uniform", "zipf:1.2", "hot"), "regions": ("us-east-1", "us-east-2")},
        BY_REGION,
    ),
    "two regions, one line": (
        {"skews": ("hot",), "regions": ("us-east-1", "us-east-2")},
        (*BY_REGION, "goodput"),
    ),
    "three regions, one level": (
        {"users": (8,), "regions": ("us-east-1", "us-east-2", "ap-northeast-1")},
        BY_REGION,
    ),
    "knobs, kinds and all figures": (
        {
            "skews": ("hot",),
            "users": (1, 4, 16),
            "knobs": ({"shards": 1}, {"shards": 4}),
            "kinds": ("order", "transfer"),
        },
        (
            "goodput-by-kind",
            "latency-by-kind",
            "knob-shards-goodput",
            "goodput-latency",
            "fairness",
            "time-spent",
            "conflict-rate-over-time",
        ),
    ),
    "many lines": (
        {
            "skews": ("hot",),
            "users": (1, 8),
            "retries": ("none", "immediate", "fixed:delay=1ms", "fixed:delay=9ms", "aws-connector"),
            "redraws": (False, True),
        },
        ("conflict-rate", "goodput", "goodput-latency"),
    ),
}
"""Settings of a sample, and the charts whose layout differs for them; no name means every chart."""


def named(name: str, **settings: Any) -> Chart:
    """One chart of a sample summary."""
    return next(chart for chart in charts(sample_summary(**settings)) if chart.name == name)


def points(axes: Axes) -> list[PathCollection]:
    """The markers on a pair of axes."""
    return [artist for artist in axes.collections if isinstance(artist, PathCollection)]


def colour(rgba: Any) -> str:
    """The colour of a marker, in the palette's notation."""
    return to_hex(rgba[0]).upper()


def pixels(drawn: Figure) -> Pixels:
    """The figure as it is saved: height x width x RGBA."""
    drawn.canvas.draw()
    return np.asarray(drawn.canvas.buffer_rgba())  # type: ignore[attr-defined]


def texts_of(drawn: Figure) -> list[Text]:
    """Every visible text of a figure."""
    key = [text for legend in drawn.legends for text in legend.get_texts()]
    return [*drawn.texts, *key, *(text for axes in drawn.axes for text in texts_on(axes))]


def texts_on(axes: Axes) -> list[Text]:
    """Every visible text on a pair of axes."""
    ticks = axes.get_yticklabels() if axes.yaxis.get_tick_params()["labelleft"] else []
    titles = [child for child in axes.get_children() if isinstance(child, Text)]
    return [*titles, *axes.get_xticklabels(), *ticks]


def touching(one: Bbox, other: Bbox) -> bool:
    """Whether two boxes overlap by more than the two pixels of leading in a text's box."""
    beside = one.x1 <= other.x0 or other.x1 <= one.x0
    above = one.y1 - 2 <= other.y0 or other.y1 - 2 <= one.y0
    return not beside and not above


def test_a_file_per_chart_and_an_overview(tmp_path: Path) -> None:
    """The files are PNGs, named after their charts, with the size from the layout."""
    drawn = [named("conflict-rate"), named("wasted-share")]

    files = png.draw(drawn, tmp_path)

    assert files == [tmp_path / f"{name}.png" for name in ("conflict-rate", "wasted-share", "contention")]
    form = forms.form(drawn[0], forms.width_in(drawn[0]))
    height = form.height + forms.notes_in(drawn[0].footer, form.width)
    with Image.open(files[0]) as image:
        assert image.format == "PNG"
        assert image.size == pytest.approx((1500, png.DPI * height), abs=1)
        assert image.info["Description"] == drawn[0].alt


def test_no_chart_no_file(tmp_path: Path) -> None:
    """An empty run has no pictures."""
    assert png.draw([], tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_an_unusable_point_is_drawn_hollow() -> None:
    """Only that point has the paper's colour inside and the line's colour around it."""
    axes = png.figure(named("conflict-rate")).axes[0]

    hollow = [
        (float(x), colour(artist.get_edgecolor()))
        for artist in points(axes)
        for x, _ in np.asarray(artist.get_offsets())
        if colour(artist.get_facecolor()) == palette.PAPER
    ]

    assert hollow == [(32.0, palette.LIGHT[7])]


def test_the_closed_form_is_dashed_in_the_colour_of_its_line() -> None:
    """Measured and predicted values differ in the stroke and share the colour."""
    axes = png.figure(named("conflict-rate")).axes[0]

    dashed = [line for line in axes.lines if line.get_linestyle() == "--"]

    assert [line.get_color() for line in dashed] == [palette.LIGHT[index] for index in (1, 3, 5, 7)]


def test_an_absent_value_leaves_a_gap() -> None:
    """A value that is null is not drawn as a number."""
    axes = png.figure(named("latency")).axes[0]

    assert np.isnan(np.asarray(axes.lines[1].get_ydata())[0])


def test_concurrency_is_spaced_by_factors_and_latency_too() -> None:
    """Equal factors have equal distances."""
    axes = png.figure(named("latency")).axes[0]

    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert [text.get_text() for text in axes.get_xticklabels()] == ["1", "2", "4", "8", "16", "32"]


def test_panels_of_goodput_share_their_scale() -> None:
    """Heights can be compared across panels."""
    limits = {axes.get_ylim() for axes in png.figure(named("goodput")).axes}

    assert len(limits) == 1


def test_a_panel_without_a_value_says_so() -> None:
    """An empty frame would look like 0."""
    axes = png.figure(named("wasted-share", users=(8,), skews=("uniform",))).axes[0]

    assert "no value" in [text.get_text() for text in axes.texts]


@pytest.fixture(scope="module", params=VARIANTS)
def pictures(request: pytest.FixtureRequest) -> list[tuple[Figure, Pixels]]:
    """The pictures of a run, drawn."""
    settings, names = VARIANTS[request.param]
    drawn = charts(sample_summary(**settings))
    chosen = [chart for chart in drawn if chart.name in names or not names]
    overview = [png.overview(drawn)] if OVERVIEW in names or not names else []
    assert {chart.name for chart in chosen} >= {*names} - {OVERVIEW}
    return [(figure, pixels(figure)) for figure in (*map(png.figure, chosen), *overview)]


def test_nothing_runs_off_the_picture(pictures: list[tuple[Figure, Pixels]]) -> None:
    """The outermost pixels of every picture are empty, so no text and no mark is cut off."""
    assert pictures
    for _, image in pictures:
        edges = (image[:4], image[-4:], image[:, :4], image[:, -4:])
        assert all((edge == 255).all() for edge in edges)


def test_texts_do_not_overlap(pictures: list[tuple[Figure, Pixels]]) -> None:
    """Titles, ticks, names, key and notes do not touch."""
    assert pictures
    for figure, _ in pictures:
        boxes = [text.get_window_extent() for text in texts_of(figure) if text.get_text().strip()]
        assert len(boxes) > 5
        pairs = itertools.combinations(boxes, 2)
        assert [pair for pair in pairs if touching(*pair)] == []


def test_a_dollar_in_a_name_is_a_dollar() -> None:
    """Names are not read as formulas."""
    summary = sample_summary(users=(1, 8))
    for cell in summary["cells"]:
        cell["scenario"] = "pay $x^2$"

    texts = texts_of(png.figure(charts(summary)[0]))

    assert any("pay $x^2$" in text.get_text() for text in texts)
    assert not any(text.get_parse_math() for text in texts if text.get_text())
