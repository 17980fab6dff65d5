"""The report of a run: its pictures and its page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis.dpu import read_cost
from reports.charts.all_charts import charts
from reports.output import html, png

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def write_reports(directory: Path, summary: Mapping[str, Any]) -> Path:
    """Draw every chart of a summary (format 1) as a PNG and write report.html, into an existing directory.

    Returns:
        The path of report.html.
    """
    drawn = charts(summary)
    png.draw(drawn, directory)
    path = directory / "report.html"
    html.write(summary, drawn, path, read_cost(directory))
    return path
