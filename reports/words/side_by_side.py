"""Several runs of one scenario on different targets, merged into one summary. Pure."""

from __future__ import annotations

import re
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from hotrow.errors import UsageError
from reports.words import wording as words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from reports.words.wording import Cell

_SEVERAL = "several"
"""`conflicts` of merged targets if only some of them wait for row locks."""


def merge(summaries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One summary (format 1) with the cells of all runs, so that every chart has one line per target.

    Each cell gets `target`, the name of its target. `run.targets` has the targets with these names, in order.
    Other facts of the runs are joined if they differ.

    Raises:
        UsageError: there are no runs, or they have different scenarios.
    """
    if not summaries:
        raise UsageError("no run to report on: pass the directory of at least one run")
    scenarios = list(dict.fromkeys(str(summary["run"]["scenario"]) for summary in summaries))
    if len(scenarios) > 1:
        raise UsageError(
            f"these runs have different scenarios ({', '.join(scenarios)}): report on each one separately"
        )
    if len(summaries) == 1:
        return dict(summaries[0])
    names = _names([summary["run"]["target"] for summary in summaries])
    cells = [
        {**cell, "target": name}
        for name, summary in zip(names, summaries, strict=True)
        for cell in summary["cells"]
    ]
    return {
        "format": summaries[0]["format"],
        "run": _run([summary["run"] for summary in summaries], names),
        "torn_bytes": sum(summary["torn_bytes"] for summary in summaries),
        "planned_cells": _sum_if_known([summary.get("planned_cells") for summary in summaries]),
        "workers": _joined([summary.get("workers") for summary in summaries]),
        "ended_utc": _joined([summary.get("ended_utc") for summary in summaries]),
        "cells": [{**cell, "id": number} for number, cell in enumerate(cells)],
        "warnings": [
            {**warning, "message": f"{name}: {warning['message']}"}
            for name, summary in zip(names, summaries, strict=True)
            for warning in summary["warnings"]
        ],
        "gates": _gates(summaries, names),
    }


def _gates(summaries: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, Any]:
    """The gates of all runs, with the targets' names and the ids of the merged cells."""
    firsts = accumulate((len(summary["cells"]) for summary in summaries), initial=0)
    runs = list(zip(names, summaries, firsts, strict=False))
    entries = {
        field: [
            {**entry, "cell": _moved(entry["cell"], summary, first), "text": f"{name}: {entry['text']}"}
            for name, summary, first in runs
            for entry in (summary.get("gates") or {}).get(field, ())
        ]
        for field in ("checks", "breaches", "doubts")
    }
    return {
        "limits": _joined_pairs((summary.get("gates") or {}).get("limits") for summary in summaries),
        **entries,
    }


def _moved(number: int | None, summary: Mapping[str, Any], first: int) -> int | None:
    """The id that a cell has in the merged summary."""
    ids = [cell["id"] for cell in summary["cells"]]
    return first + ids.index(number) if number in ids else None


def all_targets(run: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """The targets of a run as (name, target). The name is empty if there is only one target."""
    return [(target["name"], target) for target in run.get("targets", ())] or [("", run["target"])]


def locks(run: Mapping[str, Any], cell: Cell) -> bool:
    """Whether a cell's target makes the second writer wait for the first."""
    target = dict(all_targets(run)).get(str(cell.get("target", "")), run["target"])
    return bool(target["conflicts"] == "locks")


def waiting(run: Mapping[str, Any]) -> str:
    """The targets that wait for row locks, as the subject and verb of a sentence; empty if none does."""
    names = [name for name, target in all_targets(run) if target["conflicts"] == "locks"]
    if not names:
        return ""
    return (
        f"{words.joined(names)} {'waits' if len(names) == 1 else 'wait'}" if names[0] else "This target waits"
    )


def conflicting(run: Mapping[str, Any]) -> bool:
    """Whether any target detects conflicts at COMMIT."""
    return any(target["conflicts"] != "locks" for _, target in all_targets(run))


def _names(targets: Sequence[Mapping[str, Any]]) -> list[str]:
    """Short, distinct names of the targets: their kinds, the parts in which labels differ, or numbers."""
    ways: tuple[Callable[[Mapping[str, Any]], str], ...] = (
        _plain_name,
        _differing([str(target["label"]) for target in targets]),
        lambda target: str(target["label"]),
    )
    candidates = ([way(target) for target in targets] for way in ways)
    distinct = next((names for names in candidates if all(names) and len(set(names)) == len(names)), None)
    return distinct or [f"run {number}" for number, _ in enumerate(targets, start=1)]


def _plain_name(target: Mapping[str, Any]) -> str:
    """The part of a label before its brackets, such as `local` or `plain PostgreSQL`; else the kind."""
    name, bracket, _ = str(target["label"]).partition(" (")
    return name if bracket else str(target["kind"])


def _differing(labels: Sequence[str]) -> Callable[[Mapping[str, Any]], str]:
    shared = set.intersection(*(set(_parts(label)) for label in labels))
    return lambda target: ", ".join(part for part in _parts(str(target["label"])) if part not in shared)


def _parts(label: str) -> list[str]:
    """The parts of a label between commas and brackets: `local`, `rtt 2 ms`, `commit 5 ms`."""
    return [part.strip() for part in re.split(r"[(),]", label) if part.strip()]


def _run(runs: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, Any]:
    targets = [{**run["target"], "name": name} for run, name in zip(runs, names, strict=True)]
    joined = {name: _joined([run.get(name) for run in runs]) for name in runs[0] if name not in _NOT_JOINED}
    pairs = {name: _joined_pairs([run.get(name) for run in runs]) for name in _PAIRS}
    commands = dict.fromkeys(str(run["reproduce"]) for run in runs if run.get("reproduce"))
    return {
        **joined,
        **pairs,
        "reproduce": "\n".join(commands),
        "tables": _same([run.get("tables") for run in runs]) or [],
        "format": runs[0].get("format", 1),
        "target": _target(targets),
        "targets": targets,
    }


_PAIRS = ("options", "packages", "machine")
_NOT_JOINED = frozenset({"format", "target", "reproduce", "tables", *_PAIRS})
"""Facts of a run that are not joined as texts."""


def _target(targets: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """All targets as one. Values that differ and are not texts are absent."""
    conflicts = {target["conflicts"] for target in targets}
    return {
        "kind": _joined([target["kind"] for target in targets]),
        "label": words.joined(dict.fromkeys(str(target["label"]) for target in targets)),
        "server_version": _joined([target["server_version"] for target in targets]),
        "isolation": _joined([target["isolation"] for target in targets]),
        "latency": _same([target["latency"] for target in targets]),
        "conflicts": conflicts.pop() if len(conflicts) == 1 else _SEVERAL,
        "begin": _same([target.get("begin") for target in targets]),
        "regions": _same([list(target.get("regions") or ()) for target in targets]) or [],
    }


def _joined(values: Sequence[Any]) -> Any:
    """The value that all share, or else all values as one text."""
    same = _same(values)
    if same is not None or all(value is None for value in values):
        return same
    return " / ".join(dict.fromkeys(words.ABSENT if value is None else str(value) for value in values))


def _sum_if_known(values: Sequence[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _same(values: Sequence[Any]) -> Any:
    return values[0] if all(value == values[0] for value in values) else None


def _joined_pairs(values: Iterable[Mapping[str, Any] | None]) -> dict[str, Any]:
    rows = [row or {} for row in values]
    return {
        name: _joined([row.get(name) for row in rows])
        for name in dict.fromkeys(n for row in rows for n in row)
    }
