"""The report of a run: its pictures and its page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis.dpu import read_cost
from reports.charts.all_charts import charts
from reports.output import html, png
from reports.output.junit import junit
from reports.output.markdown import markdown

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def write_reports(directory: Path, summary: Mapping[str, Any]) -> Path:
    """Draw every chart of a summary (format 1) as a PNG and write report.html, into an existing directory.

    junit.xml and summary.md say the same to CI systems and in a pull request.

    Returns:
        The path of report.html.
    """
    drawn = charts(summary)
    png.draw(drawn, directory)
    path = directory / "report.html"
    (directory / "junit.xml").write_text(junit(summary), encoding="utf-8")
    pictures = [f"{chart.name}.png" for chart in drawn]
    (directory / "summary.md").write_text(markdown(summary, pictures), encoding="utf-8")
    html.write(summary, drawn, path, read_cost(directory))
    return path
