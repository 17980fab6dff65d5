"""Makes a statement return the primary keys of the rows that it writes or locks.

This works on every target, because no catalogue is queried. The keys come from the CREATE TABLE texts, and
are added to the end of the statement's RETURNING list, or of the SELECT list of a locking read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hotrow.standin.rewriting.locking_clauses import find_locks, read_select
from hotrow.standin.rewriting.sql_text import NotUnderstood, Refusal, Statement, parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_VERBS = {"INSERT": "INTO", "UPDATE": "", "DELETE": "FROM"}
_NO_ALIAS = frozenset(
    {"SET", "WHERE", "USING", "RETURNING", "VALUES", "SELECT", "DEFAULT", "OVERRIDING", "WITH"}
)
_WRITES = frozenset({"INSERT", "DELETE", "MERGE", "COPY", "CALL"})
_READS = frozenset(
    {"SELECT", "WITH", "TABLE", "VALUES", "(", "SHOW", "SET", "SAVEPOINT", "RELEASE", "ROLLBACK"}
)
"""The first words of statements that write nothing, unless a later part does."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A statement with the primary keys of the rows that it touches as its last columns."""

    text: str
    table: str
    columns: int
    """The number of columns of the key."""
    inserts: bool
    skips: bool
    """Whether it may write nothing and return no row (ON CONFLICT DO NOTHING)."""
    returns: bool
    """Whether it returns rows even without the keys."""


def primary_keys(tables: Iterable[str]) -> Mapping[str, Sequence[str]]:
    """The primary key columns as written, by table name.

    `tables` are CREATE TABLE statements. Other statements and tables without a primary key are left out.
    """
    keys = {}
    for text in tables:
        try:
            statements = parse(text)
        except NotUnderstood:
            continue
        for statement in statements:
            name, columns = _primary_key(statement)
            if columns:
                keys[name] = columns
    return keys


def _primary_key(statement: Statement) -> tuple[str, Sequence[str]]:
    table, opening = statement.find("TABLE", depth=0), statement.find("(")
    if not statement.at(0, "CREATE") or table is None or opening is None:
        return "", ()
    for start, end in statement.items(opening + 1, statement.close(opening)):
        at = statement.find("PRIMARY", "KEY", start=start)
        if at is None or at >= end:
            continue
        if statement.at(at + 2, "(") and at + 2 < end:
            columns = statement.items(at + 3, statement.close(at + 2))
            return statement[opening - 1].folded, [statement[i].text for i, _ in columns]
        return statement[opening - 1].folded, [statement[start].text]
    return "", ()


def watch(text: str, keys: Mapping[str, Sequence[str]]) -> Watched | None:
    """The statement with the keys of the rows that it touches; None if it only reads.

    Raises:
        NotUnderstood: it may write or lock rows that cannot be determined.
    """
    statements = parse(text)
    if len(statements) != 1:
        raise NotUnderstood
    statement = statements[0]
    verb = _verb(statement)
    if verb is None:
        return _watch_read(statement, keys)
    words = (statement[verb].word, _VERBS[statement[verb].word])
    name = statement.after(statement.after(verb, *filter(None, words)), "ONLY")
    if statement.at(name + 1, "."):
        raise NotUnderstood  # a table in another schema
    return _watch_write(statement, verb, name, keys)


def _verb(statement: Statement) -> int | None:
    """The index of the statement's outermost INSERT, UPDATE or DELETE; None if there is none.

    Raises:
        NotUnderstood: it writes in another way: in a WITH query, SELECT INTO, MERGE, COPY, CALL, DO or DDL.
    """
    outermost = [i for i, token in enumerate(statement.tokens) if token.depth == 0]
    first = next(
        (i for i in outermost if statement[i].word in {*_VERBS, *_WRITES, "SELECT", "TABLE", "VALUES"}), None
    )
    verb = first if statement[0].word in {"WITH", *_VERBS} and first is not None else None
    if verb is not None and statement[verb].word not in _VERBS:
        verb = None
    selects_into = verb is None and statement.find("INTO", depth=0) is not None
    if selects_into or (verb is None and statement[0].word not in _READS):
        raise NotUnderstood
    if any(_writes(statement, i) for i in range(len(statement.tokens)) if i != verb):
        raise NotUnderstood
    return verb


def _writes(statement: Statement, index: int) -> bool:
    """Whether a writing statement may begin at this index: at the start, or as a WITH query."""
    word = statement[index].word
    begins = index == 0 or statement.at(index - 1, "(")
    return begins and word in _WRITES | {"UPDATE"}


def _watch_write(statement: Statement, verb: int, name: int, keys: Mapping[str, Sequence[str]]) -> Watched:
    end = statement.name_end(name)
    table = statement[end - 1].folded
    columns = _columns(keys, table, statement[_alias(statement, end)].text)
    returning = statement.find("RETURNING", start=end, depth=0)
    inserts = statement.at(verb, "INSERT")
    return Watched(
        text=f"{statement.edited([])}{' RETURNING' if returning is None else ','} {', '.join(columns)}",
        table=table,
        columns=len(columns),
        inserts=inserts,
        skips=inserts and statement.find("DO", "NOTHING", start=end, depth=0) is not None,
        returns=returning is not None,
    )


def _watch_read(statement: Statement, keys: Mapping[str, Sequence[str]]) -> Watched | None:
    try:
        locks = find_locks(statement)
    except Refusal as refusal:
        raise NotUnderstood from refusal
    if not locks:
        return None
    if len(locks) > 1 or statement[locks[0]].depth > 0 or not statement.at(0, "SELECT"):
        raise NotUnderstood
    select = read_select(statement, locks[0])
    start, stop = select.clause("FROM")
    name = statement.after(start + 1, "ONLY")
    if statement.at(name + 1, "."):
        raise NotUnderstood
    end = statement.name_end(name)
    alias = _alias(statement, end) if end < stop else end - 1
    if stop > max(end, alias + 1) or start == 1:
        raise NotUnderstood  # a join, or an empty list
    table = statement[end - 1].folded
    columns = _columns(keys, table, statement[alias].text)
    at = statement[start - 1].end
    text = statement.edited([(at, at, f", {', '.join(columns)}")])
    return Watched(text, table, len(columns), inserts=False, skips=False, returns=True)


def _alias(statement: Statement, end: int) -> int:
    """The index of the alias of the table whose name ends at `end`, or of the name without an alias."""
    if statement.at(end, "AS"):
        return end + 1
    after = statement[end]
    return end if after.is_name and after.depth == 0 and after.word not in _NO_ALIAS else end - 1


def _columns(keys: Mapping[str, Sequence[str]], table: str, alias: str) -> Sequence[str]:
    """The key columns, qualified with the alias.

    Raises:
        NotUnderstood: the key of the table is not known.
    """
    if table not in keys:
        raise NotUnderstood
    return [f"{alias}.{column}" for column in keys[table]]
