"""The lines of each region, or of each kind of transaction. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from reports.charts.marks import Tint
from reports.charts.panels import Slot
from reports.words import wording as words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.charts.panels import Groups
    from reports.words.series import Series

Field = Literal["regions", "kinds"]
"""The field of a cell that holds its parts."""
FIELDS: tuple[Field, ...] = ("regions", "kinds")


def slots(all_series: Sequence[Series], field: Field) -> Groups:
    """One panel per line that has parts, and in it one line per part; empty if no line has parts.

    A part has the same colour in every panel. A single panel has no title: the footer names its settings.
    Lines of merged runs may have different parts, which one key cannot name. Only lines with the parts of the
    first such line are drawn.
    """
    parts = [(line, _names(line, field)) for line in all_series]
    names = next((names for _, names in parts if names), ())
    chosen = [line for line, part_names in parts if names and part_names == names]
    titled = len(chosen) > 1
    return tuple((line.label if titled else "", _panel(line, field, names, titled=titled)) for line in chosen)


def _names(line: Series, field: Field) -> tuple[str, ...]:
    return tuple(words.region_names(part["name"] for part in line.cells[0].get(field) or ()))


def _panel(line: Series, field: Field, names: Sequence[str], *, titled: bool) -> tuple[Slot, ...]:
    return tuple(
        Slot(
            name,
            Tint(index, len(names)),
            _part(line, field, index, f"{line.label}, {name}" if titled else name),
        )
        for index, name in enumerate(names)
    )


def _part(line: Series, field: Field, index: int, label: str) -> Series:
    """The line with the figures of one part in each cell. The users are still those of the whole cell."""
    cells = [{**cell, **cell[field][index], "users": cell["users"]} for cell in line.cells]
    return replace(line, label=label, cells=tuple(cells))
