"""Scenes of the wire protocol in a short notation, for what follows both directions of a connection.

`> Q BEGIN` is a Query of the client, `< C BEGIN` a CommandComplete of the server. Further client messages:
`P name: text`, `B name values`, `E`, `S`, `d` (rows of a COPY). Further server messages: `Z I` (status),
`E 40001 text`, `F 57P01 text` (fatal), `s`, `I`, `G`. Several messages are separated by ` | `.
"""

from __future__ import annotations

from typing import Protocol

from hotrow.standin.endpoint.wire import build_message


class Follows(Protocol):
    """Takes both directions of a connection."""

    def client_sent(self, data: bytes, now_ns: int) -> None:
        """Take bytes of the client."""

    def server_sent(self, data: bytes, now_ns: int) -> None:
        """Take bytes of the server."""


def play(follower: Follows, scene: str, *, chunk: int = 0) -> int:
    """Show the follower a scene, one line per millisecond; the time after it, in ns.

    `chunk` cuts what passes into pieces of so many bytes.
    """
    now_ns = 0
    for line in filter(str.strip, scene.splitlines()):
        now_ns += 1_000_000
        side, _, rest = line.strip().partition(" ")
        build, take = (_client, follower.client_sent) if side == ">" else (_server, follower.server_sent)
        data = b"".join(build(*part.strip().partition(" ")[::2]) for part in rest.split(" | "))
        step = chunk or len(data)
        for start in range(0, len(data), step):
            take(data[start : start + step], now_ns)
    return now_ns


def _client(kind: str, rest: str) -> bytes:
    text = rest.encode()
    if kind == "Q":
        return build_message(b"Q", text + b"\0")
    if kind == "P":
        name, _, statement = text.partition(b":")
        return build_message(b"P", name + b"\0" + statement.strip() + b"\0\0\0")
    if kind == "B":
        name, _, values = text.partition(b" ")
        return build_message(b"B", b"\0" + name + b"\0" + values)
    return build_message(kind.encode(), b"\0\0\0\0\0" if kind == "E" else text)


def _server(kind: str, rest: str) -> bytes:
    if kind in {"E", "F"}:
        severity = "ERROR" if kind == "E" else "FATAL"
        sqlstate, _, message = rest.partition(" ")
        fields = f"S{severity}\0V{severity}\0C{sqlstate}\0M{message}\0\0"
        return build_message(b"E", fields.encode())
    return build_message(kind.encode(), rest.encode() + (b"\0" if kind == "C" else b""))
