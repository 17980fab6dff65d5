"""Tables and views with names of up to 63 bytes work as any other, and no message shows a shortened name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from hotrow.standin.endpoint.credentials import make_token
from hotrow.standin.endpoint.lifecycle import ensure_endpoint, stop_endpoint
from hotrow.standin.rewriting.long_names import stem
from hotrow.standin.rewriting.sql_text import suffixed

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = {"LONG": "a" * 63, "OTHER": '"' + "b" * 50 + 'Ä"" c"', "PARENT": "p" * 45, "SEEN": "v" * 50}
SCRIPT = """
    CREATE TABLE PARENT (id int PRIMARY KEY) -> CREATE TABLE
    CREATE TABLE LONG (id int PRIMARY KEY, v int NOT NULL, p int REFERENCES PARENT) -> CREATE TABLE
    INSERT INTO PARENT VALUES (1), (2) -> INSERT 0 2
    INSERT INTO LONG VALUES (1, 10, 1), (2, 20, 2) -> INSERT 0 2
    INSERT INTO LONG VALUES (3) -> null value in column "v" of relation "LONG" violates not-null constraint
    INSERT INTO LONG VALUES (1, 5) ON CONFLICT (id) DO UPDATE SET v = LONG.v + excluded.v -> INSERT 0 1
    SELECT v FROM LONG WHERE id = 1 FOR UPDATE -> [(15,)]
    ALTER TABLE LONG ADD COLUMN w int -> ALTER TABLE
    CREATE VIEW SEEN AS SELECT id, v FROM LONG -> CREATE VIEW
    INSERT INTO SEEN VALUES (2, 1) ON CONFLICT (id) DO UPDATE SET v = 21 -> INSERT 0 1
    SELECT * FROM SEEN WHERE id = 2 FOR UPDATE -> [(2, 21)]
    DROP VIEW SEEN -> DROP VIEW
    ALTER TABLE LONG RENAME TO OTHER -> ALTER TABLE
    UPDATE OTHER SET v = 1 WHERE id = 2 RETURNING id -> [(2,)]
    SELECT 'OTHER'::regclass = oid FROM pg_class WHERE relname ~ '^b' AND relkind = 'r' -> [(True,)]
    DROP TABLE OTHER -> DROP TABLE
    SELECT count(*) FROM pg_class WHERE relnamespace = 'IT'::regnamespace -> [(2,)]"""


@pytest.fixture(scope="module")
def endpoint_dsn(dsn: str) -> Iterator[str]:
    """The conninfo of an endpoint of the shared stand-in."""
    assert dsn
    yield make_conninfo(ensure_endpoint().dsn, password=make_token())
    stop_endpoint()


def _filled(text: str, **names: str) -> str:
    for word, name in names.items():
        text = text.replace(word, name)
    return text


def _say(connection: psycopg.Connection[Any], text: str) -> str:
    try:
        cursor = connection.execute(text.encode())
    except psycopg.Error as error:
        return str(error.diag.message_primary)
    return str(sorted(cursor.fetchall())) if cursor.description else str(cursor.statusmessage)


def test_long_names_are_as_good_as_short_ones(endpoint_dsn: str, schema: str) -> None:
    """Writes, locking reads, upserts, foreign keys, views, renaming and dropping."""
    with psycopg.connect(endpoint_dsn, autocommit=True, options=f"-c search_path={schema}") as connection:
        for line in _filled(SCRIPT, IT=schema, **NAMES).strip().splitlines():
            statement, _, expected = line.strip().partition(" -> ")
            assert (statement, _say(connection, statement)) == (statement, expected)


def test_an_endpoint_that_starts_later_knows_the_names(endpoint_dsn: str, schema: str) -> None:
    """It reads them from the stand-in."""
    options = f"-c search_path={schema}"
    with psycopg.connect(endpoint_dsn, autocommit=True, options=options) as connection:
        connection.execute(f"CREATE TABLE {'n' * 60} (id int PRIMARY KEY, v int CHECK (v > 0))")
    stop_endpoint()
    later = make_conninfo(ensure_endpoint().dsn, password=make_token(), options=options)
    with psycopg.connect(later, autocommit=True) as connection:
        said = _say(connection, _filled("INSERT INTO NAME VALUES (1, 0)", NAME="n" * 60))
    assert said.startswith(f'new row for relation "{"n" * 60}" violates check constraint')


def test_both_shorten_a_name_alike(dsn: str) -> None:
    """hotrow.stem() and the rewriting agree for names of all lengths, with characters of several bytes."""
    names = [
        (filling * 70).encode()[:size].decode(errors="ignore")
        for filling in "xé€"
        for size in (1, 44, 45, 63)
    ]
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(
            "SELECT n, hotrow.stem(n) FROM unnest(%s::text[]) AS n", (names,)
        ).fetchall()
    assert len(rows) == 12
    assert rows == [(name, stem(name)) for name in names]
    quoted = "A" + '"' * 50
    escaped = stem(quoted).replace('"', '""')
    assert suffixed('s."' + quoted.replace('"', '""') + '"', "__base") == f's."{escaped}__base"'
