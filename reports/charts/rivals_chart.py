"""The chart of conflict rate against (users - 1) / D_eff, on which all skews share one curve. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from analysis.one_curve import one_curve
from reports.charts import panels, scales
from reports.charts.marks import Chart, Panel, Sign, Tint
from reports.charts.panels import Quantity
from reports.words import wording as words
from reports.words.metrics import conflict_rate, is_comparable
from reports.words.series import by_level, middle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.words.series import Series, Value
    from reports.words.wording import Cell

_SEVERAL = 2
_MAX_LINES, _MAX_PANELS = 8, 8
_CURVE_POINTS = 33
_CLOSED_FORM = "closed form: uniform keys, no retry"
_IN_WINDOW = (
    "Users who wait, think or back off cannot conflict: the second panel counts only those who are in their "
    "conflict window on average. "
)


def chart(all_series: Sequence[Series], foot: tuple[str, ...]) -> Chart | None:
    """One point per cell with several users, one line per skew.

    If only the skew varies, a second panel counts only the users in their conflict window. Otherwise there is
    one panel per other setting. None with fewer than two values of D_eff, or with more lines than can be told
    apart. Not for targets that wait for row locks: their attempts wait instead of conflicting.
    """
    grouped = _grouped(all_series)
    lines = [line for _, _, group in grouped for line in group]
    if len({_rows(line.cells[0]) for line in lines}) < _SEVERAL or len(grouped) > _MAX_PANELS:
        return None
    if max(len(group) for _, _, group in grouped) > _MAX_LINES:
        return None
    keys = _keys(lines)
    panels_ = [_panel(*each) for each in grouped]
    every = [line for panel in panels_ for line in panel.lines]
    ratios = [x for line in every for x in line.x]
    curve = () if keys is None else _curve(min(ratios), max(ratios), keys)
    found = "" if keys is None else _found(*grouped[-1], keys)
    signs: tuple[tuple[Sign, str], ...] = (("dashed", _CLOSED_FORM),)
    several = grouped[-1][1] is in_window
    return Chart(
        name="conflict-rate-collapsed",
        title="Conflict rate of all skews on one axis",
        subtitle="A skew over few rows conflicts at few users. Against the other users per D_eff, all skews "
        f"share one curve. {_IN_WINDOW if several else ''}{found}".rstrip(),
        footer=foot,
        x=scales.ratio_axis("other users / D_eff (logarithmic)", ratios),
        y=scales.share_axis("conflicts per attempt", [*panels.extent(every), *(y for _, y in curve)]),
        panels=tuple(replace(panel, curve=curve) for panel in panels_),
        key=(*panels.key(every, named=False, banded=False), *(signs if curve else ())),
        alt=f"Conflict rate of every skew against (users - 1) / D_eff. {found}".rstrip(),
        scatter=True,
    )


def others(cell: Cell) -> float | None:
    """(users - 1) / D_eff. A key whose writes are spread over several rows counts as so many."""
    rows = _rows(cell)
    return (cell["users"] - 1) / rows if rows and cell["users"] > 1 else None


def in_window(cell: Cell) -> float | None:
    """The same for users in their conflict window: times R / the cycle of an attempt."""
    ratio, window_ms, cycle_ms = others(cell), cell["window_ms"]["mean"], cell["cycle_ms"]
    return ratio * min(window_ms / cycle_ms, 1.0) if ratio and window_ms and cycle_ms else None


def _rows(cell: Cell) -> float | None:
    d_eff: float | None = cell["d_eff"]
    if cell.get("spaces"):
        return None  # the curve is that of one set of keys
    return None if d_eff is None else d_eff * int(cell.get("rows_per_key", 1))


def _grouped(all_series: Sequence[Series]) -> list[tuple[str, Value, list[Series]]]:
    """Title, x and lines of each panel."""
    known = [line for line in all_series if _points(line, others)]
    variants: dict[str, list[Series]] = {}
    for line in known:
        variants.setdefault(line.variant, []).append(line)
    if len(variants) != 1:
        return [(variant, others, group) for variant, group in variants.items()]
    if not all(_points(line, in_window) for line in known):
        return [("", others, known)]
    return [
        ("(users \N{MINUS SIGN} 1) / D_eff", others, known),
        ("of these, those in their conflict window", in_window, known),
    ]


def _points(line: Series, ratio: Value) -> list[tuple[float, tuple[Cell, ...]]]:
    groups = [(ratio(middle(cells, conflict_rate)), cells) for _, cells in by_level(line.cells)]
    return [(x, cells) for x, cells in groups if x]


def _panel(title: str, ratio: Value, group: Sequence[Series]) -> Panel:
    quantity = Quantity(
        conflict_rate,
        interval=panels.interval_of("conflict_rate"),
        remark=lambda cell: words.users(cell["users"]),
    )
    return Panel(
        title,
        tuple(
            panels.line(line.skew, Tint(index, len(group)), quantity, _points(line, ratio))[0]
            for index, line in enumerate(group)
        ),
    )


def _curve(low: float, high: float, keys: int) -> tuple[tuple[float, float], ...]:
    """The closed form over the measured ratios."""
    steps = _CURVE_POINTS - 1
    ratios = [low * (high / low) ** (step / steps) for step in range(_CURVE_POINTS)]
    return tuple((ratio, one_curve(ratio, keys)) for ratio in ratios)


def _keys(lines: Sequence[Series]) -> int | None:
    """How many keys every transaction draws; None if unknown or different."""
    keys = {cell.get("keys_per_transaction") for line in lines for cell in line.cells}
    return keys.pop() if len(keys) == 1 else None


def _found(_: str, ratio: Value, group: Sequence[Series], keys: int) -> str:
    """The largest distance of a usable point from the closed form, in a sentence."""
    measured = [
        (rate - one_curve(x, keys), line, cell)
        for line in group
        for x, cells in _points(line, ratio)
        for cell in cells
        if is_comparable(cell) and (rate := conflict_rate(cell)) is not None
    ]
    if not measured:
        return ""
    gap, line, cell = max(measured, key=lambda each: abs(each[0]))
    where = "There the point" if ratio is in_window else "The point"
    return (
        f"{where} farthest from the closed form, {line.name} at {words.users(cell['users'])}, is "
        f"{words.number(abs(100 * gap), 2)} percentage points {'above' if gap > 0 else 'below'} it."
    )
