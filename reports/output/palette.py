"""The colours of every picture and page, ordered from cool (spread out) to hot.

Colour-blind readers can tell them apart. Neighbours differ in lightness as well as in hue, and each line has
its own marker, so that nothing depends on hue alone. tests/reports/test_palette.py measures distances as
colour-blind eyes see them (Machado, Oliveira and Fernandes 2009).
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reports.charts.marks import Tint

LIGHT = ("#6A1FA8", "#1F77E0", "#005D80", "#0AA388", "#3D4F00", "#B58800", "#D0662F", "#A3123F")
DARK = ("#D9B8FF", "#57A9FF", "#1B8FA6", "#3FE0B4", "#D1F7A3", "#E0B44C", "#D9772B", "#F0506E")

PAGE_LIGHT: Mapping[str, str] = MappingProxyType(
    {
        "page": "#f4f5f7",
        "paper": "#ffffff",
        "ink": "#1b2026",
        "muted": "#5b6570",
        "grid": "#e3e6ea",
        "link": "#1a5fb4",
        "good": "#1a7f4b",
        "bad": "#b3202f",
        "open": "#8a6100",
        "good-tint": "#e9f6ef",
        "bad-tint": "#fceced",
        "open-tint": "#fbf3df",
    }
)
"""The other colours of a page, by the names of its custom properties."""
PAGE_DARK: Mapping[str, str] = MappingProxyType(
    {
        "page": "#0d1014",
        "paper": "#14181d",
        "ink": "#e8ebef",
        "muted": "#a2abb6",
        "grid": "#2c333b",
        "link": "#8ab8f5",
        "good": "#57c88c",
        "bad": "#ff8591",
        "open": "#e5b94e",
        "good-tint": "#12261b",
        "bad-tint": "#2f1518",
        "open-tint": "#2a220f",
    }
)

INK = "#1B2026"
MUTED = "#5B6570"
FAINT = "#C9CFD6"
GRID = "#E7EAED"
PAPER = "#FFFFFF"

_CHOICES = (
    (1,),
    (1, 7),
    (1, 5, 7),
    (1, 3, 5, 7),
    (0, 1, 3, 5, 7),
    (0, 1, 2, 3, 5, 7),
    (0, 1, 2, 3, 4, 5, 7),
    (0, 1, 2, 3, 4, 5, 6, 7),
)


def hue(tint: Tint) -> int:
    """Index into LIGHT and DARK. Few lines get colours far apart; beyond eight, colours repeat."""
    choice = _CHOICES[min(tint.count, len(_CHOICES)) - 1]
    return choice[tint.index % len(choice)]


def shape(tint: Tint) -> int:
    """Index of the marker, of eight. Lines that share a colour have different markers."""
    return (tint.index + tint.index // len(LIGHT)) % len(LIGHT)
