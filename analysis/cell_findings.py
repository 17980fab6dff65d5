"""The findings on a cell and on a run: what makes their figures doubtful, and what to do about it.

This module holds their limits. Findings on the client and their limits are in `analysis.client_findings`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis.client_findings import (
    client_saturated,
    client_stalled,
    client_unmeasured,
    clock_stepped,
    milliseconds,
    stalled,
)
from analysis.fairness import is_enough
from hotrow.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MIN_ATTEMPTS = 100
"""Fewer attempts are too few for firm conclusions."""
MIN_COMMITS = 20
"""Fewer committed transactions are too few to judge latency and goodput."""
MIN_USABLE_ATTEMPTS = 30
"""With fewer attempts the cell is not usable."""
MAX_CUT_OFF_SHARE = 0.05
"""If a larger share of the transactions was cut off, the rates miss those that retry for long."""
MAX_REJECTED_SHARE = 0.5
"""If a larger share of the attempts was rejected, the cell measures rejections and is not compared."""
MAX_UNEVEN_SHARE = 0.1
"""The users of two regions may differ by one, or by this share of the larger number. Beyond that the cell
cannot be compared with one whose users were spread evenly."""
MIN_CERTAIN_CONFLICT_RATE = 0.05
"""Conflicts are certain if the predicted conflict rate is above this, …"""
MIN_CERTAIN_CONFLICTS = 30.0
"""… and at least this many conflicts are expected: the probability of none is e^-30."""


def find_in_cell(
    cell: Mapping[str, Any],
    *,
    conflicts_at_commit: bool,
    steady: bool | None,
    closed: bool,
    judged: bool,
    simulated: bool = False,
) -> list[Finding]:
    """All findings on one cell.

    Args:
        cell: its summary, without `warnings` and `usable`.
        conflicts_at_commit: whether the target decides conflicts at COMMIT, rather than by row locks.
        steady: the result of `analysis.steady.is_steady`.
        closed: whether the measured interval ended as planned.
        judged: whether the scenario's checks ran.
        simulated: whether there was no client and no data.
    """
    observed = "observed" in cell  # neither its course nor its rollbacks are of hotrow's making
    findings = [
        client_saturated(cell["client"], cell["users"], cell["seconds"]),
        client_stalled(cell["client"], cell["seconds"]),
        stalled(cell["silences"]),
        None if simulated else client_unmeasured(cell["client"]),
        _too_few_samples(cell["attempts"]),
        None if observed or steady in (True, None) else _NOT_STEADY,
        None if closed else _INTERRUPTED,
        _errors_seen(cell),
        _unknown_outcomes(cell["transactions"]),
        _resolved_outcomes(cell["in_doubt"]),
        _deadlocks(cell["attempts"]),
        _many_cut_off(cell["transactions"]),
        _users_starved(cell["fairness"], cell["transactions"]["committed"]),
        None if observed else _many_rejected(cell["attempts"]),
        _no_conflict_where_certain(cell) if conflicts_at_commit else _waiting_not_conflicts(cell),
        _writes_too_coarse(cell["limit"]),
        _regions_uneven(cell.get("regions", ())),
        _check_undecided(cell["verdict"], judged=judged),
    ]
    return [finding for finding in findings if finding is not None]


def find_in_run(
    cells_missing: int, torn_bytes: int, clock_step: tuple[float, int] | None = None
) -> list[Finding]:
    """Findings on a run as a whole. Those on its files are in `analysis.damages`.

    `clock_step` is the result of `analysis.client.clock_step`.
    """
    stepped = clock_stepped(clock_step)
    findings = [] if stepped is None else [stepped]
    if cells_missing:
        message = f"{cells_missing} of the planned cells were not measured"
        advice = "Let the run end by itself. With locust, -t must be longer than the ramp-up plus --warmup."
        findings.append(Finding("cells_missing", message, advice, spoils=True))
    if torn_bytes:
        message = (
            f"{torn_bytes} bytes at the end of the attempts files are not a whole record and were ignored"
        )
        advice = "A worker was killed, or the file was cut off. The last attempts are lost."
        findings.append(Finding("torn_tail", message, advice, spoils=True))
    return findings


_NOT_STEADY = Finding(
    "not_steady",
    "the attempt rate did not settle: over half of the measured interval looks like a transient (MSER-5)",
    "Raise --warmup and --duration.",
)
_INTERRUPTED = Finding(
    "interrupted",
    "the run ended before the measured interval did: the figures cover only the part that was measured",
    "Let the run end by itself.",
)


def _too_few_samples(attempts: Mapping[str, int]) -> Finding | None:
    total, committed = attempts["total"], attempts["committed"]
    if total >= MIN_ATTEMPTS and committed >= MIN_COMMITS:
        return None
    message = (
        f"{total} attempts and {committed} commits; a judgement needs at least {MIN_ATTEMPTS} and "
        f"{MIN_COMMITS}"
    )
    return Finding("too_few_samples", message, "Raise --duration.", spoils=total < MIN_USABLE_ATTEMPTS)


def _regions_uneven(regions: Sequence[Mapping[str, Any]]) -> Finding | None:
    """Users come and go between cells, so those who stay may be spread unevenly over the regions."""
    users = [region["users"] for region in regions]
    if not users or max(users) - min(users) <= max(1.0, MAX_UNEVEN_SHARE * max(users)):
        return None
    numbers = ", ".join(f"{region['users']} in {region['name']}" for region in regions)
    message = f"users were not spread evenly over the regions: {numbers} began attempts"
    advice = "Do not compare this cell with one whose users were. Measure it in a run of its own."
    return Finding("regions_uneven", message, advice)


def _errors_seen(cell: Mapping[str, Any]) -> Finding | None:
    errors = cell["attempts"]["error"] - cell["in_doubt"]["not_applied"]
    if not errors:
        return None
    states = ", ".join(
        f"{code} x {count}" for code, count in cell["sqlstates"].items() if code not in _EXPECTED
    )
    first = next(
        (error for error in cell["errors"] if error["outcome"] == "error" and error["message"]), None
    )
    example = (
        "" if first is None else f": {first['message']}" + (f" ({first['place']})" if first["place"] else "")
    )
    message = (
        f"{errors} attempts ended in an error other than a conflict "
        f"({states or 'without a SQLSTATE'}){example}"
    )
    advice = "The report lists them with their statements. Errors count neither as conflicts nor as goodput."
    return Finding("errors_seen", message, advice)


_EXPECTED = frozenset({"40001", "40P01"})


def _unknown_outcomes(transactions: Mapping[str, int]) -> Finding | None:
    unknown = transactions["unknown"]
    if not unknown:
        return None
    message = f"{unknown} transactions lost their connection during COMMIT: whether they committed is unknown"
    advice = (
        "Checks allow for them. With --receipts, hotrow looks them up for 20 s. Find out why connections "
        "broke."
    )
    return Finding("unknown_outcomes", message, advice)


def _resolved_outcomes(in_doubt: Mapping[str, int]) -> Finding | None:
    applied, not_applied = in_doubt["applied"], in_doubt["not_applied"]
    if not applied and not not_applied:
        return None
    message = (
        f"{applied + not_applied} attempts lost the answer to COMMIT and were looked up by their receipts: "
        f"{applied} had been applied, {not_applied} had not; {in_doubt['unknown']} are still unknown"
    )
    return Finding("resolved_outcomes", message, "Nothing was counted twice. Find out why connections broke.")


def _deadlocks(attempts: Mapping[str, int]) -> Finding | None:
    deadlocks = attempts["deadlock"]
    if not deadlocks:
        return None
    message = f"{deadlocks} attempts ended in a deadlock (40P01) after waiting for deadlock_timeout"
    return Finding(
        "deadlocks", message, "Lock rows in one order. Aurora DSQL has no deadlocks, only conflicts."
    )


def _many_cut_off(transactions: Mapping[str, int]) -> Finding | None:
    cut_off, started = transactions["cut_off"], transactions["started"]
    if cut_off <= MAX_CUT_OFF_SHARE * started:
        return None
    message = f"{cut_off} of {started} transactions were cut off: latency and the give-up rate are too low"
    return Finding("many_cut_off", message, "Raise --duration, or lower cap or max of the retry policy.")


def is_mostly_rejected(attempts: Mapping[str, int]) -> bool:
    """Whether the business rule refused most attempts (`attempts` of a cell), as in a sold-out shop."""
    return attempts["rejected"] > MAX_REJECTED_SHARE * attempts["total"]


def _many_rejected(attempts: Mapping[str, int]) -> Finding | None:
    if not is_mostly_rejected(attempts):
        return None
    message = (
        f"the business rule rejected {attempts['rejected']} of {attempts['total']} attempts, as in a "
        "sold-out shop: the cell is not compared with others"
    )
    advice = (
        "Give the scenario more to sell, or lower --duration. Cells that share tables start with what the "
        "cells before them left."
    )
    return Finding("many_rejected", message, advice)


def _users_starved(fairness: Mapping[str, Any], committed: int) -> Finding | None:
    """If a few users win nearly always, latency describes these users only."""
    if fairness["jain"] is None or fairness["commits_median"] != 0 or not is_enough(fairness, committed):
        return None
    message = (
        f"at least half of the {fairness['users']} users committed nothing: latency describes only the "
        f"others (Jain's index {fairness['jain']:.2f})"
    )
    advice = (
        "Look at fairness, and raise --duration. With a lower cap of the retry policy losers return sooner."
    )
    return Finding("users_starved", message, advice)


def _waiting_not_conflicts(cell: Mapping[str, Any]) -> Finding | None:
    p50, p99 = cell["attempt_ms"]["p50"], cell["attempt_ms"]["p99"]
    if cell["users"] == 1 or p50 is None:
        return None
    times = f"attempts took {milliseconds(p50)} (p50) to {milliseconds(p99)} (p99)"
    message = f"this target waits for row locks, so the conflict rate understates contention: {times}"
    return Finding(
        "waiting_not_conflicts", message, "Compare attempt times, or run on -H local or on Aurora DSQL."
    )


def _no_conflict_where_certain(cell: Mapping[str, Any]) -> Finding | None:
    rate, attempts = cell["predicted"]["conflict_rate"], cell["attempts"]
    if rate is None or rate <= MIN_CERTAIN_CONFLICT_RATE or rate * attempts["total"] < MIN_CERTAIN_CONFLICTS:
        return None
    if attempts["conflict"]:
        return None
    message = f"no conflict in {attempts['total']} attempts, although {rate:.1%} were expected to conflict"
    advice = (
        "Check that users run at the same time and write the same rows. `hotrow doctor` tests the target."
    )
    return Finding("no_conflict_where_certain", message, advice, spoils=True)


def _writes_too_coarse(limit: Mapping[str, Any]) -> Finding | None:
    """If two transactions write one row at the same time, at most one of them commits."""
    overlap = limit["hottest_row_overlap"]
    if overlap is None:
        return None
    message = (
        "committed transactions that declare the same key overlapped: together they took "
        f"{overlap:.0%} of the measured interval. Two that write one row at the same time cannot both "
        "commit, so `writes` is coarser than the rows written. No row is named and nothing is predicted"
    )
    advice = "Let draw() return in `writes` the rows that run() writes (docs/scenarios.md)."
    return Finding("writes_too_coarse", message, advice)


def _check_undecided(verdict: Mapping[str, Any], *, judged: bool) -> Finding | None:
    undecided = [check["name"] for check in verdict["checks"] if check["valid"] is None]
    if not undecided and judged:
        return None
    reason = ", ".join(undecided) or "the scenario's checks did not run"
    return Finding(
        "check_undecided", f"whether the data is right is unknown: {reason}", "Run the cell again."
    )
