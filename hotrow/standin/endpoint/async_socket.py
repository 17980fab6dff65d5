"""A non-blocking socket whose reads and writes can be awaited.

asyncio's streams would not do: the first byte of a connection must be read without removing it, and after
the login the bare sockets are relayed, which costs a third of what TLS transports cost.
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
    """One socket, without TLS at first."""

    def __init__(self, raw: socket.socket) -> None:
        raw.setblocking(False)
        self.socket = raw
        self._loop = asyncio.get_running_loop()

    async def peek(self, count: int = 1) -> bytes:
        """The next bytes, at least one and at most `count`, which stay in the socket; empty at the end."""
        return await self._retry(lambda: self.socket.recv(count, socket.MSG_PEEK))

    async def read(self, count: int) -> bytes:
        """Exactly this many bytes.

        Raises:
            ConnectionError: the connection ended before.
        """
        data = bytearray()
        while len(data) < count:
            part = await self.receive(count - len(data))
            if not part:
                raise ConnectionResetError("closed by the other side")
            data += part
        return bytes(data)

    async def receive(self, max_bytes: int) -> bytes:
        """The bytes that have arrived, up to `max_bytes` of them; empty at the end."""
        return await self._retry(lambda: self.socket.recv(max_bytes))

    async def write(self, data: bytes) -> None:
        """Send all bytes."""
        while data:
            data = data[await self._send(data) :]

    async def _send(self, data: bytes) -> int:
        return await self._retry(lambda: self.socket.send(data), writing=True)

    async def secure(self, context: ssl.SSLContext, *, server_name: str | None = None) -> None:
        """Become a TLS socket: as the server, or as the client of the server with this name."""
        secured = context.wrap_socket(
            self.socket,
            server_side=server_name is None,
            server_hostname=server_name,
            do_handshake_on_connect=False,
        )
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
                await self._wait_ready(writing=False)
            except ssl.SSLWantWriteError:
                await self._wait_ready(writing=True)
            except BlockingIOError:
                await self._wait_ready(writing=writing)

    async def _wait_ready(self, *, writing: bool) -> None:
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
