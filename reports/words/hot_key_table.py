"""Which keys met the conflicts: a small table of the cells with the most of them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reports.words import wording as words
from reports.words.metrics import is_comparable
from reports.words.series import cell_name, series

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reports.words.wording import Cell

_MAX_CELLS = 6
_MAX_KEYS = 3
_TOLD = 3
_MIN_CELL_CONFLICTS = 50
"""Of a cell with fewer conflicts nothing is said: the share of a key would be chance."""
_MIN_KEY_CONFLICTS = 10
"""Nor of a key with fewer."""


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
        for cell in _hottest_cells(cells)[:_MAX_CELLS]
        for rank, hot in enumerate(_known(cell)[:_MAX_KEYS])
    )


def hottest_line(summary: Mapping[str, Any]) -> str:
    """One line about the cell with the most conflicts; empty where no key is known, or there is but one."""
    cells = summary["cells"]
    found = [cell for cell in _hottest_cells(cells) if cell["d_eff"] is None or cell["d_eff"] > 1]
    if not found:
        return ""
    told = [f"key {hot['key']} {words.share(hot['share'])}" for hot in _known(found[0])[:_TOLD]]
    return f"Conflicts by hottest key written, at {cell_name(found[0], cells)}: {', '.join(told)}."


def _hottest_cells(cells: Sequence[Cell]) -> list[Cell]:
    """Of each line the comparable cell with the most conflicts, if some of its keys have enough of them."""
    comparable = [cell for cell in cells if is_comparable(cell)]
    worst = [max(line.cells, key=_conflicts) for line in series(comparable)] if comparable else []
    return sorted((cell for cell in worst if _known(cell)), key=_conflicts, reverse=True)


def _known(cell: Cell) -> list[Any]:
    """The keys of a cell that have enough conflicts to be more than chance."""
    if _conflicts(cell) < _MIN_CELL_CONFLICTS:
        return []
    return [hot for hot in cell.get("hot_keys") or () if hot["conflicts"] >= _MIN_KEY_CONFLICTS]


def _conflicts(cell: Cell) -> int:
    conflicts: int = cell["attempts"]["conflict"]
    return conflicts
