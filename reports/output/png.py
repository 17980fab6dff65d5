"""Charts as PNG files. The only module that uses matplotlib. Figures are objects without shared state."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import NullLocator
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from reports.charts import forms, layout
from reports.charts.forms import MARGIN_IN, Entry, Form
from reports.charts.layout import Box
from reports.charts.marks import Band, Bar, Chart, Line, Note, Numbers, Panel, Sign, Tile, Tint
from reports.output import palette

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.text import Text

    from reports.charts.scales import Axis

DPI = 150
OVERVIEW = "contention"
"""Stem of the picture that shows four charts at once."""

_OVERVIEW_OF = ("conflict-rate", "goodput", "latency", "wasted-share")
_OVERVIEW_OF_OBSERVED = (
    "conflict-rate-in-flight",
    "latency-distribution",
    "attempts-over-time",
    "conflict-rate-over-time",
)
"""Of a run without the charts above."""
_OVERVIEW_WIDTH_IN = 8.4
_FONT = "DejaVu Sans"  # ships with matplotlib: the same picture on every machine
_TITLE_PT, _TEXT_PT, _SMALL_PT = 15.0, 10.0, 8.8
_DOTTED, _DASHED = (0, (1, 1.4)), (0, (5, 2.5))
_MARKERS = "osD^v<>p"
_TRIANGLE = 1.7
"""Factor of the area at which a triangle looks as large as a circle."""
_LARGE, _SMALL, _TINY, _DENSE, _RING = 44.0, 24.0, 13.0, 5.0, 130.0  # areas of markers, in square points
_NOTE_PT = 8.0
_COMPRESSION = 3
"""Files are 10 % larger than at zlib's usual 6, and are written in two thirds of the time."""
_PALE = 0.35
_SHADES = {
    "warmup": (palette.MUTED, 0.13),
    "unsettled": (palette.LIGHT[5], 0.22),
    "stalled": (palette.LIGHT[7], 0.18),
}
"""Colour and opacity of a period."""
_STRONG = 0.55
"""From this strength on the text of a tile is light."""
_SIDES = {
    "above": ((0.0, 7.5), "center", "bottom"),
    "right": ((9.0, 0.0), "left", "center"),
    "below": ((0.0, -7.5), "center", "top"),
    "left": ((-9.0, 0.0), "right", "center"),
}
"""The position of a text beside a point: its offset in points, and its anchor."""


@dataclass(frozen=True, slots=True)
class _Sheet:
    """The part of a figure that one chart may use, in inches."""

    figure: Figure
    box: Box

    def text(self, x_in: float, y_in: float, words: str, **style: Any) -> Text:
        """Write a text at a position in inches from the sheet's lower left."""
        return self.figure.text(*self._at(x_in, y_in), words, family=_FONT, parse_math=False, **style)

    def axes(self, box: Box) -> Axes:
        """Axes in a box whose position is in inches from the sheet's lower left."""
        return self.figure.add_axes((*self._at(box.left, box.bottom), *self._share(box.width, box.height)))

    def legend(self, y_in: float, entries: Sequence[Entry]) -> None:
        """One row of the key, its upper edge at `y_in`."""
        drawn = self.figure.legend(
            [_handle(shown) for shown, _ in entries],
            [words for _, words in entries],
            loc="upper left",
            bbox_to_anchor=self._at(MARGIN_IN, y_in),
            ncols=len(entries),
            frameon=False,
            borderaxespad=0,
            borderpad=0.2,
            handletextpad=0.6,
            columnspacing=1.8,
            prop={"family": _FONT, "size": _SMALL_PT},
            labelcolor=palette.MUTED,
        )
        for text in drawn.get_texts():
            text.set_parse_math(False)

    def _at(self, x_in: float, y_in: float) -> tuple[float, float]:
        return self._share(self.box.left + x_in, self.box.bottom + y_in)

    def _share(self, width_in: float, height_in: float) -> tuple[float, float]:
        return width_in / self.figure.get_figwidth(), height_in / self.figure.get_figheight()


def draw(charts: Sequence[Chart], directory: Path) -> list[Path]:
    """Write one PNG per chart, named after it, and the overview; nothing if there are no charts.

    Returns:
        The files written, the overview last.
    """
    figures = [(chart.name, chart.alt, figure(chart)) for chart in charts]
    if charts:
        figures.append((OVERVIEW, " ".join(chart.alt for chart in charts), overview(charts)))
    return [_save(drawn, directory / f"{name}.png", alt) for name, alt, drawn in figures]


def figure(chart: Chart) -> Figure:
    """Draw one chart."""
    form = forms.form(chart, forms.width_in(chart))
    notes = forms.notes_in(chart.footer, form.width)
    drawn = _blank(form.width, form.height + notes)
    _compose(_Sheet(drawn, Box(0.0, notes, form.width, form.height)), chart, form)
    _notes(drawn, chart.footer)
    return drawn


def overview(charts: Sequence[Chart]) -> Figure:
    """Draw the four main charts in one picture, with their settings once below them."""
    main = [chart for chart in charts if chart.name in _OVERVIEW_OF]
    main = main or [chart for chart in charts if chart.name in _OVERVIEW_OF_OBSERVED] or list(charts[:4])
    chosen = [chart.compact or chart for chart in main]
    across = 2 if all(len(chart.panels) == 1 for chart in chosen) else 1
    width = _OVERVIEW_WIDTH_IN if across > 1 else max(forms.width_in(chart) for chart in chosen)
    sizes = [forms.form(chart, width) for chart in chosen]
    tall = [max(form.height for form in sizes[row : row + across]) for row in range(0, len(sizes), across)]
    notes = forms.notes_in(chosen[0].footer, width * across)
    drawn = _blank(width * across, sum(tall) + notes)
    for place, (chart, form) in enumerate(zip(chosen, sizes, strict=True)):
        row = place // across
        box = Box((place % across) * width, notes + sum(tall[row + 1 :]), width, tall[row])
        _compose(_Sheet(drawn, box), chart, replace(form, height=tall[row]))
    _notes(drawn, chosen[0].footer)
    return drawn


def _blank(width: float, height: float) -> Figure:
    drawn = Figure(figsize=(width, height), dpi=DPI, facecolor=palette.PAPER)
    FigureCanvasAgg(drawn)
    return drawn


def _save(drawn: Figure, path: Path, alt: str) -> Path:
    """Write a picture without transparency, which takes half the time of matplotlib's `savefig`."""
    drawn.canvas.draw()
    image = Image.fromarray(np.asarray(drawn.canvas.buffer_rgba())).convert("RGB")  # type: ignore[attr-defined]
    texts = PngInfo()
    texts.add_text("Software", "hotrow")
    texts.add_text("Description", alt)
    image.save(path, compress_level=_COMPRESSION, pnginfo=texts, dpi=(DPI, DPI))
    return path


def _notes(drawn: Figure, lines: tuple[str, ...]) -> None:
    """Write the settings and the origin at the foot of the figure."""
    sheet = _Sheet(drawn, Box(0, 0, drawn.get_figwidth(), drawn.get_figheight()))
    text = "\n".join(forms.note_lines(lines, sheet.box.width))
    sheet.text(MARGIN_IN, 0.16, text, size=_SMALL_PT, color=palette.MUTED, va="bottom", linespacing=1.5)


def _compose(sheet: _Sheet, chart: Chart, form: Form) -> None:
    room = _label_room_in(sheet, chart.panels[0].lines) if form.direct else 0.0
    width = form.width - form.left - MARGIN_IN - room
    inner = Box(form.left, form.foot, width, form.height - form.head - form.foot)
    boxes = layout.grid(inner, len(chart.panels), forms.GAP_IN, forms.row_gap_in(form.titles))
    _heading(sheet, chart, form)
    for place, (panel, box) in enumerate(zip(chart.panels, boxes, strict=True)):
        axes = sheet.axes(box)
        _frame(axes, chart, box.width, outer=place % layout.columns(len(boxes)) == 0)
        _panel(axes, panel, box.width)
        if form.direct:
            _direct_labels(axes, panel.lines, box.height)
    sheet.text(inner.left + width / 2, 0.17, chart.x.label, size=_TEXT_PT, color=palette.MUTED, ha="center")


def _heading(sheet: _Sheet, chart: Chart, form: Form) -> None:
    top = sheet.box.height
    sheet.text(MARGIN_IN, top - 0.42, chart.title, size=_TITLE_PT, weight="bold", color=palette.INK)
    for number, line in enumerate(form.subtitle):
        y_in = top - 0.7 - forms.LINE_IN * number
        sheet.text(MARGIN_IN, y_in, line, size=_TEXT_PT, color=palette.MUTED)
    below = top - 0.6 - forms.LINE_IN * len(form.subtitle)
    for number, row in enumerate(form.key):
        sheet.legend(below - forms.KEY_ROW_IN * number, row)
    label_in = top - form.head + 0.1 + forms.TITLE_IN * form.titles
    sheet.text(MARGIN_IN, label_in, chart.y.label, size=_SMALL_PT, color=palette.MUTED)


def _handle(shown: Sign | Line | Bar) -> Artist:
    """The key's mark for a sign, or for the colour of a line or bar."""
    if isinstance(shown, Bar):
        return Patch(facecolor=_fill(shown.tint))
    if isinstance(shown, Line):
        colour, marker = _colour(shown.tint), _marker(shown.tint)
        return Line2D([], [], color=colour, marker=marker, markersize=6, linewidth=2)
    grey = palette.MUTED
    dot: dict[str, Any] = {"color": grey, "linestyle": "", "marker": "o"}
    signs: dict[Sign, Artist] = {
        "point": Line2D([], [], color=grey, marker="o", markersize=6, linewidth=2),
        "solid": Line2D([], [], color=grey, linewidth=2),
        "dotted": Line2D([], [], color=grey, linewidth=2, linestyle=_DOTTED),
        "dashed": Line2D([], [], color=grey, linewidth=1.4, linestyle=_DASHED),
        "large": Line2D([], [], markersize=7, **dot),
        "small": Line2D([], [], markersize=4.5, **dot),
        "hollow": Line2D([], [], markersize=7, markerfacecolor=palette.PAPER, **dot),
        "repeat": Line2D([], [], markersize=4, alpha=0.45, **dot),
        "band": Patch(facecolor=grey, alpha=0.2),
        "warmup": Patch(facecolor=palette.MUTED, alpha=_SHADES["warmup"][1]),
        "unsettled": Patch(facecolor=_SHADES["unsettled"][0], alpha=_SHADES["unsettled"][1]),
        "stalled": Patch(facecolor=_SHADES["stalled"][0], alpha=_SHADES["stalled"][1]),
        "pale": Patch(facecolor=grey, alpha=_PALE),
        "front": Line2D([], [], **{**dot, "color": palette.INK}, markersize=10, markerfacecolor="none"),
    }
    return signs[shown]


def _fill(tint: Tint | None) -> str:
    """The colour of a part of a stack; grey for the rest."""
    return palette.FAINT if tint is None else _colour(tint)


def _colour(tint: Tint) -> str:
    return palette.LIGHT[palette.hue(tint)]


def _marker(tint: Tint) -> str:
    return _MARKERS[palette.shape(tint)]


def _floats(values: Numbers) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _frame(axes: Axes, chart: Chart, width_in: float, *, outer: bool) -> None:
    """Scales, ticks and a light horizontal grid; no box."""
    _scale(
        axes, chart.x, "x", ["\n".join(forms.tick_lines(name, chart, width_in)) for _, name in chart.x.ticks]
    )
    named = chart.y.scale == "categories"
    names = forms.row_names(chart.y) if named else [name for _, name in chart.y.ticks]
    _scale(axes, chart.y, "y", names)
    axes.set_facecolor("none")
    if not named:
        axes.grid(visible=True, axis="y", color=palette.GRID, linewidth=0.9)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set(visible=not named, color=palette.FAINT)
    axes.tick_params(axis="both", length=0, pad=6)
    axes.tick_params(axis="y", labelleft=outer)


def _scale(axes: Axes, axis: Axis, side: str, names: Sequence[str]) -> None:
    if axis.scale in {"levels", "log"}:
        axes.set(**{f"{side}scale": "log"})
    axes.set(**{f"{side}lim": (axis.low, axis.high)})
    target = axes.xaxis if side == "x" else axes.yaxis
    size = _SMALL_PT if axis.scale == "names" else _TEXT_PT
    target.set_minor_locator(NullLocator())
    positions = [position for position, _ in axis.ticks]
    target.set_ticks(positions, names, family=_FONT, size=size, color=palette.MUTED, parse_math=False)


def _panel(axes: Axes, panel: Panel, width_in: float) -> None:
    for shade in panel.shades:
        colour, alpha = _SHADES[shade.period]
        axes.axvspan(shade.low, shade.high, facecolor=colour, alpha=alpha, linewidth=0, zorder=0.5)
    for tile in panel.tiles:
        _tile(axes, tile, _colour(panel.tint))
    for bar in panel.bars:
        _bar(axes, bar)
    for band in panel.bands:
        _band(axes, band)
    if panel.curve:
        x, y = zip(*panel.curve, strict=True)
        axes.plot(x, y, color=palette.MUTED, linewidth=1.6, linestyle=_DASHED, zorder=2.6)
    for points in panel.fronts:
        _front(axes, points)
    for line in panel.lines:
        _line(axes, line)
    style: dict[str, Any] = {"family": _FONT, "size": _TEXT_PT, "parse_math": False}
    title = "\n".join(forms.title_lines(panel.title, width_in))
    axes.set_title(title, loc="left", weight="bold", color=palette.INK, **style)
    if not panel.bars and not panel.tiles and all(y is None for line in panel.lines for y in line.y):
        axes.text(0.5, 0.5, "no value", transform=axes.transAxes, ha="center", color=palette.MUTED, **style)


def _tile(axes: Axes, tile: Tile, colour: str) -> None:
    """A rectangle with its value: filled as strongly as the value is high, or an outline if hollow."""
    face = "none" if tile.hollow else to_rgba(colour, tile.strength)
    axes.add_patch(
        Rectangle(
            (tile.x - 0.47, tile.y - 0.46),
            0.94,
            0.92,
            facecolor=face,
            edgecolor=colour if tile.hollow else palette.PAPER,
            linewidth=1.2 if tile.hollow else 0.0,
        )
    )
    axes.text(
        tile.x,
        tile.y,
        tile.text,
        ha="center",
        va="center_baseline",
        family=_FONT,
        size=_SMALL_PT,
        color=palette.PAPER if tile.strength > _STRONG else palette.INK,
        parse_math=False,
    )


def _bar(axes: Axes, bar: Bar) -> None:
    """One part of every stack, with a thin gap to the next part."""
    heights = [high - low for low, high in zip(bar.low, bar.high, strict=True)]
    colours = [to_rgba(_fill(bar.tint), _PALE if is_pale else 1.0) for is_pale in bar.pale]
    axes.bar(bar.x, heights, 0.78, bar.low, color=colours, edgecolor=palette.PAPER, linewidth=0.6, zorder=2)


def _band(axes: Axes, band: Band) -> None:
    low, high = _floats(band.low), _floats(band.high)
    axes.fill_between(band.x, low, high, color=_colour(band.tint), alpha=0.16, linewidth=0)


def _line(axes: Axes, line: Line) -> None:
    colour, x, y = _colour(line.tint), np.array(line.x), _floats(line.y)
    style: Any = _DOTTED if line.stroke == "dotted" else "-"
    thin = line.stroke == "faint"
    # a line is faded so that the dashes of a closed form that fits are seen on it
    faded = 0.45 if line.predicted_x or thin else 1.0
    width = 1.2 if thin else 1.6 if line.dense else 2.2
    axes.plot(x, y, color=colour, linewidth=width, linestyle=style, alpha=faded, zorder=2.7)
    if any(low is not None for low in line.low):
        low, high = _floats(line.low), _floats(line.high)
        axes.vlines(x, low, high, color=colour, linewidth=2.4, alpha=0.4, zorder=2.5)
    if line.predicted_x:
        axes.plot(
            line.predicted_x, line.predicted_y, color=colour, linewidth=1.4, linestyle=_DASHED, zorder=3
        )
    for at, height, is_hollow in line.repeats:
        _points(axes, line, np.array([at]), np.array([height]), hollow=is_hollow, size=_TINY)
    hollow = np.array(line.hollow, dtype=np.bool_)
    size = _DENSE if line.dense else _SMALL if line.stroke == "dotted" else _LARGE
    _points(axes, line, x[~hollow], y[~hollow], hollow=False, size=size)
    _points(axes, line, x[hollow], y[hollow], hollow=True, size=size)
    for note in line.notes:
        _note(axes, note, colour)


def _note(axes: Axes, note: Note, colour: str) -> None:
    """Write a text beside a point, on the side that is free."""
    (dx, dy), across, up = _SIDES[note.side]
    axes.annotate(
        note.text,
        (note.x, note.y),
        (dx, dy),
        textcoords="offset points",
        ha=across,
        va=up,
        family=_FONT,
        size=_NOTE_PT,
        color=colour,
        parse_math=False,
        zorder=5,
    )


def _front(axes: Axes, points: Sequence[tuple[float, float]]) -> None:
    """Draw rings about the points of a Pareto front, and join them."""
    x, y = [at for at, _ in points], [height for _, height in points]
    axes.plot(x, y, color=palette.MUTED, linewidth=1.0, linestyle=_DOTTED, alpha=0.6, zorder=2.2)
    axes.scatter(
        x, y, s=_RING, facecolors="none", edgecolors=palette.INK, linewidths=1.1, zorder=4.5, clip_on=False
    )


def _points(
    axes: Axes,
    line: Line,
    x: np.ndarray[Any, np.dtype[np.float64]],
    y: np.ndarray[Any, np.dtype[np.float64]],
    *,
    hollow: bool,
    size: float,
) -> None:
    if not len(x):
        return
    colour = _colour(line.tint)
    axes.scatter(
        x,
        y,
        s=size * (_TRIANGLE if _marker(line.tint) in "^v<>" else 1.0),
        marker=_marker(line.tint),
        facecolors=palette.PAPER if hollow else colour,
        edgecolors=colour if hollow else palette.PAPER,
        linewidths=0.0 if size == _DENSE and not hollow else 1.6 if hollow else 0.9,
        alpha=0.4 if size == _TINY else 1.0,
        zorder=4,
        clip_on=False,
    )


def _label_room_in(sheet: _Sheet, lines: Sequence[Line]) -> float:
    """The width of the widest name at a line's end, measured by drawing it."""
    widest = 0.0
    for line in lines:
        text = sheet.text(0, 0, "\n".join(forms.label_lines(line.label)), size=_TEXT_PT)
        widest = max(widest, text.get_window_extent().width / DPI)
        text.remove()
    return widest + 0.05


def _ends(lines: Sequence[Line]) -> list[tuple[Line, float, float]]:
    """The last present point of each series' first line, beside which its name is written."""
    firsts = {line.label: line for line in reversed(lines)}.values()
    ends = [(line, [(x, y) for x, y in zip(line.x, line.y, strict=True) if y is not None]) for line in firsts]
    return [(line, *points[-1]) for line, points in ends if points]


def _direct_labels(axes: Axes, lines: Sequence[Line], height_in: float) -> None:
    """Write names at the lines' right ends, moved apart so that they do not touch."""
    ends = _ends(lines)
    to_axes = axes.transData + axes.transAxes.inverted()
    middles = [float(to_axes.transform((x, y))[1]) * height_in for _, x, y in ends]
    sizes = [forms.label_height_in(line.label) for line, _, _ in ends]
    moved = layout.spread(middles, sizes, (-0.1, height_in + 0.1))
    for (line, _, _), middle in zip(ends, moved, strict=True):
        axes.text(
            1.015,
            middle / height_in,
            "\n".join(forms.label_lines(line.label)),
            transform=axes.transAxes,
            va="center",
            family=_FONT,
            size=_TEXT_PT,
            color=_colour(line.tint),
            parse_math=False,
        )
