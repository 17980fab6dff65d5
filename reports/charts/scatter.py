"""The chart of goodput against p99 latency, with one Pareto front per skew. Pure."""

from __future__ import annotations

from itertools import groupby
from math import log10
from typing import TYPE_CHECKING, Literal

from analysis.fairness import MIN_JAIN
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
    quotable_p99,
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
"""Approximate size of the plot, or of all panels in a row, for keeping texts clear of points."""
_LETTER_IN, _TEXT_IN, _POINT_IN = 0.085, 0.15, 0.2
_MAX_GIVEN_UP = 0.05
"""If a larger share of the transactions gave up or failed, p99 leaves out too many bad cases."""
_FLATTERED = (
    "p99 covers only transactions that committed. If more than 5 % gave up or failed, or a few users had "
    "most commits (Jain's index below 0.5), p99 looks too good and the point is not ringed."
)
_SIDES: tuple[Side, ...] = ("above", "right", "below", "left")


def chart(groups: Groups, foot: tuple[str, ...], waits: str = "") -> Chart | None:
    """One point per cell; lines join the points of one setting in order of users.

    `waits` is the subtitle's sentence about row locks. None if no cell has both values.
    """
    drawn = [(title, [(slot, _cells(slot)) for slot in group]) for title, group in groups]
    every = [cell for _, group in drawn for _, cells in group for cell in cells]
    if not every:
        return None
    x = scales.rate_axis("goodput per second", [goodput_per_s(cell) for cell in every], words.per_second)
    y = scales.time_axis("p99 latency (logarithmic)", [latency_ms_p99(cell) for cell in every])
    plotted = tuple(_panel(title, group, (x, y), len(drawn)) for title, group in drawn)
    return Chart(
        name="goodput-latency",
        title="Goodput against latency",
        subtitle="Points further right and lower are better. A line joins the points of one setting in "
        "order of users; the numbers are users. "
        f"{_FLATTERED if any(map(_flatters, every)) else ''}{waits}".rstrip(),
        footer=foot,
        x=x,
        y=y,
        panels=plotted,
        key=_key(plotted),
        alt=f"Goodput against p99 latency. {_last_points(plotted)}",
        scatter=True,
    )


def _flatters(cell: Cell) -> bool:
    """Whether its p99 leaves out many bad cases: transactions that gave up or failed, or starved users."""
    index = jain(cell)
    return _without_commit(cell) > _MAX_GIVEN_UP or (index is not None and index < MIN_JAIN)


def _without_commit(cell: Cell) -> float:
    """Share of the transactions that gave up or failed."""
    return (give_up_rate(cell) or 0.0) + (error_rate(cell) or 0.0)


def front(points: Iterable[Point]) -> tuple[Point, ...]:
    """The Pareto front of (goodput, latency): no other point has as much goodput and as little latency.

    The points ascend. Also called skyline (Kung, Luccio and Preparata 1975).
    """
    best: list[Point] = []
    for x, y in sorted(set(points), key=lambda point: (-point[0], point[1])):
        if not best or y < best[-1][1]:
            best.append((x, y))
    return tuple(best[::-1])


def _cells(slot: Slot) -> list[Cell]:
    """The median repeat of each level (by goodput), if it has both values."""
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
    lines = tuple(
        _line(slot, cells, line_notes) for (slot, cells), line_notes in zip(group, notes, strict=True)
    )
    return Panel(title, lines, fronts=_fronts([cell for _, cells in group for cell in cells]))


def _line(slot: Slot, cells: Sequence[Cell], notes: tuple[Note, ...]) -> Line:
    points, absent = _points(cells), (None,) * len(cells)
    levels = by_level(slot.series.cells)
    several = any(len(repeats) > 1 for _, repeats in levels)
    repeats = [(cell, _point(cell)) for _, group in levels for cell in group] if several else []
    return Line(
        label=slot.label,
        x=tuple(x for x, _ in points),
        y=tuple(y for _, y in points),
        low=absent,
        high=absent,
        hollow=tuple(not is_comparable(cell) for cell in cells),
        tint=slot.tint,
        stroke="faint",
        repeats=tuple((*point, not is_comparable(cell)) for cell, point in repeats if point),
        remarks=tuple(
            f"{words.users(cell['users'])}, {words.per_second(goodput_per_s(cell))}{_left_out(cell)}"
            for cell in cells
        ),
        notes=notes,
    )


def _left_out(cell: Cell) -> str:
    """What the cell's p99 leaves out, in words; empty if that is little."""
    if not _flatters(cell):
        return ""
    if _without_commit(cell) > _MAX_GIVEN_UP:
        failed = " or failed" if error_rate(cell) else ""
        return f", {words.share(min(_without_commit(cell), 1.0))} of transactions gave up{failed}"
    return f", Jain's index {words.number(jain(cell))}"


def _fronts(cells: Sequence[Cell]) -> tuple[tuple[Point, ...], ...]:
    """One front per skew over the same keys, because you cannot choose your workload's skew.

    A single cell has no front. Cells whose p99 looks too good are left out: giving up, or starving users,
    would win every time.
    """
    usable = sorted((cell for cell in cells if _may_be_best(cell)), key=_workload)
    by_workload = [_points(group) for _, group in groupby(usable, _workload)]
    return tuple(front(points) for points in by_workload if len(points) > 1)


def _may_be_best(cell: Cell) -> bool:
    """Whether a cell is comparable, and its p99 is quotable and does not look too good."""
    return is_comparable(cell) and not _flatters(cell) and quotable_p99(cell) is not None


def _workload(cell: Cell) -> tuple[str, int]:
    return str(cell["skew"]), int(cell["keys"])


def _notes(
    lines: Sequence[Sequence[Cell]], axes: tuple[Axis, Axis], width_in: float
) -> list[tuple[Note, ...]]:
    """The numbers of users beside points, if there is free room: the ends of lines first, then others."""
    positions = [[_position_in(point, axes, width_in) for point in _points(cells)] for cells in lines]
    taken = [_about(x, y, _POINT_IN, _POINT_IN) for line in positions for x, y in line]
    notes: list[list[Note]] = [[] for _ in lines]
    for index, rank in _by_worth([len(cells) for cells in lines]):
        cell, (x, y) = lines[index][rank], positions[index][rank]
        text = words.count(cell["users"])
        boxes = _beside(x, y, len(text) * _LETTER_IN)
        free = next((side for side, box in boxes if _free(box, taken, width_in)), None)
        if free is not None:
            taken.append(dict(boxes)[free])
            notes[index].append(Note(*_points([cell])[0], text, free))
    return [tuple(line_notes) for line_notes in notes]


def _by_worth(lengths: Sequence[int]) -> list[tuple[int, int]]:
    """(line, point) indices of all points: last ones, first ones, then the others."""
    every = [(index, rank) for index, length in enumerate(lengths) for rank in range(length)]
    return sorted(every, key=lambda at: 0 if at[1] == lengths[at[0]] - 1 else 1 if at[1] == 0 else 2)


def _position_in(point: Point, axes: tuple[Axis, Axis], width_in: float) -> Point:
    """The position of a point in the plot, in inches from the lower left."""
    across, up = (_share(value, axis) for value, axis in zip(point, axes, strict=True))
    return across * width_in, up * _PLOT_IN[1]


def _share(value: float, axis: Axis) -> float:
    """The position of a value between the ends of its axis, from 0 to 1."""
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
    meaning = "best of its skew: no other point has more goodput and a lower p99"
    best: tuple[Literal["front"], str] = ("front", meaning)
    return (best, *signs)


def _last_points(drawn: Sequence[Panel]) -> str:
    """The last point of every line in words."""
    ends = [
        (": ".join(part for part in (panel.title, line.label) if part), line)
        for panel in drawn
        for line in panel.lines
        if line.x
    ]
    return (
        "; ".join(f"{name} at {line.remarks[-1]}, {words.milliseconds(line.y[-1])}" for name, line in ends)
        + "."
    )
