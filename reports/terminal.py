"""The end of a run on the console: a table of its cells and a paragraph."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from reports import words
from reports.findings import banners, headline
from reports.table import UNUSABLE, Column, columns

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from rich.console import Console

    from reports.words import Cell

_STYLES = {"INVALID": "bold red", UNUSABLE: "bold yellow", "valid": "green"}


def show(console: Console, summary: Mapping[str, Any], report: Path) -> None:
    """Print the table of cells, what was found, the verdict and the path of the report."""
    console.print(cell_table(summary))
    console.print(Text(ending(summary)))
    console.print(Text(f"Report: {report}"), soft_wrap=True)


def cell_table(summary: Mapping[str, Any]) -> Table:
    """The table of cells, with the columns that a console has room for; unusable cells are dimmed."""
    summary = words.redact(summary)
    chosen = [part for column in columns(summary["cells"]) if column.brief for part in _parts(column)]
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in chosen:
        table.add_column(
            Text(f"{column.head} {column.unit}".strip()), justify="right" if column.numeric else "left"
        )
    for cell in summary["cells"]:
        table.add_row(*(_written(column, cell) for column in chosen), style="" if cell["usable"] else "dim")
    return table


def ending(summary: Mapping[str, Any]) -> str:
    """One paragraph: the headline, then the verdict and the cells that are not usable."""
    summary = words.redact(summary)
    return " ".join([headline(summary), *(banner.text for banner in banners(summary))])


def _parts(column: Column) -> list[Column]:
    """A column, then as one of its own what stands below it on the page, where there is room for that."""
    heads = {"skew": "D_eff", "conflict rate": "95 % interval", "verdict": ""}
    if column.below is None or column.head not in heads:
        return [column]
    return [
        column,
        replace(
            column, head=heads[column.head], unit="", text=column.below, numeric=column.head != "verdict"
        ),
    ]


def _written(column: Column, cell: Cell) -> Text:
    text = column.text(cell).removeprefix("D_eff ")
    return Text(text, style=_STYLES.get(text, ""))
