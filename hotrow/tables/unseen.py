"""Effects that a rehearsal cannot observe, because no statement of a transaction shows them.

They are recognised in the texts of statements. No catalogue is queried.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hotrow.standin.rewriting.sql_text import NotUnderstood, Statement, parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_CREATES = re.compile(r"\b(?:CREATE|REFERENCES)\b", re.IGNORECASE)
"""Only statements with these words are parsed, because the others may be a very large number of rows."""
_ROUTINES = ("FUNCTION", "PROCEDURE")
_REACTIONS = ("TRIGGER", "RULE")
_CASCADES = (("CASCADE",), ("SET", "NULL"), ("SET", "DEFAULT"))
_LOCKS = ("pg_advisory_", "pg_try_advisory_")
"""The beginnings of the names of functions that lock something other than a row."""


def routines(texts: Iterable[str]) -> frozenset[str]:
    """The names of the functions and procedures that these statements create."""
    return frozenset(filter(None, (_routine(statement) for statement in _statements(_creating(texts)))))


def reacting(texts: Iterable[str]) -> list[str]:
    """The statements that make other rows change together with a row: triggers, rules, cascading keys."""
    return [text for text in _creating(texts) if any(_reacts(statement) for statement in _statements([text]))]


def calls_any(text: str, names: frozenset[str]) -> bool:
    """Whether the statement calls one of these functions, or one that takes an advisory lock."""
    return any(
        statement.at(position + 1, "(") and (token.folded in names or token.folded.startswith(_LOCKS))
        for statement in _statements([text])
        for position, token in enumerate(statement.tokens)
    )


def _creating(texts: Iterable[str]) -> Iterator[str]:
    return filter(_CREATES.search, texts)


def _statements(texts: Iterable[str]) -> Iterator[Statement]:
    """The statements that can be parsed."""
    for text in texts:
        try:
            yield from parse(text)
        except NotUnderstood:
            continue


def _object_type_index(statement: Statement) -> int:
    """The index of the type of object that a CREATE statement creates."""
    position = statement.after(0, "CREATE")
    return statement.after_any(statement.after(position, "OR", "REPLACE"), "CONSTRAINT")


def _routine(statement: Statement) -> str:
    position = _object_type_index(statement)
    if not statement.at(0, "CREATE") or statement[position].word not in _ROUTINES:
        return ""
    return statement[statement.name_end(position + 1) - 1].folded


def _reacts(statement: Statement) -> bool:
    if statement.at(0, "CREATE") and statement[_object_type_index(statement)].word in _REACTIONS:
        return True
    refers = statement.find("REFERENCES") is not None
    return refers and any(
        statement.at(position, "ON") and any(statement.at(position + 2, *words) for words in _CASCADES)
        for position in range(len(statement.tokens))
    )
