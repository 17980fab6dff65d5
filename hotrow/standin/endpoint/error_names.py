"""Replaces internal names in the errors and notices that a server sends. Pure."""

from __future__ import annotations

import re

from hotrow.standin.endpoint.wire import build_message
from hotrow.standin.rewriting.internal_names import hide_in_fields

_HEADER_BYTES = 5
_SEVERITIES = b"ERROR|FATAL|PANIC|WARNING|NOTICE|DEBUG|INFO|LOG"
_ERROR_OR_NOTICE = re.compile(
    rb"[EN](....)S(?:" + _SEVERITIES + rb")\0V(?:" + _SEVERITIES + rb")\0C", re.DOTALL
)
"""The beginning of an ErrorResponse or a NoticeResponse. No text value can look like it."""


def hide_internal_names(data: bytes) -> bytes:
    """Bytes of the server in which errors and notices name the client's own tables.

    Errors and notices are recognised by their layout: counting messages would slow large results down. One
    that is not complete in `data` passes unchanged.
    """
    if b"__" not in data and b"hotrow" not in data:  # nearly always
        return data
    parts: list[bytes] = []
    copied = 0
    for match in _ERROR_OR_NOTICE.finditer(data):
        start = match.start()
        end = start + 1 + int.from_bytes(match[1], "big")
        fields = _read_fields(data[start + _HEADER_BYTES : end]) if copied <= start else None
        if fields is not None and end <= len(data):
            parts += (data[copied:start], _build_fields(data[start], hide_in_fields(fields)))
            copied = end
    return b"".join((*parts, data[copied:])) if parts else data


def _read_fields(body: bytes) -> dict[str, str] | None:
    """The fields of a message by their letters; None if the layout is another one."""
    fields = body[:-2].split(b"\0")
    if not body.endswith(b"\0\0") or not all(fields):
        return None
    try:
        return {field[:1].decode(): field[1:].decode() for field in fields}
    except UnicodeDecodeError:  # another client_encoding
        return None


def _build_fields(message_type: int, fields: dict[str, str]) -> bytes:
    body = b"".join(letter.encode() + text.encode() + b"\0" for letter, text in fields.items())
    return build_message(bytes((message_type,)), body + b"\0")
