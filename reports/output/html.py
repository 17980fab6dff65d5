"""The page: one self-contained report.html. The only module that uses Plotly and Jinja."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from reports.charts.footer import settings
from reports.output import palette
from reports.output import plotly_figures as interactive
from reports.words import dpu_lines as costs
from reports.words import facts
from reports.words import wording as words
from reports.words.cell_table import Column, columns
from reports.words.error_lines import error_rows
from reports.words.hot_key_table import hot_keys
from reports.words.sentences import further_sentences, headline
from reports.words.verdict_lines import banners, with_gates

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from reports.charts.marks import Chart, Line
    from reports.words.wording import Cell


def write(
    summary: Mapping[str, Any], charts: Sequence[Chart], path: Path, cost: Mapping[str, Any] | None = None
) -> None:
    """Write the page of a summary (format 1), its charts and its cost.json, if any."""
    # A path may contain bytes that are not text.
    path.write_text(page(summary, charts, cost), encoding="utf-8", errors="backslashreplace")


def page(summary: Mapping[str, Any], charts: Sequence[Chart], cost: Mapping[str, Any] | None = None) -> str:
    """The page as HTML, with every text of the summary escaped and every secret withheld."""
    summary = with_gates(words.redact(summary))
    run, cells = summary["run"], summary["cells"]
    html: str = (
        _environment()
        .get_template("report.html.j2")
        .render(
            title=headline(summary),
            settings=settings(run, cells) if cells else [str(run["target"]["label"]), str(run["scenario"])],
            banners=banners(summary),
            sentences=further_sentences(summary),
            terms=facts.terms(run),
            charts=[_chart(chart) for chart in charts],
            heads=columns(cells) if cells else [],
            rows=_rows(cells) if cells else [],
            errors=error_rows(summary),
            hot_keys=hot_keys(summary),
            advice=facts.advice(summary),
            facts=facts.facts(summary),
            cost=_cost(cost),
            colours=theme(),
            style=_source("report.css"),
            script=_source("figures.js") + _source("report.js") + _source("tables.js"),
            plotly=Markup(plotly_script()),  # noqa: S704 - Plotly's bundle; a test shows that it ends no script
        )
    )
    return html


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _source(name: str) -> Markup:
    """One of hotrow's files beside the template, put into the page as it is."""
    return Markup((resources.files("reports") / "templates" / name).read_text("utf-8"))  # noqa: S704 - ours


def _chart(chart: Chart) -> dict[str, Any]:
    """The template's values for a chart; its panels are JSON that the page's script draws."""
    return {
        "chart": chart,
        "panels": [(panel.title, interactive.figure(chart, panel)) for panel in chart.panels],
        "legend": [
            (
                line.label,
                interactive.escape(line.label),
                interactive.css_name(line.tint),
                interactive.symbol(line.tint),
            )
            for line in _named(chart)
        ],
        "settings": chart.footer[0],
    }


def _cost(cost: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The template's values for a cost.json; None if there is none."""
    if cost is None:
        return None
    shown = words.redact(cost)
    return {"facts": costs.facts(shown), "notes": costs.notes(shown)}


def _named(chart: Chart) -> list[Line]:
    """The lines that the key must name, because neither a panel's title nor a tick names them."""
    lines = {line.label: line for line in reversed(chart.panels[0].lines)}
    has_names = chart.x.scale == "names" or (len(lines) == 1 and len(chart.panels) > 1)
    return [] if has_names else list(reversed(lines.values()))


def _rows(cells: Sequence[Cell]) -> list[dict[str, Any]]:
    shown = columns(cells)
    return [
        {
            "css_class": "unusable"
            if not cell["usable"]
            else "wrong"
            if cell["verdict"]["valid"] is False
            else "",
            "fields": [_field(column, cell) for column in shown],
        }
        for cell in cells
    ]


def _field(column: Column, cell: Cell) -> dict[str, Any]:
    value = column.value(cell)
    return {
        "text": column.text(cell),
        "below": column.below(cell) if column.below else "",
        "value": "" if value is None else value,
        "numeric": column.numeric,
    }


def theme() -> dict[str, dict[str, str]]:
    """The custom properties of a page's style sheet and their colours, light and dark."""
    return {
        "light": {**_hues(palette.LIGHT), **palette.PAGE_LIGHT},
        "dark": {**_hues(palette.DARK), **palette.PAGE_DARK},
    }


def _hues(colours: Sequence[str]) -> dict[str, str]:
    return {f"c{index}": colour for index, colour in enumerate(colours)}


def plotly_script() -> str:
    """Plotly's own script, 4.7 MB."""
    script: str = get_plotlyjs()
    return script
