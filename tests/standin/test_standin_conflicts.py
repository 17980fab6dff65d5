"""The stand-in's conflicts come at COMMIT: the first committer wins, and no statement waits."""

from __future__ import annotations

import psycopg
import pytest

from tests.support.interleaving import play

ACCOUNTS = (
    "CREATE TABLE account (id bigint PRIMARY KEY, balance bigint NOT NULL DEFAULT 7 CHECK (balance > -100))"
)

SCRIPTS = {
    "the second committer of one row loses, whichever wrote first": """
        a: BEGIN                                                -> BEGIN
        b: BEGIN                                                -> BEGIN
        a: UPDATE account SET balance = balance - 1 WHERE id=0  -> UPDATE 1
        b: UPDATE account SET balance = balance + 1 WHERE id=0  -> UPDATE 1
        b: COMMIT                                               -> COMMIT
        a: COMMIT                                               -> 40001 OC000
        a: SELECT balance FROM account WHERE id=0               -> 1001""",
    "disjoint writes both commit": """
        a: BEGIN                                                -> BEGIN
        b: BEGIN                                                -> BEGIN
        a: UPDATE account SET balance = 1 WHERE id=0            -> UPDATE 1
        b: UPDATE account SET balance = 2 WHERE id=1            -> UPDATE 1
        a: COMMIT                                               -> COMMIT
        b: COMMIT                                               -> COMMIT
        a: SELECT id, balance FROM account WHERE id<2 ORDER BY 1 -> 0, 1; 1, 2""",
    "crossed updates neither wait nor deadlock": """
        a: BEGIN                                                -> BEGIN
        b: BEGIN                                                -> BEGIN
        a: UPDATE account SET balance = 1 WHERE id=0            -> UPDATE 1
        b: UPDATE account SET balance = 2 WHERE id=1            -> UPDATE 1
        a: UPDATE account SET balance = 1 WHERE id=1            -> UPDATE 1
        b: UPDATE account SET balance = 2 WHERE id=0            -> UPDATE 1
        a: COMMIT                                               -> COMMIT
        b: COMMIT                                               -> 40001 OC000""",
    "a transaction reads its own writes and nobody else does": """
        a: BEGIN                                                -> BEGIN
        a: UPDATE account SET balance = 5 WHERE id=0            -> UPDATE 1
        a: UPDATE account SET balance = balance + 1 WHERE id=0  -> UPDATE 1
        a: INSERT INTO account VALUES (-1, 3)                   -> INSERT 0 1
        a: DELETE FROM account WHERE id=1                       -> DELETE 1
        a: SELECT id, balance FROM account WHERE id<3 ORDER BY 1 -> -1, 3; 0, 6; 2, 1000
        b: SELECT id, balance FROM account WHERE id<3 ORDER BY 1 -> 0, 1000; 1, 1000; 2, 1000
        a: ROLLBACK                                             -> ROLLBACK
        a: SELECT id, balance FROM account WHERE id<3 ORDER BY 1 -> 0, 1000; 1, 1000; 2, 1000""",
    "a statement never sees its own writes": """
        a: BEGIN                                                -> BEGIN
        a: UPDATE account SET balance = balance + 1 WHERE id<3  -> UPDATE 3
        a: UPDATE account SET balance = balance + 1 WHERE id<3  -> UPDATE 3
        a: COMMIT                                               -> COMMIT
        a: UPDATE account SET balance = balance + 1 WHERE id<3  -> UPDATE 3
        a: SELECT DISTINCT balance FROM account WHERE id<3      -> 1003""",
    "two inserts of one key: the loser gets 40001, not 23505": """
        a: BEGIN                                                -> BEGIN
        b: BEGIN                                                -> BEGIN
        a: INSERT INTO account VALUES (-1, 1)                   -> INSERT 0 1
        b: INSERT INTO account VALUES (-1, 2)                   -> INSERT 0 1
        a: COMMIT                                               -> COMMIT
        b: COMMIT                                               -> 40001 OC000""",
    "an insert of a visible key fails at the statement": """
        a: INSERT INTO account VALUES (0, 1)                    -> 23505""",
    "update against delete": """
        a: BEGIN                                                -> BEGIN
        b: BEGIN                                                -> BEGIN
        a: DELETE FROM account WHERE id=0                       -> DELETE 1
        b: UPDATE account SET balance = 2 WHERE id=0            -> UPDATE 1
        a: COMMIT                                               -> COMMIT
        b: COMMIT                                               -> 40001 OC000""",
    "a read-only transaction never conflicts and keeps its snapshot": """
        a: BEGIN                                                -> BEGIN
        a: SELECT balance FROM account WHERE id=0               -> 1000
        b: UPDATE account SET balance = 2 WHERE id=0            -> UPDATE 1
        a: SELECT balance FROM account WHERE id=0               -> 1000
        a: COMMIT                                               -> COMMIT""",
    "in autocommit the conflict-free write is applied at once": """
        a: UPDATE account SET balance = 2 WHERE id=0 RETURNING balance -> 2
        b: SELECT balance FROM account WHERE id=0               -> 2""",
    "insert and delete of one key in one transaction leave nothing": """
        a: BEGIN                                                -> BEGIN
        a: INSERT INTO account VALUES (-1, 1)                   -> INSERT 0 1
        a: DELETE FROM account WHERE id=-1                      -> DELETE 1
        a: DELETE FROM account WHERE id=0                       -> DELETE 1
        a: INSERT INTO account (id) VALUES (0)                  -> INSERT 0 1
        a: COMMIT                                               -> COMMIT
        b: SELECT id, balance FROM account WHERE id<1           -> 0, 7""",
    "a primary key can change, and is then a delete and an insert": """
        a: BEGIN                                                -> BEGIN
        b: BEGIN                                                -> BEGIN
        a: UPDATE account SET id = -1 WHERE id=0                -> UPDATE 1
        b: UPDATE account SET balance = 2 WHERE id=0            -> UPDATE 1
        a: SELECT id FROM account WHERE id<2 ORDER BY 1         -> -1; 1
        a: COMMIT                                               -> COMMIT
        b: COMMIT                                               -> 40001 OC000
        b: UPDATE account SET id = 2 WHERE id=1                 -> 23505
        b: SELECT id FROM account WHERE id<2 ORDER BY 1         -> -1; 1""",
    "constraints are checked at the statement": """
        a: UPDATE account SET balance = -100 WHERE id=0         -> 23514
        a: INSERT INTO account VALUES (-1, NULL)                -> 23502""",
    "after a conflict the same session goes on": """
        a: BEGIN                                                -> BEGIN
        b: BEGIN                                                -> BEGIN
        a: UPDATE account SET balance = 1 WHERE id=0            -> UPDATE 1
        b: UPDATE account SET balance = 2 WHERE id=0            -> UPDATE 1
        a: COMMIT                                               -> COMMIT
        b: COMMIT                                               -> 40001 OC000
        b: UPDATE account SET balance = balance + 1 WHERE id=0  -> UPDATE 1
        b: SELECT balance FROM account WHERE id=0               -> 2""",
}


@pytest.fixture
def accounts(dsn: str, schema: str) -> str:
    """A schema with ten adopted accounts of 1000 each."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f"SET search_path TO {schema}")
        connection.execute("SET hotrow.adopt TO off")
        connection.execute(ACCOUNTS)
        connection.execute("INSERT INTO account SELECT id, 1000 FROM generate_series(0, 9) AS id")
        connection.execute("SELECT hotrow.adopt('account')")
    return schema


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS.keys())
def test_interleaving(dsn: str, accounts: str, script: str) -> None:
    """Every step of the interleaving is answered as Aurora DSQL answers it."""
    played = play(dsn, accounts, script)

    assert [(step, expected) for step, expected, _ in played] == [
        (step, observed) for step, _, observed in played
    ]


def test_the_write_set_is_used_again(dsn: str, accounts: str) -> None:
    """A thousand transactions of one session leave as many rows in the write set as one does."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f"SET search_path TO {accounts}")
        for _ in range(1000):
            connection.execute("UPDATE account SET balance = balance + 1 WHERE id < 2")

        ((rows,),) = connection.execute("SELECT count(*) FROM account__writes").fetchall()
        assert rows == 2


def test_rows_of_a_table_without_a_primary_key_conflict_as_others_do(dsn: str, schema: str) -> None:
    """Two updates of one row conflict, also if the row is found by its values. Updates of two rows do not."""
    script = """
        a: CREATE TABLE heap (v int, w json)        -> CREATE TABLE
        a: INSERT INTO heap VALUES (1), (1), (2)    -> INSERT 0 3
        a: BEGIN                                    -> BEGIN
        b: BEGIN                                    -> BEGIN
        a: UPDATE heap SET v = 5 WHERE v = 2        -> UPDATE 1
        b: UPDATE heap SET v = 6 WHERE v = 2        -> UPDATE 1
        c: UPDATE heap SET v = 9 WHERE v = 1        -> UPDATE 2
        a: COMMIT                                   -> COMMIT
        b: COMMIT                                   -> 40001 OC000
        b: BEGIN                                    -> BEGIN
        b: DELETE FROM heap WHERE v = 9             -> DELETE 2
        a: UPDATE heap SET v = 8 WHERE v = 9        -> UPDATE 2
        b: COMMIT                                   -> 40001 OC000
        c: SELECT v FROM heap ORDER BY v            -> 5; 8; 8
    """
    steps = play(dsn, schema, script)
    assert [step for step in steps if step[1] != step[2]] == []


def test_any_table_that_a_client_creates_is_adopted(dsn: str, schema: str) -> None:
    """CREATE TABLE alone gives the stand-in's conflicts, and dropping the view removes everything."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f"SET search_path TO {schema}")
        connection.execute("CREATE TABLE thing (id uuid PRIMARY KEY, body jsonb)")
        connection.execute("INSERT INTO thing VALUES (gen_random_uuid(), NULL)")

    script = """
        a: BEGIN                      -> BEGIN
        b: BEGIN                      -> BEGIN
        a: UPDATE thing SET body='1'  -> UPDATE 1
        b: UPDATE thing SET body='2'  -> UPDATE 1
        a: COMMIT                     -> COMMIT
        b: COMMIT                     -> 40001 OC000
        a: SELECT body FROM thing     -> 1
        a: DROP VIEW thing            -> DROP VIEW
        a: SELECT count(*) FROM pg_class WHERE relnamespace = current_schema()::regnamespace -> 0"""
    played = play(dsn, schema, script)

    assert len(played) == 9
    for step, expected, observed in played:
        assert (step, expected) == (step, observed)


def test_the_row_limit_falls_at_the_statement(dsn: str, accounts: str) -> None:
    """3,000 changed rows are allowed; the 3,001st fails with Aurora DSQL's code."""
    script = """
        a: BEGIN -> BEGIN
        a: INSERT INTO account SELECT id, 0 FROM generate_series(100, 3099) AS id -> INSERT 0 3000
        a: INSERT INTO account VALUES (-1, 0) -> 54000
        a: ROLLBACK -> ROLLBACK"""
    played = play(dsn, accounts, script)

    assert len(played) == 4
    for step, expected, observed in played:
        assert (step, expected) == (step, observed)
