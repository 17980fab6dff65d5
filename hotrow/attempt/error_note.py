"""What is kept of an error besides its SQLSTATE: the server's first message, the statement, the place. Pure.

Nothing that is kept holds a value of a parameter: DETAIL, HINT and CONTEXT of an error are never read, and
whatever a message or a statement quotes is masked.
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

MOST_CHARACTERS = 300
"""Of a message or a statement; the rest is cut off."""
_MOST_READ = 10_000
"""Characters of a statement that are looked at."""
_MASK = "…"
_LITERAL = re.compile(r"'(?:[^'\\]|\\.|'')*(?:'|\Z)|(\$\w*\$).*?(?:\1|\Z)", re.DOTALL)
"""A string of SQL, also one that is cut off. A backslash keeps it open: rather too much is masked."""
_QUOTED = re.compile(r'"[^"]*"')
_QUOTED_LITERAL = re.compile(r'"\'[^"]*"')
_PASSWORD = re.compile(r"(://[^\s:/@]*):[^\s/@]*@|((?i:password|token)\s*[=:]\s*)\S+")
_DATA_EXCEPTION = "22"
"""The class whose messages quote the value that did not fit."""
ABORTED = "COMMIT was answered with ROLLBACK: an earlier statement of the transaction had failed"


@dataclass(frozen=True, slots=True)
class ErrorNote:
    """One error as a person reads it."""

    message: str
    """The server's primary message; for an exception of the client its type and first line."""
    statement: str | None
    """The last statement that was sent, with its placeholders; None if none was."""
    place: str | None
    """`mine.py:34`, the last line of the scenario's file that the error went through; None if none."""


def note_of(
    error: Exception, sqlstate: str | None, message: str, statement: str | None, scenario: Scenario
) -> ErrorNote:
    """What to keep of an error that ended an attempt of this scenario.

    `sqlstate` is None for an error of the client; `message` is the primary message.
    """
    told = message if sqlstate else f"{type(error).__name__}: {message}"
    return ErrorNote(
        message=masked_message(told, sqlstate or ""),
        statement=None if statement is None else masked_statement(statement),
        place=_place(scenario, error),
    )


def masked_message(message: str, sqlstate: str) -> str:
    """The first line of a message without the values that it quotes.

    Names of tables and constraints stay: PostgreSQL writes them between the same double quotes, but not in
    class 22 (data exceptions), whose messages quote data.
    """
    line = next(iter(message.strip()[:_MOST_READ].splitlines()), "")
    if sqlstate.startswith(_DATA_EXCEPTION):
        line = _QUOTED.sub(f'"{_MASK}"', line)
    line = _QUOTED_LITERAL.sub(f'"{_MASK}"', line)
    line = _PASSWORD.sub(lambda found: f"{found[1]}:{_MASK}@" if found[1] else f"{found[2]}{_MASK}", line)
    return _cut(line)


def masked_statement(statement: str) -> str:
    """A statement on one line, each string in it masked; placeholders such as `$1` stay."""
    return _cut(" ".join(_LITERAL.sub(f"'{_MASK}'", statement[:_MOST_READ]).split()))


def _cut(text: str) -> str:
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}…"


def _place(scenario: Scenario, error: Exception) -> str | None:
    file = getattr(sys.modules.get(type(scenario).__module__), "__file__", None)
    line = None if file is None else line_in(file, error)
    return None if line is None else f"{Path(str(file)).name}:{line}"
