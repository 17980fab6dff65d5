"""The server of one region: accepts clients, lets them log in, and relays them to the stand-in's socket.

Everything that a client may keep open, send, or make the endpoint keep is bounded: see `Limits`.

The endpoint's name is `localhost` (and 127.0.0.1). It is the only name that every client resolves without
DNS and that a certificate can name for `verify-full`. A region may also have the name of a cluster, which the
user's hosts file resolves. Tokens are signed for one of these names.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from contextlib import closing, suppress
from functools import partial
from typing import TYPE_CHECKING

from hotrow.standin.endpoint.async_socket import Channel
from hotrow.standin.endpoint.byte_relay import ByteRelay
from hotrow.standin.endpoint.client_stream import ClientStream, HeldBytes, cached_edit, cached_if_short
from hotrow.standin.endpoint.followed_connection import (
    ConnectionDropped,
    FollowedConnection,
    needs_messages,
)
from hotrow.standin.endpoint.injection import Dice
from hotrow.standin.endpoint.login import Login, LoginEnded
from hotrow.standin.endpoint.message_relay import MessageRelay
from hotrow.standin.endpoint.statements import find_statements

if TYPE_CHECKING:
    from hotrow.standin.endpoint.region_config import RegionConfig

_BACKLOG = 1024
_MAX_ERRORS_LOGGED = 100


def listen(port: int) -> list[socket.socket]:
    """Sockets on this port of the loopback addresses; 0 is any free port.

    IPv6 is included if the machine has it.

    Raises:
        OSError: the port is taken.
    """
    ipv4 = _listen(socket.AF_INET, "127.0.0.1", port)
    with suppress(OSError):
        return [ipv4, _listen(socket.AF_INET6, "::1", ipv4.getsockname()[1])]
    return [ipv4]


def _listen(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    server = socket.socket(family, socket.SOCK_STREAM)
    try:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((address, port))
        server.listen(_BACKLOG)
    except OSError:
        server.close()
        raise
    server.setblocking(False)
    return server


class Listener:
    """Serves the clients of one region until it is cancelled."""

    def __init__(self, config: RegionConfig) -> None:
        self._config = config
        self._edit = cached_edit(config.rewrite)
        self._find_statements = cached_if_short(find_statements)
        self._held_bytes = HeldBytes(config.limits.held_bytes)
        self._starting: dict[asyncio.Task[None], None] = {}
        """Clients that have not logged in yet, oldest first."""
        self._clients: set[asyncio.Task[None]] = set()
        self._errors_logged = 0

    @property
    def clients(self) -> int:
        """The number of connections, including those that are starting."""
        return len(self._clients)

    async def serve(self, servers: list[socket.socket]) -> None:
        """Accept clients on these sockets. A cancellation ends all of them."""
        try:
            async with asyncio.TaskGroup() as group:
                for server in servers:
                    group.create_task(self._accept(server))
        finally:
            for task in self._clients:
                task.cancel()
            await asyncio.gather(*self._clients, return_exceptions=True)

    async def _accept(self, server: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                client, _ = await loop.sock_accept(server)
            except OSError:  # no file descriptors left, or the client ended before it was accepted
                await asyncio.sleep(0.05)
                continue
            self._make_room()
            task = loop.create_task(self._attend(client))
            self._clients.add(task)
            self._starting[task] = None
            task.add_done_callback(self._forget)

    def _make_room(self) -> None:
        """If too many clients are starting, close the oldest: an honest one logs in within milliseconds."""
        if len(self._starting) >= self._config.limits.starting:
            oldest = next(iter(self._starting))
            del self._starting[oldest]
            oldest.cancel()

    def _has_room(self) -> bool:
        return self.clients - len(self._starting) < self._config.limits.connections

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._clients.discard(task)
        self._starting.pop(task, None)

    async def _attend(self, client: socket.socket) -> None:
        """Serve one client from its first byte to its last."""
        with closing(Channel(client)) as channel:
            dice = Dice(self._config.injection)
            login = Login(self._config, channel, dice, self._has_room)
            try:
                with closing(Channel(await login.run())) as backend:
                    self._starting.pop(_this_task(), None)
                    await self._relay(channel, backend, dice)
            except (LoginEnded, ConnectionDropped, OSError, TimeoutError):
                pass  # that a client ends is normal
            except Exception as error:  # noqa: BLE001 - an error of one client must not end the others
                self._log(error)

    async def _relay(self, client: Channel, backend: Channel, dice: Dice) -> None:
        """Join both sides until either ends: by messages while that is needed, otherwise by bytes."""
        config, born_s = self._config, time.monotonic()
        quiet, fresh, goes_on = False, True, True
        with closing(ClientStream(self._edit, self._held_bytes)) as stream:
            while goes_on:
                connection = FollowedConnection(
                    client, backend, stream, dice, config.injection, config.latency
                )
                if needs_messages(connection):
                    message_relay = MessageRelay(connection, self._find_statements, born_s)
                    goes_on = await message_relay.run(fresh=fresh, quiet=quiet)
                    quiet = message_relay.quiet
                else:
                    byte_relay = ByteRelay(client.socket, backend.socket, stream, quiet=quiet)
                    with config.injection.listening(partial(_leave_if_needed, byte_relay, connection)):
                        goes_on = await byte_relay.run()
                    quiet = byte_relay.quiet and stream.at_boundary
                fresh = False

    def _log(self, error: Exception) -> None:
        """Write one line without what the client sent.

        The number of lines is limited, so that the log stays small.
        """
        self._errors_logged += 1
        if self._errors_logged <= _MAX_ERRORS_LOGGED:
            trace = error.__traceback__
            while trace and trace.tb_next:
                trace = trace.tb_next
            where = f"{trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}" if trace else "?"
            sys.stderr.write(f"a connection ended by {type(error).__name__} in {where}\n")


def _this_task() -> asyncio.Task[None]:
    task: asyncio.Task[None] | None = asyncio.current_task()
    assert task is not None  # noqa: S101 - only tasks attend to clients
    return task


def _leave_if_needed(relay: ByteRelay, connection: FollowedConnection) -> None:
    """End the byte relay if the faults that were just set need a message relay."""
    connection.dice.renew()
    if needs_messages(connection):
        relay.leave()
