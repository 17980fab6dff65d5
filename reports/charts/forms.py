"""The sizes of a chart and its texts, in inches: the part of a picture that needs no drawing. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reports.charts import layout
from reports.charts.layout import wrapped
from reports.charts.marks import Bar, Chart, Line, Sign

if TYPE_CHECKING:
    from reports.charts.scales import Axis

MARGIN_IN, LEFT_IN, GAP_IN = 0.3, 0.85, 0.3
LINE_IN, KEY_ROW_IN, TITLE_IN = 0.2, 0.24, 0.24
_LABEL_IN = 0.18
_PLOT_IN, _PANEL_IN = 3.4, 2.6
_CHARACTERS_PER_INCH = 11.5  # of normal text, estimated low to be safe
_SMALL_CHARACTERS_PER_INCH = 13.0
_LABEL_CHARACTERS = 28

_ROW_IN = 0.46
"""Height of a row of tiles."""
_ROW_CHARACTERS, _MAX_ROW_CHARACTERS, _ROW_LINES = 17, 36, 2

Entry = tuple[Sign | Line | Bar, str]
"""One entry of the key: its sign, line or bar, and its words."""


@dataclass(frozen=True, slots=True)
class Form:
    """The sizes of the parts of a chart, in inches, and its texts broken into lines."""

    width: float
    height: float
    left: float
    """Room for the texts of the y axis."""
    head: float
    foot: float
    subtitle: tuple[str, ...]
    key: tuple[tuple[Entry, ...], ...]
    """Rows."""
    titles: int
    """How many text lines the panels' titles need."""
    direct: bool
    """Whether lines are named at their ends instead of in the key."""


def form(chart: Chart, width: float) -> Form:
    """The sizes of a chart that is `width` inches wide."""
    direct = len(chart.panels) == 1 and chart.x.scale == "levels"
    subtitle = wrapped(chart.subtitle, int((width - 2 * MARGIN_IN) * _CHARACTERS_PER_INCH))
    key = _key_rows(chart, width, coloured=not direct and chart.x.scale != "names")
    panel_in = _panel_width(chart, width)
    titles = max(
        (len(title_lines(panel.title, panel_in)) for panel in chart.panels if panel.title), default=0
    )
    head = 0.88 + LINE_IN * len(subtitle) + KEY_ROW_IN * len(key) + TITLE_IN * titles
    foot = 0.5 + 0.16 * max(len(tick_lines(name, chart, panel_in)) for _, name in chart.x.ticks)
    height = _plots(chart, direct=direct, titles=titles) + head + foot
    return Form(width, height, left_in(chart), head, foot, tuple(subtitle), key, titles, direct)


def named(chart: Chart) -> list[Line | Bar]:
    """The first line or bar of each name in the first panel, in order: what a key of colours shows."""
    shown: tuple[Line | Bar, ...] = (*chart.panels[0].lines, *chart.panels[0].bars)
    return list({mark.label: mark for mark in reversed(shown)}.values())[::-1]


def width_in(chart: Chart) -> float:
    """The width of a chart's own picture."""
    return 10.0 if layout.columns(len(chart.panels)) < 3 else 12.5  # noqa: PLR2004 - two panels fit as one does


def left_in(chart: Chart) -> float:
    """The room that the texts of the y axis need."""
    if chart.y.scale != "categories":
        return LEFT_IN
    longest = max(len(line) for name in row_names(chart.y) for line in name.split("\n"))
    return MARGIN_IN + 0.2 + longest / _CHARACTERS_PER_INCH


def row_names(axis: Axis) -> list[str]:
    """The names of rows of tiles, each broken into at most two lines if it has no very long word."""
    names = [name for _, name in axis.ticks]
    width = next(
        (
            width
            for width in range(_ROW_CHARACTERS, _MAX_ROW_CHARACTERS)
            if all(len(wrapped(name, width)) <= _ROW_LINES for name in names)
        ),
        _MAX_ROW_CHARACTERS,
    )
    return ["\n".join(wrapped(name, width)) for name in names]


def row_gap_in(titles: int) -> float:
    """The distance between rows of panels whose titles have `titles` lines."""
    return 0.45 + TITLE_IN * titles


def tick_lines(name: str, chart: Chart, panel_in: float) -> list[str]:
    """The lines of a tick's name, broken so that it does not touch the next name."""
    if chart.x.scale not in {"names", "categories"}:
        return [name]
    return wrapped(name, int(panel_in / len(chart.x.ticks) * _CHARACTERS_PER_INCH))


def title_lines(title: str, panel_in: float) -> list[str]:
    """The lines of a panel's title, broken to the panel's width."""
    return wrapped(title, int(panel_in * 10.5))


def label_lines(label: str) -> list[str]:
    """The text lines of the name at a line's end."""
    return wrapped(label, _LABEL_CHARACTERS)


def label_height_in(label: str) -> float:
    """The height of the name at a line's end."""
    return _LABEL_IN * len(label_lines(label)) + 0.04


def note_lines(lines: tuple[str, ...], width: float) -> list[str]:
    """The lines of the footer, broken to the picture's width."""
    return [
        part
        for line in lines
        for part in wrapped(line, int(_SMALL_CHARACTERS_PER_INCH * (width - 2 * MARGIN_IN)))
    ]


def notes_in(lines: tuple[str, ...], width: float) -> float:
    """The height of the footer."""
    return 0.22 + 0.2 * len(note_lines(lines, width))


def _panel_width(chart: Chart, width: float) -> float:
    across = layout.columns(len(chart.panels))
    return (width - left_in(chart) - MARGIN_IN - GAP_IN * (across - 1)) / across


def _plots(chart: Chart, *, direct: bool, titles: int) -> float:
    """The height of all panels. A single panel grows with the names at its lines' ends."""
    if direct:
        return max(_PLOT_IN, sum(map(label_height_in, {line.label for line in chart.panels[0].lines})))
    down = -(-len(chart.panels) // layout.columns(len(chart.panels)))
    if chart.y.scale == "categories":
        return _ROW_IN * len(chart.y.ticks) * down + row_gap_in(titles) * (down - 1)
    return _PLOT_IN if len(chart.panels) == 1 else _PANEL_IN * down + row_gap_in(titles) * (down - 1)


def _key_rows(chart: Chart, width: float, *, coloured: bool) -> tuple[tuple[Entry, ...], ...]:
    """The rows of the key: the signs, then the colours unless lines are named at their ends."""
    colours: list[Entry] = [(shown, shown.label) for shown in named(chart)]
    parts: tuple[list[Entry], ...] = (list(chart.key), colours if coloured and len(colours) > 1 else [])
    return tuple(
        tuple(part[index] for index in row)
        for part in parts
        for row in layout.rows(
            [0.85 + len(words) / _SMALL_CHARACTERS_PER_INCH for _, words in part], width - 2 * MARGIN_IN
        )
    )
