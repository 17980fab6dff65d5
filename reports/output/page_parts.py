"""The values of the page's template: charts, rows of the table, files to download. Pure."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reports.charts.forms import named
from reports.charts.marks import Bar
from reports.charts.values_table import values_table
from reports.output import plotly_figures as interactive
from reports.words import dpu_lines as costs
from reports.words import wording as words
from reports.words.cell_csv import cell_csv
from reports.words.cell_table import Column, columns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reports.charts.marks import Chart, Line
    from reports.words.wording import Cell


@dataclass(frozen=True, slots=True)
class Download:
    """A file that is in the page itself, as the address of a link."""

    name: str
    meaning: str
    address: str


def chart(chart: Chart) -> dict[str, Any]:
    """A chart; its panels are JSON that the page's script draws."""
    return {
        "chart": chart,
        "panels": [(panel.title, interactive.figure(chart, panel)) for panel in chart.panels],
        "legend": [_legend_entry(shown) for shown in _named(chart)],
        "values": values_table(chart),
        "settings": chart.footer[0],
    }


def cost(cost: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The facts and notes of a cost.json; None if there is none."""
    if cost is None:
        return None
    shown = words.redact(cost)
    return {"facts": costs.facts(shown), "notes": costs.notes(shown)}


def downloads(summary: Mapping[str, Any]) -> list[Download]:
    """summary.json and a CSV file of its cells; their addresses are data, so no request is made."""
    whole = json.dumps(summary, ensure_ascii=False)  # without indents: half as long
    files = [("summary.json", "every figure of the run", "application/json", whole)]
    if summary["cells"]:
        files.append(("cells.csv", "one row per cell", "text/csv", cell_csv(summary["cells"])))
    return [Download(name, meaning, _address(kind, text)) for name, meaning, kind, text in files]


def _address(kind: str, text: str) -> str:
    data = base64.b64encode(text.encode("utf-8", errors="backslashreplace")).decode()
    return f"data:{kind};charset=utf-8;base64,{data}"


def rows(cells: Sequence[Cell]) -> list[dict[str, Any]]:
    """The rows of the table of cells."""
    shown = columns(cells)
    return [
        {"css_class": _css_class(cell), "fields": [_field(column, cell) for column in shown]}
        for cell in cells
    ]


def _css_class(cell: Cell) -> str:
    if not cell["usable"]:
        return "unusable"
    return "wrong" if cell["verdict"]["valid"] is False or cell.get("gate_failed") else ""


def _field(column: Column, cell: Cell) -> dict[str, Any]:
    value = column.value(cell)
    return {
        "text": column.text(cell),
        "below": column.below(cell) if column.below else "",
        "value": "" if value is None else value,
        "numeric": column.numeric,
    }


def _named(chart: Chart) -> list[Line | Bar]:
    """The lines and bars that the key must name, because neither a panel's title nor a tick names them."""
    shown = named(chart)
    has_names = chart.x.scale == "names" or (len(shown) == 1 and len(chart.panels) > 1)
    return [] if has_names else shown


def _legend_entry(shown: Line | Bar) -> tuple[str, str, str, str]:
    """Name, group of the figure, colour's property and symbol of a line or of a part of the stacks."""
    group = interactive.escape(shown.label)
    if shown.tint is None:
        return shown.label, group, "grid", "square"
    symbol = "square" if isinstance(shown, Bar) else interactive.symbol(shown.tint)
    return shown.label, group, interactive.css_name(shown.tint), symbol
