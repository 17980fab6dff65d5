"""SQL text as tokens with their positions: what is to be changed is spliced, all else stays byte for byte.

sqlglot's tokenizer finds the tokens; no syntax tree is ever made, so nothing is lost that it does not know.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Edit = tuple[int, int, str]
"""From where to where in the text, and what stands there instead."""

_PARAMETERS_MAX = 65_535
"""The protocol's own limit."""
_PARAMETER = re.compile(r"(?<![\w$])\$(?=\d)")
_OPENING, _CLOSING = {"(", "["}, {")", "]"}


class NotUnderstood(Exception):  # noqa: N818 - not an error: the text goes on as it is
    """The text cannot be cut into tokens; PostgreSQL has its own answer to it."""


class Refusal(Exception):  # noqa: N818 - an answer, not an error of ours
    """The statement is refused: the message is what the client gets, with the SQLSTATE."""

    def __init__(self, message: str, *, sqlstate: str = "0A000") -> None:
        super().__init__(message)
        self.sqlstate = sqlstate


@dataclass(frozen=True, slots=True)
class Token:
    """A token: `word` is an unquoted word in upper case or a symbol, and empty where the text is quoted."""

    word: str
    text: str
    start: int
    end: int
    depth: int
    """How many parentheses and brackets are open around it; those themselves count as outside."""

    @property
    def is_name(self) -> bool:
        """Whether it may name something: an identifier, or an unquoted word."""
        return self.text[0] in '"_' or self.text[0].isalpha()

    @property
    def folded(self) -> str:
        """The name that it means, or the content of a plain string."""
        quote = self.text[0]
        return self.text[1:-1].replace(quote * 2, quote) if quote in "\"'" else self.text.lower()

    @property
    def parameter(self) -> int:
        """The n of a placeholder $n, else 0."""
        return int(self.text[1:]) if self.text[0] == "$" and self.text[1:].isdigit() else 0


_NONE = Token("", " ", 0, 0, -1)
"""What stands before the first token and after the last."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement: its tokens, and the whole text that they were found in."""

    text: str
    tokens: tuple[Token, ...]

    def __getitem__(self, index: int) -> Token:
        """The token, or one that is nothing in particular outside of the statement."""
        return self.tokens[index] if 0 <= index < len(self.tokens) else _NONE

    @property
    def start(self) -> int:
        """Where it starts in the text."""
        return self.tokens[0].start

    @property
    def end(self) -> int:
        """Where its last token ends."""
        return self.tokens[-1].end

    @property
    def parameters(self) -> int:
        """The highest n among its placeholders $n; 0 where PostgreSQL refuses that many."""
        highest = max(token.parameter for token in self.tokens)
        return highest if highest <= _PARAMETERS_MAX else 0

    def at(self, index: int, *words: str) -> bool:
        """Whether these words stand here."""
        # a loop, not all(…): it is asked of every token, and most have another first word
        tokens = self.tokens
        if not 0 <= index <= len(tokens) - len(words):
            return False
        for token, word in zip(tokens[index : index + len(words)], words, strict=True):
            if token.word != word:
                return False
        return True

    def after(self, index: int, *words: str) -> int:
        """The index after these words where they stand here, else the same index."""
        return index + len(words) if self.at(index, *words) else index

    def after_any(self, index: int, *words: str) -> int:
        """The index after one of these words where one stands here, else the same index."""
        return index + 1 if self[index].word in words else index

    def find(self, *words: str, start: int = 0, depth: int | None = None) -> int | None:
        """Where these words first stand, at this depth only where one is given."""
        for i in range(start, len(self.tokens)):
            token = self.tokens[i]
            if token.word == words[0] and depth in {None, token.depth} and self.at(i, *words):
                return i
        return None

    def source(self, start: int, end: int) -> str:
        """The text from token `start` up to before token `end`."""
        return self.text[self.tokens[start].start : self.tokens[end - 1].end] if start < end else ""

    def close(self, opening: int) -> int:
        """The index of the parenthesis that closes this one; after the last token where there is none."""
        depth = self[opening].depth
        inside = range(opening + 1, len(self.tokens))
        return next((i for i in inside if self.tokens[i].depth == depth), len(self.tokens))

    def name_end(self, index: int) -> int:
        """The index after a name, dotted perhaps; the same index where there is none."""
        if not self[index].is_name:
            return index
        end = index + 1
        while self.at(end, ".") and self[end + 1].is_name:
            end += 2
        return end

    def items(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """The ranges of tokens between the commas of a list."""
        first = start
        for i in range(start, end):
            if self.at(i, ",") and self[i].depth == self[start].depth:
                yield first, i
                first = i + 1
        if first < end:
            yield first, end

    def edited(self, edits: Sequence[Edit]) -> str:
        """The statement's own text with these edits; positions count from the start of the whole text."""
        return splice(self.text[: self.end], edits)[self.start :]


def parse(text: str) -> list[Statement]:
    """Cut a text into its statements; empty ones are left out.

    Raises:
        NotUnderstood: an unterminated string or comment, or an identifier in Unicode escapes.
    """
    if 'u&"' in text.lower():
        raise NotUnderstood
    statements: list[list[Token]] = [[]]
    for token in _tokens(text):
        if token.word == ";" and not _in_body(statements[-1]):
            statements.append([])
        else:
            statements[-1].append(token)
    return [Statement(text, tuple(tokens)) for tokens in statements if tokens]


def _in_body(tokens: Sequence[Token]) -> bool:
    """Whether the statement is a function whose body is SQL: it has semicolons of its own, up to the end."""
    return tokens[:1] != [] and tokens[0].word == "CREATE" and any(token.word == "ATOMIC" for token in tokens)


def _tokens(text: str) -> Iterator[Token]:
    from hotrow.standin.rewriting.tokenizer import NotCutError, cut  # noqa: PLC0415 - many never cut a text

    # sqlglot would take `$1::int,$2` for the start of a dollar-quoted string; the length stays
    masked = _PARAMETER.sub("_", text)
    try:
        found = cut(masked)
    except NotCutError as error:
        raise NotUnderstood from error
    depth = 0
    for start, end, is_name in found:
        written = text[start:end]
        word = written.upper() if (is_name and written[0] != "$") or len(written) == 1 else ""
        depth -= word in _CLOSING
        yield Token(word, written, start, end, depth)
        depth += word in _OPENING


def prepare() -> None:
    """Import what cutting takes, so that the first statement does not wait for it."""
    parse("SELECT 1")


def splice(text: str, edits: Sequence[Edit]) -> str:
    """The text with these edits, which do not overlap."""
    parts: list[str] = []
    at = 0
    for start, end, fresh in sorted(edits):
        parts += (text[at:start], fresh)
        at = end
    return "".join((*parts, text[at:]))


def literal(text: str) -> str:
    """The text as a string literal (standard_conforming_strings is on)."""
    return "'" + text.replace("'", "''") + "'"


def suffixed(name: str, suffix: str) -> str:
    """The name with a suffix, quoted where it was: `public."Order"` gives `public."Order__base"`."""
    return f'{name[:-1]}{suffix}"' if name.endswith('"') else name + suffix


def unqualified(statement: Statement, start: int, end: int, name: Sequence[Token]) -> list[Edit]:
    """Edits that drop the schema before `schema.table.`: a relation with an alias knows no schema."""
    edits: list[Edit] = []
    wanted = [token.folded for token in name]
    for i in range(start, end - len(wanted)):
        found = [token.folded for token in statement.tokens[i : i + len(wanted)]]
        if len(wanted) > 1 and found == wanted and statement.at(i + len(wanted), "."):
            edits.append((statement[i].start, statement[i + len(wanted) - 1].start, ""))
    return edits
