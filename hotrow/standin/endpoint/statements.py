"""What a statement means to the transaction that it is in: read from its first word. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from hotrow.standin.rewriting.sql_text import NotUnderstood, parse


class Meaning(Enum):
    """Only what the endpoint acts upon."""

    BEGIN = "begin"
    COMMIT = "commit"
    ROLLBACK = "rollback"
    WRITE = "write"


_LEAD = re.compile(
    rb"(?:\s|--[^\n]*\n|/\*.*?\*/)*"
    rb"(?:(begin|start\s+transaction)|(commit|end)(?!\s+prepared)|(rollback|abort)(?!\s+prepared)"
    rb"|(insert|update|delete|merge))\b",
    re.IGNORECASE | re.DOTALL,
)
_MEANINGS = MappingProxyType(
    {1: Meaning.BEGIN, 2: Meaning.COMMIT, 3: Meaning.ROLLBACK, 4: Meaning.WRITE},
)


@dataclass(frozen=True, slots=True)
class Spoken:
    """One statement of a text, from where to where in its bytes."""

    meaning: Meaning | None
    start: int
    end: int


def meaning_of(statement: bytes) -> Meaning | None:
    """What one statement means."""
    found = _LEAD.match(statement)
    return _MEANINGS[found.lastindex] if found and found.lastindex else None


def read_text(text: bytes) -> tuple[Spoken, ...]:
    """The statements of a text; one that cannot be cut counts as one statement."""
    whole = (Spoken(meaning_of(text), 0, len(text)),)
    if b";" not in text.rstrip(b"; \r\n\t"):
        return whole
    try:
        statements = parse(text.decode("latin-1"))  # one character a byte: positions stay
    except NotUnderstood:
        return whole
    return tuple(Spoken(meaning_of(text[one.start : one.end]), one.start, one.end) for one in statements)
