"""A SQL statement with variables, and the text and parameters that it is sent with.

pgbench's default is to write the values into the text. Here they are parameters, so that a statement is
prepared once. A cast gives each parameter the type that the value has when it is written into the text
(`$1::int4`), so that the statement means the same. A variable inside quotes, or as a part of a name, is
written into the text, and so is any variable of CREATE, SET and the like; such a statement is not prepared.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING, Any

from hotrow.script.cutting import SQL_TOKEN, Part, end_of_comment
from hotrow.script.values import DIGITS, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hotrow.script.source_text import Source

_IN_QUOTES = re.compile(r"(?<!:):(?P<name>[^\W\d]\w*)")
_MAX_WORDS = 8
_WITH_PARAMETERS = frozenset(
    {"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "WITH", "VALUES", "TABLE", "EXPLAIN", "CALL"}
)
"""The first words of statements that take parameters. In all others values are written into the text."""
_INT4 = range(-(2**31), 2**31)


@dataclass(frozen=True, slots=True)
class Reference:
    """`:name` in a statement."""

    name: str
    offset: int
    is_value: bool
    """Whether it stands for a whole value, and not inside quotes or a name."""


@dataclass(frozen=True, slots=True)
class SqlTemplate:
    """A statement with its variables."""

    pieces: tuple[str | Reference, ...]
    words: tuple[str, ...]
    """Its first words, in capitals."""
    offset: int
    source: Source
    names: tuple[str, ...]
    """Its variables, each once. If it is fixed, they are its parameters, in this order."""
    is_fixed: bool
    """Whether the text depends on no value, so that it can be prepared."""
    _texts: dict[tuple[str, ...], str] = field(default_factory=dict)
    """By the types of the parameters: the text that is prepared."""

    @property
    def text(self) -> str:
        """The statement with its variables as `:name`."""
        return "".join(piece if isinstance(piece, str) else f":{piece.name}" for piece in self.pieces)

    @property
    def references(self) -> Iterator[Reference]:
        """All variables, in their order."""
        return (piece for piece in self.pieces if isinstance(piece, Reference))

    def bind(self, variables: Mapping[str, Any]) -> tuple[str, tuple[Any, ...]]:
        """The text with placeholders, and the parameters. Only for a statement that is fixed.

        Raises:
            ScriptError: a variable is not set.
        """
        if not self.names:
            return self._text(()), ()
        try:
            typed = [_parameter(variables[name]) for name in self.names]
        except KeyError as error:
            raise self._unset(str(error.args[0])) from None
        casts, values = zip(*typed, strict=True)
        text = self._texts.get(casts)
        if text is None:
            text = self._texts[casts] = self._text(casts)
        return text, values

    def write(self, variables: Mapping[str, Any]) -> str:
        """The text with all values written into it; a variable that is not set stays as it is.

        Raises:
            ScriptError: a variable outside of quotes and names is not set.
        """
        return "".join(map(str, self._written(variables)))

    def _written(self, variables: Mapping[str, Any]) -> Iterator[str]:
        for piece in self.pieces:
            if isinstance(piece, str):
                yield piece
            elif piece.name in variables:
                yield text_of(variables[piece.name])
            elif piece.is_value:
                raise self._unset(piece.name)
            else:
                yield f":{piece.name}"

    def _text(self, casts: tuple[str, ...]) -> str:
        numbered = {
            name: f"${number}{cast}"
            for number, (name, cast) in enumerate(zip(self.names, casts, strict=True), 1)
        }
        return "".join(piece if isinstance(piece, str) else numbered[piece.name] for piece in self.pieces)

    def _unset(self, name: str) -> Exception:
        offset = next(piece.offset for piece in self.references if piece.name == name)
        return self.source.error(offset, f"variable {name} is not set")


def _parameter(value: Any) -> tuple[str, Any]:
    """The cast of a parameter, and the value to send."""
    kind = type(value)
    if kind is int:
        return ("::int4" if value in _INT4 else "::int8"), value
    if kind is float:
        return ("::numeric" if math.isfinite(value) else "::float8"), f"{value:.{DIGITS}g}"
    if kind is bool:
        return "::bool", value
    if kind is Decimal:
        return "::numeric", str(value)
    return "", value


def read_template(source: Source, part: Part) -> SqlTemplate:
    """The statement of a part of a script. Comments inside it are left out."""
    pieces: list[str | Reference] = []
    words: list[str] = []
    at = part.start
    last = ""  # the character before
    while at < part.end:
        token = SQL_TOKEN.match(source.text, at)
        assert token is not None  # noqa: S101 - the pattern takes any character
        kind = token.lastgroup or ""
        if kind == "block":
            pieces.append(" ")
            at = end_of_comment(source, token)
            continue
        if kind == "variable":
            is_value = not (last.isalnum() or last in {"_", '"', "$"})
            pieces.append(Reference(token["variable"], at, is_value=is_value))
        elif kind == "quoted" or token["quoted"]:
            pieces += _quoted(token)
        elif kind != "comment":
            pieces.append(token[0])
        if kind == "word" and len(words) < _MAX_WORDS:
            words.append(token[0].upper())
        at, last = token.end(), token[0][-1]
    references = [piece for piece in pieces if isinstance(piece, Reference)]
    return SqlTemplate(
        pieces=tuple(_joined(pieces)),
        words=tuple(words),
        offset=part.start,
        source=source,
        names=tuple(dict.fromkeys(reference.name for reference in references)),
        is_fixed=not references
        or (_WITH_PARAMETERS.issuperset(words[:1]) and all(reference.is_value for reference in references)),
    )


def _quoted(token: re.Match[str]) -> Iterator[str | Reference]:
    """The text of a quoted part, with its variables."""
    text, at = token[0], 0
    for match in _IN_QUOTES.finditer(text):
        yield text[at : match.start()]
        yield Reference(match["name"], token.start() + match.start(), is_value=False)
        at = match.end()
    yield text[at:]


def _joined(pieces: list[str | Reference]) -> Iterator[str | Reference]:
    """The same pieces, with texts that follow each other joined."""
    for is_text, group in groupby(pieces, key=lambda piece: isinstance(piece, str)):
        if is_text:
            yield "".join(map(str, group))
        else:
            yield from group
