"""COMMIT's quick way: rows that others have in their hands, and what the quick way must leave alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.support.interleaving import play

if TYPE_CHECKING:
    from collections.abc import Iterator

    Connection = psycopg.Connection[Any]

CONFLICT = "change conflicts with another transaction (OC000)"


@pytest.fixture
def sessions(dsn: str, schema: str) -> Iterator[list[Connection]]:
    """Three sessions; the table `t` has the rows 1 to 4."""
    opened = [psycopg.connect(dsn, autocommit=True, options=f"-c search_path={schema}") for _ in range(3)]
    opened[0].execute("CREATE TABLE t (id int PRIMARY KEY, v int, body text)")
    opened[0].execute("INSERT INTO t SELECT id, 0 FROM generate_series(1, 4) AS id")
    yield opened
    for session in opened:
        session.close()


def outcome(session: Connection, statement: str) -> str:
    """The tag of a statement, or the code and the text of its error."""
    try:
        return str(session.execute(statement.encode()).statusmessage)
    except psycopg.Error as error:
        return f"{error.sqlstate} {error.diag.message_primary}"


def wait_until_locked(watcher: Connection, pid: int) -> None:
    """Wait until a session waits for a lock."""
    query = "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = %s"
    while watcher.execute(query, [pid]).fetchone() != (True,):
        pass


@pytest.mark.parametrize("rows", ["id = 1", "id < 4"])
@pytest.mark.parametrize(("end", "expected"), [("COMMIT", f"40001 {CONFLICT}"), ("ROLLBACK", "COMMIT")])
def test_a_commit_waits_for_another_commit_of_the_same_row(
    sessions: list[Connection], rows: str, end: str, expected: str
) -> None:
    """The other transaction has applied its row and has not ended: how it ends decides."""
    session, other, watcher = sessions
    session.execute("BEGIN")
    session.execute(f"UPDATE t SET v = v + 1 WHERE {rows}".encode())  # noqa: S608 - our own condition
    other.execute("BEGIN")
    other.execute("UPDATE t__base SET v = 10 WHERE id = 1")
    with ThreadPoolExecutor(1) as pool:
        commit = pool.submit(outcome, session, "COMMIT")
        wait_until_locked(watcher, session.info.backend_pid)
        other.execute(end.encode())
        assert commit.result() == expected
    assert watcher.execute("SELECT v FROM t WHERE id = 1").fetchone() == (10 if end == "COMMIT" else 1,)


def test_what_a_rolled_back_or_locking_transaction_leaves_is_no_conflict(sessions: list[Connection]) -> None:
    """Their ids stay in the row. Only a transaction that has updated the row and committed is a conflict."""
    session, other, _ = sessions
    for leave in (
        "UPDATE t__base SET v = 5",
        "SELECT FROM t__base FOR UPDATE",
        "SELECT t__for_key_share(t) FROM t",
    ):
        other.execute("BEGIN")
        other.execute(leave.encode())
        other.execute("ROLLBACK")
        session.execute("BEGIN")
        session.execute("UPDATE t SET v = v + 1 WHERE id < 3")
        other.execute("SELECT t__for_key_share(t) FROM t")
        assert (leave, outcome(session, "COMMIT")) == (leave, "COMMIT")
    assert session.execute("SELECT DISTINCT v FROM t WHERE id < 3").fetchall() == [(3,)]


def test_a_value_that_another_transaction_gave_to_a_partial_index_is_a_conflict(
    sessions: list[Connection],
) -> None:
    """It is 40001 at COMMIT from the creation of the index on; a visible value is 23505 at the statement."""
    session, other, _ = sessions
    session.execute("CREATE UNIQUE INDEX ON t__base (v) WHERE v > 0")
    session.execute("BEGIN")
    session.execute("UPDATE t SET v = 1 WHERE id = 2")
    assert outcome(other, "UPDATE t SET v = 1 WHERE id = 1") == "UPDATE 1"
    assert outcome(session, "COMMIT") == f"40001 {CONFLICT}"
    assert outcome(session, "UPDATE t SET v = 1 WHERE id = 2").startswith("23505")


def test_a_few_large_rows_are_too_much(sessions: list[Connection]) -> None:
    """Two rows of 6 MiB are refused at COMMIT; one of them is not."""
    session = sessions[0]
    large = "UPDATE t SET body = repeat('x', 6 * 1024 * 1024) WHERE id = "
    assert outcome(session, f"{large} 1") == "UPDATE 1"
    session.execute("BEGIN")
    assert [outcome(session, f"{large} {row}") for row in (1, 2)] == ["UPDATE 1", "UPDATE 1"]
    assert outcome(session, "COMMIT") == "54000 transaction size limit 10mb exceeded"


def test_more_rows_than_the_quick_way_takes(sessions: list[Connection]) -> None:
    """Transactions of 1 to 40 rows, in pieces and overwritten: every row arrives once."""
    session = sessions[0]
    session.execute("INSERT INTO t SELECT id, 0 FROM generate_series(5, 60) AS id")
    for rows in (1, 2, 14, 15, 16, 17, 31, 32, 33, 40):
        session.execute("UPDATE t SET v = 0")
        session.execute("BEGIN")
        for row in range(1, rows + 1):
            session.execute("UPDATE t SET v = v + 1 WHERE id = %s", [row])
        session.execute("UPDATE t SET v = v + 1 WHERE id = 1")
        session.execute("COMMIT")
        found = session.execute("SELECT count(*), sum(v) FROM t WHERE v > 0").fetchone()
        assert (rows, found) == (rows, (rows, rows + 1))


def test_functions_forget_what_was_dropped(dsn: str, schema: str) -> None:
    """A dropped index and a dropped foreign key are not checked any more, in either table."""
    script = """
        a: CREATE TABLE p (id int PRIMARY KEY, u int)                -> CREATE TABLE
        a: CREATE UNIQUE INDEX p_u ON p__base (u)                    -> CREATE INDEX
        a: CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p__base)   -> CREATE TABLE
        a: CREATE TABLE d (id int PRIMARY KEY, p int REFERENCES p__base)   -> CREATE TABLE
        a: INSERT INTO p VALUES (1, 1)                               -> INSERT 0 1
        a: INSERT INTO c VALUES (1, 1)                               -> INSERT 0 1
        a: INSERT INTO d VALUES (1, 1)                               -> INSERT 0 1
        a: INSERT INTO p VALUES (2, 1)                               -> 23505
        a: DROP INDEX p_u                                            -> DROP INDEX
        a: INSERT INTO p VALUES (2, 1)                               -> INSERT 0 1
        a: DELETE FROM p WHERE id = 1                                -> 23503
        a: ALTER TABLE c__base DROP CONSTRAINT c_p_fkey              -> ALTER TABLE
        a: INSERT INTO c VALUES (2, 9)                               -> INSERT 0 1
        a: DELETE FROM p WHERE id = 1                                -> 23503
        a: DROP TABLE d__base                                        -> DROP TABLE
        a: DELETE FROM p WHERE id = 1                                -> DELETE 1"""
    played = play(dsn, schema, script)
    assert len(played) == 16
    assert [(step, expected) for step, expected, _ in played] == [(step, seen) for step, _, seen in played]


@pytest.mark.parametrize("off", ["enable_indexscan", "enable_seqscan", "enable_hashjoin", "enable_nestloop"])
def test_rows_that_the_plan_only_passes_do_no_harm(sessions: list[Connection], off: str) -> None:
    """Another transaction has deleted a row that this one has not written, whatever plan COMMIT has."""
    session, other, _ = sessions
    session.execute(f"SET {off} = off".encode())
    session.execute("SET enable_bitmapscan = off")
    session.execute("BEGIN")
    session.execute("UPDATE t SET v = 1 WHERE id IN (1, 4)")
    other.execute("DELETE FROM t WHERE id = 2")
    other.execute("UPDATE t SET v = 1 WHERE id = 3")

    assert outcome(session, "COMMIT") == "COMMIT"
