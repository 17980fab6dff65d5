"""Messages one by one: cuts a stream into those that matter, builds what the endpoint says. Pure."""

from __future__ import annotations

import re
import struct

from hotrow.standin.endpoint.wire import build_message
from hotrow.standin.rewriting.outward import outward

_HEADER = struct.Struct("!BI")
_HEADER_BYTES = _HEADER.size
_WHOLE_BYTES_MAX = 4_096
"""Longer messages are shown by their beginning; nothing that the endpoint acts upon is longer."""
OTHER = 0
"""Instead of a kind: bytes that are only to be passed on."""

Piece = tuple[int, bytes]
"""A message's kind and the message, or OTHER and some bytes."""


class Cutter:
    """Cuts one direction of a connection, from a message's boundary on."""

    def __init__(self, kinds: bytes, whole: bytes = b"") -> None:
        """`kinds` are the ones that matter; those among `whole` are never shown in part."""
        self._kinds = frozenset(kinds)
        self._whole = frozenset(whole)
        self._held = b""
        self._passing = 0

    @property
    def at_boundary(self) -> bool:
        """Whether the last message is complete."""
        return not self._held and not self._passing

    def feed(self, chunk: bytes) -> list[Piece]:
        """The pieces that are complete, now that `chunk` has come; joined they are what came."""
        if self._passing >= len(chunk):
            self._passing -= len(chunk)
            return [(OTHER, chunk)]
        data, self._held = self._held + chunk, b""
        pieces: list[Piece] = []
        at, self._passing = self._passing, 0
        shown, size = 0, len(data)
        while at + _HEADER_BYTES <= size:
            kind, length = _HEADER.unpack_from(data, at)
            end = at + 1 + length
            if kind in self._kinds:
                wanted = end if kind in self._whole else min(end, at + _WHOLE_BYTES_MAX)
                if wanted > size:
                    break
                if shown < at:
                    pieces.append((OTHER, data[shown:at]))
                shown = min(end, size)
                pieces.append((kind, data[at:shown]))
            at = end
        if at >= size:
            self._passing = at - size
        else:
            self._held = data[at:]
        between = data[shown : len(data) - len(self._held)]
        return [*pieces, (OTHER, between)] if between else pieces

    def drain(self) -> bytes:
        """What is held back; the stream is not cut any more."""
        held, self._held, self._passing = self._held, b"", 0
        return held


def read_name(piece: bytes, at: int = 5) -> bytes | None:
    """The string that starts there in a message; None where it does not end."""
    end = piece.find(b"\0", at)
    return piece[at:end] if end >= 0 else None


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
"""What PostgreSQL refuses while it runs: the transaction is left as a real error leaves it."""
POISON_EXECUTE = build_message(b"D", b"S" + _FAULT_NAME + b"\0")
"""The same in place of an Execute: Describe of a statement that there is not."""
_REFUSED = b'"' + _FAULT_NAME + b'"'


_SEVERITIES = b"ERROR|FATAL|PANIC|WARNING|NOTICE|DEBUG|INFO|LOG"
_SAID = re.compile(rb"[EN](....)S(?:" + _SEVERITIES + rb")\0V(?:" + _SEVERITIES + rb")\0C", re.DOTALL)
"""How an ErrorResponse or a NoticeResponse begins; no value that is a text can look like it."""


def show_outward(data: bytes) -> bytes:
    """What a server sent, its errors and notices in terms of the client's own tables.

    They are told by their layout, not by counting messages, which would slow big results: one that is not
    complete in `data` passes as it is.
    """
    if b"__" not in data and b"hotrow" not in data:  # nearly always
        return data
    parts: list[bytes] = []
    at = 0
    for found in _SAID.finditer(data):
        end = found.start() + 1 + int.from_bytes(found[1], "big")
        fields = _read_fields(data[found.start() + _HEADER_BYTES : end]) if at <= found.start() else None
        if fields is not None and end <= len(data):
            parts += (data[at : found.start()], _build_fields(data[found.start()], outward(fields)))
            at = end
    return b"".join((*parts, data[at:])) if parts else data


def _read_fields(body: bytes) -> dict[str, str] | None:
    """The fields of a message by their letters; None where it is not made of such."""
    fields = body[:-2].split(b"\0")
    if not body.endswith(b"\0\0") or not all(fields):
        return None
    try:
        return {field[:1].decode(): field[1:].decode() for field in fields}
    except UnicodeDecodeError:  # another client_encoding
        return None


def _build_fields(kind: int, fields: dict[str, str]) -> bytes:
    body = b"".join(letter.encode() + text.encode() + b"\0" for letter, text in fields.items())
    return build_message(bytes((kind,)), body + b"\0")


def is_poisoned(error: bytes) -> bool:
    """Whether an ErrorResponse answers one of these."""
    return _REFUSED in error


_MARKS = 24
MARKER = build_message(b"C", b"Shotrow\0") * _MARKS + SYNC
"""Closes a statement that there is not, again and again: changes nothing in any state of a transaction."""
MARKED = build_message(b"3", b"") * _MARKS
"""The answer, which is followed by ReadyForQuery: a boundary in a stream that was not followed so far."""

READY_BYTES = 6
_READY_HEAD = build_message(b"Z", b"?")[:-1]


def build_ready(status: bytes = b"I") -> bytes:
    """ReadyForQuery: I idle, T in a transaction, E in a failed one."""
    return _READY_HEAD + status


def is_ready(tail: bytes) -> bool:
    """Whether the last bytes that a server sent are ReadyForQuery."""
    return len(tail) == READY_BYTES and tail.startswith(_READY_HEAD) and tail[-1] in b"ITE"
