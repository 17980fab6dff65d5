"""One session on a real server: statements, results and errors."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

import psycopg
import pytest

from hotrow.targets.session import BLOCKING, Latency, Pace, PostgresSession, Waiting
from hotrow.targets.target import Target, parse_target, start

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from psycopg.pq.abc import PGresult


@pytest.fixture
def target(dsn: str) -> Target:
    """The stand-in without injected latency."""
    assert dsn
    return start(parse_target("local:rtt=0,commit=0"))


@pytest.fixture
def session(target: Target, schema: str) -> Iterator[PostgresSession]:
    """A session on an empty schema with one counter."""
    session = target.connect(BLOCKING, schema)
    session.run("CREATE TABLE counter (id bigint PRIMARY KEY, value bigint NOT NULL)")
    session.run("INSERT INTO counter VALUES (0, 0)")
    yield session
    session.close()


def test_values_travel_both_ways(session: PostgresSession) -> None:
    """Python values are sent and Python values come back, with None for NULL."""
    sql = "SELECT $1::bigint, $2::text, $3::boolean, $4::numeric, $5::date, $6::float8, $7::text"

    result = session.execute(sql, 2**40, "it's", True, Decimal("1.50"), date(2026, 1, 2), 0.1, None)

    assert result.rows == [(2**40, "it's", True, Decimal("1.50"), date(2026, 1, 2), 0.1, None)]
    assert result.count == 1


def test_a_transaction_commits(session: PostgresSession) -> None:
    """BEGIN is sent with the first statement; COMMIT returns its tag."""
    session.begin()
    assert session.execute("UPDATE counter SET value = value + 1 WHERE id = $1", 0).count == 1

    assert session.commit() == "COMMIT"
    assert session.execute("SELECT value FROM counter").rows == [(1,)]


def test_it_runs_at_repeatable_read(session: PostgresSession) -> None:
    """The isolation level is the target's, not the server's default."""
    session.begin()

    assert session.execute("SHOW transaction_isolation").rows == [("repeatable read",)]
    session.rollback()


def test_the_statement_that_failed_is_known_without_its_values(session: PostgresSession) -> None:
    """The report of the error has this statement. After BEGIN there is none, until one is sent."""
    session.begin()
    with pytest.raises(psycopg.Error):
        session.execute("SELECT 1 / $1::int", 0)

    assert session.last_statement == "SELECT 1 / $1::int"
    session.rollback()
    session.begin()
    assert session.last_statement is None


def test_rollback_undoes(session: PostgresSession) -> None:
    """The writes are gone, and the session stays usable."""
    session.begin()
    session.execute("UPDATE counter SET value = 5")
    session.rollback()

    assert session.execute("SELECT value FROM counter").rows == [(0,)]


def test_rollback_before_the_first_statement(session: PostgresSession) -> None:
    """A transaction without a statement leaves nothing open."""
    session.begin()
    session.rollback()
    session.execute("UPDATE counter SET value = 1")

    assert session.execute("SELECT value FROM counter").rows == [(1,)]


def test_an_error_is_described_and_the_transaction_aborted(session: PostgresSession) -> None:
    """It has SQLSTATE and message. COMMIT of the aborted transaction returns ROLLBACK without an error."""
    session.begin()
    with pytest.raises(psycopg.errors.UniqueViolation) as caught:
        session.execute("INSERT INTO counter VALUES (0, 1)")

    failure = session.describe(caught.value)
    assert (failure.sqlstate, failure.lost) == ("23505", False)
    assert "duplicate key" in failure.message
    assert caught.value.diag.context is None
    assert "CONTEXT" not in str(caught.value)
    assert "counter__" not in str(caught.value)
    assert session.commit() == "ROLLBACK"
    assert session.execute("SELECT value FROM counter").rows == [(0,)]


def test_a_lost_connection_is_noticed(session: PostgresSession, target: Target) -> None:
    """If the server ends the connection, the session reports it as lost and is no longer usable."""
    session.execute("SET application_name = 'lost'")
    other = target.connect(BLOCKING)
    other.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'lost'"
    )
    other.close()

    with pytest.raises(psycopg.Error) as caught:
        session.execute("SELECT 1")

    assert session.describe(caught.value).lost
    with pytest.raises(psycopg.Error):
        session.execute("SELECT 1")
    assert not session.usable


class SlowTimer:
    """A clock that moves only during sleeps, and a timer whose sleeps end `late_s` too late."""

    def __init__(self, late_s: float) -> None:
        self.late_s = late_s
        self.now_s = 0.0
        self.asked_s: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.asked_s.append(seconds)
        self.now_s += seconds + self.late_s

    def waiting(self) -> Waiting:
        return Waiting(ready=BLOCKING.ready, sleep=self.sleep, clock=lambda: self.now_s)


def test_latency_is_added_per_round_trip_and_at_commit(target: Target) -> None:
    """N statements cost n round trips and one COMMIT. BEGIN costs no round trip."""
    timer = SlowTimer(late_s=0.0)
    with psycopg.connect(target.conninfo, autocommit=True) as connection:
        session = PostgresSession(connection, Latency(rtt_s=0.002, commit_s=0.005), timer.waiting())
        session.begin()
        session.execute("SELECT 1")
        session.execute("SELECT 2")
        session.commit()

    assert timer.asked_s == [0.002, 0.002, 0.005]


def test_a_commit_is_not_shortened_by_what_came_before_it(target: Target) -> None:
    """Neither round trips that end 2 ms late nor an earlier COMMIT that stalls for 4 ms shorten it."""
    timer = SlowTimer(late_s=0.002)
    stalls_s = iter((0.0, 0.0, 0.001, 0.004, 0.001))
    with psycopg.connect(target.conninfo, autocommit=True) as connection:
        session = PostgresSession(connection, Latency(rtt_s=0.002, commit_s=0.009), timer.waiting())
        exchange = session._exchange

        def stall(sql: str, values: Sequence[bytes | None] = ()) -> PGresult:
            timer.late_s = 0.0 if sql == "COMMIT" else 0.002
            timer.now_s += next(stalls_s) if sql == "COMMIT" else 0.0
            return exchange(sql, values)

        session._exchange = stall  # type: ignore[method-assign]
        took_s = []
        for _ in range(5):
            session.begin()
            session.execute("SELECT 1")
            timer.late_s = 0.0
            before_s = timer.now_s
            session.commit()
            took_s.append(timer.now_s - before_s)

    assert took_s == pytest.approx([0.009, 0.009, 0.010, 0.013, 0.009])


def test_late_timers_are_compensated() -> None:
    """With a timer that is 0.3 ms late, 100 round trips have the right duration on average."""
    timer = SlowTimer(late_s=0.0003)
    pace = Pace(timer.waiting())

    for _ in range(100):
        pace.fill(0.002, 0.0)

    assert timer.now_s == pytest.approx(0.2, abs=0.0004)


def test_the_server_s_own_time_is_part_of_the_round_trip() -> None:
    """The sleep is shorter by the statement's time. There is none if that exceeds the round trip."""
    timer = SlowTimer(late_s=0.0)
    pace = Pace(timer.waiting())

    pace.fill(0.002, 0.0015)
    pace.fill(0.002, 0.007)
    pace.fill(0.002, 0.0)

    assert timer.asked_s == [pytest.approx(0.0005), pytest.approx(0.002)]


@pytest.mark.parametrize(
    ("host", "label", "conflicts"),
    [
        ("local", "local (rtt 2ms, commit 5ms)", "commit"),
        ("local:rtt=0,commit=0", "local (rtt 0, commit 0)", "commit"),
        ("postgresql://u:secret@db.example:5433/x", "postgresql db.example, repeatable read", "locks"),
        ("postgresql://db.example/x?isolation=serializable", "postgresql db.example, serializable", "locks"),
        (
            "postgresql://db.example/x?rtt=2ms",
            "postgresql db.example, repeatable read, rtt 2ms, commit 0",
            "locks",
        ),
        ("plain", "plain PostgreSQL (rtt 2ms, commit 5ms)", "locks"),
        ("plain:rtt=0,isolation=serializable", "plain PostgreSQL (rtt 0, commit 5ms, serializable)", "locks"),
    ],
)
def test_targets(host: str, label: str, conflicts: str) -> None:
    """A target's label names the target and contains no secret."""
    target = parse_target(host)

    assert (target.label, target.conflicts) == (label, conflicts)
