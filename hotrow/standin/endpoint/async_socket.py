"""A non-blocking socket whose reads and writes a startup can await.

Not asyncio's streams: a connection's first byte must be looked at without taking it, and after startup the
bare sockets are relayed, which costs a third of what TLS transports cost.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")


class Channel:
    """One socket, plain at first."""

    def __init__(self, raw: socket.socket) -> None:
        raw.setblocking(False)
        self.socket = raw
        self._loop = asyncio.get_running_loop()

    async def peek(self) -> bytes:
        """The next byte, which stays; nothing at the end."""
        return await self._retry(lambda: self.socket.recv(1, socket.MSG_PEEK))

    async def read(self, count: int) -> bytes:
        """Exactly so many bytes.

        Raises:
            ConnectionError: the end came first.
        """
        got = bytearray()
        while len(got) < count:
            part = await self.receive(count - len(got))
            if not part:
                raise ConnectionResetError("closed by the client")
            got += part
        return bytes(got)

    async def receive(self, count_max: int) -> bytes:
        """Whatever has come, up to so many bytes; nothing at the end."""
        return await self._retry(lambda: self.socket.recv(count_max))

    async def write(self, data: bytes) -> None:
        """Send all of it."""
        while data:
            data = data[await self._send(data) :]

    async def _send(self, data: bytes) -> int:
        return await self._retry(lambda: self.socket.send(data), writing=True)

    async def secure(self, context: ssl.SSLContext) -> None:
        """Become a TLS socket, as the server."""
        secured = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.socket = secured
        await self._retry(secured.do_handshake)

    def close(self) -> None:
        """Close at once."""
        self.socket.close()

    async def _retry(self, operation: Callable[[], _T], *, writing: bool = False) -> _T:
        while True:
            try:
                return operation()
            except ssl.SSLWantReadError:
                await self._ready(writing=False)
            except ssl.SSLWantWriteError:
                await self._ready(writing=True)
            except BlockingIOError:
                await self._ready(writing=writing)

    async def _ready(self, *, writing: bool) -> None:
        loop, file = self._loop, self.socket.fileno()
        waiter = loop.create_future()
        add, remove = (
            (loop.add_writer, loop.remove_writer) if writing else (loop.add_reader, loop.remove_reader)
        )
        add(file, _wake, waiter)
        try:
            await waiter
        finally:
            remove(file)


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
