"""The specification of each chart: its texts, its axis and the quantities that it shows. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from reports.charts import scales
from reports.charts.panels import Quantity, goodput_interval, interval_of
from reports.words import metrics
from reports.words import side_by_side as targets
from reports.words import wording as words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from reports.charts.part_lines import Field
    from reports.charts.scales import Axis
    from reports.words.wording import Cell

_PARTS: dict[Field, tuple[str, str, str]] = {
    "regions": ("region", "by region", "Users are counted over all regions."),
    "kinds": ("kind", "by kind of transaction", "Users are counted over all kinds."),
}
"""Of each field: the noun, the words of the subtitle, and the note on users."""
_OTHER_PART: dict[Field, str] = {
    "regions": " They may conflict with attempts of another region.",
    "kinds": " They may conflict with attempts of another kind.",
}


@dataclass(frozen=True, slots=True)
class ChartSpec:
    """The specification of a chart, without data."""

    name: str
    title: str
    subtitle: str
    axis: Callable[[Iterable[float | None]], Axis]
    quantities: tuple[Quantity, ...]
    banded: bool = False
    """Whether the area between its two quantities is shaded; each line then has its own panel."""
    compact: ChartSpec | None = None
    """Its form for the overview, if that differs."""
    by: Field | None = None
    """The field whose parts have one line each; each line of the other charts then has its own panel."""


def chart_specs(run: Mapping[str, Any], cells: Sequence[Cell]) -> tuple[ChartSpec, ...]:
    """The charts over the number of users. Charts by part are included even if no cell has parts."""
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
        *(_by_part(rate, field, "The same attempts", waits, _OTHER_PART[field]) for field in _PARTS),
        _retry_spec(waits) if any(cell["retry"] != "none" for cell in cells) else _no_retry_spec(),
        work,
        _by_part(replace(work, **_alone()), "kinds", "The same transactions", waits, ""),
        latency,
        *(_by_part(latency, field, "The same transactions", shows, "") for field in _PARTS),
        _wasted_spec(waits),
        *(spec for spec, wanted in optional if wanted),
    )


def locks(run: Mapping[str, Any]) -> str:
    """The subtitle's sentence about targets that wait for row locks; empty if there are none."""
    subject = targets.waiting(run)
    if not subject:
        return ""
    return f" {subject} for row locks: the second writer continues or fails when the first one has ended."


def _shows(subject: str, *, connected: bool) -> str:
    shows = " Waits for a new connection are excluded." if connected else ""
    return shows + (f" {subject} for row locks, so contention shows here." if subject else "")


def _by_part(spec: ChartSpec, field: Field, subject: str, end: str, other_part: str) -> ChartSpec:
    """A chart split by region or kind, without the closed form, which holds for a whole cell only."""
    noun, by_words, users_note = _PARTS[field]
    return replace(
        spec,
        name=f"{spec.name}-by-{noun}",
        title=f"{spec.title} by {noun}",
        subtitle=f"{subject} {by_words}.{other_part} {users_note}{end}",
        quantities=tuple(replace(quantity, predicted=lambda _: None) for quantity in spec.quantities),
        compact=None,
        by=field,
    )


def _conflict_spec(waits: str) -> ChartSpec:
    return ChartSpec(
        "conflict-rate",
        "Conflict rate",
        f"Share of attempts that failed because another transaction had written the same row.{waits}",
        lambda values: scales.share_axis("conflicts per attempt", values),
        (_estimate("conflict_rate"),),
    )


def _retry_spec(waits: str) -> ChartSpec:
    return ChartSpec(
        "retry-rate",
        "Retry rate",
        f"Attempts after the first, per transaction.{waits}",
        lambda values: scales.amount_axis("retries per finished transaction", values),
        (_estimate("retry_rate"),),
    )


def _no_retry_spec() -> ChartSpec:
    """The retry rate without an interval: it is 0 by construction, not by measurement."""
    bare = Quantity(_estimate("retry_rate").value)
    return replace(
        _retry_spec(""), subtitle="The retry policy of this run makes no retries.", quantities=(bare,)
    )


def _give_up_spec(waits: str) -> ChartSpec:
    return ChartSpec(
        "give-up-rate",
        "Give-up rate",
        "Share of transactions that ended in a conflict because the retry policy allowed no further retry. "
        f"Without retries, every conflict ends a transaction.{waits}",
        lambda values: scales.share_axis("give-ups per finished transaction", values),
        (_estimate("give_up_rate"),),
    )


def _may_give_up(cells: Sequence[Cell]) -> bool:
    """Whether the rate is known, and a transaction was given up or could have been."""
    known = [cell for cell in cells if metrics.give_up_rate(cell) is not None]
    endless = all("max=unlimited" in cell["retry"] and "within=" not in cell["retry"] for cell in known)
    return any(cell["transactions"]["gave_up"] for cell in known) or not endless


def _work_spec(waits: str) -> ChartSpec:
    goodput = _goodput()
    named = replace(goodput, meaning="goodput: committed transactions")
    attempts = Quantity(metrics.attempts_per_s, stroke="dotted", meaning="attempts", choose=goodput.value)
    spec = ChartSpec(
        "goodput",
        "Goodput",
        f"Attempts that committed, and attempts made in vain.{waits}",
        lambda values: scales.amount_axis("per second", values, words.per_second),
        (named, attempts),
        banded=True,
    )
    return replace(
        spec,
        compact=replace(spec, subtitle=f"Committed transactions per second.{waits}", **_alone()),
    )


def _alone() -> dict[str, Any]:
    """Goodput without the attempts above it."""
    return {"quantities": (_goodput(),), "banded": False}


def _goodput() -> Quantity:
    """Goodput with its interval; both are absent in a mostly rejected cell."""
    estimate = _estimate("goodput_per_s")
    return replace(estimate, value=metrics.goodput_per_s, interval=goodput_interval)


def _latency_spec(shows: str) -> ChartSpec:
    return ChartSpec(
        "latency",
        "Latency of committed transactions",
        f"From the start of the first attempt to the last answer, including retries and backoff.{shows}",
        lambda values: scales.time_axis("latency (logarithmic)", values),
        (
            Quantity(metrics.latency_ms_p50, meaning="p50"),
            Quantity(metrics.latency_ms_p99, meaning="p99", stroke="dotted"),
        ),
    )


def _attempt_time_spec(subject: str) -> ChartSpec:
    return ChartSpec(
        "attempt-time",
        "Attempt time",
        f"From BEGIN to the answer to COMMIT or ROLLBACK, of all attempts. {subject} for row locks, and the "
        "wait is included.",
        lambda values: scales.time_axis("attempt time (logarithmic)", values),
        (
            Quantity(metrics.attempt_ms_p50, meaning="p50"),
            Quantity(metrics.attempt_ms_p99, meaning="p99", stroke="dotted"),
        ),
    )


def _fairness_spec() -> ChartSpec:
    return ChartSpec(
        "fairness",
        "Fairness among users",
        "Jain's index of the transactions that each user committed: 1 if all users committed equally many, "
        "1/n if one of n users committed all of them.",
        lambda values: scales.amount_axis("Jain's index of commits per user", [*values, 1.0]),
        (Quantity(metrics.jain, remark=_advantage),),
    )


def _advantage(cell: Cell) -> str:
    """The remark beside the index: the lead of the luckiest user."""
    value = metrics.max_over_median(cell)
    return "" if value is None else f"most / median commits per user {words.number(value)}"


def _wasted_spec(waits: str) -> ChartSpec:
    return ChartSpec(
        "wasted-share",
        "Wasted share",
        f"Share of the time in attempts that went into attempts without a commit.{waits}",
        lambda values: scales.share_axis(
            "time in attempts that did not commit / time in all attempts", values
        ),
        (Quantity(metrics.wasted_share),),
    )


def _estimate(name: str) -> Quantity:
    return Quantity(
        value=lambda cell: (cell.get(name) or {}).get("value"),
        interval=interval_of(name),
        predicted=lambda cell: cell["predicted"].get(name),
    )
