"""What is doubtful about a cell, as values: a code, what was found, what to do about it.

The limits are here; those on the client are in `analysis.client_findings`.
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

ATTEMPTS_MIN = 100
"""Fewer attempts say little."""
COMMITS_MIN = 20
"""Fewer committed transactions say little about latency and goodput."""
ATTEMPTS_USABLE_MIN = 30
"""Fewer attempts say nothing."""
CUT_OFF_SHARE_MAX = 0.05
"""Where more of the transactions were cut off, those that retry for long are missing from the rates."""
REJECTED_SHARE_MAX = 0.5
"""If more of the attempts were rejected, the cell measures rejections and compares with no other."""
UNEVEN_SHARE_MAX = 0.1
"""Where the users of two regions differ by more than one and than this share of the larger number, the cell
does not compare with one whose users were dealt evenly."""
CERTAIN_CONFLICT_RATE = 0.05
"""A predicted conflict rate above this, …"""
CERTAIN_CONFLICTS = 30.0
"""… and at least so many conflicts expected: to see none is no chance (e^-30)."""


def find(
    cell: Mapping[str, Any], *, conflicts_at_commit: bool, steady: bool | None, closed: bool, judged: bool
) -> list[Finding]:
    """All findings on one cell.

    Args:
        cell: its summary, all but `warnings` and `usable`.
        conflicts_at_commit: whether the target decides conflicts at COMMIT, rather than by row locks.
        steady: what `analysis.steady` said.
        closed: whether the interval ended as planned.
        judged: whether the scenario's checks ran.
    """
    found = [
        client_saturated(cell["client"], cell["users"], cell["seconds"]),
        client_stalled(cell["client"], cell["seconds"]),
        stalled(cell["silences"]),
        client_unmeasured(cell["client"]),
        _too_few_samples(cell["attempts"]),
        None if steady in (True, None) else _NOT_STEADY,
        None if closed else _INTERRUPTED,
        _errors_seen(cell),
        _unknown_outcomes(cell["transactions"]),
        _resolved_outcomes(cell["in_doubt"]),
        _deadlocks(cell["attempts"]),
        _many_cut_off(cell["transactions"]),
        _users_starved(cell["fairness"], cell["transactions"]["committed"]),
        _many_rejected(cell["attempts"]),
        _no_conflict_where_certain(cell) if conflicts_at_commit else _waiting_not_conflicts(cell),
        _writes_too_coarse(cell["limit"]),
        _regions_uneven(cell.get("regions", ())),
        _check_undecided(cell["verdict"], judged=judged),
    ]
    return [finding for finding in found if finding is not None]


def find_in_run(
    cells_missing: int, torn_bytes: int, clock_step: tuple[float, int] | None = None
) -> list[Finding]:
    """Findings on a run as a whole; `analysis.damages` has those on its files.

    `clock_step` is as `analysis.client.clock_step` says.
    """
    stepped = clock_stepped(clock_step)
    found = [] if stepped is None else [stepped]
    if cells_missing:
        message = f"{cells_missing} of the planned cells were not measured"
        advice = (
            "Let the run end by itself; with locust, -t must be longer than --warmup and the users' coming."
        )
        found.append(Finding("cells_missing", message, advice, spoils=True))
    if torn_bytes:
        message = f"{torn_bytes} bytes at the end of the attempts files are no whole record and were ignored"
        advice = "A worker was killed, or the file was cut: its last attempts are lost."
        found.append(Finding("torn_tail", message, advice, spoils=True))
    return found


_NOT_STEADY = Finding(
    "not_steady",
    "attempts had not settled at one rate: more than half of the interval looks like a transient (MSER-5)",
    "Raise --warmup, and --duration with it.",
)
_INTERRUPTED = Finding(
    "interrupted",
    "the run ended before the measured interval did: figures are of the part that was measured",
    "Let the run end by itself.",
)


def _too_few_samples(attempts: Mapping[str, int]) -> Finding | None:
    total, committed = attempts["total"], attempts["committed"]
    if total >= ATTEMPTS_MIN and committed >= COMMITS_MIN:
        return None
    least = f"at least {ATTEMPTS_MIN} and {COMMITS_MIN} are needed to judge by"
    message = f"{total} attempts and {committed} commits; {least}"
    return Finding("too_few_samples", message, "Raise --duration.", spoils=total < ATTEMPTS_USABLE_MIN)


def _regions_uneven(regions: Sequence[Mapping[str, Any]]) -> Finding | None:
    """Users come and go between cells; those who stay are not always dealt evenly."""
    users = [region["users"] for region in regions]
    if not users or max(users) - min(users) <= max(1.0, UNEVEN_SHARE_MAX * max(users)):
        return None
    dealt = ", ".join(f"{region['users']} in {region['name']}" for region in regions)
    message = f"users were not dealt evenly over the regions: {dealt} began attempts"
    advice = "Do not compare this cell with one that was; measure it in a run of its own."
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
    told = (
        "" if first is None else f": {first['message']}" + (f" ({first['place']})" if first["place"] else "")
    )
    message = (
        f"{errors} attempts ended in an error that is no conflict ({states or 'without a SQLSTATE'}){told}"
    )
    advice = "The report lists them with their statements; errors are neither conflicts nor goodput."
    return Finding("errors_seen", message, advice)


_EXPECTED = frozenset({"40001", "40P01"})


def _unknown_outcomes(transactions: Mapping[str, int]) -> Finding | None:
    unknown = transactions["unknown"]
    if not unknown:
        return None
    message = (
        f"{unknown} transactions lost their connection during COMMIT: nobody knows whether they committed"
    )
    advice = "Checks allow for them; --receipts looks them up, for 20 s. See why connections broke."
    return Finding("unknown_outcomes", message, advice)


def _resolved_outcomes(in_doubt: Mapping[str, int]) -> Finding | None:
    applied, not_applied = in_doubt["applied"], in_doubt["not_applied"]
    if not applied and not not_applied:
        return None
    message = (
        f"{applied + not_applied} attempts lost the answer to COMMIT, and their receipts told: "
        f"{applied} had been applied, {not_applied} had not; {in_doubt['unknown']} are left unknown"
    )
    return Finding("resolved_outcomes", message, "Nothing was counted twice; see why connections broke.")


def _deadlocks(attempts: Mapping[str, int]) -> Finding | None:
    deadlocks = attempts["deadlock"]
    if not deadlocks:
        return None
    message = f"{deadlocks} attempts ended in a deadlock (40P01), after waiting for deadlock_timeout"
    return Finding(
        "deadlocks", message, "Lock rows in one order; Aurora DSQL has no deadlocks, only conflicts."
    )


def _many_cut_off(transactions: Mapping[str, int]) -> Finding | None:
    cut_off, started = transactions["cut_off"], transactions["started"]
    if cut_off <= CUT_OFF_SHARE_MAX * started:
        return None
    message = f"{cut_off} of {started} transactions were cut off: latency and give-ups read low"
    return Finding("many_cut_off", message, "Raise --duration, or lower the retry policy's cap or max.")


def is_mostly_rejected(attempts: Mapping[str, int]) -> bool:
    """Whether the business rule refused most attempts (`attempts` of a cell), as in a sold-out shop."""
    return attempts["rejected"] > REJECTED_SHARE_MAX * attempts["total"]


def _many_rejected(attempts: Mapping[str, int]) -> Finding | None:
    if not is_mostly_rejected(attempts):
        return None
    message = (
        f"{attempts['rejected']} of {attempts['total']} attempts were rejected by the business rule, such as "
        "sold out: the cell is compared with no other"
    )
    advice = (
        "Give the scenario more to sell, or a shorter --duration; cells that share tables begin with what "
        "the cells before them left."
    )
    return Finding("many_rejected", message, advice)


def _users_starved(fairness: Mapping[str, Any], committed: int) -> Finding | None:
    """If a few users win nearly always, latency is theirs alone."""
    if fairness["jain"] is None or fairness["commits_median"] != 0 or not is_enough(fairness, committed):
        return None
    message = (
        f"half of the {fairness['users']} users or more committed nothing: latency is that of the others "
        f"(Jain's index {fairness['jain']:.2f})"
    )
    return Finding(
        "users_starved",
        message,
        "Judge by fairness and --duration; a lower cap of the retry policy lets the losers back sooner.",
    )


def _waiting_not_conflicts(cell: Mapping[str, Any]) -> Finding | None:
    p50, p99 = cell["attempt_ms"]["p50"], cell["attempt_ms"]["p99"]
    if cell["users"] == 1 or p50 is None:
        return None
    times = f"attempts took {milliseconds(p50)} (p50) to {milliseconds(p99)} (p99)"
    message = f"this target waits for row locks; the conflict rate understates contention: {times}"
    return Finding(
        "waiting_not_conflicts", message, "Compare attempt times, or run on -H local or Aurora DSQL."
    )


def _no_conflict_where_certain(cell: Mapping[str, Any]) -> Finding | None:
    rate, attempts = cell["predicted"]["conflict_rate"], cell["attempts"]
    if rate is None or rate <= CERTAIN_CONFLICT_RATE or rate * attempts["total"] < CERTAIN_CONFLICTS:
        return None
    if attempts["conflict"]:
        return None
    message = f"no conflict in {attempts['total']} attempts, where {rate:.1%} were expected"
    advice = "Check that users run side by side and write the same rows; see `hotrow doctor`."
    return Finding("no_conflict_where_certain", message, advice, spoils=True)


def _writes_too_coarse(limit: Mapping[str, Any]) -> Finding | None:
    """Of two transactions that wrote one row at the same time at most one commits."""
    overlap = limit["hottest_row_overlap"]
    if overlap is None:
        return None
    message = (
        "committed transactions that declare the same key were under way at the same time, together for "
        f"{overlap:.0%} of the measured interval: two that write one row cannot both commit, so `writes` is "
        "coarser than what is written; no row is named and nothing is predicted"
    )
    advice = "Let draw() return in `writes` the rows that run() writes, as docs/scenarios.md says."
    return Finding("writes_too_coarse", message, advice)


def _check_undecided(verdict: Mapping[str, Any], *, judged: bool) -> Finding | None:
    undecided = [check["name"] for check in verdict["checks"] if check["valid"] is None]
    if not undecided and judged:
        return None
    what = ", ".join(undecided) or "the scenario's checks did not run"
    return Finding("check_undecided", f"not known whether the data is right: {what}", "Run the cell again.")
