"""Statement parameters in PostgreSQL's text format, without a type: the server infers the type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.adapt import PyFormat

if TYPE_CHECKING:
    from psycopg.abc import Transformer

_NUL = b"\0"
_SURROGATE = "a text contains a lone surrogate: PostgreSQL accepts only valid Unicode"


def dump(value: Any, transformer: Transformer) -> bytes | None:
    """One parameter as bytes. Types other than int, str, bool and None are adapted by psycopg.

    Raises:
        psycopg.ProgrammingError: the type has no equivalent in PostgreSQL.
        psycopg.DataError: the value has none, for example a text with a NUL character.
    """
    value_type = type(value)
    if value_type is int:
        return b"%d" % value
    if value_type is str:
        return encode(value)
    if value is None:
        return None
    if value_type is bool:
        return b"t" if value else b"f"
    return _adapted(value, transformer)


def encode(text: str) -> bytes:
    """A text as UTF-8 for libpq, which would end it at the first NUL.

    Raises:
        psycopg.DataError: the text contains a NUL character or half of a surrogate pair.
    """
    try:
        encoded = text.encode()
    except UnicodeEncodeError:
        raise psycopg.DataError(_SURROGATE) from None
    if _NUL in encoded:
        raise psycopg.DataError("a text contains a NUL character: PostgreSQL does not accept it")
    return encoded


def _adapted(value: Any, transformer: Transformer) -> bytes | None:
    try:
        dumped = transformer.get_dumper(value, PyFormat.TEXT).dump(value)
    except psycopg.ProgrammingError:
        raise psycopg.ProgrammingError(_no_equivalent(value)) from None
    except UnicodeEncodeError:
        raise psycopg.DataError(_SURROGATE) from None
    return None if dumped is None else bytes(dumped)


def _no_equivalent(value: Any) -> str:
    type_name = type(value).__name__
    if isinstance(value, dict):
        return f"a parameter is a {type_name}: pass json.dumps(…) or psycopg.types.json.Jsonb(…)"
    return f"a parameter has the type {type_name}, which has no equivalent in PostgreSQL: convert it first"
