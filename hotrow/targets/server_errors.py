"""The server's errors as psycopg's. The stand-in's own names and functions are not in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg.errors import error_from_result
from psycopg.pq import DiagnosticField

from hotrow.standin.rewriting.internal_names import hide_in_fields

if TYPE_CHECKING:
    import psycopg
    from psycopg.pq.abc import PGresult

_SHOWN = (("D", "DETAIL"), ("H", "HINT"))
"""The fields that follow the message in an error's text, as libpq shows them."""


def error_of(result: PGresult, *, of_stand_in: bool) -> psycopg.Error:
    """The error of a failed result."""
    error = error_from_result(result, encoding="utf-8")
    fields = {chr(field): text for field in DiagnosticField if (text := result.error_field(field))}
    if not of_stand_in or "C" not in fields:
        return error
    shown = hide_in_fields({letter: text.decode(errors="replace") for letter, text in fields.items()})
    lines = [
        shown.get("M", ""),
        *(f"{title}:  {shown[letter]}" for letter, title in _SHOWN if letter in shown),
    ]
    info: dict[int, bytes | None] = {
        DiagnosticField(ord(letter)): text.encode() for letter, text in shown.items()
    }
    return type(error)("\n".join(lines), info=info, encoding="utf-8")
