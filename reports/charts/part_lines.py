"""The lines of a run, part by part: region by region, or kind by kind of transaction. Pure."""

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
"""The entry of a cell that has its parts."""
FIELDS: tuple[Field, ...] = ("regions", "kinds")


def slots(all_series: Sequence[Series], field: Field) -> Groups:
    """A panel for every line that has parts, in it a line for every part; nothing where none has several.

    A part has the same colour in every panel. A single panel has no title: its settings stand below it.
    Lines of another run may have other parts, which no key could name together: those of the first hold.
    """
    found = [(one, _names(one, field)) for one in all_series]
    names = next((names for _, names in found if names), ())
    chosen = [one for one, theirs in found if names and theirs == names]
    titled = len(chosen) > 1
    return tuple((one.label if titled else "", _panel(one, field, names, titled=titled)) for one in chosen)


def _names(one: Series, field: Field) -> tuple[str, ...]:
    return tuple(words.region_names(part["name"] for part in one.cells[0].get(field) or ()))


def _panel(one: Series, field: Field, names: Sequence[str], *, titled: bool) -> tuple[Slot, ...]:
    return tuple(
        Slot(
            name,
            Tint(index, len(names)),
            _part(one, field, index, f"{one.label}, {name}" if titled else name),
        )
        for index, name in enumerate(names)
    )


def _part(one: Series, field: Field, index: int, label: str) -> Series:
    """A series of which each cell has the figures of one part; its users stay those of all."""
    cells = [{**cell, **cell[field][index], "users": cell["users"]} for cell in one.cells]
    return replace(one, label=label, cells=tuple(cells))
