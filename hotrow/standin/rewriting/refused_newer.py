"""Refuses what PostgreSQL 17 and 18 have and 16 has not, as Aurora DSQL does, which is compatible with 16."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hotrow.standin.rewriting.sql_text import Refusal, Statement

if TYPE_CHECKING:
    from collections.abc import Iterator

_HINT = "Aurora DSQL is compatible with PostgreSQL 16, which has not got this."
_JSON_FUNCTIONS = frozenset(
    {"JSON_EXISTS", "JSON_QUERY", "JSON_VALUE", "JSON_SCALAR", "JSON_SERIALIZE", "JSON_TABLE"}
)


def check_newer(statement: Statement) -> None:
    """Check that PostgreSQL 16 understands the statement, as far as its words show it.

    Raises:
        Refusal: it does not. The code and the message are PostgreSQL 16's own.
    """
    first = statement[0].word
    if first in {"CREATE", "ALTER"}:
        _check_ddl(statement)
    _check_returning(statement)
    _check_merge(statement)
    for i, token in enumerate(statement.tokens):
        if token.word in _JSON_FUNCTIONS and statement.at(i + 1, "(") and not statement.at(i - 1, "."):
            raise _unknown_function(statement, i)


def _syntax_error(statement: Statement, index: int) -> Refusal:
    where = f'at or near "{statement[index].text}"' if index < len(statement.tokens) else "at end of input"
    return Refusal(f"syntax error {where}", sqlstate="42601", hint=_HINT)


def _unknown_function(statement: Statement, index: int) -> Refusal:
    columns = statement.find("COLUMNS", start=index)
    if statement.at(index, "JSON_TABLE") and columns is not None:
        return _syntax_error(statement, columns)
    name = statement[index].text.lower()
    return Refusal(f"function {name} does not exist", sqlstate="42883", hint=_HINT)


def _check_returning(statement: Statement) -> None:
    """RETURNING of old and new values. A table that is called so is no such thing."""
    for returning in _all(statement, "RETURNING"):
        if statement.at(returning + 1, "WITH", "("):
            raise _syntax_error(statement, returning + 1)
        depth = statement[returning].depth
        for i in range(returning + 1, len(statement.tokens)):
            token = statement[i]
            if token.depth < depth:
                break
            if token.folded in {"old", "new"} and statement.at(i + 1, ".") and not statement.at(i - 1, "."):
                _check_alias(statement, returning, token.folded)


def _check_alias(statement: Statement, returning: int, name: str) -> None:
    named = (
        i for i in range(returning) if statement[i].folded == name and not statement.at(i + 1, ".")
    )  # a table or an alias
    if next(named, None) is None:
        raise Refusal(f'missing FROM-clause entry for table "{name}"', sqlstate="42P01", hint=_HINT)


def _check_merge(statement: Statement) -> None:
    """MERGE with RETURNING, or with rows that the source does not have. A MERGE with neither is accepted."""
    for merge in _all(statement, "MERGE"):
        if not statement.at(merge + 1, "INTO") and merge > 0:
            continue
        if matched := statement.find("MATCHED", "BY", start=merge):
            raise _syntax_error(statement, matched + 1)
        returning = statement.find("RETURNING", start=merge, depth=statement[merge].depth)
        if returning is not None:
            raise _syntax_error(statement, returning)


def _check_ddl(statement: Statement) -> None:
    """Virtual generated columns, temporal keys, and constraints that are not enforced or not null."""
    for words in (("WITHOUT", "OVERLAPS"), ("NOT", "ENFORCED")):
        for i in _all(statement, *words):
            raise _syntax_error(statement, i if words[0] == "WITHOUT" else i + 1)
    if statement[0].word == "ALTER" and (expression := statement.find("SET", "EXPRESSION", depth=0)):
        raise _syntax_error(statement, expression + 1)
    for i in _all(statement, "GENERATED", "ALWAYS", "AS", "("):
        after = statement.close(i + 3) + 1
        if not statement.at(after, "STORED"):
            raise _syntax_error(statement, after)


def _all(statement: Statement, *words: str) -> Iterator[int]:
    """All indexes of these words."""
    return (i for i in range(len(statement.tokens)) if statement.at(i, *words))
