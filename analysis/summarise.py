"""The summary of a run, summary.json; docs/summary.md explains every field."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis import cell_findings, damages, rates, timing
from analysis.breakdown import summarise_kinds, summarise_regions
from analysis.client import clock_step, read_client
from analysis.coarse import without_rows
from analysis.connections import count_connections
from analysis.counts import (
    BrokenEquationError,
    Counts,
    count_attempts,
    count_in_doubt,
    count_sqlstates,
    count_transactions,
    counts_in,
)
from analysis.error_counts import count_errors
from analysis.expected import expect, layout_of
from analysis.fairness import fairness
from analysis.hot_keys import hot_keys
from analysis.latency_curve import latency_curve
from analysis.limits import limit
from analysis.observed import summarise_observed
from analysis.over_time import over_time
from analysis.silence import silences
from analysis.steady import is_steady, transient
from analysis.tries import commit_on_attempt
from analysis.user_time import user_time_s
from hotrow.run.observed_run import OBSERVED
from hotrow.simulated_run import is_simulated

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from analysis.reading import MeasuredInterval, Run

FORMAT = 1
"""Version of summary.json. History: 1 — first format."""

_SETTINGS = ("id", "scenario", "skew", "keys", "users", "retry", "redraw", "repeat")
_ROWS = ("keys_per_transaction", "rows_per_key")
"""What decides how many rows each transaction writes; runs of older versions may have neither."""
_NOT_COPIED = ("schema", "packages", "cells")


def summarise(run: Run) -> dict[str, Any]:
    """The content of summary.json, as JSON values."""
    cells, broken = _summarise_cells(run)
    missing = len(run.cells) - len(cells) - len(broken)
    findings = cell_findings.find_in_run(missing, run.torn_bytes, clock_step(run.health))
    findings += damages.find_in_files(run.damage, broken)
    return {
        "format": FORMAT,
        "run": {name: value for name, value in run.meta.items() if name not in _NOT_COPIED},
        "torn_bytes": run.torn_bytes,
        "planned_cells": len(run.cells),
        "workers": len(run.health) or None,
        "ended_utc": _ended_utc(run),
        **count_connections(run),
        "cells": without_rows(
            cells if _declares_its_writes(run) else [_without_limit(cell) for cell in cells]
        ),
        "warnings": [*run.rehearsal, *(finding.as_json() for finding in findings)],
        "usable": not any(finding.spoils for finding in findings),
    }


def _summarise_cells(run: Run) -> tuple[list[dict[str, Any]], dict[int, str]]:
    """The summary of each measured cell; and, by cell id, why a cell's counts do not add up."""
    cells, broken = [], {}
    for cell, attempts in _by_cell(run):
        interval = run.intervals.get(cell["id"])
        if interval is None:
            continue
        try:
            cells.append(_summarise_cell(run, cell, interval, attempts))
        except BrokenEquationError as error:
            broken[cell["id"]] = str(error)
    return cells, broken


def _ended_utc(run: Run) -> str | None:
    """When the last measured interval ended; None if nothing was measured."""
    last_ns = max((interval.end_ns for interval in run.intervals.values()), default=None)
    return (
        None if last_ns is None else datetime.fromtimestamp(last_ns / 1e9, UTC).isoformat(timespec="seconds")
    )


def _declares_its_writes(run: Run) -> bool:
    return all(finding["code"] != "writes_undeclared" for finding in run.rehearsal)


def _without_limit(cell: Mapping[str, Any]) -> dict[str, Any]:
    """A cell without the name of its limit: a row that the scenario did not declare may be the limit."""
    return {**cell, "limit": {**cell["limit"], "name": None}}


def write_summary(directory: Path, summary: Mapping[str, Any]) -> Path:
    """Write `summary` as `summary.json` into `directory`, whole or not at all.

    Returns:
        The path of summary.json.

    Raises:
        ValueError: a number is NaN or infinite (absent is null).
        OSError: it cannot be written.
    """
    path = directory / "summary.json"
    partial = directory / "summary.json.partial"
    partial.write_text(json.dumps(summary, indent=2, allow_nan=False) + "\n")
    return partial.replace(path)


def _by_cell(run: Run) -> Iterator[tuple[Mapping[str, Any], NDArray[np.void]]]:
    """Each cell with its attempts, in the ledger's order. The attempts are sorted once for all cells."""
    numbers = run.attempts["cell"]
    order = np.argsort(numbers, kind="stable")
    numbers = numbers[order]
    for cell in run.cells:
        first, last = np.searchsorted(numbers, (cell["id"], cell["id"] + 1))
        yield cell, run.attempts[order[first:last]]


def _summarise_cell(
    run: Run, cell: Mapping[str, Any], interval: MeasuredInterval, attempts: NDArray[np.void]
) -> dict[str, Any]:
    at_commit = run.meta["target"]["conflicts"] == "commit"
    observed = run.meta.get("loop") == OBSERVED
    counts = counts_in(attempts, interval)
    client = read_client(run.health, cell["id"], interval)
    quiet = silences(attempts, interval, run.meta["think_s"], client)
    starts_s = (counts.attempts["started"] - counts.interval.begin_ns) / 1e9
    unsettled = transient(starts_s, interval.seconds)
    summary = {
        **{name: cell[name] for name in _SETTINGS},
        "knobs": cell.get("knobs", {}),
        **{name: cell[name] for name in _ROWS if name in cell},
        **({"spaces": cell["spaces"]} if cell.get("spaces") else {}),
        "seconds": interval.seconds,
        **_measured(cell, counts, at_commit, run, quiet),
        "user_time_s": user_time_s(attempts, interval, cell["users"], run.meta["think_s"]),
        "unsettled_s": None if unsettled is None else unsettled * interval.seconds,
        "over_time": over_time(attempts, counts),
        **summarise_regions(run.meta["target"], attempts, counts),
        **summarise_kinds(run.meta, attempts, counts),
        **({"observed": summarise_observed(run.statements, attempts, counts)} if observed else {}),
        "errors": count_errors(counts, cell["id"], run.meta.get("kinds") or (), run.errors),
        "client": client,
        "silences": quiet,
        "verdict": _verdict(run.verdicts.get(cell["id"], ())),
    }
    findings = cell_findings.find_in_cell(
        summary,
        conflicts_at_commit=at_commit,
        steady=is_steady(unsettled),
        closed=interval.closed,
        judged=cell["id"] in run.verdicts,
        simulated=is_simulated(run.meta),
    )
    findings += damages.find_in_cell(run.damage, cell["id"])
    warnings = [finding.as_json() for finding in findings]
    return {**summary, "warnings": warnings, "usable": not any(finding.spoils for finding in findings)}


def _measured(
    cell: Mapping[str, Any],
    counts: Counts,
    at_commit: bool,
    run: Run,
    quiet: Sequence[Mapping[str, float]],
) -> dict[str, Any]:
    """The measured figures and the predicted ones. Nothing is predicted if the server stood still."""
    times = timing.time_cell(counts, conflicts_at_commit=at_commit)
    table = layout_of(cell, run.skews)
    held_back = limit(
        cell, counts, times, table, at_commit=at_commit, think_s=run.meta["think_s"], silences=quiet
    )
    coarse = held_back["hottest_row_overlap"] is not None
    return {
        "d_eff": None if table is None else table.d_eff,
        "p_max": None if table is None else table.p_max,
        "transactions": count_transactions(counts),
        "attempts": count_attempts(counts),
        "in_doubt": count_in_doubt(counts),
        **rates.measure_rates(counts),
        **rates.measure_times(times),
        "latency_curve": latency_curve(times.latency_ms),
        "commit_on_attempt": commit_on_attempt(counts),
        "fairness": fairness(counts, cell["users"]),
        "limit": held_back,
        "hot_keys": [] if coarse else hot_keys(counts, table),
        "predicted": expect(
            cell, None if coarse or quiet or not at_commit else table, counts, times, run.meta["think_s"]
        ),
        "sqlstates": count_sqlstates(counts),
    }


def _verdict(checks: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The checks and their overall verdict: wrong beats unknown, unknown beats right; none is unknown."""
    results = [check["valid"] for check in checks]
    valid = False if False in results else (True if results and None not in results else None)
    return {"valid": valid, "checks": list(checks)}
