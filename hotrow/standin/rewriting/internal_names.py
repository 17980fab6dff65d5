"""Replaces the stand-in's internal names in error messages by the names of the client's tables."""

from __future__ import annotations

import re

from hotrow.standin.rewriting.long_names import LONG_NAMES

_SUFFIXES = (
    "base|writes|shares|excluded|or_nothing|insert_new|insert|update|delete"
    "|for_update|for_key_share|check_rows|apply|compute|follow|check_statement|check_commit"
    "|check_row|check_unique|same"
)
_INTERNAL_NAME = re.compile(rf"([\w$]+)__(?:{_SUFFIXES})(?![\w$])")
_WRITES = "__writes"
_INTERNAL_COLUMNS, _WITH_HIDDEN_KEY = 5, 7
"""The internal columns at the end of each row of a write set. None of their values contains a comma.

A table without a primary key has a hidden key before them, and the number of a statement after them.
"""
_FAILING_ROW = "Failing row contains ("
_CONTEXT_FIELDS = frozenset("Wqp")
"""Fields that name the stand-in's functions. The client called none of them."""
_TEXT_FIELDS = frozenset("MDHtn")
_COMMIT = "__apply()"
"""In the context of an error: the function that applies a transaction's writes."""
_CONFLICT_STATES = frozenset({"40001", "40P01"})
_CONFLICT = "change conflicts with another transaction (OC000)"
_HAS_MARKER = re.compile(r"\(OC\d+\)")


def hide_in_text(text: str) -> str:
    """The text with the client's table instead of each internal name.

    What the text calls a view is a table.
    """
    tables = {_plain(match) for match in _INTERNAL_NAME.finditer(text)}
    text = _INTERNAL_NAME.sub(_plain, text)
    for table in tables:
        text = re.sub(rf"\bview ((?:\w+\.)?{re.escape(table)})\b", r"table \1", text)
    return text


def _plain(match: re.Match[str]) -> str:
    return LONG_NAMES.get(match[1], match[1])


def _hide_values(detail: str) -> str:
    """The detail with a failing row, without the values of internal columns."""
    has_hidden_key = detail.removesuffix(").")[-1:].isdigit()  # otherwise it ends with a boolean
    values = detail.rsplit(", ", _WITH_HIDDEN_KEY if has_hidden_key else _INTERNAL_COLUMNS)[0]
    return f"{values})."


def hide_in_fields(fields: dict[str, str]) -> dict[str, str]:
    """The fields of an ErrorResponse or a NoticeResponse, by letter, as for an ordinary table."""
    if fields.get("C") in _CONFLICT_STATES and _COMMIT in fields.get("W", ""):
        fields = _as_conflict(fields)
    detail = fields.get("D", "")
    shown = {letter: text for letter, text in fields.items() if letter not in _CONTEXT_FIELDS}
    if fields.get("t", "").endswith(_WRITES) and detail.startswith(_FAILING_ROW):
        shown["D"] = _hide_values(detail)
    letters = [letter for letter in shown if letter in _TEXT_FIELDS]
    # All texts at once: a name that is internal in one of them is a table's name in the others. No text has
    # a zero byte.
    texts = hide_in_text("\0".join(shown[letter] for letter in letters)).split("\0")
    return shown | dict(zip(letters, texts, strict=True))


def _as_conflict(fields: dict[str, str]) -> dict[str, str]:
    """PostgreSQL's own error of a COMMIT that lost a race, as the conflict that it is."""
    if _HAS_MARKER.search(fields.get("M", "")):
        return fields
    shown = {letter: text for letter, text in fields.items() if letter not in "DH"}
    return shown | {"C": "40001", "M": _CONFLICT}
