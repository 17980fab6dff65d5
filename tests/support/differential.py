"""A comparison of the stand-in with plain PostgreSQL tables on random statements.

Seeded random transactions run statement by statement on the stand-in, rewritten, and on tables of the same
definition in a plain database of the same server. Command tags, rows, SQLSTATEs and the contents of the
tables after each transaction must agree. `_known` names the differences that are allowed.
"""

# ruff: noqa: S311, S608 - seeded; names and numbers of our own

from __future__ import annotations

import random
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.conninfo import make_conninfo

from hotrow.standin.rewriting.rewrite import rewrite
from tests.support.differential_tables import NAMES, SPECS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.differential_tables import Table


def _returning(rng: random.Random, table: Table) -> str:
    return rng.choice(("", "", " RETURNING *", f" RETURNING {', '.join(table.key)}"))


def _insert(rng: random.Random, table: Table) -> str:
    if rng.random() < 0.15:
        low = rng.choice((0, 0, 50))
        many = f"SELECT {table.more} FROM generate_series({low}, {low + rng.choice((3, 35, 70))}) AS g"
        return f"INSERT INTO {table.name} {many}"
    count = 1 if rng.random() < 0.6 else rng.randint(2, 4)
    rows = ", ".join(table.row(rng) for _ in range(count))
    if count > 1:  # if one row fails, the two sides may have drawn different sequence numbers for the others
        rows = re.sub(r"(?<=\()DEFAULT", lambda _: str(-rng.randint(1, 9)), rows)
    return f"INSERT INTO {table.name} ({', '.join(table.columns)}) VALUES {rows}"


def _plain_insert(rng: random.Random, table: Table) -> str:
    return _insert(rng, table) + _returning(rng, table)


def _upsert(rng: random.Random, table: Table) -> str:
    base = _insert(rng, table)
    target = rng.choice(table.unique)
    on = f" ON CONFLICT ({', '.join(target)})"
    if rng.random() < 0.45:
        return base + rng.choice((on, " ON CONFLICT")) + " DO NOTHING" + _returning(rng, table)
    column = rng.choice(table.free)
    sets = [f"{column} = excluded.{column}"]
    if rng.random() < 0.2 and len(table.unique) > 1:
        other = rng.choice(table.unique)[0]
        sets.append(f"{other} = excluded.{other}")
    where = f" WHERE {table.name}.{table.where(rng)}" if rng.random() < 0.2 else ""
    return f"{base}{on} DO UPDATE SET {', '.join(sets)}{where}{_returning(rng, table)}"


def _update(rng: random.Random, table: Table) -> str:
    column = rng.choice(table.free)
    value = table.columns[column](rng)
    return f"UPDATE {table.name} SET {column} = {value} WHERE {table.where(rng)}{_returning(rng, table)}"


def _update_key(rng: random.Random, table: Table) -> str:
    columns = rng.sample(list(table.columns), rng.randint(1, 2))
    columns = [rng.choice(rng.choice(table.unique)), *columns]
    sets = ", ".join(f"{column} = {table.columns[column](rng)}" for column in dict.fromkeys(columns))
    return f"UPDATE {table.name} SET {sets} WHERE {table.one(rng)}{_returning(rng, table)}"


def _update_from(rng: random.Random, table: Table) -> str:
    column, free = table.key[0], rng.choice(table.free)
    value = table.columns[free](rng).replace("DEFAULT", "NULL")
    source = f"(SELECT DISTINCT {column} AS k FROM {table.name} WHERE {table.where(rng)}) AS s"
    if rng.random() < 0.4:
        return f"DELETE FROM {table.name} AS x USING {source} WHERE s.k = x.{column}"
    return f"UPDATE {table.name} AS x SET {free} = {value} FROM {source} WHERE s.k = x.{column} RETURNING x.*"


def _merge(rng: random.Random, table: Table) -> str:
    columns = ", ".join(table.columns)
    values = ", ".join(f"s.{column}" for column in table.columns)
    on = " AND ".join(f"x.{column} = s.{column}" for column in table.key)
    free = rng.choice(table.free)
    source = f"SELECT * FROM {table.name} WHERE {table.where(rng)}"
    matched = rng.choice((f"UPDATE SET {free} = s.{free}", "DELETE", "DO NOTHING"))
    return (
        f"MERGE INTO {table.name} AS x USING ({source}) AS s ON {on} AND s.{free} IS NOT NULL"
        f" WHEN MATCHED THEN {matched} WHEN NOT MATCHED THEN INSERT ({columns}) VALUES ({values})"
    )


def _delete(rng: random.Random, table: Table) -> str:
    where = table.one(rng) if table.name == "tree" or rng.random() < 0.5 else table.where(rng)
    return f"DELETE FROM {table.name} WHERE {where}{_returning(rng, table)}"


def _read(rng: random.Random, table: Table) -> str:
    key = ", ".join(table.key)
    makes = (
        f"SELECT * FROM {table.name} WHERE {table.where(rng)}",
        f"SELECT count(*), max({table.free[0]}::text) FROM {table.name}",
        "SELECT c.id, a.owner FROM child c LEFT JOIN account a ON a.id = c.account",
        f"SELECT * FROM {table.name} WHERE {table.where(rng)} FOR UPDATE",
        f"SELECT * FROM {table.name} WHERE {table.one(rng)} FOR KEY SHARE",
        f"SELECT {key} FROM {table.name} ORDER BY {key} LIMIT {rng.choice((1, 2, 40))} FOR UPDATE",
        f"SELECT {key} FROM {table.name} AS x WHERE EXISTS (SELECT FROM tree FOR UPDATE) FOR KEY SHARE",
    )
    return rng.choice(makes)


_WRONG = (
    "SELECT 1 / 0",
    "SELECT nothing FROM account",
    "INSERT INTO account VALUES ('x')",
    "UPDATE line SET n = 'x'",
)


def _wrong(rng: random.Random, table: Table) -> str:
    del table
    return rng.choice(_WRONG)


_MAKERS = (_plain_insert, _upsert, _update, _update_key, _update_from, _merge, _delete, _read, _wrong)
_WEIGHTS = (8, 5, 5, 5, 2, 1, 3, 4, 0.5)


def statements(rng: random.Random, count: int) -> Iterator[str]:
    """About `count` random statements, most of them in transactions."""
    hot = rng.sample(SPECS, rng.randint(1, 4))
    while count > 0:
        length = rng.choice((1, 1, 2, 4, 8))
        count -= length
        body = [rng.choices(_MAKERS, _WEIGHTS)[0](rng, rng.choice(hot)) for _ in range(length)]
        if length == 1:
            yield from body
        else:
            yield from ("BEGIN", *body, rng.choice(("COMMIT", "COMMIT", "COMMIT", "ROLLBACK")))


def answer(connection: psycopg.Connection[Any], text: str, *, ordered: bool) -> tuple[str, ...]:
    """Command tag and rows, or "error" and the SQLSTATE. Rows are sorted unless `ordered`."""
    try:
        cursor = connection.execute(text.encode())
    except psycopg.Error as error:
        return ("error", str(error.sqlstate))
    rows = [] if cursor.description is None else [str(row) for row in cursor.fetchall()]
    return (str(cursor.statusmessage), *(rows if ordered else sorted(rows)))


def _same(here: tuple[str, ...], plain: tuple[str, ...]) -> bool:
    """Whether the answers agree. Two errors agree even if they name different broken constraints."""
    return here == plain or all(side[0] == "error" and side[1][:2] in {"23", "21"} for side in (here, plain))


def _known(statement: str, here: tuple[str, ...], plain: tuple[str, ...]) -> str | None:
    """The name of a known difference, or None. The run ends there, because the tables then differ too."""
    if plain == ("error", "428C9"):
        return "a value for a generated column is refused only if a row gets it"
    if "DO UPDATE" in statement and " WHERE " in statement and here == ("error", "21000"):
        return "two proposed rows of one key, where the WHERE of DO UPDATE lets none or one of them through"
    return None


class Pair:
    """One session of the stand-in and one of the plain database, on tables of one definition."""

    def __init__(self, here: psycopg.Connection[Any], plain: psycopg.Connection[Any]) -> None:
        self.here, self.plain = here, plain

    def both(self, statement: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The answers of the stand-in and of the plain database."""
        ordered = "ORDER BY" in statement
        rules = not statement.startswith("CREATE")  # the tables also have types that Aurora DSQL has not
        here = answer(self.here, rewrite(statement, rules=rules), ordered=ordered)
        return here, answer(self.plain, statement, ordered=ordered)

    @contextmanager
    def schema(self, name: str) -> Iterator[None]:
        """An empty schema for both, dropped afterwards."""
        for statement in (f"CREATE SCHEMA {name}", f"SET search_path TO {name}"):
            self.both(statement)
        yield
        for statement in ("ROLLBACK", f"DROP SCHEMA {name} CASCADE"):
            self.both(statement)

    def contents(self) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
        """All rows of all tables, on both sides."""
        return [self.both(f"SELECT * FROM {name}") for name in NAMES]

    def reset(self) -> None:
        """Empty the tables and restart the identity column."""
        for connection in (self.here, self.plain):
            connection.execute("ROLLBACK")
            with connection.transaction():
                for name in NAMES:
                    connection.execute(f"DELETE FROM {name}".encode())
            connection.execute("SELECT setval('child_id_seq', 1), setval('auto_id_seq', 1)")

    def difference(self, seed: int, count: int) -> str | None:
        """The statements of a random run up to the first one that differs, and its answers; else None."""
        self.reset()
        done = []
        for statement in statements(random.Random(seed), count):
            here, plain = self.both(statement)
            done.append(statement)
            if _known(statement, here, plain):
                return None
            idle = self.here.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
            if not _same(here, plain) or (idle and any(a != b for a, b in self.contents())):
                return "\n".join((*done, f"-- stand-in: {here}", f"-- plain tables: {plain}"))
        return None


@contextmanager
def paired(dsn: str, name: str) -> Iterator[Pair]:
    """A session of the stand-in and one of a plain database of this name, which exists until the end."""
    with psycopg.connect(dsn, autocommit=True) as maker:
        maker.execute(f"CREATE DATABASE {name} TEMPLATE template0".encode())
        there = make_conninfo(dsn, dbname=name)
        with psycopg.connect(dsn, autocommit=True) as here, psycopg.connect(there, autocommit=True) as plain:
            yield Pair(here, plain)
        maker.execute(f"DROP DATABASE {name}".encode())
