"""The lines of charts and sentences: grouping, naming and ordering of cells. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from reports.words import wording as words
from reports.words.metrics import is_comparable
from reports.words.observed_words import OBSERVED
from reports.words.wording import Cell

Value = Callable[[Cell], float | None]
Plain = int | float | str

_BEFORE, _AFTER = ("target", "scenario", "keys"), ("retry", "redraw")
"""Settings that name a line before and after the scenario's knobs."""
_KNOB = "--"
"""Prefix of a knob's name among the settings, because a knob called `retry` is not the retry policy."""


@dataclass(frozen=True, slots=True)
class Series:
    """The cells of one line. They differ only in users and repeat."""

    label: str
    """The settings that vary over the run, the skew first: `zipf:0.99  (D_eff 84)`."""
    skew: str
    """The skew's part of the label."""
    variant: str
    """The rest of the label; empty if the run varies only the skew."""
    cells: tuple[Cell, ...]
    """Ordered by users, then by repeat."""

    @property
    def name(self) -> str:
        """The label within a sentence."""
        return " ".join(self.label.split())


def series(cells: Sequence[Cell]) -> tuple[Series, ...]:
    """Group cells into lines: the most spread-out skew (largest D_eff) first, then by other settings.

    Numbers of a knob ascend. Targets, policies and words are in the order in which they were run.
    """
    names, varying = _names(cells), varied(cells)
    groups: dict[tuple[object, ...], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell["skew"], *(setting(cell, name) for name in names)), []).append(cell)
    ranks = {name: _ranks(name, cells) for name in varying}
    ordered = sorted(
        groups.values(),
        key=lambda group: (
            -(group[0]["d_eff"] or 0.0),
            *(ranks[name][setting(group[0], name)] for name in varying),
        ),
    )
    return tuple(_series(group, varying, cells) for group in ordered)


def varied(cells: Iterable[Cell]) -> tuple[str, ...]:
    """Names of the settings, other than skew, users and repeat, that take more than one value."""
    rows = list(cells)
    return tuple(name for name in _names(rows) if len({setting(cell, name) for cell in rows}) > 1)


def setting(cell: Cell, name: str) -> Plain | None:
    """One setting of a cell by its name in `varied`; a knob's name begins with `--`. None if absent."""
    value: Plain | None = knobs(cell).get(name) if name.startswith(_KNOB) else cell.get(name)
    return value


def knobs(cell: Cell) -> Mapping[str, Plain]:
    """The values of a cell's knobs, by option: `{"--for-update": "on"}`; older runs have none."""
    return {_KNOB + str(name).replace("_", "-"): value for name, value in (cell.get("knobs") or {}).items()}


def knob_words(name: str, value: Plain | None) -> str:
    """A knob in words: `shards 4`, `for-update on`."""
    return f"{name.removeprefix(_KNOB)} {words.ABSENT if value is None else value}"


def setting_words(cell: Cell, name: str, retries: Mapping[str, str]) -> str:
    """One setting of a cell in words; `retries` are the short names of the policies."""
    if name.startswith(_KNOB):
        return knob_words(name, setting(cell, name))
    texts = {
        "keys": lambda: f"{words.count(cell['keys'])} keys",
        "retry": lambda: words.retry_words(retries[cell["retry"]]),
        "redraw": lambda: words.redraw_words(cell["redraw"]),
    }
    return texts[name]() if name in texts else str(setting(cell, name) or words.ABSENT)


def cell_name(cell: Cell, cells: Sequence[Cell]) -> str:
    """A cell's name within its run: `hot, 8 users`, and the other settings that vary."""
    return cell_names(cells)(cell)


def cell_names(cells: Sequence[Cell]) -> Callable[[Cell], str]:
    """How the cells of a run are named, for callers that name many: what varies is found once."""
    retries, names = short_retries(cells), varied(cells)
    is_repeated = len({cell["repeat"] for cell in cells}) > 1

    def name_of(cell: Cell) -> str:
        varying = [setting_words(cell, name, retries) for name in names]
        repeat = [f"repeat {cell['repeat']}"] if is_repeated else []
        skew = [] if cell["skew"] == OBSERVED else [str(cell["skew"])]
        return ", ".join([*skew, words.users(cell["users"]), *varying, *repeat])

    return name_of


def levels(cells: Iterable[Cell]) -> tuple[int, ...]:
    """The concurrency levels, ascending."""
    return tuple(sorted({int(cell["users"]) for cell in cells}))


def label_of(cell: Cell) -> str:
    """The skew and its D_eff, as lines are named; an observed load has neither."""
    return OBSERVED if cell["skew"] == OBSERVED else f"{cell['skew']}  ({words.d_eff(cell['d_eff'])})"


def by_level(cells: Sequence[Cell]) -> tuple[tuple[int, tuple[Cell, ...]], ...]:
    """The repeats of each concurrency level, ascending; `cells` are those of one series."""
    ordered = sorted(cells, key=lambda cell: int(cell["users"]))
    return tuple((users, tuple(group)) for users, group in groupby(ordered, lambda cell: int(cell["users"])))


def middle(cells: Sequence[Cell], value: Value) -> Cell:
    """The repeat whose value is the median (of an even number, the lower of the two).

    Quantiles and rates of repeats are never averaged: every value that is drawn was measured. Comparable
    cells are preferred to others, and present values to absent ones.
    """
    measured = [cell for cell in cells if value(cell) is not None] or list(cells)
    comparable = [cell for cell in measured if is_comparable(cell)] or measured
    ordered = sorted(comparable, key=lambda cell: value(cell) or 0.0)
    return ordered[(len(ordered) - 1) // 2]


def short_retries(cells: Iterable[Cell]) -> Mapping[str, str]:
    """Each retry policy's shortest distinct name: without parameters if the name alone is distinct."""
    specs = {str(cell["retry"]) for cell in cells}
    names = [spec.partition(":")[0] for spec in specs]
    return {
        spec: name if names.count(name) == 1 else spec for spec in specs for name in [spec.partition(":")[0]]
    }


def _names(cells: Iterable[Cell]) -> tuple[str, ...]:
    """All settings that a cell may have, in the order in which they name a line."""
    return (*_BEFORE, *dict.fromkeys(name for cell in cells for name in knobs(cell)), *_AFTER)


def _ranks(name: str, cells: Iterable[Cell]) -> Mapping[Plain | None, float]:
    """The rank of each value of a setting: numbers of a knob by size, other values as they were run."""
    values = list(dict.fromkeys(setting(cell, name) for cell in cells))
    if name.startswith(_KNOB) and all(isinstance(value, int | float) for value in values):
        values.sort(key=lambda value: float(value or 0))
    return {value: rank for rank, value in enumerate(values)}


def _series(group: list[Cell], varying: Sequence[str], cells: Sequence[Cell]) -> Series:
    first, retries = group[0], short_retries(cells)
    skew = label_of(first)
    variant = ", ".join(setting_words(first, name, retries).removesuffix(" on retry") for name in varying)
    only_variant = variant and len({cell["skew"] for cell in cells}) == 1 and "keys" not in varying
    label = variant if only_variant else ", ".join(part for part in (skew, variant) if part)
    ordered = sorted(group, key=lambda cell: (cell["users"], cell["repeat"]))
    return Series(label, skew, variant, tuple(ordered))
