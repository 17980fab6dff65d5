"""Lets BEGIN take the snapshot on a connection that is relayed byte by byte.

A statement of the endpoint's own is sent with a BEGIN that travels alone (hotrow/standin/begin.py), and its
answer is taken out of the server's. For this the messages of one answer are followed. That is possible if the
server had answered everything before the client sent BEGIN; otherwise BEGIN passes unchanged.
"""

from __future__ import annotations

import re
import struct
from functools import lru_cache
from typing import TYPE_CHECKING

from hotrow.standin.begin import TAKE_SNAPSHOT, begins_alone, with_snapshot
from hotrow.standin.endpoint.message_cutter import read_name
from hotrow.standin.endpoint.messages import build_query
from hotrow.standin.endpoint.statements import Meaning
from hotrow.standin.endpoint.wire import build_message

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAME = b"hotrow snapshot"
PREPARE_SNAPSHOT = build_message(b"P", _NAME + b"\0" + TAKE_SNAPSHOT.encode() + b"\0\0\0") + build_message(
    b"C", b"S" + _NAME + b"\0"
)
"""Parse and Close of the statement, for a pipeline: PostgreSQL takes the snapshot when it parses."""
QUERY_HIDES, PIPELINE_HIDES = b"TC", b"13"
"""The types of the two messages that answer the endpoint's own statement."""
HEADER = struct.Struct("!BI")
_BIND, _EXECUTE, _SYNC, _FLUSH = b"BESH"
_HARMLESS = b"DC"
"""Describe and Close. Parse does not come here."""
_COMPLETE, _ERROR, _READY = b"CEZ"
_READY_HEAD = b"Z\0\0\0\5"
_READY_BYTES = 6
_PIPELINE_END = build_message(b"1", b"") + build_message(b"3", b"")
_QUERY_END = build_message(b"T", b"\0\0") + build_message(b"C", b"SELECT 0\0")
_ENDS = {QUERY_HIDES: _QUERY_END, PIPELINE_HIDES: _PIPELINE_END}
_BEGUN = build_message(b"C", b"BEGIN\0")
_READY_IN_TRANSACTION = build_message(b"Z", b"T")
_USUAL_ANSWERS = {
    before + _BEGUN + end + _READY_IN_TRANSACTION: before + _BEGUN + _READY_IN_TRANSACTION
    for before, end in (
        (b"", _QUERY_END),
        (build_message(b"2", b""), _PIPELINE_END),
        (build_message(b"2", b"") + build_message(b"n", b""), _PIPELINE_END),
    )
}
"""What the client gets for the answers that nearly always come, so that they need not be cut."""
_SHORT_ANSWER_BYTES = 128
_MAY_BEGIN = re.compile(rb"\s*(?:begin|start|--|/\*)", re.IGNORECASE)
_MAX_QUERY_BYTES = 1_000
_CACHED_QUERIES = 256


@lru_cache(_CACHED_QUERIES)
def _add_snapshot(query: bytes) -> bytes | None:
    text = query[HEADER.size :].decode("latin-1")
    if not text.endswith("\0") or not begins_alone(text[:-1]):
        return None
    return build_query(with_snapshot(text[:-1]).encode("latin-1"))


def add_snapshot(query: bytes) -> bytes | None:
    """The Query of a BEGIN that also takes the snapshot; None if it is another Query."""
    may_begin = len(query) <= _MAX_QUERY_BYTES and _MAY_BEGIN.match(query, HEADER.size)
    return _add_snapshot(query) if may_begin else None


class BeginAnswer:
    """The server's answer to BEGIN and to the endpoint's own statement, as it arrives."""

    def __init__(self, hides: bytes, *, flushed: bool = False) -> None:
        """`flushed`: the client has sent Flush, not Sync, so that no ReadyForQuery ends the answer."""
        self.held = b""
        self._hides = hides
        self._flushed = flushed

    def feed(self, data: bytes) -> bytes | None:
        """The bytes for the client, without the answer to the own statement; None if more must come."""
        short = self._shorten(data)
        if short is not None:
            return short
        data, self.held = self.held + data, b""
        parts: list[bytes] = []
        hidden: bytes | None = None
        position = 0
        while position + HEADER.size <= len(data):
            message_type, length = HEADER.unpack_from(data, position)
            end = position + 1 + length
            if end > len(data):
                break
            if hidden and message_type == hidden[0]:
                hidden = hidden[1:]
            else:
                parts.append(data[position:end])
            if message_type == _COMPLETE and hidden is None:
                hidden = self._hides
            if message_type == _READY or (self._flushed and (message_type == _ERROR or hidden == b"")):
                return b"".join((*parts, data[end:]))
            position = end
        self.held = data
        return None

    def _shorten(self, data: bytes) -> bytes | None:
        """The answer without the two messages, if it has come in one piece, as nearly always."""
        if self.held or len(data) > _SHORT_ANSWER_BYTES or data.count(_READY_HEAD) != 1:
            return None
        ready = data[-_READY_BYTES:]
        before = data[:-_READY_BYTES].removesuffix(_ENDS[self._hides])
        whole = ready.startswith(_READY_HEAD) and len(before) < len(data) - _READY_BYTES
        return before + ready if whole else None


class BeginWatch:
    """Finds a BEGIN that travels alone among what a client sends in one turn.

    A turn begins when the client sends after the server.
    """

    def __init__(self, *, enabled: bool = True) -> None:
        self.enabled = enabled
        """Whether BEGIN takes the snapshot at all."""
        self.answer: BeginAnswer | None = None
        """What is to be taken out of the server's answer; None if nothing is."""
        self.first = False
        """Whether the client has sent nothing in a turn before which the server had answered everything."""
        self.may_come = False
        """Whether BEGIN may still travel alone in this turn."""
        self._portal: bytes | None = None
        self._executed = False

    def start_turn(self, *, answered: bool) -> None:
        """Begin a turn. `answered`: the server has answered everything."""
        self.first = self.may_come = self.enabled and answered and self.answer is None
        self._portal, self._executed = None, False

    def edit_query(self, query: bytes) -> bytes | None:
        """What to send instead of the first message of a turn, if that is a BEGIN; else None."""
        edited = add_snapshot(query)
        if edited is not None:
            self.answer = BeginAnswer(QUERY_HIDES)
        return edited

    def watch(
        self, message_type: int, message: bytes, meanings: Mapping[bytes, Meaning], *, last: bool
    ) -> bytes:
        """What to send before this message of a pipeline. `last`: the client has sent nothing after it."""
        if message_type == _BIND:
            self._bind(message, meanings)
        elif message_type == _EXECUTE:
            self.may_come = not self._executed and read_name(message) == self._portal
            self._executed = True
        elif message_type in {_SYNC, _FLUSH}:
            self.may_come = False
            if self._executed and last:
                self.answer = BeginAnswer(PIPELINE_HIDES, flushed=message_type == _FLUSH)
                return PREPARE_SNAPSHOT
        elif message_type not in _HARMLESS:
            self.may_come = False
        return b""

    def _bind(self, message: bytes, meanings: Mapping[bytes, Meaning]) -> None:
        names = message[HEADER.size :].split(b"\0", 2)
        self._portal = names[0]
        self.may_come = len(names) > 2 and meanings.get(names[1]) is Meaning.BEGIN  # noqa: PLR2004 - both names

    def take_answer(self, data: bytes) -> bytes:
        """The server's bytes for the client. `answer` is None afterwards, unless more must come."""
        assert self.answer is not None  # noqa: S101 - the caller has looked
        taken = None if self.answer.held else _USUAL_ANSWERS.get(data)
        if taken is None:
            taken = self.answer.feed(data)
        if taken is None:
            return b""
        self.answer = None
        return taken
