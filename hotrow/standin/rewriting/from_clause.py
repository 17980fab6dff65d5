"""Reads the FROM clause of a SELECT: its tables, queries and functions, and which of them may be null."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto

from hotrow.standin.rewriting.sql_text import Refusal, Statement

_QUERY_WORDS = frozenset({"SELECT", "WITH", "VALUES", "TABLE"})
_AFTER_ITEM = frozenset(
    {"WHERE", "GROUP", "HAVING", "WINDOW", "UNION", "INTERSECT", "EXCEPT"}
    | {"ORDER", "LIMIT", "OFFSET", "FETCH", "FOR"}
)
_NO_ALIAS = _AFTER_ITEM | frozenset(
    {"JOIN", "INNER", "LEFT", "RIGHT", "FULL", "CROSS", "NATURAL", "ON", "USING", "TABLESAMPLE", "WITH"}
)
_SIDES = ("INNER", "LEFT", "RIGHT", "FULL")


class Kind(Enum):
    """What an item of FROM is, as far as locks matter."""

    TABLE = auto()
    """A table, or a view."""
    QUERY = auto()
    """A SELECT in parentheses."""
    OTHER = auto()
    """A function, VALUES, or the name of a WITH query. It has no rows to lock."""


@dataclass(frozen=True, slots=True)
class Source:
    """An item of FROM. The positions are indexes of tokens."""

    kind: Kind
    start: int
    """Where the table's name starts, or the text inside the parentheses."""
    end: int
    alias: int
    """The name that the query uses; -1 if there is none."""
    plain: bool = True
    """Whether it has nothing else: no names for its columns, no TABLESAMPLE."""
    nullable: bool = False
    """Whether an outer join may have no row of it."""
    hidden: bool = False
    """Whether it is inside a join that has an alias, so that its own name cannot be used."""


@dataclass(frozen=True, slots=True)
class FromClause:
    """The items of a FROM clause, and whether a join has USING or is NATURAL."""

    sources: tuple[Source, ...]
    merges_columns: bool


def read_from(statement: Statement, start: int, end: int) -> FromClause:
    """The items of the FROM clause between these tokens; `start` is the token FROM.

    Raises:
        Refusal: the clause cannot be read.
    """
    sources: list[Source] = []
    i = start
    while i == start or statement.at(i, ","):
        found, i = _table(statement, i + 1)
        sources += found
    if i != end or not sources:
        raise Refusal("the stand-in cannot read the FROM clause of this locking read")
    merges = any(
        statement.at(k, "NATURAL") or (statement.at(k, "USING") and statement.at(k + 1, "("))
        for k in range(start, end)
    )
    return FromClause(tuple(sources), merges)


def _table(statement: Statement, index: int) -> tuple[list[Source], int]:
    """One item with everything that is joined to it, and the index after it."""
    left, i = _item(statement, index)
    while (join := _join(statement, i)) is not None:
        side, needs_condition, i = join
        right, i = _table(statement, i) if needs_condition else _item(statement, i)
        if needs_condition:
            i = _condition_end(statement, i)
        left = _outer(left, side in {"RIGHT", "FULL"}) + _outer(right, side in {"LEFT", "FULL"})
    return left, i


def _outer(sources: list[Source], nullable: bool) -> list[Source]:
    return [replace(source, nullable=True) for source in sources] if nullable else sources


def _join(statement: Statement, index: int) -> tuple[str, bool, int] | None:
    """A join that starts here: its side, whether ON or USING follows, and the index after JOIN."""
    bare = statement.after_any(index, "NATURAL", "CROSS")
    side = statement[bare].word if statement[bare].word in _SIDES else "INNER"
    i = statement.after(statement.after_any(bare, *_SIDES), "OUTER")
    return (side, bare == index, i + 1) if statement.at(i, "JOIN") else None


def _condition_end(statement: Statement, index: int) -> int:
    """The index after ON … or USING (…) [AS name]."""
    if statement.at(index, "USING"):
        end = statement.close(index + 1) + 1
        return end + 2 if statement.at(end, "AS") else end
    if not statement.at(index, "ON"):
        return index
    depth = statement[index].depth
    i = index + 1
    while i < len(statement.tokens) and statement[i].depth >= depth:
        if statement[i].depth == depth and _ends_condition(statement, i):
            break
        i += 1
    return i


def _ends_condition(statement: Statement, index: int) -> bool:
    return statement[index].word in _AFTER_ITEM | {",", "ON", "USING"} or _join(statement, index) is not None


def _item(statement: Statement, index: int) -> tuple[list[Source], int]:
    """A table, a query, a function or a join in parentheses; and the index after it."""
    i = statement.after(index, "LATERAL")
    if statement.at(i, "(") and not is_query(statement, i):
        inside, end = _table(statement, i + 1)
        if end != statement.close(i):
            return [], -1
        alias, end, _ = _alias(statement, end + 1)
        return [replace(source, hidden=alias >= 0) for source in inside], end
    if statement.at(i, "("):
        close = statement.close(i)
        kind = Kind.OTHER if statement.at(i + 1, "VALUES") else Kind.QUERY
        alias, end, _ = _alias(statement, close + 1)
        return [Source(kind, i + 1, close, alias)], end
    if statement.at(i, "ROWS", "FROM", "("):
        return _function(statement, i, i + 2)
    start = statement.after(i, "ONLY")
    parenthesis = int(statement.at(start, "(") and start > i)
    start += parenthesis
    end = statement.name_end(start)
    if statement.at(end, "("):
        return _function(statement, start, end)
    return _named(statement, start, end, end + parenthesis) if end > start else ([], -1)


def _named(statement: Statement, start: int, end: int, after: int) -> tuple[list[Source], int]:
    """A table: its name is between `start` and `end`, and its alias may start at `after`."""
    alias, i, has_columns = _alias(statement, statement.after(after, "*"))
    plain = not has_columns
    if statement.at(i, "TABLESAMPLE"):
        plain = False
        i = statement.close(statement.name_end(i + 1)) + 1
        i = statement.close(i + 1) + 1 if statement.at(i, "REPEATABLE") else i
    kind = Kind.OTHER if end == start + 1 and _names_query(statement, start) else Kind.TABLE
    return [Source(kind, start, end, alias if alias >= 0 else end - 1, plain)], i


def _function(statement: Statement, start: int, opening: int) -> tuple[list[Source], int]:
    end = statement.close(opening) + 1
    alias, i, _ = _alias(statement, statement.after(end, "WITH", "ORDINALITY"))
    return [Source(Kind.OTHER, start, end, alias if alias >= 0 else opening - 1)], i


def _alias(statement: Statement, index: int) -> tuple[int, int, bool]:
    """The alias that starts here (-1 if there is none), the index after it, and whether it names columns."""
    alias = statement.after(index, "AS")
    if alias > index and statement.at(alias, "("):  # the columns of a function
        return -1, statement.close(alias) + 1, True
    if not statement[alias].is_name or (alias == index and statement[alias].word in _NO_ALIAS):
        return -1, index, False
    if statement.at(alias + 1, "("):
        return alias, statement.close(alias + 1) + 1, True
    return alias, alias + 1, False


def is_query(statement: Statement, opening: int) -> bool:
    """Whether a query is in these parentheses, not a join."""
    if statement[opening + 1].word in _QUERY_WORDS:
        return True
    if not (statement.at(opening + 1, "(") and is_query(statement, opening + 1)):
        return False
    return statement[statement.close(opening + 1) + 1].word in _AFTER_ITEM | {")"}


def _names_query(statement: Statement, index: int) -> bool:
    """Whether this name is the name of a WITH query here."""
    name = statement[index].folded
    return any(
        token.is_name and token.folded == name and _is_visible(statement, i, index)
        for i, token in enumerate(statement.tokens[:index])
    )


def _is_visible(statement: Statement, definition: int, index: int) -> bool:
    """Whether `name [(columns)] AS … (…` at one token defines a WITH query that can be used at the other."""
    if statement[definition - 1].word not in {"WITH", "RECURSIVE", ","}:
        return False
    i = definition + 1
    after = statement.close(i) + 1 if statement.at(i, "(") else i
    body = statement.after(statement.after(statement.after(after, "AS"), "NOT"), "MATERIALIZED")
    if not (statement.at(after, "AS") and statement.at(body, "(")):
        return False
    depth = statement[definition].depth
    if any(statement[k].depth < depth for k in range(definition, index)):
        return False  # the query with this WITH has ended
    return not body < index < statement.close(body) or _is_recursive(statement, definition)


def _is_recursive(statement: Statement, definition: int) -> bool:
    depth = statement[definition].depth
    withs = [i for i in range(definition) if statement[i].depth == depth and statement.at(i, "WITH")]
    return bool(withs) and statement.at(withs[-1] + 1, "RECURSIVE")
