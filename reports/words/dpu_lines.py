"""The words about what a run cost, alike on the console and on the page. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reports.words import wording as words

if TYPE_CHECKING:
    from collections.abc import Mapping

_KINDS = {
    "WriteDPU": "write",
    "ReadDPU": "read",
    "ComputeDPU": "compute",
    "MultiRegionWriteDPU": "multi-region write",
}
_CENT = 0.01


def tell(cost: Mapping[str, Any]) -> list[str]:
    """The lines of a console: names and values below each other, then the notes."""
    shown = facts(cost)
    width = max(len(name) for name, _ in shown)
    return [*(f"{name:<{width}}  {value}" for name, value in shown), "", *notes(cost)]


def facts(cost: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Of a cost.json (format 1): (name, value); a value that is not known is a dash."""
    run, rates = cost["run"], cost["rates"] or {}
    return [
        ("cost of the run", _dollars(run["dollars"])),
        ("DPU", _dpu(run["dpu"])),
        ("price", f"{_dollars(cost['price_dollars_per_million_dpu'])} a million DPU"),
        ("a million commits", _dollars(rates.get("dollars_per_million_commits"))),
        ("of that, for conflicts", _for_conflicts(rates)),
        ("DPU an attempt", words.number(rates.get("dpu_per_attempt"))),
        ("conflicts", _conflicts(rates)),
        ("commit latency, p50", _latency(run["commit_latency_ms_p50"])),
    ]


def notes(cost: Mapping[str, Any]) -> list[str]:
    """What the figures stand on: which minutes, what is in the partial ones, and the formula."""
    run = cost["run"]
    told = [_minutes(run), _basis(cost)]
    if run["minutes_with_data"] < run["minutes"]:
        told.append(
            f"CloudWatch has {run['minutes_with_data']} of {run['minutes']} minutes so far: the sums are too "
            "low. Ask again in some minutes."
        )
    return [*told, f"Formula: {cost['formula']}."]


def _minutes(run: Mapping[str, Any]) -> str:
    begin, end = (str(run[name])[:16].replace("T", " ") for name in ("begin_utc", "end_utc"))
    first_s, last_s = run["seconds_of_first_minute"], run["seconds_of_last_minute"]
    return (
        f"The run's sums are those of {words.count(run['minutes'])} minutes, {begin} to {end} UTC. It fills "
        f"{first_s:.0f} s of the first and {last_s:.0f} s of the last; what else the cluster did in them, "
        "such as filling the tables, is in the sums."
    )


def _basis(cost: Mapping[str, Any]) -> str:
    rates = cost["rates"]
    if rates is None:
        return "There are no rates: no minute of the run has data."
    minutes = words.count(rates["minutes"]) + (" minute" if rates["minutes"] == 1 else " minutes")
    if cost["basis"] == "whole minutes":
        return (
            f"Rates are those of the {minutes} that the run fills; the partial ones at its ends are left out."
        )
    return f"The run fills no minute, so rates are of all {minutes} that it touches: they read high."


def _dollars(value: float | None) -> str:
    if value is None:
        return words.ABSENT
    return f"${value:,.2f}" if value >= _CENT or value == 0 else f"${words.number(value)}"


def _dpu(dpu: Mapping[str, float | None]) -> str:
    if dpu["total"] is None:
        return words.ABSENT
    parts = [
        f"{name} {words.number(dpu[kind])}" for kind, name in _KINDS.items() if dpu.get(kind) is not None
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
    theirs = rates["occ_conflicts"]
    counted = words.ABSENT if theirs is None else words.number(theirs)
    return f"{words.count(rates['conflicts'])} by hotrow, {counted} by CloudWatch (OccConflicts)"


def _latency(value: float | None) -> str:
    return (
        f"{words.milliseconds(value)}, by CloudWatch (the median of its minutes)" if value else words.ABSENT
    )
