"""Tables without a primary key, with generated values or any foreign key: they answer as plain tables do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.differential import Pair, paired

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPTS = {
    "no primary key": (
        "CREATE TABLE x (v int, name text, body json, data jsonb)",
        "INSERT INTO x VALUES (1, 'a'), (1, 'a'), (2, 'b'), (NULL, NULL)",
        "UPDATE x SET v = v + 1 WHERE v < 3",
        "SELECT * FROM x ORDER BY v, name",
        "BEGIN",
        "UPDATE x SET v = v + 1",
        "UPDATE x SET v = v + 1",
        "SELECT * FROM x ORDER BY v, name",
        "INSERT INTO x VALUES (3, 'b'), (3, 'b') RETURNING *",
        "UPDATE x SET name = 'c' WHERE v = 3 RETURNING v, name",
        "DELETE FROM x WHERE v IS NULL",
        "UPDATE x SET body = '[1]', data = '{\"a\": 1}'",
        "DELETE FROM x WHERE name = 'a' RETURNING v",
        "COMMIT",
        "SELECT v, name, data FROM x ORDER BY v, name",
        "INSERT INTO x SELECT v, name FROM x",
        "SELECT count(*) FROM x",
        "DELETE FROM x",
    ),
    "no primary key: rows that match several source rows": (
        "CREATE TABLE x (v int)",
        "CREATE TABLE y (v int)",
        "INSERT INTO x VALUES (1), (2)",
        "INSERT INTO y VALUES (1), (1), (2), (2)",
        "UPDATE x SET v = x.v + 1 FROM y WHERE y.v = x.v",
        "SELECT v FROM x ORDER BY v",
        "BEGIN",
        "UPDATE x SET v = v",
        "UPDATE x SET v = x.v + 1 FROM y WHERE y.v = x.v",
        "UPDATE x SET v = x.v FROM y WHERE y.v + 1 = x.v",
        "COMMIT",
        "SELECT v FROM x ORDER BY v",
        "DELETE FROM x USING y",
    ),
    "no primary key: unique columns and ON CONFLICT": (
        "CREATE TABLE x (code text UNIQUE, v int)",
        "INSERT INTO x VALUES ('a', 1), ('b', 1), (NULL, 1)",
        "INSERT INTO x VALUES ('a', 2)",
        "INSERT INTO x VALUES ('a', 2) ON CONFLICT DO NOTHING",
        "INSERT INTO x VALUES ('a', 2), ('c', 3) ON CONFLICT (code) DO UPDATE SET v = excluded.v",
        "UPDATE x SET code = 'c' WHERE code = 'b'",
        "UPDATE x SET code = 'd' WHERE code = 'b'",
        "SELECT * FROM x ORDER BY code",
    ),
    "no primary key: no unique column either, and ON CONFLICT": (
        "CREATE TABLE x (v int)",
        "INSERT INTO x VALUES (1), (1) ON CONFLICT DO NOTHING",
        "SELECT * FROM x",
    ),
    "identity columns that are always generated": (
        "CREATE TABLE x (id bigint GENERATED ALWAYS AS IDENTITY (CACHE 1) PRIMARY KEY, v int)",
        "INSERT INTO x (v) VALUES (1), (2) RETURNING id",
        "INSERT INTO x VALUES (7, 1)",
        "INSERT INTO x VALUES (DEFAULT, 3) RETURNING *",
        "INSERT INTO x (id, v) OVERRIDING SYSTEM VALUE VALUES (10, 4) RETURNING *",
        "INSERT INTO x (id, v) OVERRIDING USER VALUE VALUES (11, 5) RETURNING *",
        "INSERT INTO x (v) SELECT v FROM x ORDER BY v DESC RETURNING *",
        "UPDATE x SET id = 77 WHERE id = 1",
        "UPDATE x SET id = DEFAULT WHERE id = 1 RETURNING *",
        "UPDATE x SET v = 9 WHERE id = 2",
        "INSERT INTO x VALUES (DEFAULT, 3) ON CONFLICT (id) DO UPDATE SET v = 1 RETURNING *",
        "SELECT * FROM x ORDER BY id",
    ),
    "an identity column that is no key": (
        "CREATE TABLE x (k int PRIMARY KEY, id bigint GENERATED ALWAYS AS IDENTITY (CACHE 1))",
        "INSERT INTO x VALUES (1), (2)",
        "UPDATE x SET k = k + 10",
        "UPDATE x SET id = DEFAULT WHERE k = 11 RETURNING *",
        "SELECT * FROM x ORDER BY k",
    ),
    "generated columns": (
        """CREATE TABLE x (id int PRIMARY KEY, a int, double int GENERATED ALWAYS AS (a * 2) STORED,
            given text GENERATED ALWAYS AS (lower(name)) STORED UNIQUE, name text DEFAULT 'Ab')""",
        "INSERT INTO x (id, a) VALUES (1, 1) RETURNING *",
        "INSERT INTO x (id, a, name) VALUES (2, 2, 'AB')",
        "INSERT INTO x (id, a, name) VALUES (2, 2, 'C'), (3, NULL, NULL) RETURNING *",
        "INSERT INTO x (id, double) VALUES (4, 4)",
        "INSERT INTO x (id, a, double, name) VALUES (4, 5, DEFAULT, 'd')",
        "UPDATE x SET a = 9 WHERE id = 1 RETURNING double",
        "UPDATE x SET double = 9 WHERE id = 1",
        "UPDATE x SET double = DEFAULT, a = 8 WHERE id = 1 RETURNING *",
        "UPDATE x SET id = 20 WHERE id = 2 RETURNING *",
        "INSERT INTO x (id, a) VALUES (20, 5) ON CONFLICT (id) DO UPDATE SET a = excluded.a RETURNING *",
        "INSERT INTO x (id, a, name) VALUES (21, 5, 'AB') ON CONFLICT DO NOTHING RETURNING *",
        "SELECT * FROM x WHERE double = 10 ORDER BY id",
    ),
    "references to later rows of the statement, and to rows of its WITH query": (
        "CREATE TABLE x (id int PRIMARY KEY, up int REFERENCES x)",
        "CREATE TABLE y (id int PRIMARY KEY, x int REFERENCES x)",
        "INSERT INTO x VALUES (1, 2), (2, 3), (3, NULL)",
        "INSERT INTO x VALUES (4, 5), (5, 9)",
        "WITH new AS (INSERT INTO x VALUES (6, 1) RETURNING id) INSERT INTO y SELECT id, id FROM new",
        "WITH new AS (INSERT INTO x VALUES (7, 1) RETURNING id) INSERT INTO y SELECT id, id + 1 FROM new",
        "UPDATE x SET id = id + 10, up = up + 10 WHERE id < 6",
        "DELETE FROM x WHERE id IN (12, 13)",
        "DELETE FROM x WHERE id < 13",
        "DELETE FROM x WHERE id = 6",
        "SELECT * FROM x ORDER BY id",
    ),
    "foreign keys that set columns": (
        "CREATE TABLE x (a int, b int, code int UNIQUE, PRIMARY KEY (a, b))",
        """CREATE TABLE y (id int PRIMARY KEY, a int DEFAULT 0, b int, code int DEFAULT 7 REFERENCES x (code)
            ON UPDATE SET DEFAULT ON DELETE SET NULL, FOREIGN KEY (a, b) REFERENCES x
            ON DELETE SET NULL (b) ON UPDATE SET NULL)""",
        "CREATE TABLE z (code int REFERENCES x (code) ON UPDATE CASCADE)",
        "INSERT INTO x VALUES (1, 1, 1), (2, 2, 2), (0, 2, 7), (3, 3, 3)",
        "INSERT INTO y VALUES (1, 1, 1, 1), (2, 2, 2, 2), (3, 3, 3, 3)",
        "INSERT INTO z VALUES (3), (3)",
        "DELETE FROM x WHERE a = 1",
        "UPDATE x SET a = 5 WHERE a = 2",
        "UPDATE x SET code = 30 WHERE code = 3",
        "UPDATE x SET code = 20 WHERE code = 2",
        "DELETE FROM x WHERE code = 7",
        "DELETE FROM x WHERE code = 30",
        "SELECT * FROM y ORDER BY id",
        "SELECT * FROM z",
    ),
    "MATCH FULL": (
        "CREATE TABLE x (a int, b int, PRIMARY KEY (a, b))",
        "CREATE TABLE y (id int PRIMARY KEY, a int, b int, FOREIGN KEY (a, b) REFERENCES x MATCH FULL)",
        "INSERT INTO x VALUES (1, 1)",
        "INSERT INTO y VALUES (1, 1, 1), (2, NULL, NULL)",
        "INSERT INTO y VALUES (3, 1, NULL)",
        "UPDATE y SET b = NULL WHERE id = 1",
        "SELECT * FROM y ORDER BY id",
    ),
    "deferred foreign keys": (
        "CREATE TABLE x (id int PRIMARY KEY)",
        "CREATE TABLE y (id int PRIMARY KEY, x int REFERENCES x DEFERRABLE INITIALLY DEFERRED)",
        "BEGIN",
        "INSERT INTO y VALUES (1, 1), (2, 2)",
        "INSERT INTO x VALUES (1), (2)",
        "COMMIT",
        "INSERT INTO y VALUES (3, 3)",
        "BEGIN",
        "DELETE FROM x WHERE id = 1",
        "DELETE FROM y WHERE id = 1",
        "COMMIT",
        "BEGIN",
        "DELETE FROM x WHERE id = 2",
        "COMMIT",
        "BEGIN",
        "DELETE FROM x WHERE id = 2",
        "INSERT INTO x VALUES (2), (4)",
        "UPDATE y SET x = 4",
        "COMMIT",
        "BEGIN",
        "UPDATE y SET x = 9",
        "SELECT * FROM y",
        "COMMIT",
        "SELECT x.id, y.id FROM x LEFT JOIN y ON y.x = x.id ORDER BY 1",
    ),
    "RESTRICT": (
        "CREATE TABLE x (id int PRIMARY KEY)",
        "CREATE TABLE y (id int PRIMARY KEY, x int REFERENCES x ON DELETE RESTRICT ON UPDATE RESTRICT)",
        "INSERT INTO x VALUES (1), (2)",
        "INSERT INTO y VALUES (1, 1)",
        "DELETE FROM x WHERE id = 2",
        "SELECT * FROM x",
    ),
    "a sequence as default": (
        "CREATE SEQUENCE counter CACHE 1",
        "CREATE TABLE x (id bigint DEFAULT nextval('counter') PRIMARY KEY, v int)",
        "INSERT INTO x (v) VALUES (1), (2) RETURNING id",
        "SELECT currval('counter')",
    ),
}


@pytest.fixture(scope="module")
def pair(dsn: str) -> Iterator[Pair]:
    with paired(dsn, "any_table") as pair:
        yield pair


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_any_table_answers_as_a_plain_table(pair: Pair, script: tuple[str, ...]) -> None:
    """Tags, rows and SQLSTATEs are the same, statement by statement."""
    with pair.schema("any_table"):
        answers = [(statement, *pair.both(statement)) for statement in script]

    assert [(statement, here, plain) for statement, here, plain in answers if here != plain] == []
