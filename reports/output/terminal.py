"""The end of a run on the console: a table of its cells and a paragraph."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from reports.words import wording as words
from reports.words.cell_table import (
    GATE_FAILED,
    RARE_ENDS,
    REJECTED,
    UNUSABLE,
    fixed,
    marks,
    setting_columns,
    verdict_word,
)
from reports.words.error_lines import error_lines
from reports.words.hot_key_table import hottest_line
from reports.words.metrics import goodput_per_s, hottest_row, limit
from reports.words.sentences import choices, headline
from reports.words.verdict_lines import banners, with_gates

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from rich.console import Console

    from reports.words.wording import Cell

_STYLES = {
    "INVALID": "bold red",
    "unusable": "bold yellow",
    GATE_FAILED: "bold red",
    "rejected": "yellow",
    "valid": "green",
}
_SHORT = {UNUSABLE: "unusable", REJECTED: "rejected"}
"""Marks of a cell that are too long for the console."""


def show(console: Console, summary: Mapping[str, Any], report: Path) -> None:
    """Print the table of cells, the headline, the verdict and the path of the page, or of the summary."""
    console.print(cell_table(summary, console.width))
    console.print(Text(ending(summary)))
    for line in details(summary):
        console.print(Text(f"  {line}"))
    console.print(Text(f"Report: {report}"), soft_wrap=True)


def cell_table(summary: Mapping[str, Any], width: int) -> Table:
    """The table of cells, narrow enough for a console of 80 columns. Unusable cells are dimmed."""
    summary = with_gates(words.redact(summary))
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    chosen = console_columns(summary["cells"], wide=width >= _WIDE)
    for column in chosen:
        table.add_column(Text(column.head), justify="right" if column.numeric else "left", no_wrap=True)
    for cell in summary["cells"]:
        table.add_row(*(_written(column, cell) for column in chosen), style="" if cell["usable"] else "dim")
    return table


def console_columns(cells: Sequence[Cell], *, wide: bool = True) -> list[ConsoleColumn]:
    """The columns of the console's table, and of every other that has to be narrow."""
    limits = _LIMITS if wide and any(limit(cell) for cell in cells) else ()
    return [*_settings(cells), *_MEASURED, *_endings(cells), *limits, _VERDICT]


def ending(summary: Mapping[str, Any]) -> str:
    """One paragraph: the headline, then the verdict and the cells that are not usable."""
    summary = words.redact(summary)
    return " ".join([headline(summary), *(banner.text for banner in banners(summary))])


def details(summary: Mapping[str, Any]) -> list[str]:
    """The lines below the paragraph, in this order.

    Violations, and reasons why checks could not decide; errors; the effect of policies and knobs on goodput;
    the hottest keys. The gates follow on standard error (`reports.words.gate_lines`).
    """
    summary = words.redact(summary)
    hottest = hottest_line(summary)
    return [
        *(line for banner in banners(summary) if banner.severity not in _GATES for line in banner.explained),
        *error_lines(summary),
        *choices(summary)[:1],
        *([hottest] if hottest else []),
    ]


@dataclass(frozen=True, slots=True)
class ConsoleColumn:
    """One column of the console's table: a head of one or two lines, and the text of each cell."""

    head: str
    text: Callable[[Cell], str]
    numeric: bool = True


def _settings(cells: Sequence[Cell]) -> list[ConsoleColumn]:
    """Skew, D_eff, users and the other settings that vary, named as in the page's table."""
    return [
        part
        for column in setting_columns(cells)
        for part in (
            ConsoleColumn(column.head, column.text, column.numeric),
            *([ConsoleColumn("D_eff", _d_eff)] if column.head == "skew" else []),
        )
    ]


def _endings(cells: Sequence[Cell]) -> list[ConsoleColumn]:
    """The numbers of transactions that ended in each rare state; only states that some cell has."""
    return [
        ConsoleColumn(f"{state}\ntxns", partial(_ended, state))
        for state in RARE_ENDS
        if any(cell["transactions"][state] for cell in cells)
    ]


def _ended(state: str, cell: Cell) -> str:
    return words.count(cell["transactions"][state])


def _d_eff(cell: Cell) -> str:
    return words.d_eff(cell["d_eff"]).removeprefix("D_eff ")


def _interval(cell: Cell) -> str:
    low, high = cell["conflict_rate"]["low"], cell["conflict_rate"]["high"]
    return words.ABSENT if low is None or high is None else f"{100 * low:.1f}-{100 * high:.1f}"


def _percent(value: float | None) -> str:
    return fixed(None if value is None else 100 * value, 1)


def _verdict(cell: Cell) -> str:
    """The worst mark of a cell: wrong data, a measurement that is not usable, a failed gate."""
    valid = cell["verdict"]["valid"]
    worst = next(iter(marks(cell)), "")
    return verdict_word(valid) if valid is False or not worst else _SHORT.get(worst, worst)


_MEASURED = (
    ConsoleColumn("conflict\n%", lambda cell: _percent(cell["conflict_rate"]["value"])),
    ConsoleColumn("95 %\ninterval", _interval),
    ConsoleColumn("retry\nrate", lambda cell: fixed(cell["retry_rate"]["value"], 2)),
    ConsoleColumn("goodput\n/s", lambda cell: words.number(goodput_per_s(cell))),
    ConsoleColumn("p50\nms", lambda cell: words.number(cell["latency_ms"]["p50"])),
    ConsoleColumn("p99\nms", lambda cell: words.number(cell["latency_ms"]["p99"])),
)
_LIMITS = (
    ConsoleColumn(
        "held back\nby", lambda cell: words.held_back(limit(cell), hottest_row(cell)), numeric=False
    ),
)
_GATES = {"failed", "doubtful"}
"""Severities of banners about gates."""
_WIDE = 100
"""A console of fewer columns has no room for the limits."""
_VERDICT = ConsoleColumn("verdict", _verdict, numeric=False)


def _written(column: ConsoleColumn, cell: Cell) -> Text:
    text = column.text(cell)
    return Text(text, style=next((style for word, style in _STYLES.items() if word in text), ""))
