"""Random, truncated and oversized messages for the endpoint, and its answers. Seeded."""

from __future__ import annotations

import socket
import ssl
import struct
from contextlib import suppress
from typing import TYPE_CHECKING

from hotrow.standin.endpoint.wire import build_message, build_startup

if TYPE_CHECKING:
    import random

TIMEOUT_S = 20.0
"""Twice the endpoint's time limit for a startup. A longer silence means that it hangs."""
ASK_TLS = struct.pack("!IHH", 8, 1234, 5679)
WELCOME = b"R\0\0\0\x08\0\0\0\0"
"""AuthenticationOk. The endpoint must never send it to a client without a token."""
ADMIN = {"user": "admin", "database": "postgres"}


def connect(port: int) -> socket.socket:
    """A TCP connection without TLS."""
    return socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S)


def trusting(*, alpn: bool = True) -> ssl.SSLContext:
    """A client's TLS context that checks no certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(["postgresql"])
    return context


def connect_tls(port: int, context: ssl.SSLContext | None = None) -> ssl.SSLSocket:
    """A connection with TLS, requested in PostgreSQL's way."""
    plain = connect(port)
    plain.sendall(ASK_TLS)
    assert plain.recv(1) == b"S"
    return (context or trusting()).wrap_socket(plain, server_hostname="localhost")


def enter(port: int, token: str) -> ssl.SSLSocket:
    """An authenticated connection."""
    client = connect_tls(port)
    client.sendall(build_startup(ADMIN) + build_message(b"p", token.encode() + b"\0"))
    answer = b""
    while WELCOME not in answer:
        part = client.recv(65_536)
        assert part, answer
        answer += part
    return client


def read_all(client: socket.socket) -> bytes:
    """All bytes until the connection closes or is reset; raises TimeoutError if it stays open."""
    answer = bytearray()
    try:
        while part := client.recv(65_536):
            answer += part
    except TimeoutError:
        raise
    except OSError:  # a reset is an end too
        pass
    return bytes(answer)


def exchange(client: socket.socket, data: bytes) -> bytes:
    """Send `data`, end the sending side, and read until the endpoint closes the connection."""
    with client:
        with suppress(OSError):  # the endpoint may have closed it by now
            client.sendall(data)
            socket.socket.shutdown(client, socket.SHUT_WR)  # SSLSocket.shutdown would end TLS as well
        return read_all(client)


def garbage(rng: random.Random) -> bytes:
    """Random bytes: none, a few or thousands."""
    return rng.randbytes(rng.choice((0, 1, 3, 4, 5, 8, 20, 300, 12_000)))


def startup(rng: random.Random) -> bytes:
    """A bad startup packet: cut, with a wrong length or version, or followed by other bytes."""
    packet = build_startup(ADMIN)
    wrong_length = struct.pack("!I", rng.choice((0, 3, 7, 9, 10_001, 2**31, 2**32 - 1, rng.randrange(2**32))))
    return rng.choice(
        (
            packet[: rng.randrange(len(packet))],
            wrong_length + packet[4:],
            packet[:4] + rng.randbytes(4) + packet[8:],
            packet[:8] + rng.randbytes(len(packet) - 8),
            packet + garbage(rng),
            packet + packet,
            struct.pack("!IHH", 8, 1234, rng.randrange(2**16)) + garbage(rng),
        )
    )


def password(rng: random.Random, token: str) -> bytes:
    """A password message with a wrong token, or a malformed one."""
    place = rng.randrange(len(token))
    bad = token[:place] + chr(ord(token[place]) ^ rng.randrange(1, 32)) + token[place + 1 :]
    message = build_message(b"p", bad.encode() + b"\0")
    return rng.choice(
        (
            message,
            message[: rng.randrange(len(message))],
            build_message(b"p", garbage(rng)),
            b"p" + struct.pack("!I", rng.randrange(2**32)) + garbage(rng),
            build_message(rng.randbytes(1), token.encode() + b"\0") if rng.random() < 0.5 else garbage(rng),
            build_message(b"p", bad[:place].encode() + b"\0") * 3,
        )
    )


def message(rng: random.Random) -> bytes:
    """A random message of an authenticated client: well-formed, cut, or garbage."""
    body = rng.randbytes(rng.choice((0, 1, 2, 4, 10, 200)))
    whole = build_message(rng.choice((rng.randbytes(1), bytes([rng.choice(b"BCDEHPQSdcf")]))), body)
    return rng.choice((whole, whole, whole, whole[: rng.randrange(len(whole))], garbage(rng)))


class Fuzz:
    """Attacks on an endpoint, each on a connection of its own."""

    def __init__(self, port: int, token: str, rng: random.Random) -> None:
        self._port = port
        self._token = token
        self._rng = rng
        self._tls = trusting()

    def attack(self) -> int:
        """Make one random attack; return the number of messages sent."""
        ways = (self._plain, self._false_tls, self._startup, self._password, self._inside)
        return self._rng.choices(ways, (4, 2, 2, 2, 1))[0]()

    def _plain(self) -> int:
        """Send garbage or a startup without TLS."""
        data = self._rng.choice((garbage, startup))(self._rng)
        self._keep_out(exchange(connect(self._port), data))
        return 1

    def _false_tls(self) -> int:
        """Send bytes that begin like TLS but are not, at once or after the TLS request."""
        start = self._rng.choice((b"", ASK_TLS))
        data = start + b"\x16\x03\x01" + self._rng.randbytes(2) + garbage(self._rng)
        self._keep_out(exchange(connect(self._port), data))
        return 1

    def _startup(self) -> int:
        """Send garbage or a bad startup over TLS."""
        data = self._rng.choice((garbage, startup))(self._rng)
        self._keep_out(exchange(connect_tls(self._port, self._tls), data))
        return 2

    def _password(self) -> int:
        """Send a correct startup over TLS, then a wrong password."""
        data = build_startup(ADMIN) + password(self._rng, self._token)
        self._keep_out(exchange(connect_tls(self._port, self._tls), data))
        return 3

    def _inside(self) -> int:
        """Send messages and garbage on an authenticated connection. Any answer will do, but it must end."""
        count = self._rng.randrange(1, 50)
        exchange(enter(self._port, self._token), b"".join(message(self._rng) for _ in range(count)))
        return 2 + count

    @staticmethod
    def _keep_out(answer: bytes) -> None:
        assert WELCOME not in answer, "let in without a token"
