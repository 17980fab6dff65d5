"""The text of a script file, and places in it."""

from __future__ import annotations

from dataclasses import dataclass

from hotrow.errors import UsageError


class ScriptError(UsageError):
    """A fault in a script, with file, line and column. Before a run it is a refusal, in a run an error."""


@dataclass(frozen=True, slots=True)
class Source:
    """The text of a file and the name by which messages call it."""

    name: str
    text: str

    def place(self, offset: int) -> str:
        """`mine.sql:3:7`: file, line and column, counted from 1."""
        before = self.text[:offset]
        return f"{self.name}:{before.count(chr(10)) + 1}:{offset - (before.rfind(chr(10)) + 1) + 1}"

    def line(self, offset: int) -> int:
        """The number of the line, counted from 1."""
        return self.text.count("\n", 0, offset) + 1

    def error(self, offset: int, message: str) -> ScriptError:
        """An error at this offset of the text."""
        return ScriptError(f"{self.place(offset)}: {message}")
