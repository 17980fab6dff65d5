"""Random statements on a table with unique indexes of all kinds, for the stand-in and plain PostgreSQL."""

# ruff: noqa: S311, S608 - seeded; names and numbers of our own

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import psycopg

from hotrow.standin.rewriting.rewrite import rewrite

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.differential import Pair

TABLE = """CREATE TABLE pot (
    id int CONSTRAINT "pot key" PRIMARY KEY, code text CONSTRAINT pot_code UNIQUE,
    owner text NOT NULL DEFAULT 'nobody', kind text, n int DEFAULT 5 CHECK (n > -50), "Tag" int)"""
INDEXES = (
    "CREATE UNIQUE INDEX ASYNC pot_lower ON pot (lower(owner), kind)",
    """CREATE UNIQUE INDEX ASYNC pot_part ON pot ("Tag") WHERE n > 3 AND kind IS NOT NULL""",
    "CREATE UNIQUE INDEX ASYNC pot_half ON pot ((n / 2), code) WHERE kind = 'k'",
    """CREATE UNIQUE INDEX ASYNC pot_null ON pot (kind, (abs("Tag"))) NULLS NOT DISTINCT WHERE n > 7""",
)
TARGETS = (
    "(id)",
    "(code)",
    'ON CONSTRAINT "pot key"',
    "ON CONSTRAINT pot_code",
    "(lower(owner), kind)",
    "(kind, LOWER(pot.owner)) WHERE id > 0",
    """("Tag") WHERE kind IS NOT NULL AND n>3""",
    "(code, (n/2)) WHERE (kind)='k'",
    "((n / 2), code) WHERE kind = 'k'",
    """(kind, abs("Tag")) WHERE n > 7""",
)
WRONG_TARGETS = (
    "(n)",
    "ON CONSTRAINT nothing",
    "ON CONSTRAINT pot_n_check",
    "(lower(code))",
    '("Tag") WHERE n > 4',
)


def _value(rng: random.Random, column: str) -> str:
    if column in {"id", "n", '"Tag"'} and (column == "id" or rng.random() < 0.85):
        return str(rng.randint(1, 9) * (-1 if column == '"Tag"' and rng.random() < 0.2 else 1))
    words = {"code": "abcdef", "owner": "aAbBcC", "kind": "kl"}
    if column in words and rng.random() < 0.85:
        return f"'{rng.choice(words[column])}'"
    return rng.choice(("NULL", "NULL", "DEFAULT", "-99" if column == "n" and rng.random() < 0.3 else "NULL"))


COLUMNS = ("id", "code", "owner", "kind", "n", '"Tag"')


def _row(rng: random.Random) -> str:
    return f"({', '.join(_value(rng, column) for column in COLUMNS)})"


def _upsert(rng: random.Random) -> str:
    rows = ", ".join(_row(rng) for _ in range(rng.choice((1, 1, 2, 3))))
    alias = rng.choice(("", "", " AS p"))
    target = rng.choice(TARGETS if rng.random() < 0.95 else WRONG_TARGETS)
    target = target.replace("pot.owner", f"{alias[4:] or 'pot'}.owner")
    returning = rng.choice(("", " RETURNING *", " RETURNING id, n"))
    if rng.random() < 0.4:
        target = "" if rng.random() < 0.2 else target
        return f"INSERT INTO pot{alias} VALUES {rows} ON CONFLICT {target} DO NOTHING{returning}"
    name = alias[4:] or "pot"
    column = rng.choice(("n", "n", "n", "kind", "code", "owner", '"Tag"'))
    sets = f"{column} = excluded.{column}" if column != "n" else f"n = {name}.n % 9 + excluded.n"
    where = f" WHERE {name}.n < excluded.n" if rng.random() < 0.2 else ""
    return f"INSERT INTO pot{alias} VALUES {rows} ON CONFLICT {target} DO UPDATE SET {sets}{where}{returning}"


def _wrapped(rng: random.Random) -> str:
    """An upsert as a WITH query."""
    inner = _upsert(rng)
    inner = inner if " RETURNING" in inner else f"{inner} RETURNING id"
    name = rng.choice(("x", "x (a)", "x"))
    if rng.random() < 0.2:
        inner = inner.replace("VALUES", "WITH w AS (SELECT 1) SELECT * FROM (VALUES", 1).replace(
            " ON CONFLICT", ") AS v ON CONFLICT", 1
        )
        inner = inner.replace("DEFAULT", "NULL")
    return f"WITH one AS (SELECT 1), {name} AS ({inner}) SELECT count(*) FROM x"


def _update(rng: random.Random) -> str:
    column = rng.choice(COLUMNS[1:])
    return f"UPDATE pot SET {column} = {_value(rng, column)} WHERE id = {rng.randint(1, 9)} RETURNING *"


def _merge(rng: random.Random) -> str:
    sources = " UNION ALL ".join(
        f"SELECT {rng.randint(1, 9)} AS id, {rng.randint(1, 9)} AS n" for _ in range(2)
    )
    action = rng.choice(("UPDATE SET n = s.n", "DELETE", "DO NOTHING"))
    return f"MERGE INTO pot USING ({sources}) AS s ON pot.id = s.id WHEN MATCHED THEN {action}"


def _plain(rng: random.Random) -> str:
    return f"INSERT INTO pot VALUES {_row(rng)}"


def _delete(rng: random.Random) -> str:
    return f"DELETE FROM pot WHERE id = {rng.randint(1, 9)}"


def statements(rng: random.Random, count: int) -> Iterator[str]:
    """Random statements, some of them in transactions."""
    makers, weights = (_upsert, _wrapped, _plain, _update, _merge, _delete), (6, 2, 3, 3, 1, 1)
    while count > 0:
        length = rng.choice((1, 1, 2, 4))
        count -= length
        body = [rng.choices(makers, weights)[0](rng) for _ in range(length)]
        yield from body if length == 1 else ("BEGIN", *body, rng.choice(("COMMIT", "COMMIT", "ROLLBACK")))


def create(pair: Pair) -> None:
    """The table and its indexes, on both sides."""
    pair.both(TABLE)
    for index in INDEXES:
        pair.here.execute(rewrite(index).encode())
        pair.plain.execute(index.replace(" ASYNC", "").encode())


def difference(pair: Pair, seed: int, count: int) -> str | None:
    """The statements of a random run up to the first one that differs, and its answers; else None."""
    for connection in (pair.here, pair.plain):
        connection.execute("ROLLBACK")
        connection.execute("DELETE FROM pot")
    done = []
    for statement in statements(random.Random(seed), count):
        here, plain = pair.both(statement)
        done.append(statement)
        if "DO UPDATE" in statement and " WHERE " in statement and here == ("error", "21000") != plain:
            return None  # two proposed rows of one key, where WHERE lets none or one of them through
        idle = pair.here.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        both_refuse = all(side[0] == "error" and side[1][:2] in {"23", "21"} for side in (here, plain))
        contents = pair.both("SELECT * FROM pot") if idle else ((), ())
        if (here != plain and not both_refuse) or contents[0] != contents[1]:
            answers = f"-- stand-in: {here}", f"-- plain tables: {plain}"
            return "\n".join((*done, rewrite(statement), *answers, *map(str, contents)))
    return None
