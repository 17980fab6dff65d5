"""Runs in memory, built attempt by attempt, for the tests of `analysis`. Times are in ms from 0."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.reading import MeasuredInterval, Run
from analysis.summarise import summarise
from hotrow.attempt.record import ATTEMPT, FORMAT, NO_KEY, Flag, Outcome
from hotrow.keys.skew import parse_skew

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

WALL_NS = 1_760_000_000_000_000_000
"""The start of the tests' clock in ns: a wall clock time of 2025, too large for float64 to keep single ns."""


def attempt(
    transaction: int,
    started_ms: float,
    outcome: Outcome = Outcome.COMMITTED,
    *,
    number: int = 1,
    final: bool = True,
    times_ms: tuple[float, float, float] = (2.0, 3.0, 5.0),
    backoff_ms: float = 0.0,
    scheduled_ms: float | None = None,
    user: int = 0,
    worker: int = 0,
    cell: int = 0,
    sqlstate: str = "",
    connect_ms: float = 0.0,
    region: int = 0,
    kind: int = 0,
    key: int = NO_KEY,
) -> NDArray[np.void]:
    """One record. `times_ms` are BEGIN, body and COMMIT; `scheduled_ms` is `started_ms` by default."""
    record = np.zeros((), dtype=ATTEMPT)
    due_ms = started_ms if scheduled_ms is None else scheduled_ms
    record["scheduled"], record["started"] = WALL_NS + round(due_ms * 1e6), WALL_NS + round(started_ms * 1e6)
    record["begin"], record["body"], record["commit"] = (time * 1e6 for time in times_ms)
    record["backoff"], record["key"], record["kind"] = backoff_ms * 1e6, key, kind
    record["transaction"], record["attempt"], record["user"] = transaction, number, user
    record["worker"], record["cell"] = worker, cell
    record["outcome"], record["sqlstate"] = outcome, sqlstate.encode()
    record["connect"], record["region"] = connect_ms * 1e6, region
    record["flags"] = Flag.FINAL if final else 0
    return record


def contradiction(run: Run) -> str:
    """The message of the only `cells_broken` warning of a run; its summary must have no cells."""
    summary = summarise(run)
    (broken,) = [warning for warning in summary["warnings"] if warning["code"] == "cells_broken"]
    assert (summary["cells"], summary["usable"]) == ([], False)
    return str(broken["message"])


def steady_commits(count: int, seconds: float, **same: Any) -> list[NDArray[np.void]]:
    """`count` committed transactions of one user, spread evenly over `seconds`."""
    step_ms = seconds * 1e3 / count
    return [attempt(number, number * step_ms, **same) for number in range(count)]


def run_json(*cells: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """The content of run.json for a run of these cells (by default, of one) on the stand-in."""
    target = {
        "kind": "local",
        "label": "local (no latency)",
        "server_version": "18.6",
        "isolation": "repeatable read",
        "latency": None,
        "conflicts": "commit",
    }
    meta = {"format": FORMAT, "schema": [], "packages": {}, "scenario": "counter", "loop": "closed"}
    return {**meta, "think_s": 0.0, "target": target, "cells": list(cells) or [cell()], **changes}


def cell(number: int = 0, **changes: Any) -> dict[str, Any]:
    """A cell in the form of run.json: counter, uniform over 100 keys, one user, no retry."""
    planned = {
        "id": number,
        "scenario": "counter",
        "skew": "uniform",
        "keys": 100,
        "users": 1,
        "retry": "none",
        "redraw": False,
        "repeat": 0,
        "keys_per_transaction": 1,
        "warmup_s": 1.0,
        "duration_s": 1.0,
    }
    return {**planned, **changes}


def run_of(
    attempts: Sequence[NDArray[np.void]] | NDArray[np.void],
    *,
    cells: Sequence[Mapping[str, Any]] | None = None,
    window_ms: tuple[float, float] = (0.0, 1_000.0),
    conflicts: str = "commit",
    checks: Sequence[bool | None] = (True,),
    health: Sequence[tuple[float, float]] = ((0.2, 1.0),),
    think_s: float = 0.0,
    torn_bytes: int = 0,
    regions: Sequence[str] = (),
    kinds: Sequence[str] = (),
    rehearsal: Sequence[Mapping[str, Any]] = (),
) -> Run:
    """A run whose cells all have the same measured interval, `window_ms`.

    `health` holds (CPU share, worst lag in ms) for each second of the interval.
    """
    planned = [cell()] if cells is None else cells
    ids = [plan["id"] for plan in planned]
    begin_ns, end_ns = (WALL_NS + round(edge * 1e6) for edge in window_ms)
    lines = [
        {"wall_ns": begin_ns + 1 + second, "cell": number, "cpu": cpu, "lag_ms": lag_ms}
        for number in ids
        for second, (cpu, lag_ms) in enumerate(health)
    ]
    verdict = [{"name": f"check {n}", "valid": v, "count": 0, "details": {}} for n, v in enumerate(checks)]
    meta = {"format": 1, "scenario": "counter", "think_s": think_s, "kinds": list(kinds)}
    target = {"conflicts": conflicts, "regions": list(regions)}
    return Run(
        meta={**meta, "target": target, "schema": [], "packages": {}, "cells": planned},
        cells=planned,
        attempts=np.array(attempts, dtype=ATTEMPT),
        intervals=dict.fromkeys(ids, MeasuredInterval(begin_ns, end_ns)),
        verdicts=dict.fromkeys(ids, verdict),
        health={0: lines},
        torn_bytes=torn_bytes,
        rehearsal=rehearsal,
        skews={
            plan["skew"]: parse_skew(plan["skew"]) for plan in planned if not plan["skew"].startswith("file:")
        },
    )
