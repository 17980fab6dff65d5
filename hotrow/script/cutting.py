r"""Cuts a script into its pieces: SQL commands and commands that begin with a backslash.

The rules are those of psql's scanner, which pgbench uses: a SQL command ends at a semicolon outside of
quotes, comments and parentheses, at a backslash command, or at the end of the file. `\;` joins statements.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hotrow.script.source_text import ScriptError, Source

SQL_TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<comment>--[^\r\n]*)
    |(?P<block>/\*)
    |(?P<quoted>[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|(?P<dollar>\$(?:[^\W\d]\w*)?\$).*?(?P=dollar))
    |(?P<word>\w[\w$]*)
    |(?P<join>\\;)
    |(?P<semicolon>;)
    |(?P<backslash>\\)
    |(?P<open>[(])|(?P<close>[)])
    |(?P<unclosed>'|"|\$(?:[^\W\d]\w*)?\$)
    |(?P<cast>::)
    |:(?P<variable>[^\W\d]\w*)
    |(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
"""The parts of SQL that matter here. A block comment is passed over by `end_of_comment`."""
_BLOCK_EDGE = re.compile(r"/\*|\*/")
_META = re.compile(r"\\(?P<word>\w*)(?P<rest>(?:[^\\\n]|\\\r?\n|\\[^\r\n])*)")
_NOT_TEXT = frozenset({"space", "comment", "block"})


@dataclass(frozen=True, slots=True)
class Part:
    """One statement of a SQL command, without comments around it."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Piece:
    """A SQL command, or a backslash command (`word` is its name)."""

    start: int
    end: int
    """The offsets of its text in the source."""
    word: str | None = None
    parts: tuple[Part, ...] = ()
    """The statements of a SQL command; several if `\\;` joins them."""
    lead: str = ""
    """The text before a SQL command, from the end of the last piece: blanks and comments."""


def cut(source: Source) -> Iterator[Piece]:
    """The pieces of a source in their order.

    Raises:
        ScriptError: a quote or a comment is not closed, or a backslash stands where no command can begin.
    """
    at, length, lead = 0, len(source.text), 0
    while at < length:
        piece, at = _next(source, at)
        if piece is None:
            continue
        yield piece if piece.word is not None else replace(piece, lead=source.text[lead : piece.start])
        lead = at


def _next(source: Source, at: int) -> tuple[Piece | None, int]:
    """The piece that begins at or after `at`, and where the search for the next one begins."""
    parts: list[Part] = []
    start = end = -1  # of the present statement
    depth, opened = 0, 0
    while at < len(source.text):
        token = SQL_TOKEN.match(source.text, at)
        assert token is not None  # noqa: S101 - the last alternative takes any character
        kind = token.lastgroup or ""
        if kind == "unclosed":
            raise _unclosed(source, token)
        if kind == "backslash" and (parts or start >= 0):
            break  # it ends the SQL command
        if kind == "backslash":
            return _meta(source, at)
        at = end_of_comment(source, token) if kind == "block" else token.end()
        if kind == "semicolon" and depth == 0:
            break
        if kind == "join":
            parts += [Part(start, end)] if start >= 0 else []
            start = -1
        elif kind not in _NOT_TEXT:
            depth, opened = _nested(kind, depth, opened, token.start())
            start, end = (token.start() if start < 0 else start), at
    if depth > 0:
        raise source.error(opened, "this parenthesis is not closed")
    parts += [Part(start, end)] if start >= 0 else []
    return (Piece(parts[0].start, parts[-1].end, parts=tuple(parts)) if parts else None), at


def _nested(kind: str, depth: int, opened: int, offset: int) -> tuple[int, int]:
    """The depth of parentheses after a token, and where the outermost one was opened."""
    if kind == "open":
        return depth + 1, opened if depth else offset
    return (max(depth - 1, 0) if kind == "close" else depth), opened


def end_of_comment(source: Source, token: re.Match[str]) -> int:
    """Where the block comment that begins with this token ends. Block comments nest.

    Raises:
        ScriptError: it does not end.
    """
    depth, at = 1, token.end()
    while depth:
        edge = _BLOCK_EDGE.search(source.text, at)
        if edge is None:
            raise source.error(token.start(), "this comment is not closed")
        depth += 1 if edge[0] == "/*" else -1
        at = edge.end()
    return at


def _unclosed(source: Source, token: re.Match[str]) -> ScriptError:
    return source.error(token.start(), f"the quote {token[0]} is not closed")


def _meta(source: Source, at: int) -> tuple[Piece, int]:
    match = _META.match(source.text, at)
    if match is None or not match["word"]:
        raise source.error(at, "a backslash must begin a command, such as \\set")
    end = match.start("rest") + len(match["rest"].rstrip())
    return Piece(at, end, word=match["word"]), match.end()
