"""The select list of a locking read: what a number or a label in its ORDER BY stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hotrow.standin.rewriting.sql_text import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hotrow.standin.rewriting.from_clause import FromClause
    from hotrow.standin.rewriting.locking_clauses import Select

_DIRECTIONS = frozenset({"ASC", "DESC", "NULLS", "FIRST", "LAST"})
_BEFORE_OPERAND = frozenset(
    {
        "AND",
        "OR",
        "NOT",
        "IS",
        "LIKE",
        "ILIKE",
        "TO",
        "IN",
        "BETWEEN",
        "SYMMETRIC",
        "DISTINCT",
        "FROM",
        "COLLATE",
    }
    | {"ANY", "SOME", "ALL", "CASE", "WHEN", "THEN", "ELSE", "ZONE", "OVERLAPS", "SELECT"}
)
"""A name after one of these words is a value, not a label."""
_NO_LABELS = frozenset({"END", "NULL", "TRUE", "FALSE", "UNKNOWN", "ISNULL", "NOTNULL", "PRECISION"})
"""Words that end a value, and are never a label without AS."""


def order_by(select: Select, clause: FromClause) -> str:
    """ORDER BY with expressions instead of the numbers and labels of the select list.

    So it means the same outside of this SELECT.

    Raises:
        Refusal: a number counts columns of `*`, and a join with USING makes them.
    """
    statement = select.statement
    start, end = select.clause("ORDER")
    items = list(_items(select))
    orders = []
    for i, j in statement.items(start + 2, end):
        name, rest = statement[i], statement.source(i + 1, j)
        alone = {statement[k].word for k in range(i + 1, j)} <= _DIRECTIONS
        meant = None
        if alone and name.text.isdigit():
            meant = _by_number(select, clause, items, int(name.text))
        elif alone and name.is_name:
            meant = _by_label(select, items, name.folded)
        orders.append(statement.source(i, j) if meant is None else f"{meant} {rest}".rstrip())
    return f"ORDER BY {', '.join(orders)}"


def _items(select: Select) -> Iterator[tuple[int, int]]:
    statement = select.statement
    end, _ = select.clause("FROM")
    return statement.items(statement.after(select.start + 1, "ALL"), end)


def _by_number(select: Select, clause: FromClause, items: list[tuple[int, int]], number: int) -> str | None:
    """The expression of the column with this number; None if there is no such column."""
    statement = select.statement
    stars = [k for k, (_, j) in enumerate(items) if statement.at(j - 1, "*")]
    if not stars or number <= stars[0]:
        if not 0 < number <= len(items):
            return None
        i, j = items[number - 1]
        return f"({statement.source(*_value(select, i, j))})"
    columns = ", ".join(f"__c{n}" for n in range(1, number + 1))
    listed = ", ".join(_expanded(select, clause, i, j) for i, j in items)
    return f"(SELECT __q.__c{number} FROM (SELECT {listed}) AS __q ({columns}))"  # noqa: S608 - the client's own text


def _expanded(select: Select, clause: FromClause, start: int, end: int) -> str:
    """An item of the list, with the tables' names before a `*` that has none."""
    statement = select.statement
    if end > start + 1 or not statement.at(start, "*"):
        return statement.source(start, end)
    if clause.merges_columns or any(source.hidden or source.alias < 0 for source in clause.sources):
        raise Refusal(
            "the stand-in takes no number in ORDER BY with LIMIT of a locking read of * of this join"
        )
    return ", ".join(f"{statement[source.alias].text}.*" for source in clause.sources)


def _by_label(select: Select, items: list[tuple[int, int]], label: str) -> str | None:
    """The expression of the column with this label; None if there is none, or if it is a table's own name."""
    statement = select.statement
    for i, j in items:
        name, (start, end) = _label(select, i, j), _value(select, i, j)
        is_column = statement.name_end(start) == end and statement[end - 1].folded == label
        if name == label and not is_column:
            return f"({statement.source(start, end)})"
    return None


def _value(select: Select, start: int, end: int) -> tuple[int, int]:
    """An item without its label."""
    statement = select.statement
    if not _has_label(select, start, end):
        return start, end
    return start, end - 2 if statement.at(end - 2, "AS") else end - 1


def _label(select: Select, start: int, end: int) -> str | None:
    """The name that PostgreSQL gives to the column, if the text shows it."""
    statement = select.statement
    if _has_label(select, start, end):
        return statement[end - 1].folded
    depth = statement[start].depth
    casts = (k for k in range(start, end) if statement[k].depth == depth and statement.at(k, ":", ":"))
    cast = next(casts, end)
    name_end = statement.name_end(start)
    is_call = statement.at(name_end, "(") and statement.close(name_end) + 1 == cast
    return statement[name_end - 1].folded if name_end > start and (name_end == cast or is_call) else None


def _has_label(select: Select, start: int, end: int) -> bool:
    """Whether the last token of an item is its label, with or without AS."""
    statement = select.statement
    before = statement[end - 2]
    if before.word == "AS":
        return end - start > 2  # noqa: PLR2004 - a value, AS and the label
    last = statement[end - 1]
    ends_value = before.is_name or before.text[-1] in ")]'\"" or before.text[-1].isdigit()
    is_value = before.word in _BEFORE_OPERAND or last.word in _NO_LABELS
    return end - start > 1 and last.is_name and ends_value and not is_value
