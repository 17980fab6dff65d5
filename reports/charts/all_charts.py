"""The charts of a summary, as values: every line, interval and text, without a drawing library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reports.charts import (
    footer,
    heatmap_chart,
    in_flight_chart,
    knob_charts,
    latency_chart,
    over_time_charts,
    panels,
    rivals_chart,
    scales,
    scatter,
    time_spent_chart,
    tries_chart,
)
from reports.charts import part_lines as parts
from reports.charts.chart_specs import ChartSpec, chart_specs, locks
from reports.charts.findings import finding, rejected
from reports.charts.marks import Band, Chart, Line, Panel, Tint
from reports.words import wording as words
from reports.words.observed_words import is_observed
from reports.words.series import by_level, levels, middle, series

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reports.charts.panels import Groups, Slot
    from reports.charts.scales import Axis

_ORDER = (
    "conflict-rate",
    "heatmap",
    "conflict-rate-collapsed",
    "knob",
    "retry-rate",
    "give-up-rate",
    "attempts-per-commit",
    "goodput",
    "latency",
    "latency-distribution",
    "goodput-latency",
    "attempt-time",
    "fairness",
    "wasted-share",
    "time-spent",
    "attempts-over-time",
    "conflict-rate-over-time",
    "latency-over-time",
)

__all__ = ["Band", "Chart", "Line", "Panel", "Tint", "charts"]


def charts(summary: Mapping[str, Any]) -> list[Chart]:
    """The charts of a summary (format 1), in reading order; empty if nothing was measured.

    A chart is left out if no cell has its figures. A run with several regions or kinds of transaction has
    further charts, each after the one that it splits.
    """
    summary = words.redact(summary)
    if not summary["cells"]:
        return []
    if is_observed(summary["run"]):
        return _observed_charts(summary)
    all_series = series(summary["cells"])
    groups = panels.slots(all_series)
    foot = footer.footer(summary["run"], summary["cells"])
    split: dict[parts.Field | None, Groups] = {
        field: parts.slots(all_series, field) for field in parts.FIELDS
    }
    split[None] = groups
    drawn = [
        _chart(spec, split[spec.by], foot)
        for spec in chart_specs(summary["run"], summary["cells"])
        if split[spec.by]
    ]
    waits = locks(summary["run"])
    others = (
        scatter.chart(groups, foot, waits),
        tries_chart.chart(groups, foot, waits),
        heatmap_chart.chart(all_series, foot, waits),
        latency_chart.chart(groups, foot, waits),
        None if waits else rivals_chart.chart(all_series, foot),
        time_spent_chart.chart(groups, foot, waits),
        *knob_charts.charts(summary["cells"], foot, waits),
        *over_time_charts.charts(all_series, summary["cells"], foot),
    )
    return sorted([*drawn, *(chart for chart in others if chart)], key=_rank)


def _observed_charts(summary: Mapping[str, Any]) -> list[Chart]:
    """The charts of a run of which skew and retry policy are not known."""
    cells = summary["cells"]
    all_series = series(cells)
    groups, waits = panels.slots(all_series), locks(summary["run"])
    foot = footer.footer(summary["run"], cells)
    drawn = (
        in_flight_chart.chart(cells, foot, waits),
        tries_chart.chart(groups, foot, waits),
        latency_chart.chart(groups, foot, waits),
        time_spent_chart.chart(groups, foot, waits),
        *over_time_charts.charts(all_series, cells, foot),
    )
    return [chart for chart in drawn if chart]


def _rank(chart: Chart) -> int:
    """Charts by part have the rank of the chart that they split, and sorting keeps their order."""
    whole = chart.name.partition("-by-")[0]
    return _ORDER.index("knob" if chart.name.startswith("knob-") else whole)


def _chart(spec: ChartSpec, groups: Groups, foot: tuple[str, ...]) -> Chart:
    all_levels = levels(cell for _, group in groups for slot in group for cell in slot.series.cells)
    named = len(all_levels) == 1
    titled = panels.apart(groups) if spec.banded and not named else groups
    drawn = tuple(
        panels.panel(title, group, spec.quantities, named=named, banded=spec.banded)
        for title, group in titled
    )
    lines = [line for one in drawn for line in one.lines]
    said = (
        spec.subtitle,
        finding(spec.quantities[0], groups, spec.axis([]).write),
        rejected(groups) if spec.name == "goodput" else "",
    )
    return Chart(
        name=spec.name,
        title=spec.title,
        subtitle=" ".join(filter(None, said)),
        footer=foot,
        x=_x_axis(groups[0][1], all_levels),
        y=spec.axis(panels.extent(lines)),
        panels=drawn,
        key=panels.key(lines, named=named, banded=spec.banded),
        alt=_alt(spec, groups, all_levels[-1]),
        compact=_chart(spec.compact, groups, foot) if spec.compact else None,
    )


def _x_axis(group: Sequence[Slot], all_levels: Sequence[int]) -> Axis:
    if len(all_levels) > 1:
        return scales.level_axis(all_levels)
    return scales.name_axis([slot.label for slot in group], all_levels[0])


def _alt(spec: ChartSpec, groups: Groups, users: int) -> str:
    """The first quantity of every line at the highest concurrency level, in words."""
    quantity, write = spec.quantities[0], spec.axis([]).write
    ends = [
        (slot.series.label, dict(by_level(slot.series.cells)).get(users))
        for _, group in groups
        for slot in group
    ]
    values = [
        f"{label} {write(quantity.value(middle(cells, quantity.value)))}" for label, cells in ends if cells
    ]
    meaning = f", {quantity.meaning}" if quantity.meaning else ""
    return f"{spec.title}{meaning}, against concurrency. At {words.users(users)}: {'; '.join(values)}."
