"""The progress of a sweep: a bar with the cell and the time left, and one line per finished cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from analysis.cell_findings import is_mostly_rejected
from hotrow.attempt.record import Outcome
from hotrow.run.plan import planned_seconds

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from rich.progress import Progress as Bar

    from hotrow.run.plan import Cell

_CHANGE_S = 1.5
"""About how long the change from one cell to the next takes; used only to estimate the time left."""


class Progress:
    """A progress bar on standard error, if it is wanted."""

    def __init__(self, cells: tuple[Cell, ...], *, shown: bool) -> None:
        self._cells = cells
        self._bar: Bar | None = None
        if shown:
            self._bar = _make_bar()
            self._task = self._bar.add_task("starting", total=len(cells), left="")
            self._bar.start()

    def cell_opened(self, cell: Cell) -> None:
        """Show the cell that begins."""
        if self._bar is None:
            return
        left_s = planned_seconds(self._cells[cell.id :]) + _CHANGE_S * (len(self._cells) - cell.id)
        self._bar.update(
            self._task,
            description=f"cell {cell.id + 1} of {len(self._cells)}: "
            + ", ".join([cell.skew, _users(cell), *self._varied(cell)]),
            left=f"about {left_s:.0f} s left",
        )

    def cell_closed(self, cell: Cell, attempts: NDArray[np.void], begin_ns: int, end_ns: int) -> None:
        """Advance the bar by one cell, and print a line with the cell's conflict rate and goodput."""
        if self._bar is None:
            return
        in_cell = attempts[attempts["cell"] == cell.id]
        conflict_rate, goodput_per_s = glance(in_cell, begin_ns, end_ns)
        self._bar.advance(self._task)
        rate = "   none" if conflict_rate is None else f"{conflict_rate:6.1%}"
        goodput = f"goodput {goodput_per_s:8,.0f}/s"
        rejected = int(np.count_nonzero(in_cell["outcome"] == Outcome.REJECTED))
        if is_mostly_rejected({"rejected": rejected, "total": len(in_cell)}):
            goodput = "mostly rejected: no goodput is measured"
        line = f"  {cell.skew:<14} {_users(cell):>11}   conflict rate {rate}   {goodput}"
        self._bar.console.print("   ".join([line, *self._varied(cell)]), highlight=False, soft_wrap=True)

    def _varied(self, cell: Cell) -> list[str]:
        """The knobs and the policy of a cell, in words, as far as they differ from other cells."""
        knobs = [
            f"{name.replace('_', '-')} {value}"
            for name, value in cell.knobs.items()
            if any(other.knobs[name] != value for other in self._cells)
        ]
        several = any(other.retry != cell.retry for other in self._cells)
        return [*knobs, *([cell.retry] if several else [])]

    def close(self) -> None:
        """Remove the bar; the lines stay."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def glance(attempts: NDArray[np.void], begin_ns: int, end_ns: int) -> tuple[float | None, float]:
    """Conflict rate (None without attempts) and commits per second of attempts that began in the interval.

    Rough figures for the console; the exact ones come from `analysis`.
    """
    inside = attempts[(attempts["started"] >= begin_ns) & (attempts["started"] < end_ns)]
    conflicts = int(np.count_nonzero(inside["outcome"] == Outcome.CONFLICT))
    committed = int(np.count_nonzero(inside["outcome"] == Outcome.COMMITTED))
    seconds = max(end_ns - begin_ns, 1) / 1e9
    return (conflicts / len(inside) if len(inside) else None), committed / seconds


def _users(cell: Cell) -> str:
    return "1 user" if cell.users == 1 else f"{cell.users} users"


def _make_bar() -> Bar:
    from rich.console import Console  # noqa: PLC0415 - only a process that shows a bar imports it
    from rich.progress import BarColumn, TextColumn  # noqa: PLC0415 - the same
    from rich.progress import Progress as Bar  # noqa: PLC0415 - the same

    return Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[left]}"),
        console=Console(stderr=True),
        transient=True,
    )
