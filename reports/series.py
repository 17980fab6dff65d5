"""Which cells make one line: grouping, naming and ordering. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from reports import words
from reports.words import Cell

Value = Callable[[Cell], float | None]

_VARIANTS = ("scenario", "keys", "retry", "redraw")


@dataclass(frozen=True, slots=True)
class Series:
    """The cells of one line: they differ in users and repeat only."""

    label: str
    """What varies over the run, the skew first: `zipf:0.99  (D_eff 84)`."""
    skew: str
    """The skew's part of the label."""
    variant: str
    """The rest of it; empty where the run varies nothing but the skew."""
    cells: tuple[Cell, ...]
    """By users, then by repeat."""


def series(cells: Sequence[Cell]) -> tuple[Series, ...]:
    """Group cells into lines, the most spread-out skew (largest D_eff) first."""
    varying = varied(cells)
    groups: dict[tuple[object, ...], list[Cell]] = {}
    for cell in cells:
        groups.setdefault(tuple(cell[name] for name in ("skew", *_VARIANTS)), []).append(cell)
    ordered = sorted(groups.values(), key=lambda group: -(group[0]["d_eff"] or 0.0))
    return tuple(_series(group, varying, cells) for group in ordered)


def varied(cells: Iterable[Cell]) -> tuple[str, ...]:
    """Names of the settings, other than skew, users and repeat, that take more than one value."""
    rows = list(cells)
    return tuple(name for name in _VARIANTS if len({cell[name] for cell in rows}) > 1)


def levels(cells: Iterable[Cell]) -> tuple[int, ...]:
    """The concurrency levels, ascending."""
    return tuple(sorted({int(cell["users"]) for cell in cells}))


def by_level(cells: Sequence[Cell]) -> tuple[tuple[int, tuple[Cell, ...]], ...]:
    """The repeats of each concurrency level, ascending; `cells` are those of one series."""
    ordered = sorted(cells, key=lambda cell: int(cell["users"]))
    return tuple((users, tuple(group)) for users, group in groupby(ordered, lambda cell: int(cell["users"])))


def middle(cells: Sequence[Cell], value: Value) -> Cell:
    """The repeat whose value is the median (of an even number, the lower of the two).

    Quantiles and rates of repeats are never averaged: what is drawn was measured. Usable cells go before
    unusable ones and present values before absent ones.
    """
    measured = [cell for cell in cells if value(cell) is not None] or list(cells)
    usable = [cell for cell in measured if cell["usable"]] or measured
    ordered = sorted(usable, key=lambda cell: value(cell) or 0.0)
    return ordered[(len(ordered) - 1) // 2]


def short_retries(cells: Iterable[Cell]) -> Mapping[str, str]:
    """Each retry policy's shortest clear name: without parameters where the name alone tells them apart."""
    specs = {str(cell["retry"]) for cell in cells}
    names = [spec.partition(":")[0] for spec in specs]
    return {
        spec: name if names.count(name) == 1 else spec for spec in specs for name in [spec.partition(":")[0]]
    }


def _series(group: list[Cell], varying: Sequence[str], cells: Sequence[Cell]) -> Series:
    first = group[0]
    skew = f"{first['skew']}  ({words.d_eff(first['d_eff'])})"
    variant = ", ".join(_variant(first, name, short_retries(cells)) for name in varying)
    only_variant = variant and len({cell["skew"] for cell in cells}) == 1 and "keys" not in varying
    label = variant if only_variant else ", ".join(part for part in (skew, variant) if part)
    ordered = sorted(group, key=lambda cell: (cell["users"], cell["repeat"]))
    return Series(label, skew, variant, tuple(ordered))


def _variant(cell: Cell, name: str, retries: Mapping[str, str]) -> str:
    if name == "keys":
        return f"{words.count(cell['keys'])} keys"
    if name == "retry":
        return words.retry_words(retries[cell["retry"]])
    return (
        words.redraw_words(cell["redraw"]).removesuffix(" on retry") if name == "redraw" else str(cell[name])
    )
