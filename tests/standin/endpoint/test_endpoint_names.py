"""Errors through the endpoint are those of ordinary tables: no internal name of the stand-in gets out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from hotrow.standin.endpoint.credentials import make_token
from hotrow.standin.endpoint.error_names import hide_internal_names
from hotrow.standin.endpoint.lifecycle import ensure_endpoint, stop_endpoint
from hotrow.standin.endpoint.wire import build_message
from hotrow.standin.rewriting.internal_names import hide_in_fields, hide_in_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    Connection = psycopg.Connection[Any]

SET_UP = """
    CREATE TABLE parent (id int PRIMARY KEY, name varchar(5) NOT NULL UNIQUE, v int CHECK (v >= 0), day date);
    CREATE TABLE child (id int PRIMARY KEY, p int REFERENCES parent, q int NOT NULL);
    CREATE VIEW seen AS SELECT id, name FROM parent;
    CREATE TABLE heap (v int CHECK (v > 0), w text NOT NULL, twice int GENERATED ALWAYS AS (v * 2) STORED);
    CREATE TABLE auto (id bigint GENERATED ALWAYS AS IDENTITY (CACHE 1) PRIMARY KEY, v int);
    INSERT INTO parent VALUES (1, 'a', 1, NULL), (2, 'b', 2, NULL);
    INSERT INTO child VALUES (1, 1, 1)
"""
WRONG = """
    INSERT INTO parent VALUES (3, NULL, 3)
    INSERT INTO parent VALUES (3, 'a, (b', -3), (4, 'd', -1)
    INSERT INTO parent VALUES (3, 'c', -1, '2026-01-01')
    INSERT INTO parent VALUES (1, 'c', 1)
    INSERT INTO parent VALUES (3, 'a', 1)
    INSERT INTO parent VALUES (3, 'too long', 1)
    INSERT INTO parent VALUES ('x', 'c', 1)
    INSERT INTO parent VALUES (3, 'c', 1, NULL, 5)
    INSERT INTO parent (id, nope) VALUES (3, 1)
    INSERT INTO nope VALUES (1)
    INSERT INTO child VALUES (2, 1, NULL)
    UPDATE parent SET name = NULL WHERE id = 1
    UPDATE parent SET v = -1 WHERE id = 1
    UPDATE parent SET name = 'b' WHERE id = 1
    UPDATE parent SET nope = 1
    UPDATE parent SET v = 99999999999
    UPDATE parent SET v = v / 0
    DELETE FROM nope
    DELETE FROM parent WHERE id = 1
    UPDATE parent SET id = 9 WHERE id = 1
    INSERT INTO child VALUES (5, 9, 1)
    INSERT INTO heap VALUES (1, NULL)
    INSERT INTO heap VALUES (-1, 'b, c')
    INSERT INTO heap VALUES (1, 'b', 5)
    INSERT INTO auto VALUES (5)
    SELECT nope FROM parent
    SELECT parent.nope FROM parent
    SELECT p.v FROM parent
    SELECT * FROM parent FOR UPDATE OF nope
    DROP TABLE nope
    DROP TABLE IF EXISTS nope
    DROP TABLE parent
    DROP INDEX nope
    DROP VIEW nope
    CREATE TABLE parent (id int PRIMARY KEY)
    CREATE TABLE IF NOT EXISTS parent (id int PRIMARY KEY)
    CREATE TABLE other (id int PRIMARY KEY, x int REFERENCES nope)
    CREATE TABLE other (id int PRIMARY KEY, x int REFERENCES parent (nope))
    ALTER TABLE nope ADD COLUMN x int
    ALTER TABLE IF EXISTS nope ADD COLUMN x int
    ALTER TABLE child ADD COLUMN q int
    ALTER TABLE child DROP COLUMN nope
    ALTER TABLE child RENAME COLUMN nope TO x
    ALTER TABLE child DROP CONSTRAINT nope
    ALTER TABLE child RENAME TO parent
    ALTER TABLE child ALTER COLUMN nope SET DEFAULT 1
    COMMENT ON TABLE nope IS 'x'
    GRANT SELECT ON nope TO PUBLIC
"""


@pytest.fixture(scope="module")
def endpoint_dsn(dsn: str) -> Iterator[str]:
    """The conninfo of an endpoint of the shared stand-in."""
    assert dsn
    yield make_conninfo(ensure_endpoint().dsn, password=make_token())
    stop_endpoint()


@pytest.fixture
def client(endpoint_dsn: str, schema: str) -> Iterator[Connection]:
    """A connection through the endpoint, with the tables."""
    with psycopg.connect(endpoint_dsn, autocommit=True, options=f"-c search_path={schema}") as connection:
        for statement in SET_UP.split(";"):
            connection.execute(statement.encode())
        yield connection


@pytest.fixture
def plain(dsn: str, schema: str) -> Iterator[Connection]:
    """The same tables as ordinary tables of PostgreSQL."""
    options = f"-c search_path={schema}_plain -c hotrow.adopt=off -c hotrow.rules=off"
    with psycopg.connect(dsn, autocommit=True, options=options) as connection:
        connection.execute(f"CREATE SCHEMA {schema}_plain".encode())
        connection.execute(SET_UP.encode())
        yield connection
        connection.execute(f"DROP SCHEMA {schema}_plain CASCADE".encode())


def hear(connection: Connection, statement: str, schema: str) -> list[tuple[str | None, ...]]:
    """What a client gets: the code, the texts and the named fields of each notice and error."""
    messages: list[tuple[str | None, ...]] = []

    def note(diagnostic: psycopg.errors.Diagnostic) -> None:
        fields = (
            diagnostic.sqlstate,
            diagnostic.message_primary,
            diagnostic.message_detail,
            diagnostic.message_hint,
            diagnostic.schema_name,
            diagnostic.table_name,
            diagnostic.column_name,
            diagnostic.constraint_name,
            diagnostic.context,
        )
        plain = [text and text.replace(f"{schema}.", "").replace(schema, "") for text in fields]
        messages.append(tuple(text and "\n".join(sorted(text.splitlines())) for text in plain))

    connection.add_notice_handler(note)
    try:
        connection.execute(statement.encode())
    except psycopg.Error as error:
        note(error.diag)
    connection.remove_notice_handler(note)
    return messages


def test_errors_are_those_of_plain_tables(client: Connection, plain: Connection, schema: str) -> None:
    """Codes, messages, details, hints and names are the same for many errors, without internal context."""
    different = {}
    for line in WRONG.strip().splitlines():
        statement = line.strip()
        expected, actual = hear(plain, statement, f"{schema}_plain"), hear(client, statement, schema)
        if expected != actual:
            different[statement] = (expected, actual)
    assert different == {}


def test_a_name_is_cut_where_it_is_one_of_ours() -> None:
    """Names that only resemble internal names belong to the client."""
    assert hide_in_text('table "a__base" and s.b__writes') == 'table "a" and s.b'
    assert hide_in_text("a__based, __base, a__base_x, base") == "a__based, __base, a__base_x, base"
    assert hide_in_text("view v depends on view a; table a__base") == "view v depends on table a; table a"


def test_what_only_looks_like_an_error_stays_as_it_is() -> None:
    """A value, an incomplete error and an error with a wrong layout stay unchanged."""
    error = build_message(b"E", b"SERROR\0VERROR\0C23502\0Ma__base\0\0")
    assert hide_internal_names(b"D" + error) == b"D" + build_message(b"E", b"SERROR\0VERROR\0C23502\0Ma\0\0")
    for other in (
        error[:-1],
        b"a__base SERROR",
        error.replace(b"\0\0", b"\0x"),
        error.replace(b"E\0", b"E\x01", 1),
    ):
        assert hide_internal_names(other) == other


def test_a_race_that_postgresql_found_reads_as_a_conflict() -> None:
    """COMMIT's own context makes it one. An error with a marker, or of another function, stays as it is."""
    conflict = {"C": "40001", "M": "change conflicts with another transaction (OC000)"}
    context = {"W": "PL/pgSQL function s.t__apply() line 7 at SQL statement"}
    raced = {"C": "40001", "M": "could not serialize access due to concurrent update"}
    crossed = {"C": "40P01", "M": "deadlock detected", "D": "Process 1 waits", "H": "See server log"}
    schema_changed = {
        "C": "40001",
        "M": "schema has been updated by another transaction, please retry: (OC001)",
    }
    assert hide_in_fields(raced | context) == conflict
    assert hide_in_fields(crossed | context) == conflict
    assert hide_in_fields(schema_changed | context) == schema_changed
    assert hide_in_fields(raced | {"W": "SQL statement"}) == raced
