"""The note that is kept of an error besides its SQLSTATE: message, statement and line in the scenario.

A note holds no parameter values. DETAIL, HINT and CONTEXT of an error are never read, and quoted values in a
message or a statement are masked.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hotrow.errors import line_in

if TYPE_CHECKING:
    from hotrow.scenario import Scenario

MAX_CHARACTERS = 300
"""The length at which a message or a statement is cut off."""
_MAX_CHARACTERS_READ = 10_000
"""How many characters of a message or a statement are read."""
_MASK = "…"
_LITERAL = re.compile(r"'(?:[^'\\]|\\.|'')*(?:'|\Z)|(\$\w*\$).*?(?:\1|\Z)", re.DOTALL)
"""A string in SQL, even if it is cut off. A backslash keeps it open: too much is masked, never too little."""
_QUOTED = re.compile(r'"[^"]*"')
_QUOTED_LITERAL = re.compile(r'"\'[^"]*"')
_PASSWORD = re.compile(r"(://[^\s:/@]*):[^\s/@]*@|((?i:password|token)\s*[=:]\s*)\S+")
_DATA_EXCEPTION = "22"
"""The SQLSTATE class whose messages quote the value that was not accepted."""
ABORTED = "COMMIT was answered with ROLLBACK: an earlier statement of the transaction had failed"


@dataclass(frozen=True, slots=True)
class ErrorNote:
    """One error, for a person to read."""

    message: str
    """The server's primary message; for an exception of the client its type and first line."""
    statement: str | None
    """The last statement that was sent, with its placeholders; None if no statement was sent."""
    place: str | None
    """`mine.py:34`, the last line of the scenario's file that the error passed; None if it passed none."""


def note_of(
    error: Exception, sqlstate: str | None, message: str, statement: str | None, scenario: Scenario
) -> ErrorNote:
    """The note of an error that ended an attempt of this scenario.

    `sqlstate` is None for an error of the client; `message` is the primary message.
    """
    text = message if sqlstate else f"{type(error).__name__}: {message}"
    return ErrorNote(
        message=masked_message(text, sqlstate or ""),
        statement=None if statement is None else masked_statement(statement),
        place=_place(scenario, error),
    )


def masked_message(message: str, sqlstate: str) -> str:
    """The first line of a message, with quoted values masked.

    Names of tables and constraints stay. PostgreSQL puts them in double quotes too, except in class 22 (data
    exceptions), where the quotes hold data.
    """
    line = next(iter(message.strip()[:_MAX_CHARACTERS_READ].splitlines()), "")
    if sqlstate.startswith(_DATA_EXCEPTION):
        line = _QUOTED.sub(f'"{_MASK}"', line)
    line = _QUOTED_LITERAL.sub(f'"{_MASK}"', line)
    line = _PASSWORD.sub(lambda match: f"{match[1]}:{_MASK}@" if match[1] else f"{match[2]}{_MASK}", line)
    return _cut(line)


def masked_statement(statement: str) -> str:
    """A statement in one line, with strings masked; placeholders such as `$1` stay."""
    return _cut(" ".join(_LITERAL.sub(f"'{_MASK}'", statement[:_MAX_CHARACTERS_READ]).split()))


def _cut(text: str) -> str:
    return text if len(text) <= MAX_CHARACTERS else f"{text[:MAX_CHARACTERS]}…"


def _place(scenario: Scenario, error: Exception) -> str | None:
    file = getattr(sys.modules.get(type(scenario).__module__), "__file__", None)
    line = None if file is None else line_in(file, error)
    return None if line is None else f"{Path(str(file)).name}:{line}"
