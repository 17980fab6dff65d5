"""SQL text as tokens with their positions.

Changes are spliced into the text; everything else stays byte for byte.

sqlglot's tokenizer finds the tokens. No syntax tree is made, so syntax that sqlglot does not know is not
lost.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hotrow.standin.rewriting.long_names import SURELY_SHORT, shortened

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Edit = tuple[int, int, str]
"""A start and an end in the text, and the text that replaces what is between them."""

_MAX_PARAMETERS = 65_535
"""The limit of the protocol."""
_LAST_PART = re.compile(r'"(?:[^"]|"")*"$|[^".\s]+$')
"""The name of a relation without its schema."""
_PARAMETER = re.compile(r"(?<![\w$])\$(?=\d)")
_OPENING, _CLOSING = {"(", "["}, {")", "]"}


class NotUnderstood(Exception):  # noqa: N818 - not an error: the text passes unchanged
    """The text cannot be cut into tokens. PostgreSQL has its own answer to it."""


class Refusal(Exception):  # noqa: N818 - an answer to the client, not an error
    """The statement is refused. The client gets the message, the SQLSTATE and the hint."""

    def __init__(self, message: str, *, sqlstate: str = "0A000", hint: str = "") -> None:
        super().__init__(message)
        self.sqlstate = sqlstate
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Token:
    """A token. `word` is an unquoted word in upper case, or a symbol; it is empty if the token is quoted."""

    word: str
    text: str
    start: int
    end: int
    depth: int
    """How many parentheses and brackets are open around it. A parenthesis is not inside itself."""

    @property
    def is_name(self) -> bool:
        """Whether it may be a name: an identifier or an unquoted word."""
        return self.text[0] in '"_' or self.text[0].isalpha()

    @property
    def folded(self) -> str:
        """The name after case folding, or the content of a plain string."""
        quote = self.text[0]
        return self.text[1:-1].replace(quote * 2, quote) if quote in "\"'" else self.text.lower()

    @property
    def parameter(self) -> int:
        """The n of a placeholder $n; 0 for other tokens."""
        return int(self.text[1:]) if self.text[0] == "$" and self.text[1:].isdigit() else 0


_NONE = Token("", " ", 0, 0, -1)
"""The token before the first one and after the last one of a statement."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement: its tokens, and the whole text that contains them."""

    text: str
    tokens: tuple[Token, ...]

    def __getitem__(self, index: int) -> Token:
        """The token at this index; an empty one if the index is outside of the statement."""
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
        """The highest n among its placeholders $n; 0 if PostgreSQL refuses that many."""
        highest = max(token.parameter for token in self.tokens)
        return highest if highest <= _MAX_PARAMETERS else 0

    def at(self, index: int, *words: str) -> bool:
        """Whether the tokens from this index on are these words."""
        # a loop, not all(…): this is called for every token, and most have another first word
        tokens = self.tokens
        if not 0 <= index <= len(tokens) - len(words):
            return False
        for token, word in zip(tokens[index : index + len(words)], words, strict=True):
            if token.word != word:
                return False
        return True

    def after(self, index: int, *words: str) -> int:
        """The index after these words if they are here; otherwise the same index."""
        return index + len(words) if self.at(index, *words) else index

    def after_any(self, index: int, *words: str) -> int:
        """The index after one of these words if one is here; otherwise the same index."""
        return index + 1 if self[index].word in words else index

    def find(self, *words: str, start: int = 0, depth: int | None = None) -> int | None:
        """The first index of these words; None if they are absent.

        If `depth` is given, only at that depth.
        """
        for i in range(start, len(self.tokens)):
            token = self.tokens[i]
            if token.word == words[0] and depth in {None, token.depth} and self.at(i, *words):
                return i
        return None

    def source(self, start: int, end: int) -> str:
        """The text from token `start` to the token before `end`."""
        return self.text[self.tokens[start].start : self.tokens[end - 1].end] if start < end else ""

    def close(self, opening: int) -> int:
        """The index of the parenthesis that closes this one; the number of tokens if there is none."""
        depth = self[opening].depth
        inside = range(opening + 1, len(self.tokens))
        return next((i for i in inside if self.tokens[i].depth == depth), len(self.tokens))

    def name_end(self, index: int) -> int:
        """The index after a name, which may have dots; the same index if there is no name."""
        if not self[index].is_name:
            return index
        end = index + 1
        while self.at(end, ".") and self[end + 1].is_name:
            end += 2
        return end

    def items(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """The ranges of tokens between the commas of a list, as start and end."""
        first = start
        for i in range(start, end):
            if self.at(i, ",") and self[i].depth == self[start].depth:
                yield first, i
                first = i + 1
        if first < end:
            yield first, end

    def edited(self, edits: Sequence[Edit]) -> str:
        """The statement's text with these edits, whose positions count from the start of the whole text."""
        return splice(self.text[: self.end], edits)[self.start :]


def parse(text: str) -> list[Statement]:
    """The statements of a text, without empty ones.

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
    """Whether the statement is a function with a SQL body, in which semicolons do not end the statement."""
    return tokens[:1] != [] and tokens[0].word == "CREATE" and any(token.word == "ATOMIC" for token in tokens)


def _tokens(text: str) -> Iterator[Token]:
    from hotrow.standin.rewriting.tokenizer import NotCutError, cut  # noqa: PLC0415 - slow, and often not needed

    # sqlglot would read `$1::int,$2` as the start of a dollar-quoted string; the mask keeps the length
    masked = _PARAMETER.sub("_", text)
    try:
        spans = cut(masked)
    except NotCutError as error:
        raise NotUnderstood from error
    depth = 0
    for start, end, is_name in spans:
        token = text[start:end]
        word = token.upper() if (is_name and token[0] != "$") or len(token) == 1 else ""
        depth -= word in _CLOSING
        yield Token(word, token, start, end, depth)
        depth += word in _OPENING


def prepare() -> None:
    """Import the tokenizer, so that the first statement does not wait for it."""
    parse("SELECT 1")


def splice(text: str, edits: Sequence[Edit]) -> str:
    """The text with these edits, which do not overlap."""
    parts: list[str] = []
    copied = 0
    for start, end, replacement in sorted(edits):
        parts += (text[copied:start], replacement)
        copied = end
    return "".join((*parts, text[copied:]))


def literal(text: str) -> str:
    """The text as a string literal (standard_conforming_strings is on)."""
    return "'" + text.replace("'", "''") + "'"


def suffixed(name: str, suffix: str) -> str:
    """The name with a suffix inside its quotes: `public."Order"` gives `public."Order__base"`.

    A long name is shortened first, as the stand-in shortens it.
    """
    if len(name) > SURELY_SHORT:
        last = _LAST_PART.search(name)
        if last is not None:
            name = name[: last.start()] + shortened(last[0])
    return f'{name[:-1]}{suffix}"' if name.endswith('"') else name + suffix


def unqualified(statement: Statement, start: int, end: int, name: Sequence[Token]) -> list[Edit]:
    """Edits that drop the schema in `schema.table.`, because a relation with an alias has no schema."""
    edits: list[Edit] = []
    words = [token.folded for token in name]
    for i in range(start, end - len(words)):
        here = [token.folded for token in statement.tokens[i : i + len(words)]]
        if len(words) > 1 and here == words and statement.at(i + len(words), "."):
            edits.append((statement[i].start, statement[i + len(words) - 1].start, ""))
    return edits
