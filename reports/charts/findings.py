"""What a chart over users shows, in a sentence that is derived from its usable cells. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from reports.charts import panels
from reports.words import wording as words
from reports.words.metrics import is_comparable, is_mostly_rejected
from reports.words.series import by_level, middle

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reports.charts.panels import Groups, Quantity
    from reports.charts.scales import Write
    from reports.words.wording import Cell


class _Point(NamedTuple):
    value: float
    line: str
    users: int
    cell: Cell


def finding(quantity: Quantity, groups: Groups, write: Write) -> str:
    """The two lines with the lowest and the highest value, at the highest level that several lines have.

    Of a single line it is the first and the last level. Empty if the two do not differ clearly, or if fewer
    than two cells are usable.
    """
    points = list(_points(quantity, groups))
    lines = {point.line for point in points}
    if len(lines) > 1:
        points = sorted(_at_shared_level(points), key=lambda point: point.value)
    if not points or not _differ(quantity, points[0], points[-1], write):
        return ""
    meaning = quantity.meaning.partition(":")[0]
    low, high = (write(point.value) for point in (points[0], points[-1]))
    if len(lines) == 1:
        first, last = (words.users(point.users) for point in (points[0], points[-1]))
        return f"{f'{meaning}: ' if meaning else ''}{low} at {first}; {high} at {last}."
    where = f"At {words.users(points[0].users)}{f', {meaning}' if meaning else ''}"
    return f"{where}: {low} with {points[0].line}; {high} with {points[-1].line}."


def rejected(groups: Groups) -> str:
    """How many cells have no goodput because most of their attempts were rejected; empty if none."""
    cells = [cell for _, group in groups for slot in group for cell in slot.series.cells]
    count = sum(map(is_mostly_rejected, cells))
    where = f"{words.counted(count, 'cell')} without goodput"
    return f"{where}: the business rule rejected most attempts." if count else ""


def _points(quantity: Quantity, groups: Groups) -> Iterator[_Point]:
    """The usable cells of all lines that have a value, each line's in order of users."""
    for slot in (slot for _, group in groups for slot in group):
        for users, repeats in by_level(slot.series.cells):
            cell = middle(repeats, quantity.choose or quantity.value)
            value = quantity.value(cell)
            if value is not None and is_comparable(cell):
                yield _Point(value, slot.series.name, users, cell)


def _at_shared_level(points: Sequence[_Point]) -> list[_Point]:
    """The points of the highest level that at least two lines have."""
    levels = [point.users for point in points]
    shared = max((users for users in levels if levels.count(users) > 1), default=None)
    return [point for point in points if point.users == shared]


def _differ(quantity: Quantity, one: _Point, other: _Point, write: Write) -> bool:
    """Whether two values are written differently, and have no intervals that overlap."""
    ends = quantity.interval(one.cell), quantity.interval(other.cell)
    unknown = any(end is None for pair in ends for end in pair)
    return write(one.value) != write(other.value) and (unknown or panels.differ(*ends))
