"""What a statement does to its transaction, read from its first words. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from hotrow.standin.rewriting.sql_text import NotUnderstood, parse


class Meaning(Enum):
    """The effects on a transaction that matter to the endpoint."""

    BEGIN = "begin"
    COMMIT = "commit"
    ROLLBACK = "rollback"
    WRITE = "write"


_FIRST_WORDS = re.compile(
    rb"(?:\s|--[^\n]*\n|/\*.*?\*/)*"
    rb"(?:(begin|start\s+transaction)|(commit|end)(?!\s+prepared)|(rollback|abort)(?!\s+prepared)"
    rb"|(insert|update|delete|merge))\b",
    re.IGNORECASE | re.DOTALL,
)
_MEANINGS = MappingProxyType(
    {1: Meaning.BEGIN, 2: Meaning.COMMIT, 3: Meaning.ROLLBACK, 4: Meaning.WRITE},
)


@dataclass(frozen=True, slots=True)
class StatementSpan:
    """One statement of a text: its meaning, and where it starts and ends, in bytes."""

    meaning: Meaning | None
    start: int
    end: int


def meaning_of(statement: bytes) -> Meaning | None:
    """The meaning of one statement; None if it has none that matters."""
    match = _FIRST_WORDS.match(statement)
    return _MEANINGS[match.lastindex] if match and match.lastindex else None


def find_statements(text: bytes) -> tuple[StatementSpan, ...]:
    """The statements of a text. A text that cannot be cut into tokens counts as one statement."""
    whole = (StatementSpan(meaning_of(text), 0, len(text)),)
    if b";" not in text.rstrip(b"; \r\n\t"):
        return whole
    try:
        statements = parse(text.decode("latin-1"))  # one character per byte, so that positions stay
    except NotUnderstood:
        return whole
    return tuple(
        StatementSpan(meaning_of(text[statement.start : statement.end]), statement.start, statement.end)
        for statement in statements
    )
