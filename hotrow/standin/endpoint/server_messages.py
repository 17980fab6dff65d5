"""The messages of the server on a followed connection, on their way to the client."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from types import MappingProxyType

from hotrow.standin.endpoint.faults import Fault
from hotrow.standin.endpoint.followed_connection import (
    CHUNK_BYTES,
    FAILED,
    IDLE,
    ConnectionDropped,
    FollowedConnection,
    InjectedFault,
    Segment,
    Tracking,
)
from hotrow.standin.endpoint.message_cutter import MessageCutter
from hotrow.standin.endpoint.messages import (
    MARKER,
    MARKER_ANSWER,
    READY_BYTES,
    build_error,
    build_query,
    is_poison_error,
    is_ready,
)
from hotrow.standin.endpoint.wire import build_message

_COMPLETE, _ERROR, _READY, _COPY_IN, _COPY_BOTH = b"CEZGW"
_COMMITTED = build_message(b"C", b"COMMIT\0")
_STATUS = -1
"""Index of the transaction status in ReadyForQuery."""
_ROLLBACK = build_query(b"ROLLBACK")
_ERRORS = MappingProxyType(
    {
        Fault.CONFLICT: build_error("40001", "change conflicts with another transaction (OC000)"),
        Fault.SCHEMA_CONFLICT: build_error("40001", "schema has been updated by another transaction (OC001)"),
        Fault.UNAVAILABLE: build_error("XX000", "server unavailable"),
    }
)


class ServerMessages:
    """Reads the server, and decides which of its messages the client gets, and when."""

    def __init__(self, connection: FollowedConnection) -> None:
        self._connection = connection
        self._cutter = MessageCutter(b"CEZGWT13")
        self._unmarked = b""
        """Bytes since the marker was asked for that may be the beginning of its answer."""
        self._tail = b""
        self._outgoing: list[bytes] = []
        self.busy = False
        """Whether something is on its way to the client."""

    @property
    def within_message(self) -> bool:
        """Whether the client may have received only a part of a message."""
        return self.busy or not self._cutter.at_boundary

    async def run(self) -> None:
        """Relay until the server closes the connection."""
        connection = self._connection
        while data := await self._receive():
            connection.client_sent_last = False
            if connection.tracking is Tracking.SEEKING:
                data = self._seek_marker(data)
            if connection.tracking is Tracking.FOLLOWING:
                await self._follow(data)
            else:
                await self._pass_on(data)
            connection.note_rest()
        await self._write(self._unmarked)  # the server ended before the marker came

    async def _receive(self) -> bytes:
        try:
            return await self._connection.server.receive(CHUNK_BYTES)
        except ConnectionResetError:  # the server ended before it had read everything
            return b""

    async def ask_for_marker(self) -> None:
        """Send the marker to the server. The client must rest meanwhile."""
        connection = self._connection
        connection.seek_boundary()
        self._unmarked = b""
        with suppress(BrokenPipeError, ConnectionResetError):  # `run` notices that the server has ended
            await connection.server.write(MARKER)

    async def _pass_on(self, data: bytes) -> None:
        """Send bytes that are not followed. When the connection rests, begin to follow it."""
        connection = self._connection
        await self._write(self._cutter.drain() + data)
        self._tail = (self._tail + data[-READY_BYTES:])[-READY_BYTES:]
        if connection.tracking is not Tracking.LOST or not is_ready(self._tail):
            return
        if connection.client_waits and not connection.client_sent_last and connection.stream.at_boundary:
            await self.ask_for_marker()

    def _seek_marker(self, data: bytes) -> bytes:
        """Look for the marker's answer. Bytes before it are sent unchanged, bytes after it are followed."""
        connection = self._connection
        unmarked = self._unmarked + data
        position = unmarked.find(MARKER_ANSWER)
        if position < 0:
            sendable = max(len(unmarked) - len(MARKER_ANSWER) + 1, 0)
            self._unmarked = unmarked[sendable:]
            return unmarked[:sendable]
        self._outgoing.append(unmarked[:position])
        self._unmarked = b""
        connection.tracking = Tracking.FOLLOWING
        connection.segments.append(Segment(silent=True, shows_ready=False))
        return unmarked[position + len(MARKER_ANSWER) :]

    async def _follow(self, data: bytes) -> None:
        connection = self._connection
        for message_type, piece in self._cutter.feed(data):
            segment = connection.segments[0] if connection.segments else None
            if connection.tracking is Tracking.LOST or segment is None:
                self._outgoing.append(piece)
            elif message_type == _READY:
                await self._finish(segment, piece)
            else:
                self._outgoing.append(self._filter(segment, message_type, piece))
            if message_type in {_COPY_IN, _COPY_BOTH}:  # Sync is not answered while rows come
                connection.lose_track()
        await self._flush()

    async def _flush(self) -> None:
        data = b"".join(self._outgoing)
        self._outgoing.clear()
        await self._write(data)

    async def _write(self, data: bytes) -> None:
        self.busy = True
        await self._connection.client.write(self._connection.edit_answer(data))
        self.busy = False

    def _filter(self, segment: Segment, message_type: int, piece: bytes) -> bytes:
        """The bytes that the client gets for a message that is not the last of its segment."""
        injected = segment.injected
        if segment.silent:
            return b""
        if segment.hidden:
            return self._hide(segment, message_type, piece)
        if injected is None:
            return piece
        if injected.applied:
            return self._withhold(segment, injected, message_type, piece)
        return self._replace(injected, message_type, piece)

    def _hide(self, segment: Segment, message_type: int, piece: bytes) -> bytes:
        """The message, or nothing if it answers the statement that takes the snapshot."""
        if segment.began and message_type == segment.hidden[0]:
            segment.hidden = segment.hidden[1:]
            piece = b""
        segment.began |= message_type == _COMPLETE
        if not segment.hidden or message_type == _ERROR:
            self._connection.snapshot_taken.set()
        return piece

    def _replace(self, injected: InjectedFault, message_type: int, piece: bytes) -> bytes:
        """The fault's error for the error of the statement that was sent instead."""
        if message_type != _ERROR or not is_poison_error(piece):
            return piece
        injected.fired = True
        self._connection.dice.count(injected.fault)
        return _ERRORS[injected.fault]

    def _withhold(self, segment: Segment, injected: InjectedFault, message_type: int, piece: bytes) -> bytes:
        """The message without the commit's answer. An error shows that there was no commit.

        Raises:
            ConnectionDropped: the server has committed, and the connection breaks here.
        """
        if message_type == _ERROR:
            segment.injected = None
            return injected.withheld + piece
        if piece == _COMMITTED and injected.commit and not injected.fired:
            injected.commits_before -= 1
            return self._break_or_blur(injected) if injected.commits_before < 0 else piece
        if message_type == _COMPLETE and not injected.commit:
            injected.withheld += piece
            return b""
        return piece

    def _break_or_blur(self, injected: InjectedFault) -> bytes:
        """Break the connection, or give an error that leaves the client in doubt, after a commit."""
        injected.fired = True
        self._connection.dice.count(injected.fault)
        if injected.fault is not Fault.UNAVAILABLE:
            raise ConnectionDropped
        return _ERRORS[injected.fault]

    async def _finish(self, segment: Segment, ready: bytes) -> None:
        """Handle ReadyForQuery: end the segment, and tell the client when the latency has passed."""
        connection, injected = self._connection, segment.injected
        if segment.hidden:  # BEGIN failed
            connection.snapshot_taken.set()
        if injected and injected.commit and injected.fired and ready[_STATUS] == FAILED:
            await self._flush()
            connection.segments[0] = Segment(segment.sent_s, commits=segment.commits, silent=True)
            await connection.server.write(_ROLLBACK)
            return
        if injected and injected.withheld:
            self._break_or_blur(injected)
        await self._wait_for_latency(segment)
        connection.status = ready[_STATUS]
        connection.segments.popleft()
        if segment.shows_ready:
            self._outgoing.append(ready)
        await self._flush()
        if not connection.segments:
            self._note_all_answered()

    def _note_all_answered(self) -> None:
        """Take over the server's own account of the transaction, which is certain now."""
        connection = self._connection
        connection.in_transaction = connection.status != IDLE
        connection.transaction_failed = connection.status == FAILED
        connection.all_answered.set()
        connection.client_may_send.set()

    async def _wait_for_latency(self, segment: Segment) -> None:
        """Wait until the segment's answer has taken as long as its latency and an injected delay say."""
        connection = self._connection
        if segment.startup or not segment.shows_ready:
            return
        elapsed_s = time.monotonic() - segment.sent_s
        if segment.commits:
            connection.commit_took_s = elapsed_s
        elif connection.latency.rtt_s:
            await connection.latency_timer.wait(connection.latency.rtt_s, elapsed_s)
        if connection.dice.hits(Fault.DELAY):
            connection.dice.count(Fault.DELAY)
            await asyncio.sleep(connection.injection.faults.delay_s)
