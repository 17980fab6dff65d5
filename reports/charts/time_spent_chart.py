"""The chart of what the users' time went into, as stacked bars over users. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from reports.charts import panels, scales
from reports.charts.marks import Bar, Chart, Panel, Sign, Tint
from reports.words import wording as words
from reports.words.metrics import goodput_per_s, is_comparable
from reports.words.series import by_level, levels, middle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.charts.panels import Groups, Slot
    from reports.words.wording import Cell

_MAX_PANELS = 12
_LEAST = 0.005
"""Parts that never reach this share are shown with `other`."""
_LEAST_SAID = 0.05
_SIGNS: tuple[tuple[Sign, str], ...] = (("pale", "not usable, or mostly rejected: see warnings"),)


class _Part(NamedTuple):
    name: str
    label: str
    tint: Tint | None


class _Stack(NamedTuple):
    title: str
    """The line that the cell belongs to."""
    place: int
    cell: Cell


_PARTS = (
    _Part("first_attempts", "first attempts that committed", Tint(1, 8)),
    _Part("later_attempts", "retries that committed", Tint(3, 8)),
    _Part("conflicts", "attempts that conflicted", Tint(7, 8)),
    _Part("errors", "attempts that failed", Tint(0, 8)),
    _Part("rejected", "attempts that were rejected", Tint(2, 8)),
    _Part("backoff", "backoff", Tint(5, 8)),
    _Part("connecting", "waiting for a connection", Tint(6, 8)),
    _Part("think", "think time", Tint(4, 8)),
)
_OTHER = _Part("other", "other", None)


def chart(groups: Groups, foot: tuple[str, ...], waits: str = "") -> Chart | None:
    """One stack per level and one panel per line: shares of users x measured interval.

    A run of one level has one panel with one stack per line.

    `waits` is the subtitle's sentence about row locks. None if no cell knows where its time went. Of more
    than twelve lines the last twelve are drawn.
    """
    known = [(title, cells) for title, (slot,) in panels.apart(groups) if (cells := _cells(slot))][
        -_MAX_PANELS:
    ]
    if not known:
        return None
    every = [cell for _, cells in known for cell in cells]
    columns = levels(every)
    shown = [*(part for part in _PARTS if any(_share(cell, part) >= _LEAST for cell in every)), _OTHER]
    stacks = [[_Stack(title, columns.index(cell["users"]), cell) for cell in cells] for title, cells in known]
    names, label = [words.count(users) for users in columns], "users"
    titles = [title if len(known) > 1 else "" for title, _ in known]
    if len(columns) == 1:  # the lines are beside each other
        stacks = [[_Stack(title, place, cells[0]) for place, (title, cells) in enumerate(known)]]
        names, label, titles = [title for title, _ in known], f"at {words.users(columns[0])}", [""]
    drawn = tuple(
        Panel(title, (), bars=_bars(shown, group)) for title, group in zip(titles, stacks, strict=True)
    )
    pale = any(not is_comparable(cell) for cell in every)
    found = _found(*known[-1])
    return Chart(
        name="time-spent",
        title="Where the time goes",
        subtitle="Share of the users' time: users times the measured interval. "
        f'"Other" is the client\'s own work and idle time. {found}{waits}'.rstrip(),
        footer=foot,
        x=scales.category_axis(label, names),
        y=scales.share_axis("share of the users' time", [1.0]),
        panels=drawn,
        key=_SIGNS if pale else (),
        alt=f"What the users' time went into, against concurrency. {found}".rstrip(),
    )


def _cells(slot: Slot) -> list[Cell]:
    """The median repeat of each level (by goodput) that knows where its time went."""
    chosen = [middle(cells, goodput_per_s) for _, cells in by_level(slot.series.cells)]
    return [cell for cell in chosen if cell.get("user_time_s")]


def _share(cell: Cell, part: _Part) -> float:
    parts = cell["user_time_s"]
    return float(parts[part.name] / parts["total"]) if parts["total"] > 0 else 0.0


def _bars(shown: Sequence[_Part], stacks: Sequence[_Stack]) -> tuple[Bar, ...]:
    """The parts of some stacks, from the lowest up; the last one fills them."""
    floors = [0.0] * len(stacks)
    bars = []
    for part in shown:
        tops = [
            1.0 if part is _OTHER else min(1.0, floor + _share(stack.cell, part))
            for floor, stack in zip(floors, stacks, strict=True)
        ]
        bars.append(_bar(part, stacks, floors, tops))
        floors = tops
    return tuple(bars)


def _bar(part: _Part, stacks: Sequence[_Stack], low: Sequence[float], high: Sequence[float]) -> Bar:
    return Bar(
        label=part.label,
        x=tuple(float(stack.place) for stack in stacks),
        low=tuple(low),
        high=tuple(high),
        pale=tuple(not is_comparable(stack.cell) for stack in stacks),
        tint=part.tint,
        remarks=tuple(
            _remark(part, stack, top - floor) for stack, floor, top in zip(stacks, low, high, strict=True)
        ),
    )


def _remark(part: _Part, stack: _Stack, share: float) -> str:
    cell = stack.cell
    unusable = "" if is_comparable(cell) else " NOT USABLE"
    where = f"{stack.title}, {words.users(cell['users'])}"
    return f"{where}: {part.label} {words.share(round(share, 6))}{_per_commit(cell, share)}{unusable}"


def _per_commit(cell: Cell, share: float) -> str:
    """The same time per committed transaction."""
    committed = cell["transactions"]["committed"]
    if not committed:
        return ""
    ms = 1e3 * share * cell["user_time_s"]["total"] / committed
    return f", {words.milliseconds(round(ms, 6))} per committed transaction"


def _found(title: str, cells: Sequence[Cell]) -> str:
    """The largest parts of the hottest line at its highest level, in a sentence."""
    usable = [cell for cell in cells if is_comparable(cell)]
    if not usable:
        return ""
    cell = usable[-1]
    parts = sorted(((_share(cell, part), part.label) for part in (*_PARTS, _OTHER)), reverse=True)
    said = [f"{words.share(share)} {label}" for share, label in parts[:3] if share >= _LEAST_SAID]
    return f"With {' '.join(title.split())} at {words.users(cell['users'])}: {words.joined(said)}."
