"""The chart of goodput against p99 latency: what can be had of both, and what a choice costs. Pure."""

from __future__ import annotations

from itertools import groupby
from math import log10
from typing import TYPE_CHECKING, Literal

from reports.charts import layout, panels, scales
from reports.charts.layout import Box
from reports.charts.marks import Chart, Line, Note, Panel, Sign
from reports.words import wording as words
from reports.words.metrics import (
    error_rate,
    give_up_rate,
    goodput_per_s,
    is_comparable,
    jain,
    latency_ms_p99,
    told_p99,
)
from reports.words.series import by_level, middle

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reports.charts.marks import Side
    from reports.charts.panels import Groups, Slot
    from reports.charts.scales import Axis
    from reports.words.wording import Cell

Point = tuple[float, float]
_Sides = tuple[tuple["Side", float, float], ...]

_PLOT_IN = (8.0, 3.4)
"""About the size of the plot, or of all panels beside each other: for keeping texts clear of points."""
_LETTER_IN, _TEXT_IN, _POINT_IN = 0.085, 0.15, 0.2
_MAX_GIVEN_UP = 0.05
"""Where more of the transactions were given up, p99 says too little of what clients met."""
_FAIR = 0.5
"""Jain's index below which p99 is that of a few users."""
_FLATTERED = (
    "p99 is of transactions that committed: where more than 5 % gave up or failed, or a few users had most "
    "commits (Jain's index below 0.5), it flatters, and no point is ringed."
)
_SIDES: tuple[Side, ...] = ("above", "right", "below", "left")


def chart(groups: Groups, foot: tuple[str, ...], waits: str = "") -> Chart | None:
    """A point a cell, those of a line joined in the order of their users; None where nothing has both.

    `waits` is what the subtitle adds about row locks.
    """
    drawn = [(title, [(slot, _cells(slot)) for slot in group]) for title, group in groups]
    every = [cell for _, group in drawn for _, cells in group for cell in cells]
    if not every:
        return None
    x = scales.rate_axis("goodput a second", [goodput_per_s(cell) for cell in every], words.per_second)
    y = scales.time_axis("p99 latency (logarithmic)", [latency_ms_p99(cell) for cell in every])
    made = tuple(_panel(title, group, (x, y), len(drawn)) for title, group in drawn)
    return Chart(
        name="goodput-latency",
        title="Goodput against latency",
        subtitle="Right and low is better. Lines join the points of one setting as users rise; "
        f"the numbers are users. {_FLATTERED if any(map(_flatters, every)) else ''}{waits}".rstrip(),
        footer=foot,
        x=x,
        y=y,
        panels=made,
        key=_key(made),
        alt=f"Goodput against p99 latency. {_told(made)}",
        scatter=True,
    )


def _flatters(cell: Cell) -> bool:
    """Whether its p99 leaves out many who fared worse: those that gave up or failed, or starved users."""
    index = jain(cell)
    return _without_commit(cell) > _MAX_GIVEN_UP or (index is not None and index < _FAIR)


def _without_commit(cell: Cell) -> float:
    """Share of the transactions that gave up or failed."""
    return (give_up_rate(cell) or 0.0) + (error_rate(cell) or 0.0)


def front(points: Iterable[Point]) -> tuple[Point, ...]:
    """Those (goodput, latency) that none beats: no other has as much goodput and as little latency.

    Ascending. The Pareto front, or skyline (Kung, Luccio and Preparata 1975).
    """
    best: list[Point] = []
    for x, y in sorted(set(points), key=lambda point: (-point[0], point[1])):
        if not best or y < best[-1][1]:
            best.append((x, y))
    return tuple(best[::-1])


def _cells(slot: Slot) -> list[Cell]:
    """The middle repeat of each level (by goodput), where it has both values."""
    chosen = [middle(cells, goodput_per_s) for _, cells in by_level(slot.series.cells)]
    return [cell for cell in chosen if _point(cell)]


def _point(cell: Cell) -> Point | None:
    goodput, latency = goodput_per_s(cell), latency_ms_p99(cell)
    return (goodput, latency) if goodput is not None and latency else None


def _points(cells: Iterable[Cell]) -> list[Point]:
    return [point for point in map(_point, cells) if point]


def _panel(
    title: str, group: Sequence[tuple[Slot, list[Cell]]], axes: tuple[Axis, Axis], panels_: int
) -> Panel:
    notes = _notes([cells for _, cells in group], axes, _PLOT_IN[0] / layout.columns(panels_))
    lines = tuple(_line(slot, cells, ours) for (slot, cells), ours in zip(group, notes, strict=True))
    return Panel(title, lines, fronts=_fronts([cell for _, cells in group for cell in cells]))


def _line(slot: Slot, cells: Sequence[Cell], notes: tuple[Note, ...]) -> Line:
    points, nothing = _points(cells), (None,) * len(cells)
    levels = by_level(slot.series.cells)
    several = any(len(repeats) > 1 for _, repeats in levels)
    repeats = [(cell, _point(cell)) for _, group in levels for cell in group] if several else []
    return Line(
        label=slot.label,
        x=tuple(x for x, _ in points),
        y=tuple(y for _, y in points),
        low=nothing,
        high=nothing,
        hollow=tuple(not is_comparable(cell) for cell in cells),
        tint=slot.tint,
        stroke="faint",
        repeats=tuple((*point, not is_comparable(cell)) for cell, point in repeats if point),
        told=tuple(
            f"{words.users(cell['users'])}, {words.per_second(goodput_per_s(cell))}{_ill(cell)}"
            for cell in cells
        ),
        notes=notes,
    )


def _ill(cell: Cell) -> str:
    """What its p99 does not say, where that is much."""
    if not _flatters(cell):
        return ""
    if _without_commit(cell) > _MAX_GIVEN_UP:
        failed = " or failed" if error_rate(cell) else ""
        return f", {words.share(min(_without_commit(cell), 1.0))} of transactions given up{failed}"
    return f", Jain's index {words.number(jain(cell))}"


def _fronts(cells: Sequence[Cell]) -> tuple[tuple[Point, ...], ...]:
    """One a skew: only cells of the same skew over the same keys are a choice; of one cell there is none.

    Cells whose p99 flatters are none of the best: to give up, or to starve users, would win every time.
    """
    usable = sorted((cell for cell in cells if _may_be_best(cell)), key=_workload)
    found = [_points(group) for _, group in groupby(usable, _workload)]
    return tuple(front(points) for points in found if len(points) > 1)


def _may_be_best(cell: Cell) -> bool:
    """Whether enough transactions committed, most of all that were tried, and not those of a few users."""
    return is_comparable(cell) and not _flatters(cell) and told_p99(cell) is not None


def _workload(cell: Cell) -> tuple[str, int]:
    return str(cell["skew"]), int(cell["keys"])


def _notes(
    lines: Sequence[Sequence[Cell]], axes: tuple[Axis, Axis], width_in: float
) -> list[tuple[Note, ...]]:
    """The users beside the points where they touch nothing: the ends of lines first, then the others."""
    places = [[_place_in(point, axes, width_in) for point in _points(cells)] for cells in lines]
    taken = [_about(x, y, _POINT_IN, _POINT_IN) for line in places for x, y in line]
    notes: list[list[Note]] = [[] for _ in lines]
    for index, rank in _by_worth([len(cells) for cells in lines]):
        cell, (x, y) = lines[index][rank], places[index][rank]
        text = words.count(cell["users"])
        boxes = _beside(x, y, len(text) * _LETTER_IN)
        free = next((side for side, box in boxes if _free(box, taken, width_in)), None)
        if free is not None:
            taken.append(dict(boxes)[free])
            notes[index].append(Note(*_points([cell])[0], text, free))
    return [tuple(ours) for ours in notes]


def _by_worth(lengths: Sequence[int]) -> list[tuple[int, int]]:
    """(line, point) of all points: last ones, first ones, then the others."""
    every = [(index, rank) for index, length in enumerate(lengths) for rank in range(length)]
    return sorted(every, key=lambda at: 0 if at[1] == lengths[at[0]] - 1 else 1 if at[1] == 0 else 2)


def _place_in(point: Point, axes: tuple[Axis, Axis], width_in: float) -> Point:
    across, up = (_share(value, axis) for value, axis in zip(point, axes, strict=True))
    return across * width_in, up * _PLOT_IN[1]


def _share(value: float, axis: Axis) -> float:
    """Where a value stands between the ends of its axis, 0 to 1."""
    if axis.scale != "log":
        return (value - axis.low) / (axis.high - axis.low)
    low, high = log10(axis.low), log10(axis.high)
    return (log10(value) - low) / (high - low)


def _beside(x: float, y: float, width: float) -> list[tuple[Side, Box]]:
    """The box of a text on each side of a point."""
    up, over = (_POINT_IN + _TEXT_IN) / 2 + 0.02, (_POINT_IN + width) / 2 + 0.03
    moves = ((0.0, up), (over, 0.0), (0.0, -up), (-over, 0.0))
    return [
        (side, _about(x + dx, y + dy, width, _TEXT_IN)) for side, (dx, dy) in zip(_SIDES, moves, strict=True)
    ]


def _about(x: float, y: float, width: float, height: float) -> Box:
    return Box(x - width / 2, y - height / 2, width, height)


def _free(box: Box, taken: Sequence[Box], width_in: float) -> bool:
    inside = box.left >= 0 and box.left + box.width <= width_in
    within = box.bottom >= 0 and box.bottom + box.height <= _PLOT_IN[1]
    return inside and within and not any(layout.overlap(box, other) for other in taken)


def _key(drawn: Sequence[Panel]) -> tuple[tuple[Sign, str], ...]:
    signs = panels.key([line for panel in drawn for line in panel.lines], named=False, banded=False)
    if not any(panel.fronts for panel in drawn):
        return signs
    meaning = "best of its skew: no other has more goodput and less p99"
    best: tuple[Literal["front"], str] = ("front", meaning)
    return (best, *signs)


def _told(drawn: Sequence[Panel]) -> str:
    """The last point of every line in words."""
    ends = [
        (": ".join(part for part in (panel.title, line.label) if part), line)
        for panel in drawn
        for line in panel.lines
        if line.x
    ]
    return (
        "; ".join(f"{name} at {line.told[-1]}, {words.milliseconds(line.y[-1])}" for name, line in ends) + "."
    )
