"""Accepts clients and gives each a task of its own, within limits."""

from __future__ import annotations

import asyncio
import sys
from contextlib import closing
from typing import TYPE_CHECKING

from hotrow.standin.endpoint.async_socket import Channel
from hotrow.standin.endpoint.followed_connection import ConnectionDropped
from hotrow.standin.endpoint.login import LoginEnded

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable

    from hotrow.standin.endpoint.region_config import Limits

_MAX_ERRORS_LOGGED = 100


class Acceptor:
    """Serves the clients of some listening sockets until it is cancelled."""

    def __init__(self, limits: Limits, attend: Callable[[Channel], Awaitable[None]]) -> None:
        """`attend` serves one client from its first byte to its last. It calls `let_in` after the login."""
        self._limits = limits
        self._attend = attend
        self._starting: dict[asyncio.Task[None], None] = {}
        """Clients that have not logged in yet, oldest first."""
        self._clients: set[asyncio.Task[None]] = set()
        self._errors_logged = 0

    @property
    def clients(self) -> int:
        """The number of connections, including those that are starting."""
        return len(self._clients)

    def has_room(self) -> bool:
        """Whether one more client may be let in."""
        return self.clients - len(self._starting) < self._limits.connections

    def let_in(self) -> None:
        """Note that the client of the present task has logged in."""
        self._starting.pop(_this_task(), None)

    async def serve(self, servers: list[socket.socket]) -> None:
        """Accept clients on these sockets. A cancellation ends all of them."""
        try:
            async with asyncio.TaskGroup() as group:
                for server in servers:
                    group.create_task(self._accept(server))
        finally:
            await self.end_clients()

    async def end_clients(self) -> None:
        """Close every connection."""
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
            task = loop.create_task(self._serve_client(client))
            self._clients.add(task)
            self._starting[task] = None
            task.add_done_callback(self._forget)

    def _make_room(self) -> None:
        """If too many clients are starting, close the oldest: an honest one logs in within milliseconds."""
        if len(self._starting) >= self._limits.starting:
            oldest = next(iter(self._starting))
            del self._starting[oldest]
            oldest.cancel()

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._clients.discard(task)
        self._starting.pop(task, None)

    async def _serve_client(self, client: socket.socket) -> None:
        with closing(Channel(client)) as channel:
            try:
                await self._attend(channel)
            except (LoginEnded, ConnectionDropped, OSError, TimeoutError):
                pass  # that a client ends is normal
            except Exception as error:  # noqa: BLE001 - an error of one client must not end the others
                self._log(error)

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
