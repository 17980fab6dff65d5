"""The chart of conflict rate, goodput and p99 over skew and users, as tiles. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING

from reports.charts import scales
from reports.charts.marks import Chart, Panel, Sign, Tile, Tint
from reports.words import wording as words
from reports.words.metrics import conflict_rate, goodput_per_s, is_comparable, quotable_p99
from reports.words.series import by_level, levels, middle

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reports.charts.scales import Write
    from reports.words.series import Series, Value
    from reports.words.wording import Cell

_SEVERAL = 2
_MAX_ROWS = 16
_MAX_LEVELS = 12
_LEAST_TOP = 0.05
"""The strongest colour of the conflict rate stands for at least this rate: a small one stays pale."""
_PALEST = 0.06
_TWO_DIGITS = 9.95
"""From here on a number with one decimal would have three digits."""
_SAME = 1.2
"""If the slowest p99 is below this ratio of the fastest, all are equally strong."""


def compact(value: float) -> str:
    """A number of at most four characters: `0.5`, `84`, `742`, `3.1k`, `12k`, `1.2M`."""
    for factor, unit in ((1e6, "M"), (1e3, "k")):
        if value >= 0.9995 * factor:
            scaled = value / factor
            return f"{scaled:.1f}{unit}" if scaled < _TWO_DIGITS else f"{scaled:.0f}{unit}"
    return f"{value:.1f}" if 0 < value < _TWO_DIGITS else f"{value:.0f}"


def _percent(value: float) -> str:
    percent = 100 * value
    if 0 < percent < 0.05:  # noqa: PLR2004 - would be rounded to 0.0
        return "<0.1"
    return compact(percent)


@dataclass(frozen=True, slots=True)
class _Quantity:
    title: str
    noun: str
    value: Value
    text: Callable[[float], str]
    write: Write
    tint: Tint
    is_ratio: bool = False
    """Whether its colour follows the logarithm."""
    least_top: float = 0.0


_QUANTITIES = (
    _Quantity(
        "conflict rate in %",
        "conflict rate",
        conflict_rate,
        _percent,
        words.share,
        Tint(7, 8),
        least_top=_LEAST_TOP,
    ),
    _Quantity(
        "goodput per second",
        "goodput",
        goodput_per_s,
        compact,
        words.per_second,
        Tint(1, 8),
    ),
    _Quantity(
        "p99 latency in ms",
        "p99 latency",
        quotable_p99,
        compact,
        words.milliseconds,
        Tint(0, 8),
        is_ratio=True,
    ),
)


def chart(all_series: Sequence[Series], foot: tuple[str, ...], waits: str = "") -> Chart | None:
    """Three panels of tiles, the hottest line on top. A tile is missing if its cell was not measured.

    `waits` is the subtitle's sentence about row locks. None with fewer than two skews or two levels, and with
    more lines or levels than can be read.
    """
    columns = levels(cell for line in all_series for cell in line.cells)
    skews = {line.skew for line in all_series}
    if not (_SEVERAL <= len(columns) <= _MAX_LEVELS and len(all_series) <= _MAX_ROWS):
        return None
    if len(skews) < _SEVERAL:
        return None
    drawn = tuple(_panel(quantity, all_series, columns) for quantity in _QUANTITIES)
    hollow = any(tile.hollow for panel in drawn for tile in panel.tiles)
    signs: tuple[tuple[Sign, str], ...] = (("hollow", "not usable, or mostly rejected: see warnings"),)
    return Chart(
        name="heatmap",
        title="Skew by users",
        subtitle="One tile per cell; the stronger its colour, the higher the value. "
        f"{_highest(all_series)}{waits}",
        footer=foot,
        x=scales.category_axis("users", [words.count(users) for users in columns]),
        y=scales.row_axis([line.label for line in all_series]),
        panels=drawn,
        key=signs if hollow else (),
        alt=f"Conflict rate, goodput and p99 latency over skew and users. {_highest(all_series)}",
    )


def _panel(quantity: _Quantity, all_series: Sequence[Series], columns: Sequence[int]) -> Panel:
    chosen = [
        (row, columns.index(users), line, middle(cells, quantity.value))
        for row, line in enumerate(all_series)
        for users, cells in by_level(line.cells)
    ]
    strength = _strengths(quantity, [cell for _, _, _, cell in chosen])
    tiles = tuple(_tile(quantity, (column, row), line, cell, strength) for row, column, line, cell in chosen)
    return Panel(quantity.title, (), tiles=tiles, tint=quantity.tint)


def _tile(
    quantity: _Quantity,
    place: tuple[int, int],
    line: Series,
    cell: Cell,
    strength: Callable[[float], float],
) -> Tile:
    value, hollow = quantity.value(cell), not is_comparable(cell)
    written = f"{quantity.noun} {quantity.write(value)}{' NOT USABLE' if hollow else ''}"
    return Tile(
        *place,
        text=words.ABSENT if value is None else quantity.text(value),
        value=quantity.write(value),
        strength=0.0 if value is None or hollow else strength(value),
        hollow=hollow,
        remark=f"{line.label}, {words.users(cell['users'])}: {written}",
    )


def _strengths(quantity: _Quantity, cells: Sequence[Cell]) -> Callable[[float], float]:
    """How strong a value is drawn, from the values of the comparable cells."""
    values = [value for cell in cells if is_comparable(cell) and (value := quantity.value(cell)) is not None]
    low, high = min(values, default=0.0), max([*values, quantity.least_top])
    if not quantity.is_ratio or low <= 0:
        return lambda value: max(_PALEST, min(value / high, 1.0)) if high > 0 else _PALEST
    if high / low < _SAME:
        return lambda _: 2 * _PALEST
    return lambda value: max(_PALEST, min(log(max(value, low) / low) / log(high / low), 1.0))


def _highest(all_series: Sequence[Series]) -> str:
    """Where each value is highest, among comparable cells."""
    pairs = [(line, cell) for line in all_series for cell in line.cells if is_comparable(cell)]
    parts = []
    for quantity in _QUANTITIES:
        known = [(value, line, cell) for line, cell in pairs if (value := quantity.value(cell))]
        if known:
            value, line, cell = max(known, key=lambda each: each[0])
            parts.append(
                f"{quantity.noun}, {quantity.write(value)}, with {line.name} at {words.users(cell['users'])}"
            )
    return f"Highest {'; highest '.join(parts)}." if parts else "No cell is usable."
