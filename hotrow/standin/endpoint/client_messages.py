"""The messages of the client on a followed connection, on their way to the server."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from typing import TYPE_CHECKING

from hotrow.standin.endpoint.begin_watch import PIPELINE_HIDES, PREPARE_SNAPSHOT, QUERY_HIDES, add_snapshot
from hotrow.standin.endpoint.client_stream import MAX_NAME_BYTES
from hotrow.standin.endpoint.faults import Fault
from hotrow.standin.endpoint.followed_connection import (
    CHUNK_BYTES,
    ConnectionDropped,
    FollowedConnection,
    InjectedFault,
    Segment,
    Tracking,
)
from hotrow.standin.endpoint.message_cutter import OTHER, MessageCutter, read_name
from hotrow.standin.endpoint.messages import (
    FLUSH,
    POISON_EXECUTE,
    POISON_QUERY,
    SYNC,
    build_query,
)
from hotrow.standin.endpoint.statements import Meaning

if TYPE_CHECKING:
    from collections.abc import Callable

    from hotrow.standin.endpoint.statements import StatementSpan

_QUERY, _PARSE, _BIND, _EXECUTE, _SYNC, _CALL, _FLUSH = b"QPBESFH"
_TYPES = b"QPBESFHDC"
_DROPS = frozenset({Fault.DROP_BEFORE, Fault.DROP_DURING, Fault.DROP_AFTER})
_MAX_PORTALS = 4_096
_MAX_ANSWER_S = 60
"""A client that breaks the protocol's order may never be answered.

After this time its faults are given up.
"""


class ClientMessages:
    """Reads the client, decides what happens to each message, and sends it on."""

    def __init__(
        self, connection: FollowedConnection, find_statements: Callable[[bytes], tuple[StatementSpan, ...]]
    ) -> None:
        self._connection = connection
        self._find_statements = find_statements
        self._cutter = MessageCutter(_TYPES, b"QP")
        self._outgoing: list[bytes] = []
        self._portals: dict[bytes, Meaning] = {}
        self._skipping = False
        """Whether an error has been decided: the server would ignore the client's messages up to Sync."""
        self._last = False
        """Whether nothing has come after the message that is being handled."""
        self._takes_snapshot = False
        """Whether a BEGIN has been told to take the snapshot, which has not been answered yet."""

    async def run(self) -> None:
        """Relay until the client closes its side."""
        connection = self._connection
        while True:
            connection.client_waits = True
            connection.note_rest()
            data = await connection.client.receive(CHUNK_BYTES)
            connection.end_rest()
            if not data:
                if isinstance(connection.server.socket, ssl.SSLSocket):
                    raise ConnectionResetError  # TLS cannot be closed on one side
                connection.server.socket.shutdown(socket.SHUT_WR)  # it still answers what it has
                return
            await connection.client_may_send.wait()
            pieces = self._cut(data)
            for number, (message_type, piece) in enumerate(pieces, start=1):
                self._last = number == len(pieces)
                await self._handle(message_type, piece)
            await self._flush()
            if self._takes_snapshot:
                self._takes_snapshot = False
                await self._wait_for(connection.snapshot_taken)

    def _cut(self, data: bytes) -> list[tuple[int, bytes]]:
        lost = self._connection.tracking is Tracking.LOST
        self._connection.stream.notes_parse = lost
        edited = self._connection.stream.feed(data)
        return [(OTHER, self._cutter.drain() + edited)] if lost else self._cutter.feed(edited)

    async def _flush(self) -> None:
        data = b"".join(self._outgoing)
        self._outgoing.clear()
        await self._connection.server.write(data)

    async def _handle(self, message_type: int, piece: bytes) -> None:
        """Pass on, change or skip one message of the client."""
        if self._connection.tracking is Tracking.LOST:
            self._skipping = False
            self._outgoing.append(piece)
        elif message_type == _SYNC:
            self._skipping = False
            self._take_snapshot()
            await self._close_segment(piece)
        elif self._skipping:
            pass
        elif message_type == _FLUSH:
            self._take_snapshot()
            self._outgoing.append(piece)
        elif message_type in {_QUERY, _CALL}:
            await self._handle_simple(message_type, piece)
        elif message_type == OTHER:
            self._outgoing.append(piece)
        else:
            await self._handle_extended(message_type, piece)

    async def _handle_simple(self, message_type: int, piece: bytes) -> None:
        """A Query or a FunctionCall, which is a segment of its own."""
        if self._connection.open_segment:  # after an error it would be skipped, and never be answered
            self._connection.lose_track()
            self._outgoing.append(piece)
        elif message_type == _QUERY:
            edited = build_query(await self._edit_query(piece[5:-1]))
            await self._close_segment(self._add_snapshot(edited))
        else:
            await self._close_segment(piece)

    def _segment(self) -> Segment:
        """The segment that is open, or a new one."""
        connection = self._connection
        if connection.open_segment is None:
            connection.open_segment = Segment(time.monotonic())
            connection.segments.append(connection.open_segment)
            connection.all_answered.clear()
        return connection.open_segment

    async def _close_segment(self, piece: bytes) -> None:
        """Send a message that the server answers with ReadyForQuery.

        If a fault is in the segment, wait for that answer.
        """
        segment = self._segment()
        segment.sent_s = time.monotonic()
        self._connection.open_segment = None
        self._outgoing.append(piece)
        if segment.injected:
            await self._flush()
            await self._wait_for(self._connection.all_answered)

    def _add_snapshot(self, query: bytes) -> bytes:
        """The Query; a BEGIN also takes the snapshot."""
        takes_snapshot = self._last and self._connection.stream.begin.enabled
        edited = add_snapshot(query) if takes_snapshot else None
        if edited is None:
            return query
        self._expect_snapshot(self._segment(), QUERY_HIDES)
        return edited

    def _take_snapshot(self) -> None:
        """If the open segment has executed BEGIN and nothing else, take the snapshot."""
        segment = self._connection.open_segment
        if not self._connection.stream.begin.enabled:
            return
        if self._last and segment and segment.begins and not segment.injected:
            segment.begins = False
            self._expect_snapshot(segment, PIPELINE_HIDES)
            self._outgoing.append(PREPARE_SNAPSHOT)

    def _expect_snapshot(self, segment: Segment, hides: bytes) -> None:
        """Hide the answer to the endpoint's own statement; nothing more is sent before it has come."""
        segment.hidden = hides
        self._connection.snapshot_taken.clear()
        self._takes_snapshot = True

    async def _wait_for(self, answered: asyncio.Event) -> None:
        try:
            async with asyncio.timeout(_MAX_ANSWER_S):
                await answered.wait()
        except TimeoutError:
            self._connection.lose_track()

    # Statements

    async def _edit_query(self, text: bytes) -> bytes:
        """The text to send instead of a simple query's text."""
        segment, statements = self._segment(), self._find_statements(text)
        alone = len(statements) == 1
        for statement in statements:
            if self._commits(statement.meaning, alone=alone):
                injected = segment.injected = await self._draw_commit_fault(statement.meaning)
                if injected:
                    return (
                        text[: statement.end] if injected.applied else text[: statement.start] + POISON_QUERY
                    )
            self._follow_transaction(statement.meaning)
        if self._is_unavailable({statement.meaning for statement in statements}):
            segment.injected = InjectedFault(Fault.UNAVAILABLE)
            return POISON_QUERY
        return text

    async def _handle_extended(self, message_type: int, piece: bytes) -> None:
        """A message of the extended query protocol."""
        segment = self._segment()
        if message_type == _EXECUTE:
            await self._execute(segment, piece)
            return
        if message_type == _PARSE:
            self._connection.stream.note_parse(piece[5:])
        elif message_type == _BIND:
            self._bind(piece)
        self._outgoing.append(piece)

    def _bind(self, piece: bytes) -> None:
        portal = read_name(piece)
        statement = None if portal is None else read_name(piece, 6 + len(portal))
        if portal is None or statement is None or len(self._portals) > _MAX_PORTALS:
            self._portals.clear()
            return
        if len(portal) > MAX_NAME_BYTES:
            return
        meaning = self._connection.stream.meanings.get(statement)
        if meaning is None:
            self._portals.pop(portal, None)
        else:
            self._portals[portal] = meaning

    async def _execute(self, segment: Segment, piece: bytes) -> None:
        meaning = self._portals.get(read_name(piece) or b"")
        first, segment.executed = not segment.executed, True
        segment.begins = first and meaning is Meaning.BEGIN
        if self._commits(meaning, alone=first):
            segment.injected = await self._draw_commit_fault(meaning)
        elif self._is_unavailable({meaning}):
            segment.injected = InjectedFault(Fault.UNAVAILABLE)
        injected = segment.injected
        self._follow_transaction(meaning)
        self._skipping = injected is not None
        self._outgoing.append(piece if injected is None or injected.applied else POISON_EXECUTE)
        if injected and injected.applied and injected.commit:
            self._outgoing.append(FLUSH)  # the client's own is skipped
        elif injected and injected.applied:
            await self._sync_now(segment)

    async def _sync_now(self, segment: Segment) -> None:
        """Send a Sync of the endpoint's own, at which a write outside of a transaction commits.

        The client may send its Sync only after the answer that it is not to get.
        """
        segment.shows_ready = False
        await self._close_segment(SYNC)
        self._segment()  # for the client's own Sync

    def _commits(self, meaning: Meaning | None, *, alone: bool) -> bool:
        """Whether a statement commits: COMMIT of a transaction, or a write outside of one."""
        if meaning is Meaning.COMMIT:
            return self._connection.in_transaction and not self._connection.transaction_failed
        return meaning is Meaning.WRITE and alone and not self._connection.in_transaction

    def _is_unavailable(self, meanings: set[Meaning | None]) -> bool:
        """Draw whether the service is unavailable for statements that neither commit nor roll back."""
        ends_transaction = meanings & {Meaning.COMMIT, Meaning.ROLLBACK}
        return not ends_transaction and self._connection.dice.hits(Fault.UNAVAILABLE)

    def _follow_transaction(self, meaning: Meaning | None) -> None:
        connection = self._connection
        if meaning is Meaning.BEGIN:
            connection.in_transaction = True
        elif meaning in {Meaning.COMMIT, Meaning.ROLLBACK}:
            self._segment().commits += meaning is Meaning.COMMIT and not connection.transaction_failed
            connection.in_transaction = connection.transaction_failed = False

    async def _draw_commit_fault(self, meaning: Meaning | None) -> InjectedFault | None:
        """Decide what happens to a commit, after its latency has passed.

        Raises:
            ConnectionDropped: the connection breaks before the server gets the commit.
        """
        connection, segment = self._connection, self._segment()
        if connection.latency.commit_s:
            await self._flush()
            await connection.latency_timer.wait(connection.latency.commit_s, connection.commit_took_s)
        fault = connection.dice.draw_commit()
        if fault is None:
            return None
        is_commit = meaning is Meaning.COMMIT
        applied = self._is_applied(fault, is_commit=is_commit)
        if fault in _DROPS and not applied:
            await self._flush()
            connection.dice.count(fault)
            raise ConnectionDropped
        return InjectedFault(fault, applied=applied, commit=is_commit, commits_before=segment.commits)

    def _is_applied(self, fault: Fault, *, is_commit: bool) -> bool:
        """Whether the server gets the statement.

        An unavailable service applies only an explicit COMMIT, at random.
        """
        if fault is Fault.DROP_DURING or (fault is Fault.UNAVAILABLE and is_commit):
            return self._connection.dice.coin(fault)
        return fault is Fault.DROP_AFTER
