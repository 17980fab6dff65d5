"""Relays a connection message by message, so that faults and latency apply to the right statement.

It is used only while faults or latency need it. Otherwise byte_relay.py does the work, which is faster. Each
direction is a task: `ClientMessages` reads the client, `ServerMessages` the server, and both share a
`FollowedConnection`. How a fault is made:

- **conflict, schema_conflict, unavailable** (not applied): the statement is replaced by one that PostgreSQL
  refuses, and its error is replaced in turn. So the server itself skips the messages up to Sync and reports
  the status of the transaction. After a COMMIT, a hidden ROLLBACK ends the transaction, as a COMMIT that
  failed would have done.
- **unavailable** (applied), **drop_after** and half of **drop_during**: the server runs the statement. Once
  it reports the commit, its answer is replaced or the connection is closed.
- Nothing more of the client is passed on until the server has answered a segment with a fault.

A connection that was not followed from its start must first find a message boundary: see `messages.MARKER`.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from hotrow.standin.endpoint.client_messages import ClientMessages
from hotrow.standin.endpoint.faults import Fault
from hotrow.standin.endpoint.followed_connection import (
    ConnectionDropped,
    FollowedConnection,
    Segment,
    Tracking,
    needs_messages,
)
from hotrow.standin.endpoint.server_messages import ServerMessages
from hotrow.standin.endpoint.wire import WireError, build_fatal

if TYPE_CHECKING:
    from collections.abc import Callable

    from hotrow.standin.endpoint.statements import StatementSpan

_BUSY_S = 0.005


class MessageRelay:
    """Follows one connection for as long as that is needed."""

    def __init__(
        self,
        connection: FollowedConnection,
        find_statements: Callable[[bytes], tuple[StatementSpan, ...]],
        born_s: float,
    ) -> None:
        """`born_s` is when the connection began, on the monotonic clock."""
        self._connection = connection
        self._born_s = born_s
        self._client_messages = ClientMessages(connection, find_statements)
        self._server_messages = ServerMessages(connection)
        self._faults_changed = asyncio.Event()

    @property
    def quiet(self) -> bool:
        """Whether the relay ended at a message boundary."""
        return self._connection.tracking is Tracking.FOLLOWING

    async def run(self, *, fresh: bool, quiet: bool) -> bool:
        """Relay until either side ends (False), or until the messages need not be followed any more (True).

        `fresh`: the server has only just been asked to start the session. `quiet`: the connection is at a
        boundary.

        Raises:
            ConnectionDropped: a fault ends the connection.
        """
        with self._connection.injection.listening(self._note_change):
            await self._find_boundary(fresh=fresh, quiet=quiet)
            try:
                return await self._relay()
            except (ConnectionDropped, OSError):
                raise
            except WireError as error:
                await self._send_error(error)
                return False
            except Exception:
                await self._send_error(WireError("the endpoint failed at this statement", sqlstate="XX000"))
                raise
            finally:
                self._connection.stream.notes_parse = True

    async def _find_boundary(self, *, fresh: bool, quiet: bool) -> None:
        connection = self._connection
        connection.client_may_send.set()
        connection.all_answered.set()
        if fresh:
            connection.tracking = Tracking.FOLLOWING
            connection.segments.append(Segment(startup=True))
            connection.all_answered.clear()
        elif quiet:
            await self._server_messages.ask_for_marker()

    async def _relay(self) -> bool:
        client = asyncio.create_task(self._client_messages.run())
        server = asyncio.create_task(self._server_messages.run())
        watch = asyncio.create_task(self._watch())
        try:
            while not server.done():
                pending = {task for task in (client, server, watch) if not task.done()}
                await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                if client.done():
                    client.result()
                if watch.done() and not server.done():
                    watch.result()
                    if self._may_end(self._connection.resting):
                        return True
                    watch = asyncio.create_task(self._watch())  # something has come since it ended
            server.result()
            return False
        finally:
            for task in (client, server, watch):
                task.cancel()
            await asyncio.gather(client, server, watch, return_exceptions=True)

    async def _watch(self) -> None:
        """Wait until the connection may be relayed byte by byte again.

        Raises:
            ConnectionDropped: the fault `session_life` ends the connection.
        """
        connection = self._connection
        while True:
            self._faults_changed.clear()
            life_s = connection.injection.faults.session_life
            if not needs_messages(connection):
                await self._wait_or_change(connection.resting)
                if self._may_end(connection.resting) and not needs_messages(connection):
                    return
            elif life_s and await self._sleep(self._born_s + life_s - time.monotonic()):
                await self._wait_or_change(connection.idle)
                if self._may_end(connection.idle) and not self._faults_changed.is_set():
                    connection.dice.count(Fault.SESSION_LIFE)
                    raise ConnectionDropped
            else:
                await self._faults_changed.wait()
            if self._server_messages.busy:
                await asyncio.sleep(_BUSY_S)

    def _may_end(self, event: asyncio.Event) -> bool:
        """Whether the event is still set, and nothing is on its way to the client."""
        return event.is_set() and not self._server_messages.busy

    async def _sleep(self, seconds: float) -> bool:
        """Sleep for this long; False if the faults changed meanwhile."""
        with suppress(TimeoutError):
            async with asyncio.timeout(max(seconds, 0)):
                await self._faults_changed.wait()
        return not self._faults_changed.is_set()

    async def _wait_or_change(self, event: asyncio.Event) -> None:
        """Wait for the event, or until the faults change."""
        tasks = [asyncio.create_task(awaited.wait()) for awaited in (event, self._faults_changed)]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

    def _note_change(self) -> None:
        self._connection.dice.renew()
        self._faults_changed.set()

    async def _send_error(self, error: WireError) -> None:
        """Send the error, unless the client has received only a part of another message."""
        if not self._server_messages.within_message:
            with suppress(OSError):
                await self._connection.client.write(build_fatal(error))
