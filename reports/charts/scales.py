"""Axes: ranges and round ticks, chosen from the values. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeVar

from reports.words import wording as words

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Scale = Literal["levels", "names", "categories", "linear", "log"]
"""`levels`: concurrency, spaced by its logarithm; `names`: one position per line, from 0; `categories`: one
position per setting, from 0."""

Write = Callable[[float | None], str]
Number = TypeVar("Number", int, float)

_MAX_LEVELS = 14
_MAX_STEPS = 6
_STEPS = (1, 2, 2.5, 5, 10)
_CROWDED = 2_000
"""From this ratio of its ends on, a logarithmic axis has ticks only at powers of ten."""
_MIN_TICKS = 3
_WIDE = 10
_HEADROOM = 1.1
_FEW = 4
_FAR = 4
"""From this ratio of its ends on, the axis of a setting is logarithmic."""
_NEARLY_FULL = 0.8
"""Above this share the axis goes to 100 %."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis: its label, its scale, its range and its ticks."""

    label: str
    scale: Scale
    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    """Position and text."""
    write: Callable[[float | None], str] = words.number
    """Writes a value of the axis, for hover texts and `alt`."""


def level_axis(levels: Sequence[int]) -> Axis:
    """The concurrency axis: equal distances for equal factors, with the levels of the run as ticks."""
    low, high = (levels[0], levels[-1]) if levels else (1, 1)
    ticks = tuple((float(level), words.count(level)) for level in _thinned(levels))
    return Axis("users", "levels", low / 1.2, high * 1.2, ticks)


def name_axis(names: Sequence[str], level: int) -> Axis:
    """An axis with one position per line, for runs of one concurrency level."""
    ticks = tuple((float(position), name) for position, name in enumerate(names))
    return Axis(f"at {words.users(level)}", "names", -0.6, len(names) - 0.4, ticks)


def category_axis(label: str, names: Sequence[str]) -> Axis:
    """An axis with one position per setting, for bars and for columns of tiles."""
    ticks = tuple((float(position), name) for position, name in enumerate(names))
    spare = max(0.0, (_FEW - len(names)) / 2)  # few bars are not as wide as the chart
    return Axis(label, "categories", -0.55 - spare, len(names) - 0.45 + spare, ticks)


def row_axis(names: Sequence[str]) -> Axis:
    """An axis with one position per row of tiles, from the lowest up."""
    ticks = tuple((float(position), name) for position, name in enumerate(names))
    return Axis("", "categories", -0.55, len(names) - 0.45, ticks)


def setting_axis(label: str, values: Sequence[float]) -> Axis:
    """An axis for a setting that is a number, with its values as ticks; logarithmic if they are far apart."""
    low, high = min(values), max(values)
    names = tuple((value, words.number(value)) for value in values)
    if low > 0 and high / low >= _FAR:
        chosen = set(_thinned(values))
        return Axis(
            label, "levels", low / 1.2, high * 1.2, tuple(tick for tick in names if tick[0] in chosen)
        )
    margin = (high - low) * 0.06 or 1.0
    if len(names) > _MAX_STEPS:
        step = _step((high - low) / _MAX_STEPS)
        names = tuple((at, _fixed(at, step)) for at in _multiples(high, step) if at >= low)
    return Axis(label, "linear", low - margin, high + margin, names)


def second_axis(label: str, low: float, high: float) -> Axis:
    """A linear axis for seconds of the measured interval; `low` is negative if there is a warm-up."""
    step = _step((high - low) / _MAX_STEPS)
    ticks = [(at, _fixed(at, step)) for at in _multiples(high, step)]
    before = [(-at, _fixed(-at, step)) for at in _multiples(-low, step) if at > 0]
    margin = (high - low) * 0.015
    return Axis(label, "linear", low - margin, high + margin, (*before[::-1], *ticks), _seconds)


def ratio_axis(label: str, values: Iterable[float | None]) -> Axis:
    """A logarithmic axis for numbers above 0, with ticks such as `0.01`."""
    axis = _log_axis(label, values, lambda value: f"{value or 0:g}")
    ticks = axis.ticks[:: 2 if len(axis.ticks) >= _MAX_STEPS else 1]
    return replace(axis, ticks=ticks, write=words.number)


def share_axis(label: str, values: Iterable[float | None]) -> Axis:
    """An axis for shares of one: from 0 to just above the highest value, at most 100 %."""
    top = min(max(_present(values), default=1.0) or 0.01, 1.0)
    full = 1.0 if top > _NEARLY_FULL else top * 1.05
    step = _step(full / _MAX_STEPS)
    ticks = tuple((at, f"{_fixed(100 * at, 100 * step)} %") for at in _multiples(full, step))
    return Axis(label, "linear", 0.0, full * 1.03, ticks, words.share)


def amount_axis(
    label: str, values: Iterable[float | None], write: Callable[[float | None], str] = words.number
) -> Axis:
    """A linear axis from 0 for amounts and rates."""
    full = (max(_present(values), default=0.0) or 1.0) * 1.05
    step = _step(full / _MAX_STEPS)
    ticks = tuple((at, _fixed(at, step)) for at in _multiples(full, step))
    return Axis(label, "linear", 0.0, full * 1.03, ticks, write)


def time_axis(label: str, values: Iterable[float | None]) -> Axis:
    """A logarithmic axis for milliseconds, with ticks at 1, 2 and 5 of each decade."""
    return _log_axis(label, values, words.milliseconds)


def rate_axis(label: str, values: Iterable[float | None], write: Write = words.number) -> Axis:
    """A linear axis from 0, or a logarithmic one with a note if the values differ more than tenfold."""
    present = _present(values)
    positive = [value for value in present if value > 0]
    if len(positive) < len(present) or not positive or max(positive) / min(positive) < _WIDE:
        return amount_axis(label, present, write)
    return replace(_log_axis(f"{label} (logarithmic)", positive, words.number), write=write)


def try_axis(label: str, values: Iterable[float | None]) -> Axis:
    """A logarithmic axis for whole numbers from 1."""
    top = max((value for value in _present(values)), default=1.0)
    ticks = [(at, text) for at, text in _log_axis(label, [1.0, top], words.number).ticks if at >= 1]
    return Axis(label, "log", 0.85, max(top, 2.0) * 1.15, tuple(ticks), words.number)


def tail_axis(label: str, values: Iterable[float | None]) -> Axis:
    """A logarithmic axis for shares, up to 100 %."""
    axis = _log_axis(label, [*values, 1.0], lambda value: f"{100 * (value or 0):g} %")
    ticks = tuple((at, text) for at, text in axis.ticks if at <= 1)
    return Axis(label, "log", axis.low, 1.15, ticks, words.share)


def _log_axis(label: str, values: Iterable[float | None], write: Write) -> Axis:
    """A logarithmic axis with ticks at 1, 2 and 5 of each decade, or for wide ranges at powers of ten."""
    present = [value for value in _present(values) if value > 0] or [1.0, 10.0]
    low, high = min(present) / 1.25, max(present) * 1.25
    marks = (1, 10) if high / low > _CROWDED else (1, 2, 5)
    decades = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
    values_at = sorted({float(f"{mark}e{decade}") for decade in decades for mark in marks})
    if sum(low <= at <= high for at in values_at) < _MIN_TICKS:
        low = max(at for at in values_at if at <= low) / _HEADROOM
        high = min(at for at in values_at if at >= high) * _HEADROOM
    ticks = tuple((at, write(at)) for at in values_at if low <= at <= high)
    return Axis(label, "log", low, high, ticks, write)


def _present(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _step(least: float) -> float:
    """The smallest of 1, 2, 2.5 and 5 times a power of ten that is at least `least`."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(step * power for step in _STEPS if step * power >= least * (1 - 1e-9))


def _multiples(top: float, step: float) -> list[float]:
    """The multiples of `step` from 0 to `top`."""
    return [n * step for n in range(math.floor(top / step + 1e-9) + 1)]


def _fixed(value: float, step: float) -> str:
    """A value with as many decimals as the step between ticks needs."""
    decimals = next(digits for digits in range(12) if math.isclose(step, round(step, digits), rel_tol=1e-9))
    return f"{value:,.{decimals}f}"


def _seconds(value: float | None) -> str:
    return words.ABSENT if value is None else f"{value:.1f} s"


def _thinned(levels: Sequence[Number]) -> list[Number]:
    """The levels whose texts do not touch: the last one, and each that is far enough before the next."""
    kept: list[Number] = []
    apart = math.log2(levels[-1] / levels[0]) / _MAX_LEVELS if levels else 0.0
    for level in reversed(levels):
        if not kept or math.log2(kept[-1] / level) >= apart:
            kept.append(level)
    return kept[::-1]
