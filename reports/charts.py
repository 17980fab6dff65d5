"""From a summary to charts, as values: every line, interval and word, with no drawing library."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from reports import footer, panels, regions, scales, words
from reports.marks import Band, Chart, Line, Panel, Tint
from reports.panels import Quantity, Slot
from reports.series import by_level, levels, middle, series

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from reports.panels import Groups
    from reports.scales import Axis
    from reports.words import Cell

_USERS_OF_ALL = "Users are those of all regions together."

__all__ = ["Band", "Chart", "Line", "Panel", "Tint", "charts"]


@dataclass(frozen=True, slots=True)
class _Plan:
    """A chart before its panels are made."""

    name: str
    title: str
    subtitle: str
    axis: Callable[[Iterable[float | None]], Axis]
    quantities: tuple[Quantity, ...]
    banded: bool = False
    """Whether the area between its two quantities is shaded, with a panel for every line."""
    compact: _Plan | None = None
    """Its form for the overview, where that differs."""
    by_region: bool = False
    """Whether it has a line a region, and a panel for every line of the other charts."""


def charts(summary: Mapping[str, Any]) -> list[Chart]:
    """The charts of a summary (format 1), in reading order; none where nothing was measured.

    They are five; a run of several regions has two more, each behind the one that it splits.
    """
    summary = words.redact(summary)
    if not summary["cells"]:
        return []
    all_series = series(summary["cells"])
    groups, places = panels.slots(all_series), regions.slots(all_series)
    foot = footer.footer(summary["run"], summary["cells"])
    plans = _plans(
        locks=summary["run"]["target"]["conflicts"] == "locks",
        retries=any(cell["retry"] != "none" for cell in summary["cells"]),
        connected=any((cell.get("connect_ms") or {}).get("n") for cell in summary["cells"]),
    )
    return [
        _chart(plan, places if plan.by_region else groups, foot)
        for plan in plans
        if places or not plan.by_region
    ]


def _plans(*, locks: bool, retries: bool, connected: bool) -> tuple[_Plan, ...]:
    waits = (
        " This target waits for row locks: the second writer waits, and fails or goes on when the first ends."
        if locks
        else ""
    )
    shows = " Waits for a new connection are left out." if connected else ""
    shows += " This target waits for row locks: contention shows here." if locks else ""
    return (
        _conflict_plan(waits),
        _conflict_by_region_plan(waits),
        _retry_plan(waits) if retries else _no_retry_plan(),
        _work_plan(waits),
        _latency_plan(shows),
        _latency_by_region_plan(shows),
        _wasted_plan(waits),
    )


def _conflict_plan(waits: str) -> _Plan:
    return _Plan(
        "conflict-rate",
        "Conflict rate",
        f"How often an attempt failed because another one had written the same row.{waits}",
        lambda values: scales.share_axis("conflicts / attempts", values),
        (_estimate("conflict_rate"),),
    )


def _conflict_by_region_plan(waits: str) -> _Plan:
    """Without the closed form, which knows of one place only."""
    rate = replace(_estimate("conflict_rate"), predicted=lambda _: None)
    subtitle = (
        "The same attempts, by the region in which they were made; what they met may be another region's. "
        f"{_USERS_OF_ALL}{waits}"
    )
    return replace(
        _conflict_plan(""),
        name="conflict-rate-by-region",
        title="Conflict rate by region",
        subtitle=subtitle,
        quantities=(rate,),
        by_region=True,
    )


def _retry_plan(waits: str) -> _Plan:
    return _Plan(
        "retry-rate",
        "Retry rate",
        f"How many attempts more than one a transaction took.{waits}",
        lambda values: scales.amount_axis("retries / transactions finished", values),
        (_estimate("retry_rate"),),
    )


def _no_retry_plan() -> _Plan:
    """Zeros by construction: an interval about them would pretend to be a measurement."""
    bare = Quantity(_estimate("retry_rate").value)
    return replace(_retry_plan(""), subtitle="The policy of this run makes no retries.", quantities=(bare,))


def _work_plan(waits: str) -> _Plan:
    goodput = _estimate("goodput_per_s")
    named = replace(goodput, meaning="goodput: committed transactions")
    attempts = Quantity(_attempts_per_s, stroke="dotted", meaning="attempts", choose=goodput.value)
    plan = _Plan(
        "goodput",
        "Goodput",
        f"Attempts that became committed transactions, and those made in vain.{waits}",
        lambda values: scales.amount_axis("a second", values, words.per_second),
        (named, attempts),
        banded=True,
    )
    subtitle = f"Committed transactions a second.{waits}"
    return replace(plan, compact=replace(plan, subtitle=subtitle, quantities=(goodput,), banded=False))


def _latency_plan(shows: str) -> _Plan:
    return _Plan(
        "latency",
        "Latency of committed transactions",
        f"From the start of the first attempt to the last answer, retries and backoff included.{shows}",
        lambda values: scales.time_axis("latency (logarithmic)", values),
        (_latency("p50"), replace(_latency("p99"), stroke="dotted")),
    )


def _latency_by_region_plan(shows: str) -> _Plan:
    return replace(
        _latency_plan(""),
        name="latency-by-region",
        title="Latency of committed transactions by region",
        subtitle=f"The same transactions, by the region in which they were made. {_USERS_OF_ALL}{shows}",
        by_region=True,
    )


def _wasted_plan(waits: str) -> _Plan:
    return _Plan(
        "wasted-share",
        "Wasted share",
        f"How much of the time in attempts went into attempts that did not commit.{waits}",
        lambda values: scales.share_axis(
            "time in attempts that did not commit / time in all attempts", values
        ),
        (Quantity(lambda cell: cell["wasted_share"]),),
    )


def _estimate(name: str) -> Quantity:
    return Quantity(
        value=lambda cell: cell[name]["value"],
        interval=lambda cell: (cell[name]["low"], cell[name]["high"]),
        predicted=lambda cell: cell["predicted"].get(name),
    )


def _attempts_per_s(cell: Cell) -> float | None:
    value: float | None = cell["attempts_per_s"]
    return value


def _latency(quantile: str) -> Quantity:
    return Quantity(value=lambda cell: cell["latency_ms"][quantile], meaning=quantile)


def _chart(plan: _Plan, groups: Groups, foot: tuple[str, ...]) -> Chart:
    ran = levels(cell for _, group in groups for slot in group for cell in slot.series.cells)
    named = len(ran) == 1
    dealt = panels.apart(groups) if plan.banded and not named else groups
    drawn = tuple(
        panels.panel(title, group, plan.quantities, named=named, banded=plan.banded) for title, group in dealt
    )
    lines = [line for one in drawn for line in one.lines]
    return Chart(
        name=plan.name,
        title=plan.title,
        subtitle=plan.subtitle,
        footer=foot,
        x=_x_axis(groups[0][1], ran),
        y=plan.axis(panels.extent(lines)),
        panels=drawn,
        key=panels.key(lines, named=named, banded=plan.banded),
        alt=_alt(plan, groups, ran[-1]),
        compact=_chart(plan.compact, groups, foot) if plan.compact else None,
    )


def _x_axis(group: Sequence[Slot], ran: Sequence[int]) -> Axis:
    return (
        scales.level_axis(ran) if len(ran) > 1 else scales.name_axis([slot.label for slot in group], ran[0])
    )


def _alt(plan: _Plan, groups: Groups, users: int) -> str:
    """Say the first quantity of every line at the highest concurrency."""
    quantity, write = plan.quantities[0], plan.axis([]).write
    ends = [
        (slot.series.label, dict(by_level(slot.series.cells)).get(users))
        for _, group in groups
        for slot in group
    ]
    told = [
        f"{label} {write(quantity.value(middle(cells, quantity.value)))}" for label, cells in ends if cells
    ]
    meaning = f", {quantity.meaning}" if quantity.meaning else ""
    return f"{plan.title}{meaning}, against concurrency. At {words.users(users)}: {'; '.join(told)}."
