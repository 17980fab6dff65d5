"""Which keys met the conflicts: a small table of the cells with the most of them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reports import words
from reports.series import cell_name, series

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reports.words import Cell

_MOST_CELLS = 6
_MOST_KEYS = 3
_TOLD = 3


@dataclass(frozen=True, slots=True)
class HotKey:
    """One key of one cell, as words."""

    cell: str
    """The cell's name; empty below the first of its keys."""
    key: str
    share: str
    """Of the cell's conflicts."""
    conflicts: str
    attempts: str


def hot_keys(summary: Mapping[str, Any]) -> tuple[HotKey, ...]:
    """The hottest keys of each line's cell with the most conflicts, those cells with the most first."""
    cells = summary["cells"]
    return tuple(
        HotKey(
            cell=cell_name(cell, cells) if rank == 0 else "",
            key=str(hot["key"]),
            share=words.share(hot["share"]),
            conflicts=words.count(hot["conflicts"]),
            attempts=words.count(hot["attempts"]),
        )
        for cell in _hottest_cells(cells)[:_MOST_CELLS]
        for rank, hot in enumerate(cell["hot_keys"][:_MOST_KEYS])
    )


def hottest_line(summary: Mapping[str, Any]) -> str:
    """One line about the cell with the most conflicts; empty where no key is known, or there is but one."""
    cells = summary["cells"]
    found = [cell for cell in _hottest_cells(cells) if cell["d_eff"] is None or cell["d_eff"] > 1]
    if not found:
        return ""
    told = [f"key {hot['key']} {words.share(hot['share'])}" for hot in found[0]["hot_keys"][:_TOLD]]
    return f"Conflicts by hottest key written, at {cell_name(found[0], cells)}: {', '.join(told)}."


def _hottest_cells(cells: Sequence[Cell]) -> list[Cell]:
    """Of each line the cell with the most conflicts, where its keys are known."""
    worst = [max(line.cells, key=_conflicts) for line in series(cells)] if cells else []
    return sorted((cell for cell in worst if cell.get("hot_keys")), key=_conflicts, reverse=True)


def _conflicts(cell: Cell) -> int:
    conflicts: int = cell["attempts"]["conflict"]
    return conflicts
