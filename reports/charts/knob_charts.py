"""The charts of conflict rate and goodput over a setting that is a number, such as a knob. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reports.charts import panels, scales
from reports.charts.marks import Chart, Panel, Tint
from reports.charts.panels import Quantity
from reports.words import wording as words
from reports.words.metrics import conflict_rate, goodput_per_s, is_comparable
from reports.words.series import knobs, levels, middle, setting, setting_words, short_retries, varied

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from reports.charts.scales import Axis
    from reports.words.wording import Cell

_SEVERAL = 2
_MAX_LINES, _MAX_PANELS = 8, 8

_Points = list[tuple[float, list["Cell"]]]
_Lines = dict[str, dict[int, _Points]]
"""By panel and by users: the cells of each value of the setting, ascending."""


@dataclass(frozen=True, slots=True)
class _Spec:
    name: str
    title: str
    meaning: str
    quantity: Quantity
    axis: Callable[[Iterable[float | None]], Axis]


_SPECS = (
    _Spec(
        "conflict-rate",
        "Conflict rate",
        "Share of attempts that failed because another transaction had written the same row.",
        Quantity(conflict_rate, interval=panels.interval_of("conflict_rate")),
        lambda values: scales.share_axis("conflicts per attempt", values),
    ),
    _Spec(
        "goodput",
        "Goodput",
        "Committed transactions per second.",
        Quantity(goodput_per_s, interval=panels.goodput_interval),
        lambda values: scales.amount_axis("per second", values, words.per_second),
    ),
)


def charts(cells: Sequence[Cell], foot: tuple[str, ...], waits: str = "") -> Iterator[Chart]:
    """Two charts per setting that is a number and varies: a line per level, a panel per other setting.

    `waits` is the subtitle's sentence about row locks. A setting that would need more than eight panels is
    left out.
    """
    for name in numeric(cells):
        lines = _lines(name, cells)
        if 1 <= len(lines) <= _MAX_PANELS:
            for spec in _SPECS:
                yield _chart(name, lines, foot, spec, waits)


def numeric(cells: Sequence[Cell]) -> list[str]:
    """The knobs, and `keys`, that take several values, all of them numbers."""
    names = [name for name in varied(cells) if name == "keys" or name in knobs(cells[0])]
    return [name for name in names if all(_is_number(setting(cell, name)) for cell in cells)]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _lines(name: str, cells: Sequence[Cell]) -> _Lines:
    """The lines of each panel. Lines with a single value of the setting are left out."""
    others, retries = [other for other in varied(cells) if other != name], short_retries(cells)
    shown = set(_spread(levels(cells)))
    grouped: dict[str, dict[int, dict[float, list[Cell]]]] = {}
    for cell in cells:
        title = ", ".join([str(cell["skew"]), *(setting_words(cell, other, retries) for other in others)])
        if cell["users"] in shown:
            line = grouped.setdefault(title, {}).setdefault(int(cell["users"]), {})
            line.setdefault(float(setting(cell, name) or 0), []).append(cell)
    kept = {
        title: {
            users: sorted(points.items())
            for users, points in sorted(lines.items())
            if len(points) >= _SEVERAL
        }
        for title, lines in grouped.items()
    }
    return {title: lines for title, lines in kept.items() if lines}


def _spread(users: Sequence[int]) -> Sequence[int]:
    """At most eight levels, the first and the last among them."""
    if len(users) <= _MAX_LINES:
        return users
    steps = _MAX_LINES - 1
    return [users[round(step * (len(users) - 1) / steps)] for step in range(_MAX_LINES)]


def _chart(name: str, lines: _Lines, foot: tuple[str, ...], spec: _Spec, waits: str) -> Chart:
    noun = name.removeprefix("--")
    tints = {
        users: index
        for index, users in enumerate(sorted({users for group in lines.values() for users in group}))
    }
    drawn = tuple(
        Panel(
            panel if len(lines) > 1 else "",
            tuple(
                panels.line(words.users(users), Tint(tints[users], len(tints)), spec.quantity, points)[0]
                for users, points in group.items()
            ),
        )
        for panel, group in lines.items()
    )
    every = [line for panel in drawn for line in panel.lines]
    found = _found(noun, lines, spec)
    return Chart(
        name=f"knob-{noun}-{spec.name}",
        title=f"{spec.title} by {noun}",
        subtitle=f"{spec.meaning} {found}{waits}".strip(),
        footer=foot,
        x=scales.setting_axis(noun, sorted({x for line in every for x in line.x})),
        y=spec.axis(panels.extent(every)),
        panels=drawn,
        key=panels.key(every, named=False, banded=False),
        alt=f"{spec.title} against {noun}. {found}".rstrip(),
    )


def _found(noun: str, lines: _Lines, spec: _Spec) -> str:
    """What the setting changes at the highest level of the last panel, if the intervals are apart."""
    value, ends, write = spec.quantity.value, spec.quantity.interval, spec.axis([]).write
    panel, group = list(lines.items())[-1]
    users, points = list(group.items())[-1]
    (low, first), (high, last) = ((x, middle(cells, value)) for x, cells in (points[0], points[-1]))
    if not (is_comparable(first) and is_comparable(last)) or None in {value(first), value(last)}:
        return ""
    where = f"With {panel} at {words.users(users)}"
    if not panels.differ(ends(first), ends(last)):
        return f"{where}, {noun} {words.number(low)} and {words.number(high)} do not differ clearly."
    return (
        f"{where}: {write(value(first))} with {noun} {words.number(low)}, {write(value(last))} with {noun} "
        f"{words.number(high)}."
    )
