"""The words about the cost of a run, the same on the console and on the page. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reports.words import wording as words

if TYPE_CHECKING:
    from collections.abc import Mapping

_PARTS = {
    "WriteDPU": "write",
    "ReadDPU": "read",
    "ComputeDPU": "compute",
    "MultiRegionWriteDPU": "multi-region write",
}
_CENT = 0.01


def tell(cost: Mapping[str, Any]) -> list[str]:
    """The lines for a console: one name and value per line, then the notes."""
    shown = facts(cost)
    width = max(len(name) for name, _ in shown)
    return [*(f"{name:<{width}}  {value}" for name, value in shown), "", *notes(cost)]


def facts(cost: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The facts of a cost.json (format 1): (name, value). An unknown value is a dash."""
    run, rates = cost["run"], cost["rates"] or {}
    return [
        ("cost of the run", _dollars(run["dollars"])),
        ("DPU", _dpu(run["dpu"])),
        ("price", f"{_dollars(cost['price_dollars_per_million_dpu'])} per million DPU"),
        ("per million commits", _dollars(rates.get("dollars_per_million_commits"))),
        ("of that, for conflicts", _for_conflicts(rates)),
        ("DPU per attempt", words.number(rates.get("dpu_per_attempt"))),
        ("conflicts", _conflicts(rates)),
        ("commit latency, p50", _latency(run["commit_latency_ms_p50"])),
    ]


def notes(cost: Mapping[str, Any]) -> list[str]:
    """The basis of the figures: the minutes, what the partial ones include, and the formula."""
    run = cost["run"]
    sentences = [_minutes(run), _basis(cost)]
    if run["minutes_with_data"] < run["minutes"]:
        sentences.append(
            f"CloudWatch has {run['minutes_with_data']} of {run['minutes']} minutes so far, so the sums are "
            "too low. Ask again in a few minutes."
        )
    return [*sentences, f"Formula: {cost['formula']}."]


def _minutes(run: Mapping[str, Any]) -> str:
    begin, end = (str(run[name])[:16].replace("T", " ") for name in ("begin_utc", "end_utc"))
    first_s, last_s = run["seconds_of_first_minute"], run["seconds_of_last_minute"]
    return (
        f"The run's sums cover {words.count(run['minutes'])} minutes, {begin} to {end} UTC. The run fills "
        f"{first_s:.0f} s of the first and {last_s:.0f} s of the last. The sums include everything else that "
        "the cluster did in these minutes, such as filling the tables."
    )


def _basis(cost: Mapping[str, Any]) -> str:
    rates = cost["rates"]
    if rates is None:
        return "There are no rates, because no minute of the run has data."
    minutes = words.count(rates["minutes"]) + (" minute" if rates["minutes"] == 1 else " minutes")
    if cost["basis"] == "whole minutes":
        return f"Rates cover the {minutes} that the run fills. The partial minutes at its ends are left out."
    return f"The run fills no minute, so rates cover all {minutes} that it touches. They are too high."


def _dollars(value: float | None) -> str:
    if value is None:
        return words.ABSENT
    return f"${value:,.2f}" if value >= _CENT or value == 0 else f"${words.number(value)}"


def _dpu(dpu: Mapping[str, float | None]) -> str:
    if dpu["total"] is None:
        return words.ABSENT
    parts = [
        f"{name} {words.number(dpu[part])}" for part, name in _PARTS.items() if dpu.get(part) is not None
    ]
    return words.number(dpu["total"]) + (f" ({', '.join(parts)})" if parts else "")


def _for_conflicts(rates: Mapping[str, Any]) -> str:
    share = rates.get("conflict_share")
    if share is None:
        return words.ABSENT
    dollars = _dollars(rates["conflict_dollars_per_million_commits"])
    return f"{dollars} at most: {words.share(share)} of attempts"


def _conflicts(rates: Mapping[str, Any]) -> str:
    if not rates:
        return words.ABSENT
    conflicts = rates["occ_conflicts"]
    by_cloudwatch = words.ABSENT if conflicts is None else words.number(conflicts)
    return f"{words.count(rates['conflicts'])} by hotrow, {by_cloudwatch} by CloudWatch (OccConflicts)"


def _latency(value: float | None) -> str:
    return (
        f"{words.milliseconds(value)}, by CloudWatch (the median of its minutes)" if value else words.ABSENT
    )
