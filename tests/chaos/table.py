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
    """Print them, and below what was wrong."""
    table = Table(*_COLUMNS, title=f"chaos, seed {seed}")
    for each in results:
        took = f"{each.took_s:.1f} s" if each.took_s else ""
        end = "NOT OK" if each.wrong else each.note or "ok"
        table.add_row(each.case, each.expected, each.code, each.verdict, each.lost, took, end)
    console = Console(width=170)
    console.print(table)
    for each in results:
        for wrong in each.wrong:
            console.print(f"{each.case}: {wrong}", soft_wrap=True, highlight=False, markup=False)
