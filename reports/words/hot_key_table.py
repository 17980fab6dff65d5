"""The hottest keys: a small table of the cells with the most conflicts. Pure."""

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
_MIN_CELL_CONFLICTS = 50
"""A cell with fewer conflicts is left out: the share of a key would be left to chance."""
_MIN_KEY_CONFLICTS = 10
"""A key with fewer conflicts is left out for the same reason."""


@dataclass(frozen=True, slots=True)
class HotKey:
    """One key of one cell, as words."""

    cell: str
    """The cell's name; empty in the rows below its first key."""
    key: str
    share: str
    """The key's share of the cell's conflicts."""
    conflicts: str
    attempts: str


def hot_keys(summary: Mapping[str, Any]) -> tuple[HotKey, ...]:
    """The hottest keys of each line's cell with the most conflicts; cells with the most conflicts first."""
    cells = summary["cells"]
    return tuple(
        HotKey(
            cell=cell_name(cell, cells) if rank == 0 else "",
            key=words.key_name(hot) if "space" in hot else str(hot["key"]),
            share=words.share(hot["share"]),
            conflicts=words.count(hot["conflicts"]),
            attempts=words.count(hot["attempts"]),
        )
        for cell in _hottest_cells(cells)[:_MAX_CELLS]
        for rank, hot in enumerate(known_keys(cell)[:_MAX_KEYS])
    )


def hottest_line(summary: Mapping[str, Any]) -> str:
    """One line about the cell with the most conflicts; empty if no key is known or there is only one key."""
    cells = summary["cells"]
    hottest = [cell for cell in _hottest_cells(cells) if not _has_one_row(cell)]
    if not hottest:
        return ""
    shares = [
        f"{words.key_name(hot)} {words.share(hot['share'])}" for hot in known_keys(hottest[0])[:_MAX_KEYS]
    ]
    return f"Conflicts by hottest key written, at {cell_name(hottest[0], cells)}: {', '.join(shares)}."


def known_keys(cell: Cell) -> list[Any]:
    """The keys of a cell that have enough conflicts for a meaningful share."""
    if _conflicts(cell) < _MIN_CELL_CONFLICTS:
        return []
    return [hot for hot in cell.get("hot_keys") or () if hot["conflicts"] >= _MIN_KEY_CONFLICTS]


def _hottest_cells(cells: Sequence[Cell]) -> list[Cell]:
    """Each line's comparable cell with the most conflicts, if some of its keys have enough conflicts."""
    comparable = [cell for cell in cells if is_comparable(cell)]
    worst = [max(line.cells, key=_conflicts) for line in series(comparable)] if comparable else []
    return sorted((cell for cell in worst if known_keys(cell)), key=_conflicts, reverse=True)


def _has_one_row(cell: Cell) -> bool:
    """Whether all transactions write the same key and no other; with key spaces there are always others."""
    return cell["d_eff"] is not None and cell["d_eff"] <= 1 and not cell.get("spaces")


def _conflicts(cell: Cell) -> int:
    conflicts: int = cell["attempts"]["conflict"]
    return conflicts
