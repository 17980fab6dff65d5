"""The chart of how many attempts a commit took: a distribution with its tail. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.charts import panels, scales
from reports.charts.marks import Chart, Line, Panel
from reports.words import wording as words
from reports.words.metrics import is_comparable, tries_p99
from reports.words.series import by_level, middle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.charts.panels import Groups, Slot
    from reports.words.wording import Cell

_PLACES_A_DECADE = 10
"""Where the distribution is read off: evenly in its logarithm, so that points keep apart."""


def chart(groups: Groups, foot: tuple[str, ...], waits: str = "") -> Chart | None:
    """At the highest concurrency that all lines have: the share of commits that took x attempts or more.

    None where the summary does not know, or no commit took a second attempt. `waits` is what the
    subtitle adds about row locks.
    """
    users = _shared(groups)
    if users is None:
        return None
    drawn = tuple(Panel(title, tuple(_line(slot, users) for slot in group)) for title, group in groups)
    lines = [line for panel in drawn for line in panel.lines]
    if max((x for line in lines for x in line.x), default=1.0) <= 1:
        return None
    y = scales.tail_axis("share of committed transactions (logarithmic)", panels.extent(lines))
    return Chart(
        name="attempts-per-commit",
        title="Attempts per commit",
        subtitle="Of the transactions that committed, the share that took so many attempts or more, at "
        f"{words.users(users)}. Those that gave up are not in it.{waits}",
        footer=foot,
        x=scales.try_axis("attempts or more (logarithmic)", [x for line in lines for x in line.x]),
        y=y,
        panels=drawn,
        key=panels.key(lines, named=False, banded=False),
        alt=f"Attempts per commit at {words.users(users)}. The most that one took: {_most(groups, users)}.",
    )


def tail(counts: Sequence[Sequence[int]]) -> list[tuple[float, float]]:
    """From counts (attempt, transactions), ascending: (x, share that took x attempts or more), some x."""
    total = sum(many for _, many in counts)
    places = _places(counts[-1][0]) if total else []
    return [(float(x), sum(many for attempt, many in counts if attempt >= x) / total) for x in places]


def _places(most: int) -> list[int]:
    """Whole numbers from 1 to `most`, both included, as evenly spaced in their logarithm as they can be."""
    places, power = {1, most}, 0
    while (place := round(10 ** (power / _PLACES_A_DECADE))) < most:
        places.add(place)
        power += 1
    return sorted(places)


def _line(slot: Slot, users: int) -> Line:
    cell = _cell(slot, users)
    points = tail((cell.get("commit_on_attempt") or {}).get("counts") or ())
    nothing = (None,) * len(points)
    return Line(
        label=slot.label,
        x=tuple(x for x, _ in points),
        y=tuple(y for _, y in points),
        low=nothing,
        high=nothing,
        hollow=(not is_comparable(cell),) * len(points),
        tint=slot.tint,
    )


def _cell(slot: Slot, users: int) -> Cell:
    return middle(dict(by_level(slot.series.cells))[users], tries_p99)


def _shared(groups: Groups) -> int | None:
    """The highest concurrency that all lines have, where any cell of it knows its attempts."""
    slots = [slot for _, group in groups for slot in group]
    shared = set.intersection(*({users for users, _ in by_level(slot.series.cells)} for slot in slots))
    users = max(shared, default=None)
    known = users is not None and any(_cell(slot, users).get("commit_on_attempt") for slot in slots)
    return users if known else None


def _most(groups: Groups, users: int) -> str:
    cells = [(slot.series.label, _cell(slot, users)) for _, group in groups for slot in group]
    return "; ".join(
        f"{label} {words.count((cell.get('commit_on_attempt') or {}).get('max'))}" for label, cell in cells
    )
