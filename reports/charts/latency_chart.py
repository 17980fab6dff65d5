"""The chart of the distribution of latency: the share of transactions that took longer. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.charts import panels, scales
from reports.charts.marks import Chart, Line, Panel
from reports.words import wording as words
from reports.words.metrics import is_comparable, latency_ms_p50, latency_ms_p99, quotable_p99

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.charts.panels import Groups, Slot
    from reports.words.wording import Cell


def chart(groups: Groups, foot: tuple[str, ...], waits: str = "") -> Chart | None:
    """One curve per line, at the highest concurrency level that all lines have.

    `waits` is the subtitle's sentence about row locks. None if no cell of that level has its distribution.
    """
    users = panels.shared_level(groups)
    if users is None:
        return None
    drawn = tuple(Panel(title, tuple(_line(slot, users) for slot in group)) for title, group in groups)
    lines = [line for panel in drawn for line in panel.lines]
    if not any(line.x for line in lines):
        return None
    found = _found([(_name(title, slot), _cell(slot, users)) for title, group in groups for slot in group])
    return Chart(
        name="latency-distribution",
        title="Distribution of latency",
        subtitle="Share of the committed transactions that took longer, including retries and backoff, at "
        f"{words.users(users)}. From every latency that was measured. {found}{waits}",
        footer=foot,
        x=scales.time_axis("latency (logarithmic)", [x for line in lines for x in line.x]),
        y=scales.tail_axis("share that took longer (logarithmic)", [y for line in lines for y in line.y]),
        panels=drawn,
        key=panels.key(lines, named=False, banded=False),
        alt=f"Distribution of the latency of committed transactions at {words.users(users)}. {found}",
        scatter=True,
    )


def _line(slot: Slot, users: int) -> Line:
    cell = _cell(slot, users)
    pairs = [(share, ms) for share, ms in cell.get("latency_curve") or () if ms > 0]
    absent = (None,) * len(pairs)
    return Line(
        label=slot.label,
        x=tuple(float(ms) for _, ms in pairs),
        y=tuple(float(share) for share, _ in pairs),
        low=absent,
        high=absent,
        hollow=(not is_comparable(cell),) * len(pairs),
        tint=slot.tint,
        remarks=tuple(f"longer than {words.milliseconds(ms)}" for _, ms in pairs),
        dense=True,
    )


def _cell(slot: Slot, users: int) -> Cell:
    return panels.at_level(slot, users, latency_ms_p99)


def _name(title: str, slot: Slot) -> str:
    return " ".join(", ".join(part for part in (title, slot.label) if part).split())


def _found(cells: Sequence[tuple[str, Cell]]) -> str:
    """The median and p99 of the first and the last line that may be quoted."""
    known = [(name, cell) for name, cell in cells if is_comparable(cell) and quotable_p99(cell) is not None]
    said = [
        f"{name} p50 {words.milliseconds(latency_ms_p50(cell))}, p99 {words.milliseconds(quotable_p99(cell))}"
        for name, cell in dict([*known[:1], *known[-1:]]).items()
    ]
    return f"With {'; with '.join(said)}." if said else ""
