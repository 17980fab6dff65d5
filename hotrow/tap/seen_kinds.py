"""The statements and kinds of transaction that a tap has seen, each with a number."""

from __future__ import annotations

from dataclasses import dataclass, field

from hotrow.run.statement_log import MAX_KINDS, MAX_STATEMENTS, KindLine, StatementLine
from hotrow.tap.fingerprint import Form, form_of, masked

_CACHED = 4_096
_MAX_CACHED_BYTES = 4_096
_MAX_NAME = 60
_MAX_LENGTH = 32
"""Statements of a kind that are listed; later ones are left out."""
OTHER_STATEMENT = MAX_STATEMENTS
"""Stands for every statement after the first `MAX_STATEMENTS`."""
OTHER_KIND = MAX_KINDS


@dataclass(slots=True)
class Catalogue:
    """Numbers statements and kinds, and keeps a line for each new one until `take_lines`."""

    _by_bytes: dict[bytes, int] = field(default_factory=dict)
    _by_text: dict[str, int] = field(default_factory=dict)
    _forms: list[Form] = field(default_factory=list)
    _kinds: dict[tuple[int, ...], int] = field(default_factory=dict)
    """By its statements. The kinds that were seen last are at the end."""
    _whole: set[int] = field(default_factory=set)
    _names: set[str] = field(default_factory=set)
    _lines: list[StatementLine | KindLine] = field(default_factory=list)

    def statement(self, text: bytes) -> int:
        """The number of a statement with any values."""
        number = self._by_bytes.get(text)
        if number is not None:
            return number
        number = self._number(masked(text))
        if len(text) <= _MAX_CACHED_BYTES:
            if len(self._by_bytes) >= _CACHED:
                self._by_bytes.clear()
            self._by_bytes[text] = number
        return number

    def kind(self, statements: tuple[int, ...], *, whole: bool) -> int:
        """The number of a kind of transaction; `whole` if the client has sent all of its statements.

        A transaction that failed before its end counts as the kind seen last that begins in the same way.
        """
        statements = tuple(dict.fromkeys(statements))[:_MAX_LENGTH]
        if not whole:
            known = self._beginning_with(statements)
            if known is not None:
                return known
        number = self._kinds.pop(statements, None)
        if number is None:
            number = self._add_kind(statements)
        if number != OTHER_KIND:
            self._kinds[statements] = number
            if whole:
                self._whole.add(number)
        return number

    def text(self, number: int) -> str:
        """The masked text of a statement."""
        return self._forms[number].text if 0 <= number < len(self._forms) else "another statement"

    def take_lines(self) -> list[StatementLine | KindLine]:
        """The lines that are to be written, oldest first; they are forgotten."""
        lines, self._lines = self._lines, []
        return lines

    def put_back(self, lines: list[StatementLine | KindLine]) -> None:
        """Keep lines that could not be written."""
        self._lines = lines + self._lines

    def _number(self, text: str) -> int:
        number = self._by_text.get(text)
        if number is None:
            if len(self._forms) >= MAX_STATEMENTS:
                return OTHER_STATEMENT
            number = self._by_text[text] = len(self._forms)
            form = form_of(text)
            self._forms.append(form)
            self._lines.append(StatementLine(number, form.text, form.writes, form.locks, form.reads))
        return number

    def _beginning_with(self, statements: tuple[int, ...]) -> int | None:
        length = len(statements)
        for known, number in reversed(self._kinds.items()):
            if number in self._whole and known[:length] == statements:
                return number
        return None

    def _add_kind(self, statements: tuple[int, ...]) -> int:
        number = len(self._kinds)
        if number >= MAX_KINDS:
            return OTHER_KIND
        name = self._name(statements)
        self._lines.append(KindLine(number, name, statements))
        return number

    def _name(self, statements: tuple[int, ...]) -> str:
        """A short name that no other kind has."""
        names = [self._forms[number].name if number < len(self._forms) else "other" for number in statements]
        stem = name = _cut(", ".join(dict.fromkeys(names)))
        again = 2
        while name in self._names:
            name, again = f"{stem} ({again})", again + 1
        self._names.add(name)
        return name


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_NAME else f"{text[: _MAX_NAME - 1]}…"
