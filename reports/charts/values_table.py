"""The values of a chart as a table, for readers who use no mouse or cannot see the chart. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reports.words import wording as words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reports.charts.marks import Chart, Line, Panel
    from reports.charts.scales import Axis


@dataclass(frozen=True, slots=True)
class ValuesTable:
    """Heads and rows of texts, each row as long as the heads."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def values_table(chart: Chart) -> ValuesTable:
    """Every point of a chart, panel by panel and line by line; columns that say nothing are left out."""
    value = chart.y.label or "value"
    heads = ("panel", "line", chart.x.label, value, "95 % interval", "closed form", "remark")
    rows = [row for panel in chart.panels for row in _rows_of(panel, chart)]
    kept = [at for at in range(len(heads)) if at in {2, 3} or any(row[at] for row in rows)]
    return ValuesTable(tuple(heads[at] for at in kept), tuple(tuple(row[at] for at in kept) for row in rows))


def _rows_of(panel: Panel, chart: Chart) -> Iterator[tuple[str, ...]]:
    for line in panel.lines:
        yield from _rows(panel, line, chart)
    title = panel.title if len(chart.panels) > 1 else ""
    for bar in panel.bars:
        for x, low, high, pale in zip(bar.x, bar.low, bar.high, bar.pale, strict=True):
            share = chart.y.write(round(high - low, 6))
            yield title, bar.label, _place(chart.x, x), share, "", "", _hollow(pale)
    for tile in panel.tiles:
        row, column, remark = _place(chart.y, tile.y), _place(chart.x, tile.x), _hollow(tile.hollow)
        yield title, row, column, tile.value, "", "", remark


def _rows(panel: Panel, line: Line, chart: Chart) -> Iterator[tuple[str, ...]]:
    meaning = f", {line.meaning.partition(':')[0]}" if line.meaning else ""
    predicted = dict(zip(_places(line), line.predicted_y, strict=True))
    remarks = line.remarks or ("",) * len(line.x)
    write = chart.y.write
    for x, y, low, high, hollow, remark in zip(
        line.x, line.y, line.low, line.high, line.hollow, remarks, strict=True
    ):
        yield (
            panel.title if len(chart.panels) > 1 else "",
            f"{line.label}{meaning}",
            _place(chart.x, x),
            write(y),
            "" if low is None or high is None else f"{write(low)} to {write(high)}",
            write(predicted[x]) if x in predicted else "",
            ", ".join(part for part in (remark, _hollow(hollow)) if part),
        )


def _hollow(hollow: bool) -> str:
    return "not comparable" if hollow else ""


def _places(line: Line) -> list[float]:
    """The place of each predicted value; on a `names` axis it is a stroke about a whole number."""
    return [x if x in line.x else float(round(x)) for x in line.predicted_x]


def _place(axis: Axis, x: float) -> str:
    """A place on the x axis: a name, or a number as the axis writes it."""
    is_named = axis.scale in {"names", "categories"}
    return dict(axis.ticks).get(x, words.ABSENT) if is_named else axis.write(x)
