"""The page: one self-contained report.html. The only module that uses Plotly and Jinja."""

from __future__ import annotations

import re
from importlib import resources
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from plotly.offline import get_plotlyjs

from reports.charts.footer import settings
from reports.output import page_parts as parts
from reports.output import palette
from reports.words import facts
from reports.words import wording as words
from reports.words.cell_table import columns
from reports.words.error_lines import error_rows
from reports.words.hot_key_table import hot_keys
from reports.words.observed_words import tables
from reports.words.recommendations import recommendations
from reports.words.sentences import further_sentences, headline
from reports.words.verdict_lines import banners, with_gates
from reports.words.verdict_table import verdict_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from reports.charts.marks import Chart

_UNIT = re.compile(r"(?<=\d) (?=(?:%|ms|s)(?![\w]))")
"""The space between a number and its unit."""
_CODE = re.compile(r"`([^`]+)`")


def write(
    summary: Mapping[str, Any], charts: Sequence[Chart], path: Path, cost: Mapping[str, Any] | None = None
) -> None:
    """Write the page of a summary (format 1), its charts and its cost.json, if any."""
    # A path may contain bytes that are not text.
    path.write_text(page(summary, charts, cost), encoding="utf-8", errors="backslashreplace")


def page(summary: Mapping[str, Any], charts: Sequence[Chart], cost: Mapping[str, Any] | None = None) -> str:
    """The page as HTML, with every text of the summary escaped and every secret withheld."""
    kept = words.redact(summary)
    summary = with_gates(kept)
    run, cells = summary["run"], summary["cells"]
    html: str = (
        _environment()
        .get_template("report.html.j2")
        .render(
            title=headline(summary),
            settings=settings(run, cells) if cells else [str(run["target"]["label"]), str(run["scenario"])],
            banners=banners(summary),
            verdicts=verdict_rows(summary),
            sentences=further_sentences(summary),
            recommendations=recommendations(summary),
            terms=facts.terms(run),
            charts=[parts.chart(chart) for chart in charts],
            heads=columns(cells) if cells else [],
            rows=parts.rows(cells) if cells else [],
            errors=error_rows(summary),
            hot_keys=hot_keys(summary),
            observed=tables(summary),
            warnings=facts.advice(summary),
            commands=str(run.get("reproduce") or run.get("command") or ""),
            downloads=parts.downloads(kept),
            facts=facts.facts(summary),
            cost=parts.cost(cost),
            colours=theme(),
            style=_source("report.css"),
            script=_source("figures.js") + _source("report.js") + _source("tables.js"),
            plotly=Markup(plotly_script()),  # noqa: S704 - Plotly's bundle; a test shows that it ends no script
        )
    )
    return html


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["prose"] = _prose
    return environment


def _prose(text: str) -> Markup:
    """A sentence as HTML: no line ends between a number and its unit, and names between ` are code."""
    bound = _UNIT.sub("\N{NO-BREAK SPACE}", str(escape(text)))
    return Markup(_CODE.sub(r"<code>\1</code>", bound))  # noqa: S704 - escaped above


def source(name: str) -> str:
    """The text of one of the files beside the template, which pages contain as it is."""
    return (resources.files("reports") / "templates" / name).read_text("utf-8")


def _source(name: str) -> Markup:
    return Markup(source(name))  # noqa: S704 - ours


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
