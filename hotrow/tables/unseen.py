"""What a rehearsal cannot see: effects that no statement of a transaction shows.

As the rows, they are told from the texts of statements: no catalogue is asked.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hotrow.standin.rewriting.sql_text import NotUnderstood, Statement, parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_MAKES = re.compile(r"\b(?:CREATE|REFERENCES)\b", re.IGNORECASE)
"""What is looked at closer: the rest of a scenario's statements may be very many rows."""
_ROUTINES = ("FUNCTION", "PROCEDURE")
_REACTIONS = ("TRIGGER", "RULE")
_CASCADES = (("CASCADE",), ("SET", "NULL"), ("SET", "DEFAULT"))
_LOCKS = ("pg_advisory_", "pg_try_advisory_")
"""How the names of functions begin that lock what is no row."""


def routines(texts: Iterable[str]) -> frozenset[str]:
    """The names of functions and procedures that these statements make."""
    return frozenset(filter(None, (_routine(statement) for statement in _statements(_making(texts)))))


def reacting(texts: Iterable[str]) -> list[str]:
    """Those of the statements that make other rows change with a row: triggers, rules, cascading keys."""
    return [text for text in _making(texts) if any(_reacts(statement) for statement in _statements([text]))]


def calls_any(text: str, names: frozenset[str]) -> bool:
    """Whether the statement calls one of these functions, or one that takes an advisory lock."""
    return any(
        statement.at(place + 1, "(") and (token.folded in names or token.folded.startswith(_LOCKS))
        for statement in _statements([text])
        for place, token in enumerate(statement.tokens)
    )


def _making(texts: Iterable[str]) -> Iterator[str]:
    return filter(_MAKES.search, texts)


def _statements(texts: Iterable[str]) -> Iterator[Statement]:
    """What can be read of them."""
    for text in texts:
        try:
            yield from parse(text)
        except NotUnderstood:
            continue


def _made(statement: Statement) -> int:
    """Where the word stands for what is made, if the statement makes something."""
    place = statement.after(0, "CREATE")
    return statement.after_any(statement.after(place, "OR", "REPLACE"), "CONSTRAINT")


def _routine(statement: Statement) -> str:
    place = _made(statement)
    if not statement.at(0, "CREATE") or statement[place].word not in _ROUTINES:
        return ""
    return statement[statement.name_end(place + 1) - 1].folded


def _reacts(statement: Statement) -> bool:
    if statement.at(0, "CREATE") and statement[_made(statement)].word in _REACTIONS:
        return True
    refers = statement.find("REFERENCES") is not None
    return refers and any(
        statement.at(place, "ON") and any(statement.at(place + 2, *words) for words in _CASCADES)
        for place in range(len(statement.tokens))
    )
