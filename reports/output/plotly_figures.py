"""Charts as Plotly figures: plain dictionaries that the page's script colours light or dark.

A colour is written as a token: `@name` or `@name/opacity`. The name is a custom property of the style sheet
(`c0` … `c7`, `ink`, `muted`, `grid`, `paper`). Pure; does not need Plotly.
"""

from __future__ import annotations

import html
from math import log10
from typing import TYPE_CHECKING, Any

from reports.charts import layout
from reports.output import palette
from reports.words import wording as words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.charts.marks import Band, Bar, Chart, Line, Panel, Shade, Tile, Tint
    from reports.charts.scales import Axis

Figure = dict[str, Any]

_SYMBOLS = (
    "circle",
    "square",
    "diamond",
    "triangle-up",
    "triangle-down",
    "triangle-left",
    "triangle-right",
    "pentagon",
)
_TRIANGLE = 1.35
_NAME_WIDTH, _HOVER_WIDTH = 14, 34
_NAMED = {"names", "categories"}
_PALE = 0.35
_STRONG = 0.55
"""From this strength on the text of a tile has the colour of the paper."""
_STACKED = {"barmode": "stack"}
_PERIODS = {"warmup": "@muted/0.14", "unsettled": "@c5/0.25", "stalled": "@c7/0.2"}
"""The colour of a period."""
_CLEAR_PX = 16
_LABEL_LINE_PX = 17
"""The height of a line of a label."""
_TEXT_POSITIONS = {
    "above": "top center",
    "right": "middle right",
    "below": "bottom center",
    "left": "middle left",
}


def figure(chart: Chart, panel: Panel) -> Figure:
    """One panel as a Plotly figure: `data` and `layout`."""
    behind = [*(_band(band) for band in panel.bands), *(_front(points, panel) for points in panel.fronts)]
    lines = [trace for line in panel.lines for trace in _line(line, chart)]
    stacks = [_bar(bar) for bar in panel.bars]
    shapes = [*map(_shade, panel.shades), *(shape for tile in panel.tiles for shape in _outline(tile, panel))]
    layout = {**_layout(chart), **({"shapes": shapes} if shapes else {}), **(_STACKED if stacks else {})}
    return {"data": [*behind, *_curve(panel), *stacks, *_tiles(panel), *lines], "layout": layout}


def css_name(tint: Tint) -> str:
    """Name of the custom property that holds a colour of the palette."""
    return f"c{palette.hue(tint)}"


def symbol(tint: Tint) -> str:
    """Plotly's name of a line's marker."""
    return _SYMBOLS[palette.shape(tint)]


def _curve(panel: Panel) -> list[Figure]:
    """The closed form of all lines. It belongs to none of them, so it stays visible."""
    if not panel.curve:
        return []
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "x": [x for x, _ in panel.curve],
            "y": [y for _, y in panel.curve],
            "line": {"color": "@muted", "width": 1.6, "dash": "6px,4px"},
            "hoverinfo": "skip",
        }
    ]


def _shade(shade: Shade) -> Figure:
    """A period, shaded over the whole height."""
    return {
        "type": "rect",
        "yref": "paper",
        "x0": shade.low,
        "x1": shade.high,
        "y0": 0,
        "y1": 1,
        "fillcolor": _PERIODS[shade.period],
        "line": {"width": 0},
        "layer": "below",
    }


def _bar(bar: Bar) -> Figure:
    colour = "@grid" if bar.tint is None else f"@{css_name(bar.tint)}"
    return {
        "type": "bar",
        "x": list(bar.x),
        "y": [high - low for low, high in zip(bar.low, bar.high, strict=True)],
        "width": 0.78,
        "legendgroup": escape(bar.label),
        "name": escape(bar.label),
        "hovertext": [_hover(text) for text in bar.remarks],
        "hovertemplate": "%{hovertext}<extra></extra>",
        "marker": {
            "color": colour,
            "opacity": [_PALE if is_pale else 1 for is_pale in bar.pale],
            "line": {"width": 0.6, "color": "@paper"},
        },
    }


def _tiles(panel: Panel) -> list[Figure]:
    """The values of the tiles, with hover texts; their rectangles are shapes."""
    if not panel.tiles:
        return []
    return [
        {
            "type": "scatter",
            "mode": "text",
            "x": [tile.x for tile in panel.tiles],
            "y": [tile.y for tile in panel.tiles],
            "text": [escape(tile.text) for tile in panel.tiles],
            "textfont": {
                "size": 11.5,
                "color": ["@paper" if tile.strength > _STRONG else "@ink" for tile in panel.tiles],
            },
            "hovertext": [_hover(tile.remark) for tile in panel.tiles],
            "hovertemplate": "%{hovertext}<extra></extra>",
        }
    ]


def _outline(tile: Tile, panel: Panel) -> list[Figure]:
    """The rectangle of a tile: filled as strongly as its value is high, or an outline if hollow."""
    colour = f"@{css_name(panel.tint)}"
    return [
        {
            "type": "rect",
            "x0": tile.x - 0.47,
            "x1": tile.x + 0.47,
            "y0": tile.y - 0.46,
            "y1": tile.y + 0.46,
            "fillcolor": f"{colour}/{0 if tile.hollow else round(tile.strength, 3)}",
            "line": {"width": 1.3 if tile.hollow else 0, "color": colour},
            "layer": "below",
        }
    ]


def _line(line: Line, chart: Chart) -> list[Figure]:
    return [*_prediction(line), *_repeats(line), _measured(line, chart), *_notes(line)]


def _measured(line: Line, chart: Chart) -> Figure:
    colour = f"@{css_name(line.tint)}"
    # a line is faded so that the dashes of a closed form that fits are seen on it
    faded = "/0.45" if line.predicted_x or line.stroke == "faint" else ""
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "x": list(line.x),
        "y": list(line.y),
        "legendgroup": escape(line.label),
        "name": escape(line.label),
        "text": [escape(text) for text in _hovers(line, chart)],
        "hovertemplate": "%{text}<extra></extra>",
        "line": {
            "color": colour + faded,
            "width": 1.2 if line.stroke == "faint" else 1.7 if line.dense else 2.4,
            "dash": "2px,3px" if line.stroke == "dotted" else "solid",
        },
        "marker": {
            "symbol": symbol(line.tint),
            "size": 3 if line.dense else (6 if line.stroke == "dotted" else 9) * _relative_size(line.tint),
            "opacity": 1,
            "color": ["@paper" if hollow else colour for hollow in line.hollow],
            "line": {
                "width": [2 if hollow else 0 if line.dense else 1 for hollow in line.hollow],
                "color": _edges(line, colour),
            },
        },
        "error_y": _errors(line, colour),
        "connectgaps": False,
        "cliponaxis": False,
    }


def _relative_size(tint: Tint) -> float:
    """The size of a marker. A triangle fills half of its box, so it must be larger than a circle."""
    return _TRIANGLE if symbol(tint).startswith("triangle") else 1.0


def _edges(line: Line, colour: str) -> list[str]:
    return [colour if hollow else "@paper" for hollow in line.hollow]


def _errors(line: Line, colour: str) -> Figure:
    """Distances from the value to the ends of its interval; hidden if the quantity has no interval."""
    triples = list(zip(line.y, line.low, line.high, strict=True))
    if all(low is None for _, low, _ in triples):
        return {"visible": False}
    return {
        "type": "data",
        "array": [None if y is None or high is None else high - y for y, _, high in triples],
        "arrayminus": [None if y is None or low is None else y - low for y, low, _ in triples],
        "color": f"{colour}/0.45",
        "thickness": 3,
        "width": 0,
    }


def _prediction(line: Line) -> list[Figure]:
    if not line.predicted_x:
        return []
    style = {"color": f"@{css_name(line.tint)}", "width": 1.5, "dash": "6px,4px"}
    return [_silent(line, mode="lines", x=list(line.predicted_x), y=list(line.predicted_y), line=style)]


def _repeats(line: Line) -> list[Figure]:
    if not line.repeats:
        return []
    colour = f"@{css_name(line.tint)}"
    marker = {
        "symbol": symbol(line.tint),
        "size": 5,
        "opacity": 0.45,
        "color": ["@paper" if hollow else colour for _, _, hollow in line.repeats],
        "line": {"width": 1, "color": colour},
    }
    x, y = [at for at, _, _ in line.repeats], [height for _, height, _ in line.repeats]
    return [_silent(line, mode="markers", x=x, y=y, marker=marker)]


def _notes(line: Line) -> list[Figure]:
    if not line.notes:
        return []
    return [
        _silent(
            line,
            mode="markers+text",
            marker={"size": _CLEAR_PX, "opacity": 0},  # invisible: keeps the text off the point and its ring
            x=[note.x for note in line.notes],
            y=[note.y for note in line.notes],
            text=[escape(note.text) for note in line.notes],
            textposition=[_TEXT_POSITIONS[note.side] for note in line.notes],
            textfont={"size": 11, "color": f"@{css_name(line.tint)}"},
        )
    ]


def _front(points: Sequence[tuple[float, float]], panel: Panel) -> Figure:
    """Rings about the points of a Pareto front, joined. `customdata` has the line that each belongs to."""
    owners = {point: escape(line.label) for line in panel.lines for point in zip(line.x, line.y, strict=True)}
    return {
        "customdata": [owners.get(point, "") for point in points],
        "type": "scatter",
        "mode": "lines+markers",
        "x": [x for x, _ in points],
        "y": [y for _, y in points],
        "line": {"color": "@muted/0.5", "width": 1, "dash": "1px,3px"},
        "marker": {
            "symbol": "circle-open",
            "size": 17,
            "color": "@ink",
            "line": {"width": 1.4, "color": "@ink"},
        },
        "hoverinfo": "skip",
        "cliponaxis": False,
    }


def _silent(owner: Line, **parts: Any) -> Figure:
    """A trace that belongs to a line and has no hover text."""
    return {
        "type": "scatter",
        "legendgroup": escape(owner.label),
        "hoverinfo": "skip",
        "cliponaxis": False,
        **parts,
    }


def _band(band: Band) -> Figure:
    both = [
        (x, low, high)
        for x, low, high in zip(band.x, band.low, band.high, strict=True)
        if low is not None and high is not None
    ]
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [x for x, _, _ in both] + [x for x, _, _ in reversed(both)],
        "y": [low for _, low, _ in both] + [high for _, _, high in reversed(both)],
        "fill": "toself",
        "fillcolor": f"@{css_name(band.tint)}/0.16",
        "line": {"width": 0},
        "hoverinfo": "skip",
        "legendgroup": escape(band.label),
    }


def _hovers(line: Line, chart: Chart) -> list[str]:
    """The hover text of each point: name, value, interval, closed form, and whether it is usable."""
    # on a `names` axis the closed form is a stroke about the line's position, which is a whole number
    at = (x if x in line.x else float(round(x)) for x in line.predicted_x)
    predicted = dict(zip(at, line.predicted_y, strict=True))
    meaning = f", {line.meaning.partition(':')[0]}" if line.meaning else ""
    write = chart.y.write
    hovers, remarks = [], line.remarks or ("",) * len(line.x)
    for x, y, low, high, hollow, remark in zip(
        line.x, line.y, line.low, line.high, line.hollow, remarks, strict=True
    ):
        ends = f" ({write(low)} to {write(high)})" if low is not None and high is not None else ""
        form = f", closed form {write(predicted[x])}" if x in predicted else ""
        also = f", {remark}" if remark else ""
        hovers.append(f"{line.label}{meaning}: {write(y)}{ends}{form}{also}{' NOT USABLE' if hollow else ''}")
    return hovers


def _layout(chart: Chart) -> Figure:
    named = chart.x.scale == "names"
    closest = chart.x.scale in {"names", "categories"} or chart.scatter
    return {
        "xaxis": {
            **_axis(chart.x, chart.x.label),
            "linecolor": "@grid",
            "showgrid": False,
            "zeroline": False,
            "fixedrange": True,
            "unifiedhovertitle": {"text": f"{chart.x.label.partition(' (')[0]}: %{{x}}"},
        },
        "yaxis": {
            **_axis(chart.y, ""),
            "showgrid": chart.y.scale != "categories",
            "zeroline": False,
            "automargin": True,
            "fixedrange": True,
        },
        "hovermode": "closest" if closest else "x unified",
        "showlegend": False,
        "paper_bgcolor": "@paper/0",
        "plot_bgcolor": "@paper/0",
        "font": {"color": "@muted", "size": 13},
        "hoverlabel": {"bgcolor": "@paper", "bordercolor": "@grid", "font": {"color": "@ink", "size": 13}},
        "margin": {"l": 8, "r": 14, "t": 12, "b": 68 if named else 50},
        "height": _height(chart),
    }


def _height(chart: Chart) -> int:
    if chart.y.scale == "categories":
        lines = max(_broken(name).count("<br>") + 1 for _, name in chart.y.ticks)
        return 62 + max(40, _LABEL_LINE_PX * lines + 8) * len(chart.y.ticks)
    return 400 if len(chart.panels) == 1 else 270


def _axis(axis: Axis, title: str) -> Figure:
    logarithmic = axis.scale in {"levels", "log"}
    ends = [axis.low, axis.high]
    return {
        "type": "log" if logarithmic else "linear",
        "range": [log10(end) for end in ends] if logarithmic else ends,
        "tickvals": [place for place, _ in axis.ticks],
        "ticktext": [_broken(name) if axis.scale in _NAMED else escape(name) for _, name in axis.ticks],
        "title": {"text": escape(title), "standoff": 10, "font": {"size": 13}},
        "gridcolor": "@grid",
        "ticks": "outside",
        "ticklen": 7,
        "tickcolor": "@paper/0",
        "tickformat": ".3~%" if axis.write is words.share else ",~r",
        "tickangle": 0,
    }


def escape(text: str) -> str:
    """A text escaped for Plotly, which reads its texts as simple HTML with tags and links."""
    return html.escape(text, quote=False)


def _hover(text: str) -> str:
    """A long hover text in short lines; a number stays with its sign for per cent."""
    return _broken(text.replace(" %", "\N{NO-BREAK SPACE}%"), _HOVER_WIDTH)


def _broken(text: str, width: int = _NAME_WIDTH) -> str:
    return "<br>".join(escape(part) for part in layout.wrapped(text, width))
