"""Random locking reads of joins, with plain PostgreSQL as the oracle of the rows that they lock.

PostgreSQL puts the id of a locking transaction into the row's xmax, so its tables show what it has locked.
"""

# ruff: noqa: S311, S608 - seeded; names and numbers of our own

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from hotrow.standin.rewriting.rewrite import rewrite
from tests.support.differential import answer

if TYPE_CHECKING:
    from tests.support.differential import Pair

TABLES = (
    "CREATE TABLE item (id int PRIMARY KEY, kind int, v int)",
    "CREATE TABLE part (id int PRIMARY KEY, item int, v int)",
    'CREATE TABLE "No te" (id int PRIMARY KEY, item int, w text)',
    "INSERT INTO item SELECT g, g % 3, nullif(g % 5, 0) FROM generate_series(1, 12) AS g",
    "INSERT INTO part SELECT g, nullif(g % 7, 0), g % 4 FROM generate_series(1, 15) AS g",
    'INSERT INTO "No te" SELECT g, g / 2, nullif(chr(96 + g % 4), chr(96)) FROM generate_series(1, 10) AS g',
)
NAMES = ("item", "part", '"No te"')
_OPERATIONS = {"FOR UPDATE": {"l"}, "FOR KEY SHARE": {"r"}}


@dataclass(frozen=True)
class Read:
    """A locking read, and what is known about its locks without running it."""

    sql: str
    ordered: bool
    operations: dict[str, set[str]]
    """What the write set may say of locked rows of each table."""
    locks_less: bool
    """PostgreSQL also locks rows that OFFSET skips, and one more to see where ties end."""
    locks_otherwise: bool
    """PostgreSQL locks the rows of a query in FROM after all joins, or all of them if it has LIMIT.

    The stand-in locks those that meet the conditions on this query alone.
    """


@dataclass
class _Item:
    """An item of FROM: its text, the name for it, its table, and a column to join with."""

    text: str
    alias: str
    table: str | None
    column: str
    is_query: bool = False


def _item(rng: random.Random, number: int) -> _Item:
    table = rng.choice(NAMES)
    alias = rng.choice((f"x{number}", f'"Y {number}"', f"select_{number}"))
    column = "id" if table == "item" else rng.choice(("id", "item"))
    if rng.random() < 0.12:
        return _Item(f"generate_series(1, 6) AS g{number} (n)", f"g{number}", None, "n")
    if rng.random() < 0.08:
        return _Item(f"(VALUES (1), (4), (NULL)) AS v{number} (n)", f"v{number}", None, "n")
    if rng.random() < 0.15:
        limit = rng.choice(("", " WHERE id > 2", " ORDER BY id DESC LIMIT 5"))
        return _Item(f"(SELECT * FROM {table}{limit}) AS {alias}", alias, table, column, is_query=True)
    return _Item(
        f"{rng.choice(('', '', 'ONLY '))}{table}{rng.choice((' ', ' AS '))}{alias}", alias, table, column
    )


def _joined(rng: random.Random, items: list[_Item]) -> tuple[str, list[str]]:
    """FROM, and the conditions that join the items without an ON."""
    text, conditions = items[0].text, []
    for former, item in pairwise(items):
        condition = f"{former.alias}.{former.column} = {item.alias}.{item.column}"
        kind = rng.choice((",", "JOIN", "JOIN", "LEFT JOIN", "RIGHT OUTER JOIN", "FULL JOIN", "CROSS JOIN"))
        if kind in {",", "CROSS JOIN"}:
            text = f"{text}{'' if kind == ',' else ' '}{kind} {item.text}"
            conditions.append(condition)
        elif not conditions and rng.random() < 0.2:
            text = f"({text} {kind} {item.text} ON {condition})"
        else:
            text = f"{text} {kind} {item.text} ON {condition} AND left('ab', 1) IS DISTINCT FROM 'b'"
    return text, conditions


def _locks(rng: random.Random, items: list[_Item]) -> tuple[str, dict[str, str]]:
    """The locking clauses, and the strength for each locked alias."""
    tables = [item.alias for item in items if item.table]
    clauses, locked = [], dict[str, str]()
    for _ in range(rng.choice((1, 1, 1, 2))):
        strength = rng.choice(tuple(_OPERATIONS))
        names = rng.sample(tables, rng.randint(1, len(tables))) if tables and rng.random() < 0.6 else []
        of = f" OF {', '.join(names)}" if names else ""
        clauses.append(f"{strength}{of}{rng.choice(('', '', ' NOWAIT', ' SKIP LOCKED'))}")
        for alias in names or tables:
            locked[alias] = "FOR UPDATE" if "FOR UPDATE" in {strength, locked.get(alias)} else strength
    return " ".join(clauses), locked


def _order(rng: random.Random, items: list[_Item], labelled: bool) -> str:
    """An order in which no two rows are alike."""
    keys = [f"{item.alias}.{'id' if item.table else 'n'}" for item in items]
    rng.shuffle(keys)
    if labelled:
        keys.insert(0, rng.choice(("1", "label", "label")))
    return ", ".join(f"{key}{rng.choice(('', ' DESC', ' NULLS FIRST', ' DESC NULLS LAST'))}" for key in keys)


def random_read(rng: random.Random) -> Read:
    """A random locking read of up to three items of FROM."""
    items = [_item(rng, n) for n in range(rng.choice((1, 2, 2, 2, 3)))]
    tables, conditions = _joined(rng, items)
    for item in items:
        if item.table and rng.random() < 0.4:
            test = rng.choice(("id < 7", "id = 4", "id IN (2, 4, 5)", "id IS NOT NULL", "id > (SELECT 3)"))
            conditions.append(f"{item.alias}.{test}")
    labelled = rng.random() < 0.5
    names = ", ".join(f"{item.alias}.{item.column}" for item in items)
    listed = f"-{items[0].alias}.{items[0].column} AS label, {rng.choice(('*', names))}" if labelled else "*"
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    clauses, locked = _locks(rng, items)
    order = f" ORDER BY {_order(rng, items, labelled)}" if rng.random() < 0.6 else ""
    limit = ""
    if order and rng.random() < 0.6:
        limit = rng.choice(
            (" LIMIT 2", " LIMIT 1 OFFSET 1", " FETCH FIRST 3 ROWS ONLY", " OFFSET 2", " LIMIT ALL")
        )
        limit = " FETCH FIRST 2 ROWS WITH TIES" if "SKIP" not in clauses and rng.random() < 0.1 else limit
    sql = f"SELECT {listed} FROM {tables}{where}{order}{limit} {clauses}"
    if rng.random() < 0.15:
        sql = f"WITH q AS ({sql}) SELECT count(*) FROM q"
    elif rng.random() < 0.1:
        sql = f"({sql})"
    operations = dict[str, set[str]]()
    for item in items:
        if item.table and item.alias in locked:
            operations.setdefault(item.table, set()).update(_OPERATIONS[locked[item.alias]])
    return Read(
        sql,
        bool(order) and "WITH q" not in sql,
        operations,
        "OFFSET" in limit or "TIES" in limit,
        any(item.is_query for item in items),
    )


def _quoted(table: str, suffix: str) -> str:
    return f'{table[:-1]}{suffix}"' if table.endswith('"') else table + suffix


def difference(pair: Pair, seed: int) -> str | None:
    """A random locking read whose answer or locks are not those of plain PostgreSQL; None if they are."""
    read = random_read(random.Random(seed))
    pair.both("BEGIN")
    here = answer(pair.here, rewrite(read.sql), ordered=read.ordered)
    plain = answer(pair.plain, read.sql, ordered=read.ordered)
    wrong = [f"stand-in: {here}", f"plain: {plain}"] if here != plain else []
    if here[0] != "error" and not wrong:
        for table in NAMES:
            wrong += _wrong_locks(pair, read, table)
    pair.both("ROLLBACK")
    return "\n".join((read.sql, rewrite(read.sql), *wrong)) if wrong else None


def _wrong_locks(pair: Pair, read: Read, table: str) -> list[str]:
    mine = "__xid = pg_current_xact_id_if_assigned()"
    rows = pair.here.execute(
        f"SELECT id, __op FROM {_quoted(table, '__writes')} WHERE {mine}".encode()
    ).fetchall()
    other = "xmax::text = pg_current_xact_id_if_assigned()::text"
    theirs = {
        number
        for (number,) in pair.plain.execute(f"SELECT id FROM {table} WHERE {other}".encode()).fetchall()
    }
    ours = {number for number, _ in rows}
    wrong = ours - theirs if read.locks_less else ours ^ theirs
    if read.locks_otherwise:
        wrong = set()
    wrong |= {number for number, operation in rows if operation not in read.operations.get(table, ())}
    return [f"{table}: {sorted(wrong)} of {rows}, PostgreSQL: {sorted(theirs)}"] if wrong else []
