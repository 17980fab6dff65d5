"""What each chart shows: its words, its axis and what it takes of a cell. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from reports.charts import scales
from reports.charts.panels import Quantity
from reports.words import metrics
from reports.words import side_by_side as targets
from reports.words import wording as words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from reports.charts.part_lines import Field
    from reports.charts.scales import Axis
    from reports.words.wording import Cell

_PARTS: dict[Field, tuple[str, str]] = {
    "regions": (
        "region",
        "by the region in which they were made{met}. Users are those of all regions together.",
    ),
    "kinds": ("kind", "by the kind of transaction{met}. Users are those of all kinds together."),
}
_MET: dict[Field, str] = {
    "regions": "; what they met may be another region's",
    "kinds": "; what they met may be another kind",
}


@dataclass(frozen=True, slots=True)
class ChartSpec:
    """A chart before its panels are made."""

    name: str
    title: str
    subtitle: str
    axis: Callable[[Iterable[float | None]], Axis]
    quantities: tuple[Quantity, ...]
    banded: bool = False
    """Whether the area between its two quantities is shaded, with a panel for every line."""
    compact: ChartSpec | None = None
    """Its form for the overview, where that differs."""
    by: Field | None = None
    """Whether it has a line a region or kind, and a panel for every line of the other charts."""


def chart_specs(run: Mapping[str, Any], cells: Sequence[Cell]) -> tuple[ChartSpec, ...]:
    """The charts that stand over the users; those by part also where no cell has parts."""
    subject, waits = targets.waiting(run), locks(run)
    shows = _shows(subject, connected=any((cell.get("connect_ms") or {}).get("n") for cell in cells))
    rate, work, latency = _conflict_spec(waits), _work_spec(waits), _latency_spec(shows)
    optional = (
        (_give_up_spec(waits), _may_give_up(cells)),
        (_attempt_time_spec(subject), bool(subject)),
        (_fairness_spec(), any(metrics.jain(cell) is not None for cell in cells)),
    )
    return (
        rate,
        *(_by_part(rate, field, "The same attempts, ", waits, _MET[field]) for field in _PARTS),
        _retry_spec(waits) if any(cell["retry"] != "none" for cell in cells) else _no_retry_spec(),
        work,
        _by_part(replace(work, **_alone()), "kinds", "The same transactions, ", waits, ""),
        latency,
        *(_by_part(latency, field, "The same transactions, ", shows, "") for field in _PARTS),
        _wasted_spec(waits),
        *(spec for spec, wanted in optional if wanted),
    )


def locks(run: Mapping[str, Any]) -> str:
    """What a subtitle says of targets that wait where others conflict; empty where there is none."""
    subject = targets.waiting(run)
    if not subject:
        return ""
    return f" {subject} for row locks: the second writer waits, and fails or goes on when the first ends."


def _shows(subject: str, *, connected: bool) -> str:
    shows = " Waits for a new connection are left out." if connected else ""
    return shows + (f" {subject} for row locks: contention shows here." if subject else "")


def _by_part(spec: ChartSpec, field: Field, what: str, end: str, met: str) -> ChartSpec:
    """Split by region or kind; without the closed form, which knows of one place and one kind only."""
    noun, words_ = _PARTS[field]
    return replace(
        spec,
        name=f"{spec.name}-by-{noun}",
        title=f"{spec.title} by {noun}",
        subtitle=f"{what}{words_.format(met=met)}{end}",
        quantities=tuple(replace(quantity, predicted=lambda _: None) for quantity in spec.quantities),
        compact=None,
        by=field,
    )


def _conflict_spec(waits: str) -> ChartSpec:
    return ChartSpec(
        "conflict-rate",
        "Conflict rate",
        f"How often an attempt failed because another one had written the same row.{waits}",
        lambda values: scales.share_axis("conflicts / attempts", values),
        (_estimate("conflict_rate"),),
    )


def _retry_spec(waits: str) -> ChartSpec:
    return ChartSpec(
        "retry-rate",
        "Retry rate",
        f"How many attempts more than one a transaction took.{waits}",
        lambda values: scales.amount_axis("retries / transactions finished", values),
        (_estimate("retry_rate"),),
    )


def _no_retry_spec() -> ChartSpec:
    """Zeros by construction: an interval about them would pretend to be a measurement."""
    bare = Quantity(_estimate("retry_rate").value)
    return replace(_retry_spec(""), subtitle="The policy of this run makes no retries.", quantities=(bare,))


def _give_up_spec(waits: str) -> ChartSpec:
    return ChartSpec(
        "give-up-rate",
        "Give-up rate",
        "How many transactions ended in a conflict because the policy made no further try; without retries "
        f"every conflict ends one.{waits}",
        lambda values: scales.share_axis("transactions given up / finished", values),
        (_estimate("give_up_rate"),),
    )


def _may_give_up(cells: Sequence[Cell]) -> bool:
    """Whether the rate is known, and a transaction was given up or could have been."""
    known = [cell for cell in cells if metrics.give_up_rate(cell) is not None]
    endless = all("max=unlimited" in cell["retry"] and "within=" not in cell["retry"] for cell in known)
    return any(cell["transactions"]["gave_up"] for cell in known) or not endless


def _work_spec(waits: str) -> ChartSpec:
    goodput = _estimate("goodput_per_s")
    named = replace(goodput, meaning="goodput: committed transactions")
    attempts = Quantity(metrics.attempts_per_s, stroke="dotted", meaning="attempts", choose=goodput.value)
    spec = ChartSpec(
        "goodput",
        "Goodput",
        f"Attempts that became committed transactions, and those made in vain.{waits}",
        lambda values: scales.amount_axis("a second", values, words.per_second),
        (named, attempts),
        banded=True,
    )
    return replace(
        spec,
        compact=replace(spec, subtitle=f"Committed transactions a second.{waits}", **_alone()),
    )


def _alone() -> dict[str, Any]:
    """Goodput without the attempts above it."""
    return {"quantities": (_estimate("goodput_per_s"),), "banded": False}


def _latency_spec(shows: str) -> ChartSpec:
    return ChartSpec(
        "latency",
        "Latency of committed transactions",
        f"From the start of the first attempt to the last answer, retries and backoff included.{shows}",
        lambda values: scales.time_axis("latency (logarithmic)", values),
        (
            Quantity(metrics.latency_ms_p50, meaning="p50"),
            Quantity(metrics.latency_ms_p99, meaning="p99", stroke="dotted"),
        ),
    )


def _attempt_time_spec(subject: str) -> ChartSpec:
    return ChartSpec(
        "attempt-time",
        "Time of an attempt",
        f"From BEGIN to the answer to COMMIT or ROLLBACK, whatever became of it. {subject} for row locks: "
        "the wait is in here.",
        lambda values: scales.time_axis("time of an attempt (logarithmic)", values),
        (
            Quantity(metrics.attempt_ms_p50, meaning="p50"),
            Quantity(metrics.attempt_ms_p99, meaning="p99", stroke="dotted"),
        ),
    )


def _fairness_spec() -> ChartSpec:
    return ChartSpec(
        "fairness",
        "Fairness among users",
        "Jain's index of how many transactions each user committed: 1 where all committed alike, 1/n where "
        "one of n users committed them all.",
        lambda values: scales.amount_axis("Jain's index of commits a user", [*values, 1.0]),
        (Quantity(metrics.jain, told=_advantage),),
    )


def _advantage(cell: Cell) -> str:
    """Beside the index: how far the luckiest user was ahead."""
    value = metrics.max_over_median(cell)
    return "" if value is None else f"most / median commits a user {words.number(value)}"


def _wasted_spec(waits: str) -> ChartSpec:
    return ChartSpec(
        "wasted-share",
        "Wasted share",
        f"How much of the time in attempts went into attempts that did not commit.{waits}",
        lambda values: scales.share_axis(
            "time in attempts that did not commit / time in all attempts", values
        ),
        (Quantity(metrics.wasted_share),),
    )


def _estimate(name: str) -> Quantity:
    return Quantity(
        value=lambda cell: (cell.get(name) or {}).get("value"),
        interval=lambda cell: ((cell.get(name) or {}).get("low"), (cell.get(name) or {}).get("high")),
        predicted=lambda cell: cell["predicted"].get(name),
    )
