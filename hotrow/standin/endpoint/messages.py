"""Single messages: cuts a stream into messages, and builds those that the endpoint sends itself. Pure."""

from __future__ import annotations

import re
import struct

from hotrow.standin.endpoint.wire import build_message
from hotrow.standin.rewriting.internal_names import hide_in_fields

_HEADER = struct.Struct("!BI")
_HEADER_BYTES = _HEADER.size
_MAX_SHOWN_BYTES = 4_096
"""Only this much of a longer message is shown. No message that the endpoint acts upon is longer."""
OTHER = 0
"""Instead of a message type: bytes that are only to be passed on."""

Piece = tuple[int, bytes]
"""A message's type and the message, or OTHER and some bytes."""


class MessageCutter:
    """Cuts one direction of a connection into messages, beginning at a message boundary."""

    def __init__(self, types: bytes, whole: bytes = b"") -> None:
        """Show messages of these `types`; those of a type in `whole` are never shown in part."""
        self._types = frozenset(types)
        self._whole = frozenset(whole)
        self._held = b""
        self._passing = 0

    @property
    def at_boundary(self) -> bool:
        """Whether the last message is complete."""
        return not self._held and not self._passing

    def feed(self, chunk: bytes) -> list[Piece]:
        """Take the next chunk; the pieces that are complete now. Joined, all pieces are the stream."""
        if self._passing >= len(chunk):
            self._passing -= len(chunk)
            return [(OTHER, chunk)]
        data, self._held = self._held + chunk, b""
        pieces: list[Piece] = []
        position, self._passing = self._passing, 0
        shown, size = 0, len(data)
        while position + _HEADER_BYTES <= size:
            message_type, length = _HEADER.unpack_from(data, position)
            end = position + 1 + length
            if message_type in self._types:
                wanted = end if message_type in self._whole else min(end, position + _MAX_SHOWN_BYTES)
                if wanted > size:
                    break
                if shown < position:
                    pieces.append((OTHER, data[shown:position]))
                shown = min(end, size)
                pieces.append((message_type, data[position:shown]))
            position = end
        if position >= size:
            self._passing = position - size
        else:
            self._held = data[position:]
        between = data[shown : len(data) - len(self._held)]
        return [*pieces, (OTHER, between)] if between else pieces

    def drain(self) -> bytes:
        """The bytes that are held back. After this, the stream is not cut any more."""
        held, self._held, self._passing = self._held, b"", 0
        return held


def read_name(piece: bytes, start: int = 5) -> bytes | None:
    """The string that starts there in a message; None if it does not end."""
    end = piece.find(b"\0", start)
    return piece[start:end] if end >= 0 else None


def build_error(sqlstate: str, message: str) -> bytes:
    """ErrorResponse of severity ERROR."""
    texts = {b"S": "ERROR", b"V": "ERROR", b"C": sqlstate, b"M": message}
    return build_message(b"E", b"".join(code + text.encode() + b"\0" for code, text in texts.items()) + b"\0")


def build_query(text: bytes) -> bytes:
    """A Query."""
    return build_message(b"Q", text + b"\0")


SYNC = build_message(b"S", b"")
FLUSH = build_message(b"H", b"")
_FAULT_NAME = b"hotrow fault"
POISON_QUERY = b'DEALLOCATE "' + _FAULT_NAME + b'"'
"""A statement that fails at run time, so that the transaction is left as a real error leaves it."""
POISON_EXECUTE = build_message(b"D", b"S" + _FAULT_NAME + b"\0")
"""The same instead of an Execute: Describe of a statement that does not exist."""
_QUOTED_FAULT_NAME = b'"' + _FAULT_NAME + b'"'


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


def is_poison_error(error: bytes) -> bool:
    """Whether an ErrorResponse answers POISON_QUERY or POISON_EXECUTE."""
    return _QUOTED_FAULT_NAME in error


_MARKER_CLOSES = 24
MARKER = build_message(b"C", b"Shotrow\0") * _MARKER_CLOSES + SYNC
"""Closes a statement that does not exist, 24 times.

It changes nothing, whatever the transaction's status is.
"""
MARKER_ANSWER = build_message(b"3", b"") * _MARKER_CLOSES
"""The answer to MARKER.

ReadyForQuery follows it, so it marks a boundary in a stream that was not followed before.
"""

READY_BYTES = 6
_READY_HEAD = build_message(b"Z", b"?")[:-1]


def build_ready(status: bytes = b"I") -> bytes:
    """ReadyForQuery with a status: I is idle, T in a transaction, E in a failed one."""
    return _READY_HEAD + status


def is_ready(tail: bytes) -> bool:
    """Whether the last bytes that a server sent are ReadyForQuery."""
    return len(tail) == READY_BYTES and tail.startswith(_READY_HEAD) and tail[-1] in b"ITE"
