"""From series of cells to the lines, bands and panels of one chart. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from reports.charts.marks import Band, Line, Panel, Sign, Stroke, Tint
from reports.words import wording as words
from reports.words.metrics import is_comparable
from reports.words.series import Series, Value, by_level, middle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from reports.words.wording import Cell

_HALF_PLACE = 0.28
"""Half the width of what is drawn at a place of a `names` axis, in places."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """What a line shows of each cell."""

    value: Value
    interval: Callable[[Cell], tuple[float | None, float | None]] = lambda _: (None, None)
    predicted: Value = lambda _: None
    stroke: Stroke = "solid"
    meaning: str = ""
    choose: Value | None = None
    """By which value the middle repeat is chosen; by its own where None."""
    told: Callable[[Cell], str] | None = None
    """What else to say of a cell where there is room for a word."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A series' name and colour within its panel."""

    label: str
    tint: Tint
    series: Series


Groups = Sequence[tuple[str, tuple[Slot, ...]]]
"""Panels before they are drawn: a title and what is in it."""


def slots(all_series: Sequence[Series]) -> Groups:
    """Deal series into titled panels: one panel, or one a skew where something else varies too."""
    skews = list(dict.fromkeys(one.cells[0]["skew"] for one in all_series))
    if len(skews) == 1 or not any(one.variant for one in all_series):
        return (("", _slots([(one.label, one) for one in all_series])),)
    return tuple(_skew_panel(skew, [s for s in all_series if s.cells[0]["skew"] == skew]) for skew in skews)


def apart(groups: Groups) -> Groups:
    """The same slots with a panel each."""
    return tuple((slot.series.label, (slot,)) for _, group in groups for slot in group)


def panel(
    title: str, group: Sequence[Slot], quantities: Sequence[Quantity], *, named: bool, banded: bool
) -> Panel:
    """One panel with the lines of its slots.

    Args:
        title: what is written above it.
        group: its series.
        quantities: what is drawn of each series.
        named: whether x is the series' place (one concurrency level) and not its users.
        banded: whether the area between the two quantities is shaded.
    """
    pairs = [
        [_line(slot, quantity, place if named else None) for quantity in quantities]
        for place, slot in enumerate(group)
    ]
    bands = tuple(_band(*pair, named=named) for pair in pairs) if banded else ()
    return Panel(title, tuple(line for pair in pairs for line in pair), bands)


def key(lines: Iterable[Line], *, named: bool, banded: bool) -> tuple[tuple[Sign, str], ...]:
    """The signs that these lines use, with their meanings."""
    drawn = list(lines)
    points: dict[Stroke, Sign] = {"solid": "large", "dotted": "small", "faint": "large"}
    signs: list[tuple[Sign, str]] = []
    if any(low is not None for line in drawn for low in line.low):
        signs.append(("point", "measured, 95 % interval"))
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
        signs.append(("repeat", "every repeat (the line joins the middle ones)"))
    if any(hollow for line in drawn for hollow in line.hollow):
        signs.append(("hollow", "not usable, or mostly rejected: see warnings"))
    return tuple(signs)


def extent(lines: Iterable[Line]) -> list[float | None]:
    """Every y that must fit on the axis."""
    return [
        y
        for line in lines
        for y in (*line.y, *line.low, *line.high, *line.predicted_y, *(repeat[1] for repeat in line.repeats))
    ]


def _slots(named: Sequence[tuple[str, Series]]) -> tuple[Slot, ...]:
    return tuple(Slot(label, Tint(place, len(named)), one) for place, (label, one) in enumerate(named))


def _skew_panel(skew: str, group: Sequence[Series]) -> tuple[str, tuple[Slot, ...]]:
    """Where the key count varies, so does D_eff: then it stands beside each line and not in the title."""
    if len({one.skew for one in group}) == 1:
        return group[0].skew, _slots([(one.variant, one) for one in group])
    return skew, _slots([(f"{one.variant}  ({words.d_eff(one.cells[0]['d_eff'])})", one) for one in group])


def _line(slot: Slot, quantity: Quantity, place: int | None) -> Line:
    groups = by_level(slot.series.cells)
    chosen = [middle(cells, quantity.choose or quantity.value) for _, cells in groups]
    x = tuple(float(users if place is None else place) for users, _ in groups)
    intervals = [quantity.interval(cell) for cell in chosen]
    line = Line(
        label=slot.label,
        x=x,
        y=tuple(quantity.value(cell) for cell in chosen),
        low=tuple(low for low, _ in intervals),
        high=tuple(high for _, high in intervals),
        hollow=tuple(not is_comparable(cell) for cell in chosen),
        tint=slot.tint,
        stroke=quantity.stroke,
        meaning=quantity.meaning,
        repeats=_repeats(groups, quantity.value, x),
        told=tuple(quantity.told(cell) for cell in chosen) if quantity.told else (),
    )
    return _with_prediction(line, [quantity.predicted(cell) for cell in chosen], named=place is not None)


def _repeats(
    groups: Sequence[tuple[int, Sequence[Cell]]], value: Value, x: Sequence[float]
) -> tuple[tuple[float, float, bool], ...]:
    if all(len(cells) == 1 for _, cells in groups):
        return ()
    found = [
        (at, value(cell), not is_comparable(cell))
        for at, (_, cells) in zip(x, groups, strict=True)
        for cell in cells
    ]
    return tuple((at, y, hollow) for at, y, hollow in found if y is not None)


def _with_prediction(line: Line, predicted: list[float | None], *, named: bool) -> Line:
    points = [(x, y) for x, y in zip(line.x, predicted, strict=True) if y is not None]
    if named:
        points = [(x + side, y) for x, y in points for side in (-_HALF_PLACE, _HALF_PLACE)]
    return replace(line, predicted_x=tuple(x for x, _ in points), predicted_y=tuple(y for _, y in points))


def _band(lower: Line, upper: Line, *, named: bool) -> Band:
    if not named:
        return Band(lower.label, lower.x, lower.y, upper.y, lower.tint)
    sides = tuple(x + side for x in lower.x for side in (-_HALF_PLACE, _HALF_PLACE))
    return Band(lower.label, sides, lower.y * 2, upper.y * 2, lower.tint)
