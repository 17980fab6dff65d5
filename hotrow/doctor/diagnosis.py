"""The checks of one target. Each is possible without the ones after it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hotrow.doctor import thresholds
from hotrow.doctor.checks import SESSION, Assessment, Check, Diagnosis, fail, ok, run_checks, skipped
from hotrow.doctor.network import connect_to_port, shake_hands
from hotrow.doctor.sessions import Examination, NotShownError
from hotrow.probe.notation import Probe, Step
from hotrow.probe.play import play
from hotrow.targets.target import secrets_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from hotrow.doctor.checks import CheckResult
    from hotrow.doctor.sessions import ServerAddress
    from hotrow.probe.play import Played
    from hotrow.targets.target import Target

ROUND_TRIPS = 200
COMMITS = 100
SAMPLING_S = 5.0
"""Sampling ends after this time, however far away the server is."""
LOCK_WAIT_S = 2.0
"""A statement without an answer after this time waits for a lock: no round trip takes longer than 0.3 s."""

_TABLE = (
    "CREATE TABLE account (id bigint PRIMARY KEY, balance bigint)",
    "INSERT INTO account VALUES (1, 100)",
)
_READ = "SELECT balance FROM account WHERE id = 1"
_WRITE = "UPDATE account SET balance = balance + 1 WHERE id = 1"


def _interleaving(name: str, *steps: tuple[str, str]) -> Probe:
    return Probe(name, (), "DOC", _TABLE, tuple(Step(session, sql, ()) for session, sql in steps))


SNAPSHOT = _interleaving(
    "a snapshot holds while others commit",
    ("a", "BEGIN"),
    ("a", _READ),
    ("b", _WRITE),
    ("a", _READ),
    ("a", "COMMIT"),
)
CONFLICT = _interleaving(
    "two writers of one row",
    ("a", "BEGIN"),
    ("b", "BEGIN"),
    ("a", _WRITE),
    ("b", _WRITE),
    ("a", "COMMIT"),
    ("b", "COMMIT"),
)
FOR_UPDATE = _interleaving(
    "a read FOR UPDATE, and a writer that commits first",
    ("a", "BEGIN"),
    ("b", "BEGIN"),
    ("a", f"{_READ} FOR UPDATE"),
    ("b", _WRITE),
    ("b", "COMMIT"),
    ("a", "COMMIT"),
)


def examine(target: Target, on_progress: Callable[[str], None]) -> Diagnosis:
    """Run every check. `on_progress` is called with the name of each check that has ended."""
    examination = Examination(target)
    results: list[CheckResult] = []
    try:
        for result in run_checks(_checks(examination), secrets_of(target)):
            results.append(result)
            on_progress(result.name)
    finally:
        examination.close()
    return Diagnosis(target.label, target.type, tuple(results))


def _checks(examination: Examination) -> list[Check]:
    target, server = examination.target, examination.server()
    a_session = (SESSION,)
    a_table = (SESSION, "permissions")
    return [
        Check("reachability", lambda: _reachability(server), context=server.text),
        Check("TLS", lambda: _tls(server), ("reachability",), server.text),
        Check("token", lambda: _token(examination)),
        Check(
            SESSION, lambda: _session(examination), ("reachability", "TLS", "token"), examination.identity()
        ),
        Check("server version", lambda: ok(examination.value("SHOW server_version")), a_session),
        Check("clock", lambda: thresholds.judge_clock(examination.clock_offset(), target.type), a_session),
        Check("connections", lambda: _connections(examination), a_session),
        Check("pooling", lambda: _pooling(examination), a_session),
        Check("round trip", lambda: _round_trips(examination), a_session),
        Check("permissions", lambda: _permissions(examination), a_session),
        Check(
            "isolation",
            lambda: thresholds.judge_isolation(target, examination.isolation(), _played(SNAPSHOT, target)),
            a_table,
        ),
        Check("COMMIT", lambda: _commits(examination), a_table),
        Check("conflict", lambda: thresholds.judge_conflict(target, _played(CONFLICT, target)), a_table),
        Check(
            "FOR UPDATE", lambda: thresholds.judge_for_update(target, _played(FOR_UPDATE, target)), a_table
        ),
    ]


def _played(probe: Probe, target: Target) -> Played:
    return play(probe, target, LOCK_WAIT_S)


def _reachability(server: ServerAddress) -> Assessment:
    return thresholds.judge_reachability(server, connect_to_port(server))


def _tls(server: ServerAddress) -> Assessment:
    if server.is_socket:
        return skipped("not needed: a Unix socket does not leave this machine")
    handshake = None if server.sslmode == "disable" else shake_hands(server)
    return thresholds.judge_tls(server, handshake, datetime.now(UTC))


def _token(examination: Examination) -> Assessment:
    if examination.target.type != "dsql":
        return skipped("not needed: only dsql://… uses tokens")
    return thresholds.judge_token(examination.sign_token())


def _session(examination: Examination) -> Assessment:
    open_ms = examination.open()
    user = examination.value("SELECT current_user")
    return ok(f"opened in {open_ms:.3g} ms as user {user}", connect_ms=open_ms, user=user)


def _connections(examination: Examination) -> Assessment:
    try:
        count = examination.connection_count()
    except NotShownError as error:
        return skipped(f"the server does not show its connections ({error})")
    return thresholds.judge_connections(count, examination.target.type)


def _pooling(examination: Examination) -> Assessment:
    problem = examination.pooling_problem()
    if problem is None:
        return ok("a session keeps its prepared statements and settings while others are active")
    message, _, advice = problem.partition(": ")
    return fail(message, advice)


def _permissions(examination: Examination) -> Assessment:
    examination.use_permissions()
    return ok("the user may create a schema and a table, insert, update and drop; all was removed again")


def _round_trips(examination: Examination) -> Assessment:
    durations_ms = examination.round_trips_ms(ROUND_TRIPS, SAMPLING_S)
    return thresholds.judge_round_trips(durations_ms, examination.target)


def _commits(examination: Examination) -> Assessment:
    return thresholds.judge_commits(examination.commits_ms(COMMITS, SAMPLING_S), examination.target)
