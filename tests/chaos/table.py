"""The results as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.chaos.judging import Result

_COLUMNS = ("case", "expected", "exit", "verdict (counts, total)", "records lost", "ended after", "")


def show(results: Sequence[Result], *, seed: int) -> None:
    """Print the table of results, and below it one line for everything that was wrong."""
    table = Table(*_COLUMNS, title=f"chaos, seed {seed}")
    for result in results:
        took = f"{result.took_s:.1f} s" if result.took_s else ""
        end = "NOT OK" if result.wrong else result.note or "ok"
        table.add_row(result.case, result.expected, result.code, result.verdict, result.lost, took, end)
    console = Console(width=170)
    console.print(table)
    for result in results:
        for wrong in result.wrong:
            console.print(f"{result.case}: {wrong}", soft_wrap=True, highlight=False, markup=False)
