"""The words around the charts: the meaning of terms, facts about the run, advice on warnings. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reports.words import observed_words
from reports.words import side_by_side as targets
from reports.words import wording as words
from reports.words.series import cell_names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MAX_MESSAGES = 8

_TERMS = (
    (
        "attempt, transaction",
        "An attempt is one try, from BEGIN to COMMIT. A transaction is all attempts at one piece of work.",
    ),
    ("conflict rate", "Conflicts per attempt."),
    ("retry rate", "Retries per finished transaction. Every attempt after the first is a retry."),
    ("goodput", "Committed transactions per second. Attempts above it are wasted work."),
    ("wasted share", "Time in attempts that did not commit / time in all attempts."),
    (
        "D_eff",
        "How many equally likely rows a skew amounts to: 1/Σp². Compare skews by D_eff, not by theta.",
    ),
    (
        "held back by",
        "The hottest row if it is nearly always taken, otherwise what took most of the users' time.",
    ),
    ("95 % interval", "The bar on a point. It allows for conflicts that come in bursts."),
)
_DASHED = (
    "dashed line",
    "The model's prediction for this skew and retry policy, from the measured conflict window.",
)
_LOCKS = (
    "for row locks: the second writer continues when the first one has ended. Contention shows as latency, "
    "not as conflicts."
)
_HOLLOW = (
    "hollow point",
    "Not comparable: a late client, too little to measure, or most attempts rejected. See the warnings.",
)


@dataclass(frozen=True, slots=True)
class Advice:
    """One piece of advice, with the warnings that ask for it."""

    code: str
    advice: str
    messages: tuple[str, ...]
    """The warnings' messages. The message about a cell begins with the cell's name."""


def terms(run: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The terms that a reader needs to read the charts: (term, meaning)."""
    subject = targets.waiting(run)
    if observed_words.is_observed(run):
        return [*observed_words.TERMS, *([("row locks", f"{subject} {_LOCKS}")] if subject else [])]
    waits = [("row locks", f"{subject} {_LOCKS}")] if subject else []
    return [*_TERMS, *([_DASHED] if targets.conflicting(run) else []), *waits, _HOLLOW]


def advice(summary: Mapping[str, Any]) -> list[Advice]:
    """The run's warnings, then those of its cells, grouped by their advice."""
    name_of = cell_names(summary["cells"])
    warnings = [(warning, "") for warning in summary["warnings"]]
    warnings += [(warning, name_of(cell)) for cell in summary["cells"] for warning in cell["warnings"]]
    groups: dict[tuple[str, str], list[str]] = {}
    for warning, cell in warnings:
        message = f"{cell}: {warning['message']}" if cell else warning["message"]
        groups.setdefault((warning["code"], warning["advice"]), []).append(message)
    return [Advice(code, text, _limited(messages)) for (code, text), messages in groups.items()]


def facts(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The facts about the run: (name, value). Unknown ones are left out."""
    run = summary["run"]
    known = {
        **_target(run),
        **({"BEGIN": None} if observed_words.is_observed(run) else {}),
        "scenario": run["scenario"],
        "loop": _loop(run),
        "seed": run.get("seed"),
        "started": run.get("started_utc"),
        "ended": summary.get("ended_utc"),
        **_machine(run.get("machine") or {}),
        "client": _client(summary),
        "git revision": run.get("git_revision"),
        "command": run.get("command"),
        "options": _pairs(run.get("options")),
        "packages": _pairs(run.get("packages")),
        "connections": _connections(summary.get("connections")),
        "waits for a connection": _waits([cell.get("connect_ms") or {} for cell in summary["cells"]]),
        "torn tail": f"{words.count(summary['torn_bytes'])} bytes ignored" if summary["torn_bytes"] else None,
    }
    return [(name, str(value)) for name, value in known.items() if value not in {None, ""}]


def _loop(run: Mapping[str, Any]) -> str:
    if observed_words.is_observed(run):
        return "not known: the load of another program was observed"
    return f"{run['loop']}, think time {words.plain(run.get('think_s') or 0)} s"


def _machine(machine: Mapping[str, Any]) -> dict[str, str]:
    """The facts about the machine that made the load. Merged runs have texts instead of numbers."""
    memory = machine.get("memory_bytes")
    parts = [
        machine.get("processor") or machine.get("architecture"),
        f"{machine['cores']} cores" if machine.get("cores") else None,
        f"{memory / 2**30:.1f} GiB of memory" if isinstance(memory, int | float) else None,
    ]
    return {
        "machine": ", ".join(str(part) for part in parts if part),
        "operating system": str(machine.get("system") or ""),
        "Python": str(machine.get("python") or ""),
    }


def _client(summary: Mapping[str, Any]) -> str:
    """How many processes made the load, and how busy and how late they were in their worst cell."""
    loads = [cell.get("client") or {} for cell in summary["cells"]]
    workers = summary.get("workers")
    most = {
        name: max((load[name] for load in loads if load.get(name) is not None), default=None)
        for name in ("cpu", "machine_cpu", "lag_ms_p99")
    }
    parts = [
        f"{workers} process{'' if workers == 1 else 'es'}" if workers else "",
        f"the busiest used up to {words.share(most['cpu'])} of a core" if most["cpu"] is not None else "",
        f"the machine was busy to {words.share(most['machine_cpu'])}"
        if most["machine_cpu"] is not None
        else "",
        f"events were late by up to {words.milliseconds(most['lag_ms_p99'])} (p99)"
        if most["lag_ms_p99"] is not None
        else "",
    ]
    return ", ".join(part for part in parts if part)


def _target(run: Mapping[str, Any]) -> dict[str, str]:
    """The facts about the target. If several targets differ, the value of each target."""
    names, described = zip(*targets.all_targets(run), strict=True)
    values = {
        "target": [str(target["label"]) for target in described],
        "server": [str(target["server_version"] or "") for target in described],
        "isolation": [str(target["isolation"] or "") for target in described],
        "latency profile": [_latency(target["latency"]) for target in described],
        "BEGIN": [_begin(target) for target in described],
        "conflicts": [_decided(target) for target in described],
        "regions": [_regions(target) for target in described],
    }
    return {fact: _by_target(names, by_target) for fact, by_target in values.items()}


def _by_target(names: Sequence[str], values: Sequence[str]) -> str:
    """The value that all targets share, or else each value with its target's name."""
    if len(set(values)) == 1:
        return values[0]
    return "; ".join(f"{name}: {value or words.ABSENT}" for name, value in zip(names, values, strict=True))


def _decided(target: Mapping[str, Any]) -> str:
    return "the second writer waits for a row lock" if target["conflicts"] == "locks" else "at COMMIT"


def _begin(target: Mapping[str, Any]) -> str:
    apart = target.get("begin") == "apart"
    return "a round trip of its own" if apart else "with the first statement"


def _latency(profile: Mapping[str, float] | None) -> str:
    if profile is None:
        return "none injected"
    rtt, commit = profile.get("rtt_ms"), profile.get("commit_ms")
    return f"round trip {words.milliseconds(rtt)}, commit {words.milliseconds(commit)}"


def _regions(target: Mapping[str, Any]) -> str:
    names = words.region_names(target.get("regions") or ())
    return words.joined(names) if len(names) > 1 else ""


def _connections(counts: Mapping[str, Any] | None) -> str:
    """The cost of connecting, over all workers and regions of a run."""
    if counts is None:
        return ""
    retries = sum(counts["retries"].values())
    causes = ", ".join(f"{cause} {count}" for cause, count in counts["retries"].items())
    return "; ".join(
        [
            f"{words.count(counts['opened'])} opened",
            f"{words.count(counts['retired'])} sessions replaced before their age limit",
            *([f"{words.count(retries)} retried ({causes})"] if retries else []),
            f"users waited {words.milliseconds(1e3 * counts['slot_wait_s'])} in total for their turn",
            f"signing took {words.milliseconds(1e3 * counts['signing_s'])}",
        ]
    )


def _waits(cells: Sequence[Mapping[str, Any]]) -> str:
    """The waits of attempts for a connection. Quantiles of several cells are never merged."""
    waits = [wait for wait in cells if wait.get("n")]
    if not waits:
        return ""
    attempts = sum(wait["n"] for wait in waits)
    low, high = (words.milliseconds(end(wait["p50"] for wait in waits)) for end in (min, max))
    return (
        f"{words.counted(attempts, 'attempt')} waited 1 ms or longer: "
        f"p50 {low}{'' if low == high else f' to {high} (by cell)'}, "
        f"at most {words.milliseconds(max(wait['max'] for wait in waits))}; latency excludes these waits"
    )


def _pairs(values: Mapping[str, Any] | None) -> str:
    return ", ".join(f"{name} {value}" for name, value in (values or {}).items() if value not in (None, ""))


def _limited(messages: list[str]) -> tuple[str, ...]:
    more = len(messages) - _MAX_MESSAGES
    return (*messages[:_MAX_MESSAGES], f"and {more} more") if more > 0 else tuple(messages)
