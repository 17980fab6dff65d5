"""The lines, bands and panels of one chart, made from series of cells. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import nan
from typing import TYPE_CHECKING

from reports.charts.marks import Band, Line, Panel, Sign, Stroke, Tint
from reports.words import wording as words
from reports.words.metrics import is_comparable, is_mostly_rejected
from reports.words.series import Series, Value, by_level, middle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from reports.words.wording import Cell

_HALF_WIDTH = 0.28
"""Half the width of a mark on a `names` axis, whose positions are 1 apart."""


Interval = tuple[float | None, float | None]
"""The ends of a 95 % interval; None if there is none."""


def interval_of(name: str) -> Callable[[Cell], Interval]:
    """The interval of an estimate in summary.json, such as `conflict_rate`."""
    return lambda cell: ((cell.get(name) or {}).get("low"), (cell.get(name) or {}).get("high"))


def goodput_interval(cell: Cell) -> Interval:
    """The interval of goodput, which a mostly rejected cell does not have."""
    return (None, None) if is_mostly_rejected(cell) else interval_of("goodput_per_s")(cell)


@dataclass(frozen=True, slots=True)
class Quantity:
    """The figure of each cell that a line shows."""

    value: Value
    interval: Callable[[Cell], Interval] = lambda _: (None, None)
    predicted: Value = lambda _: None
    stroke: Stroke = "solid"
    meaning: str = ""
    choose: Value | None = None
    """The value by which the median repeat is chosen; None means `value`."""
    remark: Callable[[Cell], str] | None = None
    """A remark on a cell, for hover texts."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A series' name and colour within its panel."""

    label: str
    tint: Tint
    series: Series


Groups = Sequence[tuple[str, tuple[Slot, ...]]]
"""Panels before they are drawn: the title and the slots of each."""


def shared_level(groups: Groups) -> int | None:
    """The highest concurrency level that all lines have; None if they share none."""
    shared = set.intersection(
        *({users for users, _ in by_level(slot.series.cells)} for _, group in groups for slot in group)
    )
    return max(shared, default=None)


def at_level(slot: Slot, users: int, value: Value) -> Cell:
    """The median repeat of a level that the series has."""
    return middle(dict(by_level(slot.series.cells))[users], value)


def slots(all_series: Sequence[Series]) -> Groups:
    """Series in titled panels: one panel, or one panel per skew if something else varies too."""
    skews = list(dict.fromkeys(line.cells[0]["skew"] for line in all_series))
    if len(skews) == 1 or not any(line.variant for line in all_series):
        return (("", _slots([(line.label, line) for line in all_series])),)
    return tuple(_skew_panel(skew, [s for s in all_series if s.cells[0]["skew"] == skew]) for skew in skews)


def apart(groups: Groups) -> Groups:
    """The same slots, each in its own panel."""
    return tuple((slot.series.label, (slot,)) for _, group in groups for slot in group)


def panel(
    title: str, group: Sequence[Slot], quantities: Sequence[Quantity], *, named: bool, banded: bool
) -> Panel:
    """One panel with the lines of its slots.

    Args:
        title: the text above the panel.
        group: its series.
        quantities: the quantities that are drawn of each series.
        named: whether x is the series' position (a run of one concurrency level) instead of the users.
        banded: whether the area between the two quantities is shaded.
    """
    pairs = [
        [_line(slot, quantity, position if named else None) for quantity in quantities]
        for position, slot in enumerate(group)
    ]
    bands = tuple(_band(*pair, named=named) for pair in pairs) if banded else ()
    return Panel(title, tuple(line for pair in pairs for line in pair), bands)


def key(lines: Iterable[Line], *, named: bool, banded: bool) -> tuple[tuple[Sign, str], ...]:
    """The signs that these lines use, with their meanings."""
    drawn = list(lines)
    points: dict[Stroke, Sign] = {"solid": "large", "dotted": "small", "faint": "large"}
    signs: list[tuple[Sign, str]] = []
    if any(low is not None for line in drawn for low in line.low):
        signs.append(("point", "measured, with 95 % interval"))
    signs += dict.fromkeys(
        (points[line.stroke] if named or line.stroke == "faint" else line.stroke, line.meaning)
        for line in drawn
        if line.meaning
    )
    if banded:
        signs.append(("band", "wasted: attempts that did not commit"))
    if any(line.predicted_x for line in drawn):
        signs.append(("dashed", "closed form"))
    if any(line.repeats for line in drawn):
        signs.append(("repeat", "each repeat (the line joins the medians)"))
    if any(hollow for line in drawn for hollow in line.hollow):
        signs.append(("hollow", "not usable, or mostly rejected: see warnings"))
    return tuple(signs)


def differ(one: Interval, other: Interval) -> bool:
    """Whether two values differ clearly: their intervals do not overlap. Without intervals nobody knows."""
    low, high, other_low, other_high = (nan if end is None else end for end in (*one, *other))
    return high < other_low or other_high < low


def extent(lines: Iterable[Line]) -> list[float | None]:
    """Every y that must fit on the axis."""
    return [
        y
        for line in lines
        for y in (*line.y, *line.low, *line.high, *line.predicted_y, *(repeat[1] for repeat in line.repeats))
    ]


def _slots(named: Sequence[tuple[str, Series]]) -> tuple[Slot, ...]:
    return tuple(Slot(label, Tint(index, len(named)), line) for index, (label, line) in enumerate(named))


def _skew_panel(skew: str, group: Sequence[Series]) -> tuple[str, tuple[Slot, ...]]:
    """The panel of one skew. If the key count varies, each line's label has its own D_eff, not the title."""
    if len({line.skew for line in group}) == 1:
        return group[0].skew, _slots([(line.variant, line) for line in group])
    return skew, _slots(
        [(f"{line.variant}  ({words.d_eff(line.cells[0]['d_eff'])})", line) for line in group]
    )


def _line(slot: Slot, quantity: Quantity, position: int | None) -> Line:
    groups = by_level(slot.series.cells)
    points = [(float(users if position is None else position), cells) for users, cells in groups]
    drawn, chosen = line(slot.label, slot.tint, quantity, points)
    return _with_prediction(drawn, [quantity.predicted(cell) for cell in chosen], named=position is not None)


def line(
    label: str, tint: Tint, quantity: Quantity, points: Sequence[tuple[float, Sequence[Cell]]]
) -> tuple[Line, list[Cell]]:
    """The line of a quantity over (x, repeats) without its closed form, and the cell of each point."""
    chosen = [middle(cells, quantity.choose or quantity.value) for _, cells in points]
    intervals = [quantity.interval(cell) for cell in chosen]
    drawn = Line(
        label=label,
        x=tuple(x for x, _ in points),
        y=tuple(quantity.value(cell) for cell in chosen),
        low=tuple(low for low, _ in intervals),
        high=tuple(high for _, high in intervals),
        hollow=tuple(not is_comparable(cell) for cell in chosen),
        tint=tint,
        stroke=quantity.stroke,
        meaning=quantity.meaning,
        repeats=_repeats(points, quantity.value),
        remarks=tuple(quantity.remark(cell) for cell in chosen) if quantity.remark else (),
    )
    return drawn, chosen


def _repeats(
    points: Sequence[tuple[float, Sequence[Cell]]], value: Value
) -> tuple[tuple[float, float, bool], ...]:
    if all(len(cells) == 1 for _, cells in points):
        return ()
    every = [(x, value(cell), not is_comparable(cell)) for x, cells in points for cell in cells]
    return tuple((x, y, hollow) for x, y, hollow in every if y is not None)


def _with_prediction(line: Line, predicted: list[float | None], *, named: bool) -> Line:
    points = [(x, y) for x, y in zip(line.x, predicted, strict=True) if y is not None]
    if named:
        points = [(x + side, y) for x, y in points for side in (-_HALF_WIDTH, _HALF_WIDTH)]
    return replace(line, predicted_x=tuple(x for x, _ in points), predicted_y=tuple(y for _, y in points))


def _band(lower: Line, upper: Line, *, named: bool) -> Band:
    if not named:
        return Band(lower.label, lower.x, lower.y, upper.y, lower.tint)
    sides = tuple(x + side for x in lower.x for side in (-_HALF_WIDTH, _HALF_WIDTH))
    return Band(lower.label, sides, lower.y * 2, upper.y * 2, lower.tint)
