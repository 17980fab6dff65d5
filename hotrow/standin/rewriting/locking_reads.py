"""Replaces FOR UPDATE and FOR KEY SHARE by a function that is called for each row that the query returns."""

from __future__ import annotations

from dataclasses import dataclass

from hotrow.standin.rewriting.locking_clauses import (
    LIMITS,
    POSTGRESQL_REFUSES,
    Select,
    find_locks,
    read_select,
)
from hotrow.standin.rewriting.sql_text import Refusal, Statement, parse, splice, suffixed, unqualified

_AGGREGATES = frozenset(
    {"COUNT", "SUM", "AVG", "MIN", "MAX", "BOOL_AND", "BOOL_OR", "EVERY", "ARRAY_AGG", "STRING_AGG"}
    | {"JSON_AGG", "JSONB_AGG", "JSON_OBJECT_AGG", "JSONB_OBJECT_AGG", "STDDEV", "VARIANCE"}
)
_DIRECTIONS = frozenset({"ASC", "DESC", "NULLS", "FIRST", "LAST"})

_ONE_TABLE = "the stand-in locks the rows of one table only: FOR UPDATE of a join is not supported"


class _LeftToPostgresql(Exception):  # noqa: N818 - a result, not an error
    """PostgreSQL itself refuses this locking clause."""


@dataclass(frozen=True, slots=True)
class _Relation:
    """The one table in FROM: where its name starts and ends, and where the name is that the query uses."""

    start: int
    end: int
    alias: int


def replace_locking(statement: Statement) -> str | None:
    """The text with a function call instead of each locking clause; None if there are no locking clauses.

    Clauses that PostgreSQL itself refuses (FOR UPDATE of an aggregate) stay.

    Raises:
        Refusal: FOR SHARE or FOR NO KEY UPDATE, or a locking read of anything except one table.
    """
    current, text = statement, None
    while locks := find_locks(current):
        # the innermost first, because its replacement is part of an outer query's WHERE
        innermost = max(locks, key=lambda i: current[i].depth)
        try:
            text = _replace(read_select(current, innermost))
        except _LeftToPostgresql:
            return None
        if len(locks) == 1:
            break  # cutting the text again would take longer than everything else
        (current,) = parse(text)
    return text


def _replace(select: Select) -> str:
    """The statement with this SELECT's locking clause replaced.

    Raises:
        Refusal: it reads anything except one table, or its ORDER BY cannot go into a subquery.
        _LeftToPostgresql: PostgreSQL itself refuses it.
    """
    _check_shape(select)
    relation = _relation(select)
    _check_locked_name(select, relation)
    _check_order(select)
    statement = select.statement
    start, _ = select.clause("FROM")
    name = statement.tokens[relation.start : relation.end]
    edits = unqualified(statement, select.start, start, name)
    _, _, end = select.clauses[-1]
    text = " ".join([_source(select, relation), *_outer_order(select, relation)])
    return statement.edited([*edits, (statement[start].start, statement[end - 1].end, text)])


def _source(select: Select, relation: _Relation) -> str:
    """FROM with the query in it.

    OFFSET is an optimisation fence: the function never gets rows that are left out.
    """
    statement = select.statement
    name = statement.source(relation.start, relation.end)
    alias = statement[relation.alias].text
    limits = select.texts(*LIMITS)
    parts = [
        # COALESCE keeps the row's own type, whatever a type of that name is elsewhere
        f"SELECT COALESCE({alias}.*) AS __row",
        *select.texts("FROM", "WHERE"),
        *(select.texts("ORDER") if limits else []),
        *limits,
        *([] if select.has("OFFSET") else ["OFFSET 0"]),
    ]
    locks_row = f"{suffixed(name, select.lock[2])}(__l.__row)"
    query = " ".join(parts)
    return f"FROM (SELECT (__l.__row).* FROM ({query}) AS __l WHERE {locks_row}) AS {alias}"  # noqa: S608 - the client's own text


def _outer_order(select: Select, relation: _Relation) -> list[str]:
    if not select.has("ORDER"):
        return []
    start, end = select.clause("ORDER")
    statement = select.statement
    base = statement[start].start
    name = statement.tokens[relation.start : relation.end]
    edits = [(i - base, j - base, new) for i, j, new in unqualified(statement, start, end, name)]
    return [splice(statement.source(start, end), edits)]


def _check_shape(select: Select) -> None:
    statement, start = select.statement, select.start
    before = start - 2 if statement[start - 1].word in {"ALL", "DISTINCT"} else start - 1
    in_set = statement[before].word in {"UNION", "INTERSECT", "EXCEPT"}
    if in_set or select.has(*POSTGRESQL_REFUSES) or _computes(select):
        raise _LeftToPostgresql
    words = [word for word, _, _ in select.clauses]
    if words.count("FOR") > 1 or words.count("FROM") > 1:
        raise Refusal(_ONE_TABLE)


def _computes(select: Select) -> bool:
    """Whether the result's rows are not the table's: DISTINCT, an aggregate or a window function."""
    statement = select.statement
    i = select.start + 1
    if statement.at(i, "DISTINCT"):
        return True
    end, _ = select.clause("FROM")
    while i < end:
        if statement.at(i, "(") and statement[i + 1].word in {"SELECT", "WITH", "VALUES"}:
            i = statement.close(i)
        called = statement.at(i + 1, "(") and statement[i].word in _AGGREGATES
        if called or statement.at(i, ")", "OVER"):
            return True
        i += 1
    return False


def _relation(select: Select) -> _Relation:
    """The one table in FROM.

    Raises:
        Refusal: FROM has anything else.
    """
    statement = select.statement
    start, stop = select.clause("FROM")
    start = statement.after(start + 1, "ONLY")
    end = statement.name_end(start)
    alias = end - 1
    i = statement.after(end, "*")
    if i < stop:
        alias = statement.after(i, "AS")
        i = alias + 1
        if statement.at(i, "("):
            i = statement.close(i) + 1
    if not start < end or i != stop or not statement[alias].is_name or _is_query(select, start, end):
        raise Refusal(_ONE_TABLE)
    return _Relation(start, end, alias)


def _is_query(select: Select, start: int, end: int) -> bool:
    """Whether the name is the name of a WITH query of the statement."""
    statement = select.statement
    name = statement[start].folded
    return end == start + 1 and any(
        token.is_name and token.folded == name and _defines_query(statement, i)
        for i, token in enumerate(statement.tokens)
    )


def _defines_query(statement: Statement, index: int) -> bool:
    """Whether this token names a WITH query: `name [(columns)] AS [NOT] [MATERIALIZED] (SELECT …`."""
    if statement[index - 1].word not in {"WITH", "RECURSIVE", ","}:
        return False
    after = statement.close(index + 1) + 1 if statement.at(index + 1, "(") else index + 1
    body = statement.after(statement.after(statement.after(after, "AS"), "NOT"), "MATERIALIZED")
    return statement.at(after, "AS") and statement.at(body, "(")


def _check_locked_name(select: Select, relation: _Relation) -> None:
    """Leave FOR UPDATE OF any other name to PostgreSQL, which reports that the relation does not exist."""
    statement = select.statement
    _, i, _ = select.lock
    if statement.at(i, "OF"):
        known = statement[i + 1].folded == statement[relation.alias].folded
        if not known or statement[i + 2].word in {",", "."}:
            raise _LeftToPostgresql


def _check_order(select: Select) -> None:
    """Check that ORDER BY means the same in the subquery, to which it moves with LIMIT or OFFSET.

    Raises:
        Refusal: it orders by a number, or by the name of a computed column of the select list.
    """
    if not (select.has("ORDER") and select.has(*LIMITS)):
        return
    start, end = select.clause("ORDER")
    computed = _computed_names(select)
    for i, j in select.statement.items(start + 2, end):
        rest = {select.statement[k].word for k in range(i + 1, j)}
        first = select.statement[i]
        by_output = first.text.isdigit() or (first.is_name and first.folded in computed)
        if by_output and rest <= _DIRECTIONS:
            raise Refusal("the stand-in takes columns of the table in ORDER BY of a locking read with LIMIT")


def _computed_names(select: Select) -> set[str]:
    """The names of columns in the select list that are not the table's columns of that name."""
    statement = select.statement
    end, _ = select.clause("FROM")
    names: set[str] = set()
    for i, j in statement.items(select.start + 1, end):
        name_end = statement.name_end(i)
        same_name = statement[name_end - 1].folded == statement[j - 1].folded
        if _is_label(statement, i, j) and not (name_end > i and same_name):
            names.add(statement[j - 1].folded)
    return names


def _is_label(statement: Statement, start: int, end: int) -> bool:
    """Whether the last token of an item in the select list is its label, with or without AS."""
    before = statement[end - 2]
    ends_value = before.is_name or before.text[-1] in ")]'\"" or before.text[-1].isdigit()
    return end - start > 1 and statement[end - 1].is_name and ends_value
