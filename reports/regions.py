"""The lines of a run, region by region. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reports import words
from reports.marks import Tint
from reports.panels import Slot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.panels import Groups
    from reports.series import Series


def slots(all_series: Sequence[Series]) -> Groups:
    """A panel for every line, in it a line for every region; nothing where the run had but one place.

    A region has the same colour in every panel. A single panel has no title: its settings stand below it.
    """
    names = words.region_names(region["name"] for region in all_series[0].cells[0].get("regions", ()))
    if not names:
        return ()
    return tuple(
        ("" if len(all_series) == 1 else one.label, _panel(one, names, titled=len(all_series) > 1))
        for one in all_series
    )


def _panel(one: Series, names: Sequence[str], *, titled: bool) -> tuple[Slot, ...]:
    return tuple(
        Slot(name, Tint(index, len(names)), _part(one, index, f"{one.label}, {name}" if titled else name))
        for index, name in enumerate(names)
    )


def _part(one: Series, index: int, label: str) -> Series:
    """A series of which each cell has the figures of one region; its users stay those of all."""
    cells = [{**cell, **cell["regions"][index], "users": cell["users"]} for cell in one.cells]
    return replace(one, label=label, cells=tuple(cells))
