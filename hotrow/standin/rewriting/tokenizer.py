"""Cuts a text into PostgreSQL's tokens with sqlglot, which takes 70 ms to import."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot.dialects.postgres import Postgres
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import TokenType

if TYPE_CHECKING:
    from collections.abc import Iterator


class NotCutError(Exception):
    """The text cannot be cut into tokens."""


class _Tokenizer(Postgres.Tokenizer):
    """PostgreSQL's tokens without keywords: sqlglot joins some (GROUP BY); others include what follows."""

    KEYWORDS = {}  # noqa: RUF012 - this is how sqlglot is configured
    COMMANDS = set()  # noqa: RUF012 - the same


def cut(text: str) -> Iterator[tuple[int, int, bool]]:
    """For each token: where it starts, where it ends, and whether it is an unquoted word or name.

    Raises:
        NotCutError: sqlglot cannot read the text.
    """
    try:
        tokens = _Tokenizer(dialect="postgres").tokenize(text)
    except SqlglotError as error:
        raise NotCutError from error
    return ((token.start, token.end + 1, token.token_type == TokenType.VAR) for token in tokens)
