"""The stand-in compared with ordinary tables: one session gets the same answers from both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.differential import Pair, paired
from tests.support.differential_tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def empty_pair(dsn: str) -> Iterator[Pair]:
    """Two sessions without tables."""
    with paired(dsn, "differential") as pair:
        yield pair


@pytest.fixture(scope="module")
def pair(empty_pair: Pair) -> Iterator[Pair]:
    """Two sessions with the tables of the random runs."""
    with empty_pair.schema("differential"):
        for table in TABLES:
            empty_pair.both(table)
        yield empty_pair


SCRIPTS = {
    "a row with a unique column is written twice": (
        "CREATE TABLE x (id int PRIMARY KEY, code int UNIQUE, v int)",
        "INSERT INTO x VALUES (1, 1, 1)",
        "BEGIN",
        "UPDATE x SET v = 2",
        "UPDATE x SET v = 3",
        "COMMIT",
        "SELECT * FROM x",
    ),
    "unique columns of types that have no hash function of their own": (
        "CREATE TABLE x (id varchar(9) PRIMARY KEY, code varchar(9) UNIQUE, tags int[] UNIQUE)",
        "INSERT INTO x VALUES ('a', 'a', '{1}'), ('b', 'b', '{2}')",
        "INSERT INTO x VALUES ('c', 'a', '{3}')",
        "UPDATE x SET tags = '{4}' WHERE id = 'b'",
        "SELECT * FROM x",
    ),
    "a table that refers to itself is deleted from the root": (
        "CREATE TABLE x (id int PRIMARY KEY, up int REFERENCES x ON DELETE CASCADE)",
        "INSERT INTO x VALUES (1, NULL), (2, 1), (3, 2), (4, NULL)",
        "DELETE FROM x WHERE id = 1",
        "SELECT * FROM x",
    ),
    "a parent that is referred to from its own table by SET NULL": (
        "CREATE TABLE x (id int PRIMARY KEY, up int REFERENCES x ON DELETE SET NULL)",
        "INSERT INTO x VALUES (1, NULL), (2, 1), (3, 2)",
        "DELETE FROM x WHERE id = 1",
        "SELECT * FROM x",
    ),
    "a unique column that others refer to changes": (
        "CREATE TABLE x (id int PRIMARY KEY, code text UNIQUE, name text UNIQUE)",
        "CREATE TABLE y (id int PRIMARY KEY, code text REFERENCES x (code))",
        "INSERT INTO x VALUES (1, 'a', 'a')",
        "INSERT INTO y VALUES (1, 'a')",
        "UPDATE x SET code = 'b'",
        "UPDATE x SET name = 'b'",
        "SELECT * FROM x",
    ),
    "a referenced table with a column of any name": (
        "CREATE TABLE x (id int PRIMARY KEY, p int, c int, t int)",
        "CREATE TABLE y (id int PRIMARY KEY, x int REFERENCES x)",
        "INSERT INTO x VALUES (1)",
        "INSERT INTO y VALUES (1, 1)",
        "DELETE FROM x",
    ),
    "a duplicate of a unique value after many written rows": (
        "CREATE TABLE x (id int PRIMARY KEY, code int UNIQUE, v int)",
        "INSERT INTO x SELECT g, 5000 + g, 0 FROM generate_series(1, 100) AS g",
        "BEGIN",
        "UPDATE x SET v = 1 WHERE id <= 60",
        "INSERT INTO x VALUES (1000, 5055, 0)",
        "ROLLBACK",
    ),
    "a target row that matches several source rows": (
        "CREATE TABLE x (id int PRIMARY KEY, v int)",
        "CREATE TABLE y (id int PRIMARY KEY, x int)",
        "INSERT INTO x VALUES (1, 0)",
        "INSERT INTO y VALUES (1, 1), (2, 1)",
        "UPDATE x SET v = x.v + 1 FROM y WHERE y.x = x.id",
        "DELETE FROM x USING y WHERE y.x = x.id",
    ),
    "a conflict target that no unique index has": (
        "CREATE TABLE x (id int PRIMARY KEY, v int)",
        "INSERT INTO x VALUES (1, 1), (2, 1)",
        "INSERT INTO x VALUES (3, 1) ON CONFLICT (v) DO UPDATE SET v = 5",
        "SELECT * FROM x",
    ),
}


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_what_random_runs_have_found_stays_found(empty_pair: Pair, script: tuple[str, ...]) -> None:
    """Each of these was once answered differently from ordinary tables."""
    with empty_pair.schema("script"):
        answers = [(statement, *empty_pair.both(statement)) for statement in script]

    assert [(statement, here, plain) for statement, here, plain in answers if here != plain] == []


@pytest.mark.parametrize("seed", range(10))
def test_random_statements_are_answered_as_by_plain_tables(pair: Pair, seed: int) -> None:
    """Tags, rows, SQLSTATEs and the tables after each transaction are the same."""
    assert [found for run in range(4) if (found := pair.difference(10 * seed + run, 50))] == []
