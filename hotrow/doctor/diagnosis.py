"""The checks of one target, in the order in which each can be told without the ones after it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hotrow.doctor import thresholds as judging
from hotrow.doctor.checks import SESSION, Check, Checked, Diagnosis, Finding, fail, look_at, ok, skipped
from hotrow.doctor.reaching import knock, shake_hands
from hotrow.doctor.sessions import Examination, NotShownError
from hotrow.probe.notation import Probe, Step
from hotrow.probe.play import play
from hotrow.targets.target import secrets_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from hotrow.doctor.sessions import Place
    from hotrow.probe.play import Played
    from hotrow.targets.target import Target

ROUND_TRIPS = 200
COMMITS = 100
SAMPLING_S = 5.0
"""However far away the server is, sampling ends after this."""
WAITS_AFTER_S = 2.0
"""A statement without an answer by then waits for a lock; a round trip around the world takes 0.3 s."""

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
    "a read FOR UPDATE, and a writer who commits first",
    ("a", "BEGIN"),
    ("b", "BEGIN"),
    ("a", f"{_READ} FOR UPDATE"),
    ("b", _WRITE),
    ("b", "COMMIT"),
    ("a", "COMMIT"),
)


def examine(target: Target, tell: Callable[[str], None]) -> Diagnosis:
    """Look at everything; `tell` is called with the name of each check that has ended."""
    examination = Examination(target)
    found: list[Checked] = []
    try:
        for checked in look_at(_checks(examination), secrets_of(target)):
            found.append(checked)
            tell(checked.name)
    finally:
        examination.close()
    return Diagnosis(target.label, target.kind, tuple(found))


def _checks(examination: Examination) -> list[Check]:
    target, place = examination.target, examination.place()
    here = (SESSION,)
    tables = (SESSION, "permissions")
    return [
        Check("reachability", lambda: judging.judge_knock(place, knock(place)), where=place.address),
        Check("TLS", lambda: _tls(place), ("reachability",), place.address),
        Check("token", lambda: _token(examination)),
        Check(SESSION, lambda: _session(examination), ("reachability", "TLS", "token"), examination.whose()),
        Check("server version", lambda: ok(examination.value("SHOW server_version")), here),
        Check("clock", lambda: judging.judge_clock(examination.clock_offset(), target.kind), here),
        Check("connections", lambda: _connections(examination), here),
        Check("pooling", lambda: _pooling(examination), here),
        Check("round trip", lambda: _round_trips(examination), here),
        Check("permissions", lambda: _permissions(examination), here),
        Check(
            "isolation",
            lambda: judging.judge_isolation(target, examination.isolation(), _played(SNAPSHOT, target)),
            tables,
        ),
        Check("COMMIT", lambda: _commits(examination), tables),
        Check("conflict", lambda: judging.judge_conflict(target, _played(CONFLICT, target)), tables),
        Check("FOR UPDATE", lambda: judging.judge_for_update(target, _played(FOR_UPDATE, target)), tables),
    ]


def _played(probe: Probe, target: Target) -> Played:
    return play(probe, target, WAITS_AFTER_S)


def _tls(place: Place) -> Finding:
    if place.is_socket:
        return skipped("a Unix socket does not leave this machine")
    if place.sslmode == "disable":
        return judging.judge_tls(place, None, datetime.now(UTC))
    return judging.judge_tls(place, shake_hands(place), datetime.now(UTC))


def _token(examination: Examination) -> Finding:
    if examination.target.kind != "dsql":
        return skipped("only dsql://… signs tokens")
    return judging.judge_token(examination.sign())


def _session(examination: Examination) -> Finding:
    took_ms = examination.open()
    user = examination.value("SELECT current_user")
    return ok(f"opened in {took_ms:.3g} ms as {user}", connect_ms=took_ms, user=user)


def _connections(examination: Examination) -> Finding:
    try:
        in_use = examination.in_use()
    except NotShownError as error:
        return skipped(f"the server does not show them ({error})")
    return judging.judge_in_use(in_use, examination.target.kind)


def _pooling(examination: Examination) -> Finding:
    lost = examination.pooling()
    if lost is None:
        return ok("prepared statements and settings are kept while other sessions are at work")
    seen, _, advice = lost.partition(": ")
    return fail(seen, advice)


def _permissions(examination: Examination) -> Finding:
    examination.try_rights()
    return ok("may create a schema and a table, insert, update and drop; cleaned up")


def _round_trips(examination: Examination) -> Finding:
    taken_ms = examination.round_trips_ms(ROUND_TRIPS, SAMPLING_S)
    return judging.judge_round_trips(taken_ms, examination.target)


def _commits(examination: Examination) -> Finding:
    return judging.judge_commits(examination.commits_ms(COMMITS, SAMPLING_S), examination.target)
