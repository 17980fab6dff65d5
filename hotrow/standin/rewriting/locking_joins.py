"""Locks the rows of joins: FROM stays as it is, and the functions are called where the rows are ordered.

PostgreSQL computes ORDER BY once for each row that the query returns, and does not show it. With LIMIT, a
window function counts the rows in the client's order, and only those within the limit are locked.
"""

from __future__ import annotations

from hotrow.standin.rewriting.from_clause import FromClause, Kind
from hotrow.standin.rewriting.locking_clauses import LIMITS, Select
from hotrow.standin.rewriting.select_list import order_by
from hotrow.standin.rewriting.sql_text import splice, suffixed

_WORDS = {"__for_update": "FOR UPDATE", "__for_key_share": "FOR KEY SHARE"}


def lock_join(select: Select, clause: FromClause, locked: dict[int, str], mark: str) -> tuple[str, str]:
    """FROM and everything after it without the locking clauses; and what must replace the mark in it.

    A query in FROM gets a locking clause of its own.
    """
    statement = select.statement
    calls = []
    for n, suffix in sorted(locked.items()):
        source = clause.sources[n]
        if source.kind == Kind.TABLE:
            name = suffixed(statement.source(source.start, source.end), suffix)
            calls.append(f"{name}({statement[source.alias].text}.*)")
    check = _check(select, clause, locked)
    tables = _tables(select, clause, locked)
    parts = [
        tables,
        *select.texts("WHERE"),
        *_order(select, clause, " AND ".join(calls), mark if check else ""),
    ]
    return " ".join(parts), check


def _tables(select: Select, clause: FromClause, locked: dict[int, str]) -> str:
    """FROM, with the locking clause inside each query that is locked."""
    statement = select.statement
    start, end = select.clause("FROM")
    base = statement[start].start
    edits = []
    for n, suffix in locked.items():
        source = clause.sources[n]
        if source.kind == Kind.QUERY:
            position = statement[source.end - 1].end - base
            edits.append((position, position, f" {_WORDS[suffix]}"))
    return splice(statement.source(start, end), edits)


def _check(select: Select, clause: FromClause, locked: dict[int, str]) -> str:
    """A value for which PostgreSQL plans the locking of what an outer join may not have, and refuses it.

    Only PostgreSQL knows which outer joins are inner joins in truth. LIMIT 0: no row is read or locked.
    """
    statement = select.statement
    names = [statement[clause.sources[n].alias].text for n in locked if clause.sources[n].nullable]
    if not names:
        return ""
    query = " ".join(select.texts("FROM", "WHERE"))
    locks = " ".join(
        f"{_WORDS[suffix]} OF {statement[clause.sources[n].alias].text}"
        for n, suffix in locked.items()
        if clause.sources[n].nullable
    )
    return f"EXISTS (SELECT {query} LIMIT 0 {locks})"


def _order(select: Select, clause: FromClause, calls: str, mark: str) -> list[str]:
    """ORDER BY with the calls, and LIMIT."""
    limits = select.texts(*LIMITS)
    if not calls and not mark:
        return [*select.texts("ORDER"), *limits]
    if calls and limits and (within := _within(select)):
        counted, condition = within
        order = order_by(select, clause) if select.has("ORDER") else ""
        window = f"WINDOW __w AS ({order})"
        also = f", {mark}" if mark else ""
        return [window, f"ORDER BY {counted} OVER __w, CASE WHEN {condition} THEN {calls} END{also}", *limits]
    orders = [*select.texts("ORDER"), *([f"({calls})"] if calls else []), *([mark] if mark else [])]
    by = "" if select.has("ORDER") else "ORDER BY "
    # OFFSET keeps the order in EXISTS (…), which would else not call the functions
    return [f"{by}{', '.join(orders)}", *(limits or ["OFFSET 0"])]


def _within(select: Select) -> tuple[str, str]:
    """A window function that counts the rows, and a condition on it for those within LIMIT and OFFSET."""
    statement = select.statement
    limit = offset = ""
    counted = "row_number()"
    for word, start, end in select.clauses:
        if word == "LIMIT":
            limit = "" if statement[start + 1].word in {"ALL", "NULL"} else statement.source(start + 1, end)
        elif word == "OFFSET":
            offset = statement.source(start + 1, end - (statement[end - 1].word in {"ROW", "ROWS"}))
        elif word == "FETCH":
            ties = statement.at(end - 2, "WITH", "TIES")
            limit = statement.source(start + 2, end - (3 if ties else 2)) or "1"
            counted = "rank()" if ties else counted
    skipped = f"COALESCE(({offset})::bigint, 0)" if offset else "0"
    conditions = []
    if offset and counted == "row_number()":
        conditions.append(f"{counted} OVER __w > {skipped}")
    if limit:
        conditions.append(f"COALESCE({counted} OVER __w - {skipped} <= ({limit})::bigint, true)")
    return counted, " AND ".join(conditions) or "true"
