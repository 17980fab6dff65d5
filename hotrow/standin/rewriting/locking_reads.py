"""Replaces FOR UPDATE and FOR KEY SHARE by a function that is called for each row that the query returns."""

from __future__ import annotations

from hotrow.standin.rewriting.from_clause import FromClause, Kind, Source, read_from
from hotrow.standin.rewriting.locking_clauses import (
    LIMITS,
    POSTGRESQL_REFUSES,
    Select,
    find_locks,
    read_select,
    spelled_out,
)
from hotrow.standin.rewriting.locking_joins import lock_join
from hotrow.standin.rewriting.select_list import order_by
from hotrow.standin.rewriting.sql_text import Refusal, Statement, parse, splice, suffixed, unqualified

_AGGREGATES = frozenset(
    {"COUNT", "SUM", "AVG", "MIN", "MAX", "BOOL_AND", "BOOL_OR", "EVERY", "ARRAY_AGG", "STRING_AGG"}
    | {"JSON_AGG", "JSONB_AGG", "JSON_OBJECT_AGG", "JSONB_OBJECT_AGG", "STDDEV", "VARIANCE", "ANY_VALUE"}
    | {"STDDEV_POP", "STDDEV_SAMP", "VAR_POP", "VAR_SAMP", "BIT_AND", "BIT_OR", "BIT_XOR", "CORR", "MODE"}
)


class _LeftToPostgresql(Exception):  # noqa: N818 - a result, not an error
    """PostgreSQL itself refuses this locking clause."""


def replace_locking(statement: Statement) -> str | None:
    """The text with a function call instead of each locking clause; None if there are no locking clauses.

    Clauses that PostgreSQL itself refuses (FOR UPDATE of an aggregate) stay.

    Raises:
        Refusal: FOR SHARE or FOR NO KEY UPDATE, or a FROM clause that cannot be read.
    """
    current, text = statement, None
    while (plain := spelled_out(current)) is not None:
        text = plain
        (current,) = parse(text)
    checks: list[str] = []
    while locks := find_locks(current):
        # the innermost first, because its replacement is part of an outer query's WHERE
        innermost = max(locks, key=lambda i: current[i].depth)
        try:
            text, has_more = _replace(read_select(current, innermost), checks)
        except _LeftToPostgresql:
            return None
        if len(locks) == 1 and not has_more:
            break  # cutting the text again would take longer than everything else
        (current,) = parse(text)
    for n, check in enumerate(checks):
        text = (text or "").replace(_mark(n), check)
    return text


def _mark(number: int) -> str:
    """What stands for a check until the end, because the check has a locking clause for PostgreSQL.

    No client can send it.
    """
    return f"/*\0{number}*/"


def _replace(select: Select, checks: list[str]) -> tuple[str, bool]:
    """The statement with this SELECT's locking clauses replaced.

    Also whether queries in its FROM have got some instead.

    Raises:
        Refusal: its FROM clause cannot be read.
        _LeftToPostgresql: PostgreSQL itself refuses it.
    """
    _check_shape(select)
    clause = read_from(select.statement, *select.clause("FROM"))
    locked = _locked(select, clause)
    statement = select.statement
    _, _, last = select.clauses[-1]
    start, _ = select.clause("FROM")
    end = statement[last - 1].end
    source = clause.sources[0]
    if len(clause.sources) == 1 and source.kind == Kind.TABLE and source.plain and not source.hidden:
        name = statement.tokens[source.start : source.end]
        edits = unqualified(statement, select.start, start, name)
        text = " ".join([_source(select, clause, locked[0]), *_outer_order(select, source)])
        return statement.edited([*edits, (statement[start].start, end, text)]), False
    text, check = lock_join(select, clause, locked, _mark(len(checks)))
    checks += [check] if check else []
    has_more = any(clause.sources[n].kind == Kind.QUERY for n in locked)
    return statement.edited([(statement[start].start, end, text)]), has_more


def _source(select: Select, clause: FromClause, lock: str) -> str:
    """FROM with the query of one table in it.

    OFFSET is an optimisation fence: the function never gets rows that are left out.
    """
    statement, relation = select.statement, clause.sources[0]
    name = statement.source(relation.start, relation.end)
    alias = statement[relation.alias].text
    limits = select.texts(*LIMITS)
    parts = [
        # COALESCE keeps the row's own type, whatever a type of that name is elsewhere
        f"SELECT COALESCE({alias}.*) AS __row",
        *select.texts("FROM", "WHERE"),
        *([order_by(select, clause)] if limits and select.has("ORDER") else []),
        *limits,
        *([] if select.has("OFFSET") else ["OFFSET 0"]),
    ]
    locks_row = f"{suffixed(name, lock)}(__l.__row)"
    query = " ".join(parts)
    return f"FROM (SELECT (__l.__row).* FROM ({query}) AS __l WHERE {locks_row}) AS {alias}"  # noqa: S608 - the client's own text


def _outer_order(select: Select, relation: Source) -> list[str]:
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
    two_froms = [word for word, _, _ in select.clauses].count("FROM") > 1
    if in_set or two_froms or select.has(*POSTGRESQL_REFUSES) or _computes(select):
        raise _LeftToPostgresql


def _computes(select: Select) -> bool:
    """Whether the result's rows are not the tables': DISTINCT, an aggregate or a window function."""
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


def _locked(select: Select, clause: FromClause) -> dict[int, str]:
    """The sources that are locked, by number, and the suffix of the function for each: the strongest counts.

    Raises:
        _LeftToPostgresql: a name after OF is not a table's or a query's.
    """
    statement, sources = select.statement, clause.sources
    locked: dict[int, str] = {}
    for suffix, names in select.locks():
        chosen = [n for n, source in enumerate(sources) if source.kind != Kind.OTHER]
        if names:
            by_name = {statement[sources[n].alias].folded: n for n in chosen if sources[n].alias >= 0}
            if any(j > i + 1 or statement[i].folded not in by_name for i, j in names):
                raise _LeftToPostgresql
            chosen = [by_name[statement[i].folded] for i, _ in names]
        for n in chosen:
            locked[n] = max(suffix, locked.get(n, suffix))  # __for_update is the greater name
    if any(sources[n].hidden for n in locked):
        raise Refusal("the stand-in locks no rows of a join that has an alias")
    return locked
