"""The limits of each check, on values."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from hotrow.doctor import thresholds as judging
from hotrow.doctor.checks import Finding, Status
from hotrow.doctor.diagnosis import CONFLICT, FOR_UPDATE, SNAPSHOT
from hotrow.doctor.reaching import Handshake, Knock
from hotrow.doctor.sessions import ClockOffset, InUse, Place
from hotrow.probe.play import Observed, Played
from hotrow.probe.sessions import Answer, Kind
from hotrow.targets.target import Target, parse_target

if TYPE_CHECKING:
    from hotrow.probe.notation import Probe

NOW = datetime(2026, 11, 24, tzinfo=UTC)
PLACE = Place("db.example", 5432, "verify-full", "/ca.pem")
SHAKEN = Handshake("TLSv1.3", "AES", "db.example", "Example CA", NOW + timedelta(days=90))
LOCAL = parse_target("local")
POSTGRESQL = parse_target("postgresql://db.example/x")
OK, WARN, FAIL, SKIPPED = Status.OK, Status.WARN, Status.FAIL, Status.SKIPPED
OC000 = "40001 OC000"


def played(probe: Probe, *texts: str) -> Played:
    """A probe whose steps got these answers; after `waits` no step was reached."""
    answers = [Answer(Kind.WAITS if text == "waits" else Kind.TAG, text) for text in texts]
    padded = [*answers, *[None] * (len(probe.steps) - len(answers))]
    return Played(probe, tuple(Observed(step, each) for step, each in zip(probe.steps, padded, strict=True)))


def judged(finding: Finding) -> Status:
    """The status; whatever calls for action says which."""
    assert finding.advice or finding.status in {OK, SKIPPED}
    return finding.status


@pytest.mark.parametrize(
    ("place", "shaken", "status"),
    [
        (PLACE, SHAKEN, OK),
        (PLACE, replace(SHAKEN, until=NOW + timedelta(days=3)), WARN),
        (replace(PLACE, sslmode="require"), replace(SHAKEN, holder=None, issuer=None, until=None), WARN),
        (PLACE, None, FAIL),
        (replace(PLACE, sslmode="prefer"), None, WARN),
        (replace(PLACE, sslmode="prefer", host="localhost"), None, SKIPPED),
    ],
    ids=["verified", "ends soon", "not verified", "asked for, not offered", "none", "none, but at home"],
)
def test_tls(place: Place, shaken: Handshake | None, status: Status) -> None:
    """Verified is ok; anything less is named."""
    assert judged(judging.judge_tls(place, shaken, NOW)) is status


def test_an_unverified_certificate_says_nothing() -> None:
    """Its words are not repeated: anybody may have written them."""
    found = judging.judge_tls(replace(PLACE, sslmode="require"), SHAKEN, NOW)

    assert found.seen == "TLSv1.3, but sslmode=require does not verify who answers"
    assert "verify-full" in found.advice


def test_tls_says_whose_certificate_and_until_when() -> None:
    """So that a reader sees whom the run talks to."""
    seen = judging.judge_tls(PLACE, SHAKEN, NOW).seen

    assert seen == "TLSv1.3, verify-full; db.example, issued by Example CA, until 2027-02-22"


def test_reachability_counts_addresses() -> None:
    """In words."""
    assert "db.example has 1 address; port 5432" in judging.judge_knock(PLACE, Knock(1, 2.0)).seen
    assert "has 3 addresses" in judging.judge_knock(PLACE, Knock(3, 2.0)).seen


@pytest.mark.parametrize(
    ("level", "second", "status"),
    [("repeatable read", "100", OK), ("read committed", "100", FAIL), ("repeatable read", "101", FAIL)],
)
def test_isolation_is_a_name_and_a_snapshot(level: str, second: str, status: Status) -> None:
    """The level's name alone is not believed: the second read must be as the first."""
    seen = played(SNAPSHOT, "BEGIN", "100", "UPDATE 1", second, "COMMIT")

    assert judged(judging.judge_isolation(LOCAL, level, seen)) is status


def test_at_read_committed_a_snapshot_moves() -> None:
    """Where that level was asked for, it is as it should be."""
    seen = played(SNAPSHOT, "BEGIN", "100", "UPDATE 1", "101", "COMMIT")
    target = replace(LOCAL, isolation="read-committed")

    assert judged(judging.judge_isolation(target, "read committed", seen)) is OK
    assert judged(judging.judge_isolation(target, "repeatable read", seen)) is FAIL


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
    """At COMMIT on the one, a wait on the other; a lost update on neither."""
    assert judged(judging.judge_conflict(target, played(CONFLICT, *answers))) is status


def test_a_wait_is_said_as_what_it_is() -> None:
    """On plain PostgreSQL it is no failure, but the reader is told that it is no conflict either."""
    assert "waiting, not as conflicts" in judging.judge_conflict(POSTGRESQL, played(CONFLICT, "waits")).seen


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
    """Accepted, and checked at COMMIT; a lock on plain PostgreSQL."""
    assert judged(judging.judge_for_update(target, played(FOR_UPDATE, *answers))) is status


def test_a_set_up_that_was_refused_fails_every_interleaving() -> None:
    """With the server's reason."""
    refused = replace(played(CONFLICT), refused="set-up refused: 42501")

    assert judging.judge_conflict(LOCAL, refused).seen == "set-up refused: 42501"
    assert judging.judge_for_update(LOCAL, replace(refused, probe=FOR_UPDATE)).status is FAIL
    snapshot = replace(played(SNAPSHOT), refused="set-up refused: 42501")
    assert judging.judge_isolation(LOCAL, "repeatable read", snapshot).status is FAIL


@pytest.mark.parametrize(
    ("connections", "most", "kind", "status"),
    [
        (80, 100, "postgresql", OK),
        (81, 100, "postgresql", WARN),
        (81, 20, "dsql", OK),
        (8_001, 20, "dsql", WARN),
    ],
)
def test_connections(connections: int, most: int, kind: str, status: Status) -> None:
    """Four fifths are near the limit; on Aurora DSQL that is 10,000, whatever max_connections says."""
    assert judged(judging.judge_in_use(InUse(connections, most), kind)) is status


@pytest.mark.parametrize(
    ("offset_s", "kind", "status"),
    [(-5.0, "dsql", OK), (6.0, "dsql", WARN), (-301.0, "dsql", FAIL), (301.0, "postgresql", WARN)],
)
def test_clock(offset_s: float, kind: str, status: Status) -> None:
    """Either way; beyond five minutes no token is accepted, where there are tokens."""
    assert judged(judging.judge_clock(ClockOffset(offset_s, 0.001), kind)) is status


def test_the_clock_s_direction_is_told() -> None:
    """Whose is ahead decides which one to set."""
    assert "is 7 s ahead of ours, ± 1 ms" in judging.judge_clock(ClockOffset(7.0, 0.001), "dsql").seen
    assert "is 7 s behind ours" in judging.judge_clock(ClockOffset(-7.0, 0.001), "dsql").seen


def test_a_far_server_is_a_warning() -> None:
    """By the median, not by one slow answer."""
    assert judged(judging.judge_round_trips([1.0] * 99 + [500.0], POSTGRESQL)) is OK
    assert judged(judging.judge_round_trips([80.0] * 10, POSTGRESQL)) is WARN


def test_percentiles_come_with_their_n() -> None:
    """By linear interpolation; absent is null, never 0."""
    assert judging.quantiles(list(range(1, 102))) == {"n": 101, "p50": 51.0, "p99": 100.0}
    assert judging.quantiles([]) == {"n": 0, "p50": None, "p99": None}


def test_injected_latency_is_named() -> None:
    """The stand-in's round trip is its profile's, and a reader must not take it for the machine's."""
    assert "profile" in judging.judge_commits([5.0], LOCAL).seen
    assert "profile" not in judging.judge_commits([5.0], POSTGRESQL).seen
