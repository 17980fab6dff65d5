"""The words around the charts: what terms mean, what was run, what to do about warnings. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reports.words import side_by_side as targets
from reports.words import wording as words
from reports.words.series import cell_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MAX_CELLS = 8

_TERMS = (
    (
        "attempt, transaction",
        "An attempt is one BEGIN…COMMIT try; a transaction is all the tries of one piece of work.",
    ),
    ("conflict rate", "Attempts that ended in a conflict, of all attempts."),
    ("retry rate", "Attempts after the first, for each transaction that finished."),
    ("goodput", "Committed transactions per second. Attempts above it are work done in vain."),
    ("wasted share", "Time in attempts that did not commit, of the time in all attempts."),
    (
        "D_eff",
        "How many equally likely rows a skew amounts to: 1/Σp². Two skews compare by it, not by theta.",
    ),
    (
        "held back by",
        "The hottest row if it is nearly always taken; otherwise what took most of the users' time.",
    ),
    ("95 % interval", "The bar on a point: it allows for conflicts that come in clusters."),
)
_DASHED = (
    "dashed line",
    "What the model expects of this skew and policy, given the window that was measured.",
)
_LOCKS = (
    "for row locks: the second writer goes on when the first has ended. Contention shows as latency, not as "
    "conflicts."
)
_HOLLOW = (
    "hollow point",
    "Not to be compared: a late client, too little to measure, or most attempts rejected; see the warnings.",
)


@dataclass(frozen=True, slots=True)
class Advice:
    """One kind of warning: what to do, and where it was raised."""

    code: str
    advice: str
    places: tuple[str, ...]
    """Message, with the cell's name where it is about one."""


def terms(run: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a reader must know to read the charts: (term, meaning)."""
    subject = targets.waiting(run)
    waits = [("row locks", f"{subject} {_LOCKS}")] if subject else []
    return [*_TERMS, *([_DASHED] if targets.conflicting(run) else []), *waits, _HOLLOW]


def advice(summary: Mapping[str, Any]) -> list[Advice]:
    """The run's warnings, then those of its cells; those that ask for the same thing together."""
    cells = summary["cells"]
    raised = [(warning, "") for warning in summary["warnings"]]
    raised += [(warning, cell_name(cell, cells)) for cell in cells for warning in cell["warnings"]]
    groups: dict[tuple[str, str], list[str]] = {}
    for warning, cell in raised:
        place = f"{cell}: {warning['message']}" if cell else warning["message"]
        groups.setdefault((warning["code"], warning["advice"]), []).append(place)
    return [Advice(code, what, _limited(places)) for (code, what), places in groups.items()]


def facts(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    """How the figures came about: (name, value); what is not known is left out."""
    run = summary["run"]
    known = {
        **_target(run),
        "scenario": run["scenario"],
        "loop": f"{run['loop']}, think time {words.plain(run.get('think_s') or 0)} s",
        "seed": run.get("seed"),
        "started": run.get("started_utc"),
        "git revision": run.get("git_revision"),
        "command": run.get("command"),
        "options": _pairs(run.get("options")),
        "packages": _pairs(run.get("packages")),
        "connections": _connections(summary.get("connections")),
        "waits for a connection": _waits([cell.get("connect_ms") or {} for cell in summary["cells"]]),
        "torn tail": f"{words.count(summary['torn_bytes'])} bytes ignored" if summary["torn_bytes"] else None,
    }
    return [(name, str(value)) for name, value in known.items() if value not in {None, ""}]


def _target(run: Mapping[str, Any]) -> dict[str, str]:
    """What the target was; of several, what each was, one after the other where they differ."""
    every = targets.each(run)
    told = {
        "target": [str(target["label"]) for _, target in every],
        "server": [str(target["server_version"] or "") for _, target in every],
        "isolation": [str(target["isolation"] or "") for _, target in every],
        "latency profile": [_latency(target["latency"]) for _, target in every],
        "conflicts": [_decided(target) for _, target in every],
        "regions": [_regions(target) for _, target in every],
    }
    names = [name for name, _ in every]
    return {what: _beside(names, values) for what, values in told.items()}


def _beside(names: Sequence[str], values: Sequence[str]) -> str:
    """The value that all targets share, else each with its target's name."""
    if len(set(values)) == 1:
        return values[0]
    return "; ".join(f"{name}: {value or words.ABSENT}" for name, value in zip(names, values, strict=True))


def _decided(target: Mapping[str, Any]) -> str:
    return "the second writer waits for a row lock" if target["conflicts"] == "locks" else "at COMMIT"


def _latency(profile: Mapping[str, float] | None) -> str:
    if profile is None:
        return "none injected"
    rtt, commit = profile.get("rtt_ms"), profile.get("commit_ms")
    return f"round trip {words.milliseconds(rtt)}, commit {words.milliseconds(commit)}"


def _regions(target: Mapping[str, Any]) -> str:
    names = words.region_names(target.get("regions") or ())
    return words.joined(names) if len(names) > 1 else ""


def _connections(counts: Mapping[str, Any] | None) -> str:
    """What connecting took, over all workers and regions of a run."""
    if counts is None:
        return ""
    again = sum(counts["retries"].values())
    causes = ", ".join(f"{cause} {count}" for cause, count in counts["retries"].items())
    return "; ".join(
        [
            f"{words.count(counts['opened'])} opened",
            f"{words.count(counts['retired'])} sessions replaced before their age limit",
            *([f"{words.count(again)} tried again ({causes})"] if again else []),
            f"users waited {words.milliseconds(1e3 * counts['slot_wait_s'])} for their turn, all together",
            f"signing took {words.milliseconds(1e3 * counts['signing_s'])}",
        ]
    )


def _waits(cells: Sequence[Mapping[str, Any]]) -> str:
    """What attempts waited for a connection; quantiles of several cells are never merged."""
    waited = [each for each in cells if each.get("n")]
    if not waited:
        return ""
    attempts = sum(each["n"] for each in waited)
    low, high = (words.milliseconds(end(each["p50"] for each in waited)) for end in (min, max))
    return (
        f"{words.count(attempts)} attempt{'' if attempts == 1 else 's'} waited 1 ms or more: "
        f"p50 {low}{'' if low == high else f' to {high} (by cell)'}, "
        f"at most {words.milliseconds(max(each['max'] for each in waited))}; latency leaves these waits out"
    )


def _pairs(values: Mapping[str, Any] | None) -> str:
    return ", ".join(f"{name} {value}" for name, value in (values or {}).items() if value not in (None, ""))


def _limited(places: list[str]) -> tuple[str, ...]:
    more = len(places) - _MAX_CELLS
    return (*places[:_MAX_CELLS], f"and {more} more") if more > 0 else tuple(places)
