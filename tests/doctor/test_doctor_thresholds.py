"""The assessment of measured values: the limits of each check."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from hotrow.doctor import thresholds
from hotrow.doctor.checks import Assessment, Status
from hotrow.doctor.diagnosis import CONFLICT, FOR_UPDATE, SNAPSHOT
from hotrow.doctor.network import Handshake, PortAnswer
from hotrow.doctor.sessions import ClockOffset, ConnectionCount, ServerAddress
from hotrow.probe.play import Observed, Played
from hotrow.probe.sessions import Answer, AnswerType
from hotrow.targets.target import Target, parse_target

if TYPE_CHECKING:
    from hotrow.probe.notation import Probe

NOW = datetime(2026, 11, 24, tzinfo=UTC)
SERVER = ServerAddress("db.example", 5432, "verify-full", "/ca.pem")
HANDSHAKE = Handshake("TLSv1.3", "AES", "db.example", "Example CA", NOW + timedelta(days=90))
LOCAL = parse_target("local")
POSTGRESQL = parse_target("postgresql://db.example/x")
OK, WARN, FAIL, SKIPPED = Status.OK, Status.WARN, Status.FAIL, Status.SKIPPED
OC000 = "40001 OC000"


def played(probe: Probe, *texts: str) -> Played:
    """The probe with these answers to its steps. Steps after `waits` were not reached."""
    answers = [Answer(AnswerType.WAITS if text == "waits" else AnswerType.TAG, text) for text in texts]
    padded = [*answers, *[None] * (len(probe.steps) - len(answers))]
    return Played(
        probe, tuple(Observed(step, answer) for step, answer in zip(probe.steps, padded, strict=True))
    )


def status_of(assessment: Assessment) -> Status:
    """The status of an assessment, after a check that warnings and failures have advice."""
    assert assessment.advice or assessment.status in {OK, SKIPPED}
    return assessment.status


@pytest.mark.parametrize(
    ("server", "handshake", "status"),
    [
        (SERVER, HANDSHAKE, OK),
        (SERVER, replace(HANDSHAKE, expires=NOW + timedelta(days=3)), WARN),
        (
            replace(SERVER, sslmode="require"),
            replace(HANDSHAKE, holder=None, issuer=None, expires=None),
            WARN,
        ),
        (SERVER, None, FAIL),
        (replace(SERVER, sslmode="prefer"), None, WARN),
        (replace(SERVER, sslmode="prefer", host="localhost"), None, SKIPPED),
    ],
    ids=[
        "verified",
        "expires soon",
        "not verified",
        "required, not offered",
        "none",
        "none, on this machine",
    ],
)
def test_tls(server: ServerAddress, handshake: Handshake | None, status: Status) -> None:
    """The check is ok only if the server was verified."""
    assert status_of(thresholds.judge_tls(server, handshake, NOW)) is status


def test_an_unverified_certificate_is_not_shown() -> None:
    """Without verification, anybody may have issued it."""
    assessment = thresholds.judge_tls(replace(SERVER, sslmode="require"), HANDSHAKE, NOW)

    assert assessment.message == "TLSv1.3, but sslmode=require does not verify who answers"
    assert "verify-full" in assessment.advice


def test_tls_shows_holder_issuer_and_expiry() -> None:
    """The message shows with which server the run communicates."""
    message = thresholds.judge_tls(SERVER, HANDSHAKE, NOW).message

    assert message == "TLSv1.3, verify-full; db.example, issued by Example CA, valid until 2027-02-22"


def test_reachability_counts_addresses() -> None:
    """The message uses singular and plural correctly."""
    assert (
        "db.example has 1 address; port 5432"
        in thresholds.judge_reachability(SERVER, PortAnswer(1, 2.0)).message
    )
    assert "has 3 addresses" in thresholds.judge_reachability(SERVER, PortAnswer(3, 2.0)).message


@pytest.mark.parametrize(
    ("level", "second", "status"),
    [("repeatable read", "100", OK), ("read committed", "100", FAIL), ("repeatable read", "101", FAIL)],
)
def test_isolation_is_a_name_and_a_snapshot(level: str, second: str, status: Status) -> None:
    """The level's name alone is not enough: the second read must return the same as the first."""
    probe = played(SNAPSHOT, "BEGIN", "100", "UPDATE 1", second, "COMMIT")

    assert status_of(thresholds.judge_isolation(LOCAL, level, probe)) is status


def test_at_read_committed_the_snapshot_may_change() -> None:
    """The check passes if --host requests that level, and fails otherwise."""
    probe = played(SNAPSHOT, "BEGIN", "100", "UPDATE 1", "101", "COMMIT")
    target = replace(LOCAL, isolation="read-committed")

    assert status_of(thresholds.judge_isolation(target, "read committed", probe)) is OK
    assert status_of(thresholds.judge_isolation(target, "repeatable read", probe)) is FAIL


WROTE = ("BEGIN", "BEGIN", "UPDATE 1")


@pytest.mark.parametrize(
    ("target", "answers", "status"),
    [
        (LOCAL, (*WROTE, "UPDATE 1", "COMMIT", OC000), OK),
        (LOCAL, (*WROTE, "UPDATE 1", "COMMIT", "COMMIT"), FAIL),
        (LOCAL, (*WROTE, "UPDATE 1", "COMMIT", "40001"), FAIL),
        (LOCAL, (*WROTE, "waits"), FAIL),
        (POSTGRESQL, (*WROTE, "waits"), OK),
        (POSTGRESQL, (*WROTE, "UPDATE 1", "COMMIT", "COMMIT"), FAIL),
    ],
)
def test_conflict(target: Target, answers: tuple[str, ...], status: Status) -> None:
    """Aurora DSQL conflicts at COMMIT, and PostgreSQL waits. A lost update fails the check on both."""
    assert status_of(thresholds.judge_conflict(target, played(CONFLICT, *answers))) is status


def test_a_wait_is_described_as_a_wait() -> None:
    """On plain PostgreSQL a wait is not a failure, but the message says that it is not a conflict either."""
    assert (
        "waiting, not as conflicts"
        in thresholds.judge_conflict(POSTGRESQL, played(CONFLICT, "waits")).message
    )


@pytest.mark.parametrize(
    ("target", "answers", "status"),
    [
        (LOCAL, ("BEGIN", "BEGIN", "100", "UPDATE 1", "COMMIT", OC000), OK),
        (LOCAL, ("BEGIN", "BEGIN", "100", "UPDATE 1", "COMMIT", "COMMIT"), FAIL),
        (LOCAL, ("BEGIN", "BEGIN", "0A000", "UPDATE 1", "COMMIT", "ROLLBACK"), FAIL),
        (POSTGRESQL, ("BEGIN", "BEGIN", "100", "waits"), OK),
        (LOCAL, ("BEGIN", "BEGIN", "100", "waits"), FAIL),
    ],
)
def test_for_update(target: Target, answers: tuple[str, ...], status: Status) -> None:
    """Aurora DSQL accepts it and checks the row at COMMIT; plain PostgreSQL locks the row."""
    assert status_of(thresholds.judge_for_update(target, played(FOR_UPDATE, *answers))) is status


def test_a_refused_set_up_fails_every_interleaving() -> None:
    """The message has the server's reason."""
    refused = replace(played(CONFLICT), refused="set-up refused: 42501")

    assert thresholds.judge_conflict(LOCAL, refused).message == "set-up refused: 42501"
    assert thresholds.judge_for_update(LOCAL, replace(refused, probe=FOR_UPDATE)).status is FAIL
    snapshot = replace(played(SNAPSHOT), refused="set-up refused: 42501")
    assert thresholds.judge_isolation(LOCAL, "repeatable read", snapshot).status is FAIL


@pytest.mark.parametrize(
    ("connections", "limit", "target_type", "status"),
    [
        (80, 100, "postgresql", OK),
        (81, 100, "postgresql", WARN),
        (81, 20, "dsql", OK),
        (8_001, 20, "dsql", WARN),
    ],
)
def test_connections(connections: int, limit: int, target_type: str, status: Status) -> None:
    """More than four fifths of the limit is a warning. Aurora DSQL's limit is always 10,000."""
    assert status_of(thresholds.judge_connections(ConnectionCount(connections, limit), target_type)) is status


@pytest.mark.parametrize(
    ("offset_s", "target_type", "status"),
    [(-5.0, "dsql", OK), (6.0, "dsql", WARN), (-301.0, "dsql", FAIL), (301.0, "postgresql", WARN)],
)
def test_clock(offset_s: float, target_type: str, status: Status) -> None:
    """The direction does not matter. With an offset over five minutes, a target accepts no tokens."""
    assert status_of(thresholds.judge_clock(ClockOffset(offset_s, 0.001), target_type)) is status


def test_the_direction_of_the_clock_offset_is_shown() -> None:
    """The direction decides which clock to correct."""
    assert (
        "is 7 s ahead of this machine's, ± 1 ms"
        in thresholds.judge_clock(ClockOffset(7.0, 0.001), "dsql").message
    )
    assert "is 7 s behind this machine's" in thresholds.judge_clock(ClockOffset(-7.0, 0.001), "dsql").message


def test_a_far_server_is_a_warning() -> None:
    """The median counts, not one slow answer."""
    assert status_of(thresholds.judge_round_trips([1.0] * 99 + [500.0], POSTGRESQL)) is OK
    assert status_of(thresholds.judge_round_trips([80.0] * 10, POSTGRESQL)) is WARN


def test_percentiles_come_with_their_n() -> None:
    """Percentiles use linear interpolation. A missing one is None, never 0."""
    assert thresholds.quantiles(list(range(1, 102))) == {"n": 101, "p50": 51.0, "p99": 100.0}
    assert thresholds.quantiles([]) == {"n": 0, "p50": None, "p99": None}


def test_injected_latency_is_mentioned() -> None:
    """The stand-in's times include injected latency. A reader must not take them for the machine's own."""
    assert "injected latency" in thresholds.judge_commits([5.0], LOCAL).message
    assert "injected latency" not in thresholds.judge_commits([5.0], POSTGRESQL).message
