"""The chart of an observed run: conflict rate against the number of transactions in flight. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.charts import panels, scales
from reports.charts.marks import Chart, Line, Panel, Tint
from reports.words import wording as words
from reports.words.metrics import is_comparable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.charts.scales import Axis
    from reports.words.wording import Cell

_SEVERAL = 2


def chart(cells: Sequence[Cell], foot: tuple[str, ...], waits: str = "") -> Chart | None:
    """One point per number of transactions in flight, of the cell with the most attempts.

    `waits` is the subtitle's sentence about row locks. None if no number has enough attempts.
    """
    known = [cell for cell in cells if (cell.get("observed") or {}).get("in_flight", {}).get("levels")]
    if not known:
        return None
    cell = max(known, key=lambda one: int(one["attempts"]["total"]))
    levels = cell["observed"]["in_flight"]["levels"]
    rates = [level["conflict_rate"] for level in levels]
    line = Line(
        label="observed",
        x=tuple(float(level["mean"]) for level in levels),
        y=tuple(rate["value"] for rate in rates),
        low=tuple(rate["low"] for rate in rates),
        high=tuple(rate["high"] for rate in rates),
        hollow=(not is_comparable(cell),) * len(levels),
        tint=Tint(0, 1),
        remarks=tuple(
            f"{in_flight_words(level)}, {words.counted(level['attempts'], 'attempt')}" for level in levels
        ),
    )
    found = _found(levels)
    return Chart(
        name="conflict-rate-in-flight",
        title="Conflict rate against transactions in flight",
        subtitle="Transactions in flight, this one included, are averaged over each attempt. Numbers with "
        f"fewer than 20 attempts are left out. {found}{waits}".rstrip(),
        footer=foot,
        x=_axis(line.x),
        y=scales.share_axis("conflicts per attempt", panels.extent([line])),
        panels=(Panel("", (line,)),),
        key=panels.key([line], named=False, banded=False),
        alt=f"Conflict rate against the number of transactions in flight. {found}".rstrip(),
        scatter=True,
    )


def in_flight_words(level: Cell) -> str:
    """One number of transactions in flight, or a range of it: `4 to 5 in flight`."""
    low, high = words.count(level["from"]), words.count(level["to"])
    return f"{low if low == high else f'{low} to {high}'} in flight"


def _axis(means: Sequence[float]) -> Axis:
    low, high = min(means), max(means)
    ticks = [value for value in (1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000) if value <= high]
    shown = tuple((float(value), words.count(value)) for value in ticks if value >= low / 1.1)
    edges = shown or ((high, words.number(high)),)
    return scales.Axis("transactions in flight (logarithmic)", "log", low / 1.15, high * 1.15, edges)


def _found(levels: Sequence[Cell]) -> str:
    """The rates at both ends, in a sentence."""
    first, last = levels[0], levels[-1]
    end = f"{words.share(last['conflict_rate']['value'])} with {in_flight_words(last)}"
    if len(levels) < _SEVERAL:
        return f"It was {end}."
    return (
        f"It went from {words.share(first['conflict_rate']['value'])} with {in_flight_words(first)} to {end}."
    )
