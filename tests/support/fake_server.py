"""A fake server that sends whatever a test wants, message by message, in PostgreSQL's protocol.

Message formats: PostgreSQL documentation, section 54.7.
"""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_TLS_REQUEST, _GSS_REQUEST = 80_877_103, 80_877_104
READY = b"Z\x00\x00\x00\x05I"
"""ReadyForQuery, outside a transaction."""


class Talk:
    """One client's connection, from the server's side."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection

    def take(self, size: int) -> bytes:
        """The next `size` bytes from the client; ConnectionError if it has left."""
        taken = bytearray()
        while len(taken) < size:
            part = self.connection.recv(min(size - len(taken), 1 << 20))
            if not part:
                raise ConnectionError
            taken += part
        return bytes(taken)

    def message(self) -> tuple[bytes, bytes]:
        """The client's next message: its type and its body."""
        kind = self.take(1)
        return kind, self.take(int.from_bytes(self.take(4), "big") - 4)

    def send(self, *parts: bytes) -> None:
        """Send these bytes."""
        self.connection.sendall(b"".join(parts))

    def greet(self) -> None:
        """Let the client in, without TLS and without a password."""
        while True:
            body = self.take(int.from_bytes(self.take(4), "big") - 4)
            if int.from_bytes(body[:4], "big") not in {_TLS_REQUEST, _GSS_REQUEST}:
                break
            self.send(b"N")
        self.send(
            message(b"R", bytes(4)), parameter("client_encoding", "UTF8"), message(b"K", bytes(8)), READY
        )

    def until_sync(self) -> list[tuple[bytes, bytes]]:
        """The client's messages up to its next Sync, without it."""
        messages = []
        while (latest := self.message())[0] != b"S":
            messages.append(latest)
        return messages

    def stay_silent(self) -> None:
        """Read what comes and send nothing until the client leaves."""
        while self.connection.recv(1 << 20):
            pass


def message(kind: bytes, body: bytes = b"") -> bytes:
    """A message from the server: its type byte, length and body."""
    return kind + (len(body) + 4).to_bytes(4, "big") + body


def parameter(name: str, value: str) -> bytes:
    """A ParameterStatus message."""
    return message(b"S", f"{name}\0{value}\0".encode())


def error(sqlstate: str, text: str, severity: str = "ERROR", kind: bytes = b"E") -> bytes:
    """An ErrorResponse message; with `kind=b"N"`, a NoticeResponse."""
    fields = (f"S{severity}", f"V{severity}", f"C{sqlstate}", f"M{text}")
    return message(kind, b"".join(field.encode() + b"\0" for field in fields) + b"\0")


def answers(messages: list[tuple[bytes, bytes]], value: bytes = b"1") -> bytes:
    """The answers to these Parse, Bind, Describe and Execute messages. Each Execute returns one row."""
    row = message(b"D", b"\x00\x01" + len(value).to_bytes(4, "big") + value)
    columns = message(b"T", b"\x00\x01c\0" + bytes(6) + b"\x00\x00\x00\x19" + b"\xff\xff" + bytes(6))
    answer_to = {
        b"P": message(b"1"),
        b"B": message(b"2"),
        b"D": columns,
        b"E": row + message(b"C", b"SELECT 1\0"),
    }
    return b"".join(answer_to[kind] for kind, _ in messages) + READY


@contextmanager
def serving(behave: Callable[[Talk], None]) -> Iterator[str]:
    """A server that runs `behave` on every connection; yields its URL."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    opened: list[socket.socket] = []

    def attend(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            behave(Talk(connection))

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                opened.append(connection)
                threading.Thread(target=attend, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"postgresql://someone:letmein@127.0.0.1:{listener.getsockname()[1]}/postgres"
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for connection in opened:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
