"""The PostgreSQL 3.0 wire protocol, as far as the endpoint must understand it. Pure: bytes in, bytes out.

Source: PostgreSQL documentation, chapters "Message Flow" and "Message Formats". Every length is checked
before anything is kept: a startup packet has at most 10,000 bytes, a statement 16 MiB, any other message
64 MiB.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import TypeVar

from hotrow.standin.endpoint.statements import Meaning, meaning_of

STARTUP_BYTES_MAX = 10_000
"""PostgreSQL's own limit (MAX_STARTUP_PACKET_LENGTH); a token is far shorter."""
MESSAGE_BYTES_MAX = 64 * 1024 * 1024
STATEMENT_BYTES_MAX = 16 * 1024 * 1024
"""A statement is held until it is complete. A transaction of Aurora DSQL writes 10 MiB at most."""
HELD_BYTES_MAX = 64 * 1024 * 1024
"""Of incomplete statements of all connections."""
STATEMENTS_CACHED = 1024
CACHED_STATEMENT_BYTES_MAX = 16_384
"""Longer statements are rewritten each time, so that the cache stays below 32 MB."""

NAMES_MAX = 4_096
"""Prepared statements of a connection whose meaning is kept."""
NAME_BYTES_MAX = 256
"""Those of longer names are not kept; PostgreSQL tells them apart by 63."""

PROTOCOL_VIOLATION = "08P01"
_T = TypeVar("_T")

Rewrite = Callable[[str], str]
"""What becomes of a statement's text on its way to the stand-in."""
EditStatement = Callable[[bytes], bytes]
"""A Rewrite as the wire has it; see `remembering`."""

_LENGTH = struct.Struct("!I")
_HEADER = struct.Struct("!BI")
_CODE = struct.Struct("!HH")
_SPECIAL = 1234
"""In place of a major version: the packet is a request, told by its minor version."""
_MAJOR = 3
_PROTOCOL_3_0 = b"\x00\x03\x00\x00"
_HEADER_BYTES = 5
_QUERY, _PARSE = b"QP"
_KINDS = frozenset(b"BCDEFHPQSXcdf")
"""What a client may send once it is in; a second password is not among it."""


class WireError(Exception):
    """The client broke the protocol, or may not do what it asks: the text goes out as FATAL, then the end."""

    def __init__(self, message: str, *, sqlstate: str = PROTOCOL_VIOLATION, hint: str = "") -> None:
        super().__init__(message)
        self.sqlstate = sqlstate
        self.hint = hint


class Ask(Enum):
    """Kinds of a client's first packet, by their minor version where the major one is 1234."""

    STARTUP = 0
    CANCEL = 5678
    TLS = 5679
    GSS = 5680


@dataclass(frozen=True, slots=True)
class FirstPacket:
    """A client's first packet: what it asks for, and for a startup with which parameters."""

    ask: Ask
    parameters: dict[str, str]
    minor: int = 0
    """The protocol's minor version that the client would like."""

    @property
    def extensions(self) -> list[str]:
        """Names of protocol extensions asked for; there are none that the endpoint knows."""
        return [name for name in self.parameters if name.startswith("_pq_.")]


def startup_bytes(prefix: bytes) -> int:
    """How many bytes follow the four of a startup packet's length.

    Raises:
        WireError: the length is not one of a startup packet.
    """
    (length,) = _LENGTH.unpack(prefix)
    if not 8 <= length <= STARTUP_BYTES_MAX:  # noqa: PLR2004 - the length itself and a version
        raise WireError("invalid length of startup packet")
    return int(length) - _LENGTH.size


def parse_first(body: bytes) -> FirstPacket:
    """Read a startup packet without its length.

    Raises:
        WireError: it is none, or of another protocol than 3.
    """
    if len(body) < _CODE.size:
        raise WireError("invalid length of startup packet")
    major, minor = _CODE.unpack_from(body)
    if major == _SPECIAL:
        return FirstPacket(_special(minor), {})
    if major != _MAJOR:
        raise WireError(
            f"unsupported frontend protocol {major}.{minor}: server supports 3.0", sqlstate="0A000"
        )
    return FirstPacket(Ask.STARTUP, _parameters(body[_CODE.size :]), minor)


def _special(code: int) -> Ask:
    for ask in (Ask.CANCEL, Ask.TLS, Ask.GSS):
        if ask.value == code:
            return ask
    raise WireError("invalid startup packet: unknown request")


def _parameters(body: bytes) -> dict[str, str]:
    if not body.endswith(b"\0"):
        raise WireError("invalid startup packet layout: expected terminator as last byte")
    words = body[:-1].split(b"\0")
    if words.pop() or len(words) % 2 or not all(words[::2]):
        raise WireError("invalid startup packet layout: names and values do not pair")
    try:
        texts = [word.decode() for word in words]
    except UnicodeDecodeError as error:
        raise WireError("invalid startup packet layout: not UTF-8") from error
    return dict(zip(texts[::2], texts[1::2], strict=True))


def build_startup(parameters: dict[str, str]) -> bytes:
    """A startup packet of protocol 3.0."""
    words = [word for pair in parameters.items() for word in pair]
    body = _PROTOCOL_3_0 + b"".join(word.encode() + b"\0" for word in words) + b"\0"
    return _LENGTH.pack(len(body) + 4) + body


def message_bytes(header: bytes, expected: bytes, limit: int) -> int:
    """How many bytes follow a message's header of five.

    Raises:
        WireError: it is not of the expected kind, or too long.
    """
    kind, length = _HEADER.unpack(header)
    if kind != expected[0]:
        raise WireError(f"expected a message of type {expected.decode()!r}")
    if not _LENGTH.size <= length <= limit:
        raise WireError("invalid message length")
    return int(length) - _LENGTH.size


def parse_password(body: bytes) -> str:
    """The text of a password message.

    Raises:
        WireError: it is not one string that ends in a zero.
    """
    if not body.endswith(b"\0") or b"\0" in body[:-1]:
        raise WireError("invalid password message")
    return body[:-1].decode(errors="replace")


def build_message(kind: bytes, body: bytes) -> bytes:
    """One message: kind, length, body."""
    return kind + _LENGTH.pack(len(body) + _LENGTH.size) + body


ASK_PASSWORD = build_message(b"R", b"\x00\x00\x00\x03")
"""AuthenticationCleartextPassword."""


def build_negotiation(extensions: list[str]) -> bytes:
    """NegotiateProtocolVersion: 3.0 is the newest, and these extensions are not known."""
    names = b"".join(name.encode() + b"\0" for name in extensions)
    return build_message(b"v", _PROTOCOL_3_0 + _LENGTH.pack(len(extensions)) + names)


def build_fatal(error: WireError) -> bytes:
    """ErrorResponse of severity FATAL."""
    fields = {b"S": "FATAL", b"V": "FATAL", b"C": error.sqlstate, b"M": str(error), b"H": error.hint}
    body = b"".join(code + text.encode() + b"\0" for code, text in fields.items() if text)
    return build_message(b"E", body + b"\0")


class Holding:
    """How many bytes of incomplete statements may be held, by all who share this."""

    def __init__(self, bytes_max: int = HELD_BYTES_MAX) -> None:
        self.bytes = 0
        self._bytes_max = bytes_max

    def change(self, by: int) -> None:
        """Hold so many more, or fewer.

        Raises:
            WireError: that would be too many.
        """
        if by > 0 and self.bytes + by > self._bytes_max:
            text = "too many large statements at once: send values as parameters, or try again later"
            raise WireError(text, sqlstate="53200")
        self.bytes += by


class ClientStream:
    """What a client sends once it is in: cut into messages, statements rewritten, all else as it came.

    Statements (Query and Parse) are held until they are complete; everything else passes at once, whatever
    its size.
    """

    def __init__(self, edit: EditStatement, holding: Holding | None = None) -> None:
        """`holding` bounds what this and other streams hold together."""
        self._edit = edit
        self._holding = holding or Holding()
        self._held = bytearray()
        self._wanted = 0
        """Size of the held bytes at which there is something to do again."""
        self._passing = 0
        """Bytes still to come of a message that passes."""
        self.meanings: dict[bytes, Meaning] = {}
        """Of the prepared statements that have one, by their names."""
        self.noting = True
        """Whether a Parse is noted as it passes; otherwise somebody calls `note_parse` in its turn."""

    @property
    def at_boundary(self) -> bool:
        """Whether the last message is complete."""
        return not self._held and not self._passing

    def close(self) -> None:
        """Nothing more comes."""
        self._release()

    def _release(self) -> None:
        self._holding.change(-len(self._held))
        self._held.clear()

    def note_parse(self, body: bytes) -> None:
        """Keep what the prepared statement of a Parse means."""
        name, _, rest = body.partition(b"\0")
        if len(name) > NAME_BYTES_MAX:
            return
        meaning = meaning_of(rest)
        if meaning is None:
            self.meanings.pop(name, None)
        elif name in self.meanings or len(self.meanings) < NAMES_MAX:
            self.meanings[name] = meaning

    def feed(self, chunk: bytes) -> bytes:
        """What to send on, now that `chunk` has come.

        Raises:
            WireError: a message of no known kind, or of an impossible length.
        """
        if self._passing >= len(chunk):
            self._passing -= len(chunk)
            return chunk
        if self._held:
            self._keep(chunk)
            if len(self._held) < self._wanted:
                return b""
            chunk = bytes(self._held)
            self._release()
        return self._cut(chunk)

    def _cut(self, data: bytes) -> bytes:
        done: list[bytes] = []
        size = len(data)
        copied = 0  # up to here `done` has it
        at, self._passing = self._passing, 0
        while at + _HEADER_BYTES <= size:
            kind, length = _HEADER.unpack_from(data, at)
            if kind not in _KINDS or not _LENGTH.size <= length <= MESSAGE_BYTES_MAX:
                raise WireError("invalid message type or length")
            end = at + 1 + length
            if kind in {_QUERY, _PARSE}:
                if length > STATEMENT_BYTES_MAX:
                    text = "a statement has 16 MiB at most: send values as parameters"
                    raise WireError(text, sqlstate="54000")
                if end > size:
                    return self._hold(done, data, copied, at, end - at)
                body = data[at + _HEADER_BYTES : end]
                if kind == _PARSE and self.noting:
                    self.note_parse(body)
                fresh = _rewrite_message(kind, body, self._edit)
                if fresh is not None:
                    done += (data[copied:at], fresh)
                    copied = end
            at = end
        if at < size:
            return self._hold(done, data, copied, at, _HEADER_BYTES)
        self._passing = at - size
        return b"".join((*done, data[copied:])) if done else data

    def _keep(self, data: bytes) -> None:
        self._holding.change(len(data))
        self._held += data

    def _hold(self, done: list[bytes], data: bytes, copied: int, at: int, wanted: int) -> bytes:
        self._keep(data[at:])
        self._wanted = wanted
        return b"".join((*done, data[copied:at]))


def _rewrite_message(kind: int, body: bytes, edit: EditStatement) -> bytes | None:
    """The message with its statement rewritten; None where that changes nothing, or there is no statement.

    What is not laid out as it must be goes on as it is: PostgreSQL has its own answer to that.
    """
    before = body.find(b"\0") + 1 if kind == _PARSE else 0
    end = body.find(b"\0", before)
    if end < 0 or (kind == _PARSE and not before):
        return None
    old = body[before:end]
    new = edit(old)
    return None if new == old else build_message(bytes((kind,)), body[:before] + new + body[end:])


def remembering(rewrite: Rewrite) -> EditStatement:
    """The same for bytes of any encoding that contains ASCII; a statement seen before is looked up."""

    def edit(statement: bytes) -> bytes:
        # surrogateescape: what is not UTF-8 comes out as it went in
        return rewrite(statement.decode(errors="surrogateescape")).encode(errors="surrogateescape")

    return remembering_short(edit)


def remembering_short(function: Callable[[bytes], _T]) -> Callable[[bytes], _T]:
    """The same function, which remembers what it said of short statements."""
    remembered = lru_cache(STATEMENTS_CACHED)(function)

    def look_up(statement: bytes) -> _T:
        short = len(statement) <= CACHED_STATEMENT_BYTES_MAX
        return remembered(statement) if short else function(statement)

    return look_up
