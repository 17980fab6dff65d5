"""Views that a client makes on a table: locking reads and upserts work through them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from hotrow.standin.endpoint.credentials import make_token
from hotrow.standin.endpoint.lifecycle import ensure_endpoint, stop_endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPT = """
    CREATE TABLE item (id int PRIMARY KEY, name text UNIQUE, v int DEFAULT 7) -> CREATE TABLE
    INSERT INTO item VALUES (1, 'a', 1), (2, 'b', 2) -> INSERT 0 2
    CREATE VIEW seen AS SELECT id, name FROM item WHERE id < 100 -> CREATE VIEW
    SELECT * FROM seen WHERE id = 1 FOR UPDATE -> [(1, 'a')]
    SELECT s.name FROM seen s ORDER BY id FOR KEY SHARE -> [('a',), ('b',)]
    INSERT INTO seen VALUES (1, 'z') ON CONFLICT (id) DO UPDATE SET name = excluded.name -> INSERT 0 1
    INSERT INTO seen VALUES (9, 'b') ON CONFLICT DO NOTHING -> INSERT 0 0
    INSERT INTO seen VALUES (1, 'q'), (3, 'c') ON CONFLICT (id) DO NOTHING RETURNING * -> [(3, 'c')]
    SELECT * FROM item ORDER BY id -> [(1, 'z', 1), (2, 'b', 2), (3, 'c', 7)]
    CREATE OR REPLACE VIEW seen AS SELECT id, name, v FROM item -> CREATE VIEW
    INSERT INTO seen (id) VALUES (4) ON CONFLICT (id) DO UPDATE SET v = 0 RETURNING v -> [(7,)]
    ALTER VIEW seen RENAME TO looked -> ALTER VIEW
    SELECT v FROM looked WHERE id = 1 FOR UPDATE -> [(1,)]
    CREATE VIEW named AS SELECT name AS id, id AS name FROM item -> CREATE VIEW
    SELECT * FROM named FOR UPDATE -> 0A000
    INSERT INTO named VALUES ('x', 9) ON CONFLICT DO NOTHING -> 0A000
    CREATE VIEW one AS SELECT 1 AS id -> CREATE VIEW
    SELECT * FROM one FOR UPDATE -> 0A000
    DROP VIEW looked, named, one -> DROP VIEW
    SELECT 1 FROM pg_class WHERE relnamespace = 'SCHEMA'::regnamespace AND relname !~ '^item' -> []
    SELECT 1 FROM pg_proc WHERE pronamespace = 'SCHEMA'::regnamespace AND proname !~ '^item' -> []
    ALTER TABLE item ADD COLUMN w int -> ALTER TABLE"""


@pytest.fixture(scope="module")
def endpoint_dsn(dsn: str) -> Iterator[str]:
    """The conninfo of an endpoint of the shared stand-in."""
    assert dsn
    yield make_conninfo(ensure_endpoint().dsn, password=make_token())
    stop_endpoint()


@pytest.fixture
def clients(endpoint_dsn: str, schema: str) -> Iterator[list[psycopg.Connection[Any]]]:
    """Two clients."""
    options = f"-c search_path={schema}"
    with (
        psycopg.connect(endpoint_dsn, autocommit=True, options=options) as one,
        psycopg.connect(endpoint_dsn, autocommit=True, options=options) as other,
    ):
        yield [one, other]


def say(connection: psycopg.Connection[Any], text: str) -> str:
    """The result of a statement: its rows, its tag, or its error's code."""
    try:
        cursor = connection.execute(text.encode())
    except psycopg.Error as error:
        return str(error.sqlstate)
    return str(cursor.fetchall()) if cursor.description else str(cursor.statusmessage)


def test_a_view_of_one_table_is_as_good_as_the_table(
    clients: list[psycopg.Connection[Any]], schema: str
) -> None:
    """Other views are refused in one line. Everything beside a view is dropped with it."""
    assert SCRIPT.count(" -> ") > 5
    for line in SCRIPT.replace("SCHEMA", schema).strip().splitlines():
        statement, _, expected = line.strip().partition(" -> ")
        assert (statement, say(clients[0], statement)) == (statement, expected)


def test_a_row_locked_through_a_view_is_the_table_s(clients: list[psycopg.Connection[Any]]) -> None:
    """A writer that commits in between causes a conflict."""
    reader, writer = clients
    for statement in SCRIPT.strip().splitlines()[:3]:
        say(reader, statement.partition(" -> ")[0])
    say(reader, "BEGIN")
    assert say(reader, "SELECT name FROM seen WHERE id = 1 FOR UPDATE") == "[('a',)]"
    assert say(writer, "UPDATE item SET v = 5 WHERE id = 1") == "UPDATE 1"
    assert say(reader, "COMMIT") == "40001"
