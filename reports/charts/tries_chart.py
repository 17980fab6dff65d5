"""The chart of attempts per commit: a distribution with its tail. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.charts import panels, scales
from reports.charts.marks import Chart, Line, Panel
from reports.words import wording as words
from reports.words.metrics import is_comparable, tries_p99

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.charts.panels import Groups, Slot
    from reports.words.wording import Cell

_POINTS_PER_DECADE = 10
"""The distribution is drawn at points that are evenly spaced in their logarithm."""


def chart(groups: Groups, foot: tuple[str, ...], waits: str = "") -> Chart | None:
    """The share of commits that took at least x attempts, at the highest level that all lines have.

    `waits` is the subtitle's sentence about row locks. None if the summary has no such counts, or if no
    commit took a second attempt.
    """
    users = panels.shared_level(groups)
    if users is None or not _is_known(groups, users):
        return None
    drawn = tuple(Panel(title, tuple(_line(slot, users) for slot in group)) for title, group in groups)
    lines = [line for panel in drawn for line in panel.lines]
    if max((x for line in lines for x in line.x), default=1.0) <= 1:
        return None
    y = scales.tail_axis("share of committed transactions (logarithmic)", panels.extent(lines))
    return Chart(
        name="attempts-per-commit",
        title="Attempts per commit",
        subtitle="Share of the committed transactions that took at least this many attempts, at "
        f"{words.users(users)}. Transactions that gave up are not included.{waits}",
        footer=foot,
        x=scales.try_axis("at least this many attempts (logarithmic)", [x for line in lines for x in line.x]),
        y=y,
        panels=drawn,
        key=panels.key(lines, named=False, banded=False),
        alt=f"Attempts per commit at {words.users(users)}. The most for one commit: {_most(groups, users)}.",
    )


def tail(counts: Sequence[Sequence[int]]) -> list[tuple[float, float]]:
    """(x, share of the transactions that took at least x attempts) for some x.

    `counts` are pairs (attempt, transactions), ascending.
    """
    total = sum(transactions for _, transactions in counts)
    numbers = _log_spaced(counts[-1][0]) if total else []
    return [
        (float(x), sum(transactions for attempt, transactions in counts if attempt >= x) / total)
        for x in numbers
    ]


def _log_spaced(most: int) -> list[int]:
    """Whole numbers from 1 to `most`, both included, spaced as evenly in their logarithm as possible."""
    numbers, power = {1, most}, 0
    while (number := round(10 ** (power / _POINTS_PER_DECADE))) < most:
        numbers.add(number)
        power += 1
    return sorted(numbers)


def _line(slot: Slot, users: int) -> Line:
    cell = _cell(slot, users)
    points = tail((cell.get("commit_on_attempt") or {}).get("counts") or ())
    absent = (None,) * len(points)
    return Line(
        label=slot.label,
        x=tuple(x for x, _ in points),
        y=tuple(y for _, y in points),
        low=absent,
        high=absent,
        hollow=(not is_comparable(cell),) * len(points),
        tint=slot.tint,
    )


def _cell(slot: Slot, users: int) -> Cell:
    return panels.at_level(slot, users, tries_p99)


def _is_known(groups: Groups, users: int) -> bool:
    """Whether a cell of that level has counts."""
    return any(_cell(slot, users).get("commit_on_attempt") for _, group in groups for slot in group)


def _most(groups: Groups, users: int) -> str:
    cells = [(slot.series.label, _cell(slot, users)) for _, group in groups for slot in group]
    return "; ".join(
        f"{label} {words.count((cell.get('commit_on_attempt') or {}).get('max'))}" for label, cell in cells
    )
