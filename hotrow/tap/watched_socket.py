"""A client's socket that shows a watch everything that passes through it."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Protocol

    class Watch(Protocol):
        """Sees both directions. It must not raise."""

        def client_sent(self, data: bytes) -> None:
            """Take what was read from the client."""

        def server_sent(self, data: bytes) -> None:
            """Take what the client is sent."""


class WatchedSocket(socket.socket):
    """The relay reads and writes it like any other socket.

    What the client gets is shown before it is sent. A client that is gone does not hear how its COMMIT ended,
    but the record is to say so.
    """

    watch: Watch | None = None
    """None until the login is over."""
    _shown: int = 0
    """How many bytes of the next chunk were shown already, because the socket did not take them all."""

    @classmethod
    def around(cls, raw: socket.socket) -> WatchedSocket:
        """The same socket, watched. `raw` must not be used any more."""
        watched = cls(fileno=raw.detach())
        watched.setblocking(False)
        return watched

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """As `socket.recv`. Bytes that are only looked at are not shown."""
        data = super().recv(bufsize, flags)
        if self.watch is not None and not flags:
            self.watch.client_sent(data)
        return data

    def send(self, data: bytes, flags: int = 0, /) -> int:  # type: ignore[override]
        """As `socket.send`."""
        if self.watch is None:
            return super().send(data, flags)
        if len(data) > self._shown:
            self.watch.server_sent(data[self._shown :])
            self._shown = len(data)
        sent = super().send(data, flags)
        self._shown -= sent
        return sent
