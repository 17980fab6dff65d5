"""The messages that the endpoint sends itself, and those that it recognises. Pure."""

from __future__ import annotations

from hotrow.standin.endpoint.wire import build_message


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
