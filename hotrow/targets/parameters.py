"""Parameters of a statement in PostgreSQL's text format, without a type: the server infers that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.adapt import PyFormat

if TYPE_CHECKING:
    from psycopg.abc import Transformer

_NUL = b"\0"
_SURROGATE = "a lone surrogate in a text: PostgreSQL takes valid Unicode only"


def dump(value: Any, transformer: Transformer) -> bytes | None:
    """One parameter; what is neither an int, a str, a bool nor None is adapted as psycopg adapts it.

    Raises:
        psycopg.ProgrammingError: its type has no form in PostgreSQL.
        psycopg.DataError: this value has none, such as a text with a NUL in it.
    """
    kind = type(value)
    if kind is int:
        return b"%d" % value
    if kind is str:
        return encode(value)
    if value is None:
        return None
    if kind is bool:
        return b"t" if value else b"f"
    return _adapted(value, transformer)


def encode(text: str) -> bytes:
    """A text for libpq, which takes it to end at its first NUL and has no form for half a surrogate pair.

    Raises:
        psycopg.DataError: it holds one of these.
    """
    try:
        encoded = text.encode()
    except UnicodeEncodeError:
        raise psycopg.DataError(_SURROGATE) from None
    if _NUL in encoded:
        raise psycopg.DataError("a NUL character in a text: PostgreSQL takes none")
    return encoded


def _adapted(value: Any, transformer: Transformer) -> bytes | None:
    try:
        dumped = transformer.get_dumper(value, PyFormat.TEXT).dump(value)
    except psycopg.ProgrammingError:
        raise psycopg.ProgrammingError(_no_form(value)) from None
    except UnicodeEncodeError:
        raise psycopg.DataError(_SURROGATE) from None
    return None if dumped is None else bytes(dumped)


def _no_form(value: Any) -> str:
    kind = type(value).__name__
    if isinstance(value, dict):
        return f"a parameter is a {kind}: pass json.dumps(…), or psycopg.types.json.Jsonb(…)"
    return f"a parameter is of the type {kind}, which has no form in PostgreSQL: convert it first"
