"""The startup messages of the PostgreSQL 3.0 wire protocol, and errors. Pure: bytes in, bytes out.

Source: PostgreSQL documentation, chapters "Message Flow" and "Message Formats". Every length is checked
    before anything is kept: a startup packet has at most 10,000 bytes.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import Enum

MAX_STARTUP_BYTES = 10_000
"""PostgreSQL's own limit (MAX_STARTUP_PACKET_LENGTH); a token is far shorter."""

MAX_PASSWORD_BYTES = 10_000

PROTOCOL_VIOLATION = "08P01"

_LENGTH = struct.Struct("!I")
_HEADER = struct.Struct("!BI")
_CODE = struct.Struct("!HH")
_REQUEST = 1234
"""Instead of a major version, this number marks a request; the minor version says which one."""
_MAJOR = 3
_PROTOCOL_3_0 = b"\x00\x03\x00\x00"


class WireError(Exception):
    """The client broke the protocol, or asks for something that it may not do.

    It gets the text as FATAL, then the end.
    """

    def __init__(self, message: str, *, sqlstate: str = PROTOCOL_VIOLATION, hint: str = "") -> None:
        super().__init__(message)
        self.sqlstate = sqlstate
        self.hint = hint


class Request(Enum):
    """What a client's first packet asks for.

    The values are minor versions of packets whose major version is 1234.
    """

    STARTUP = 0
    CANCEL = 5678
    TLS = 5679
    GSS = 5680


@dataclass(frozen=True, slots=True)
class FirstPacket:
    """A client's first packet: the request, and the parameters of a startup."""

    request: Request
    parameters: dict[str, str]
    minor: int = 0
    """The minor version of the protocol that the client prefers."""

    @property
    def extensions(self) -> list[str]:
        """The names of the protocol extensions that the client asks for. The endpoint knows none."""
        return [name for name in self.parameters if name.startswith("_pq_.")]


def startup_bytes(prefix: bytes) -> int:
    """How many bytes of a startup packet follow the four bytes of its length.

    Raises:
        WireError: a startup packet cannot have this length.
    """
    (length,) = _LENGTH.unpack(prefix)
    if not 8 <= length <= MAX_STARTUP_BYTES:  # noqa: PLR2004 - the length itself and a version
        raise WireError("invalid length of startup packet")
    return int(length) - _LENGTH.size


def parse_first(body: bytes) -> FirstPacket:
    """Read a startup packet without its length.

    Raises:
        WireError: it is not a startup packet, or it asks for another protocol than 3.
    """
    if len(body) < _CODE.size:
        raise WireError("invalid length of startup packet")
    major, minor = _CODE.unpack_from(body)
    if major == _REQUEST:
        return FirstPacket(_read_request(minor), {})
    if major != _MAJOR:
        raise WireError(
            f"unsupported frontend protocol {major}.{minor}: server supports 3.0", sqlstate="0A000"
        )
    return FirstPacket(Request.STARTUP, _read_parameters(body[_CODE.size :]), minor)


def _read_request(code: int) -> Request:
    for request in (Request.CANCEL, Request.TLS, Request.GSS):
        if request.value == code:
            return request
    raise WireError("invalid startup packet: unknown request")


def _read_parameters(body: bytes) -> dict[str, str]:
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
    """A startup packet of protocol 3.0 with these parameters."""
    words = [word for pair in parameters.items() for word in pair]
    body = _PROTOCOL_3_0 + b"".join(word.encode() + b"\0" for word in words) + b"\0"
    return _LENGTH.pack(len(body) + 4) + body


def password_bytes(header: bytes) -> int:
    """How many bytes of a password message follow the five bytes of its header.

    Raises:
        WireError: the message has another type, or is too long.
    """
    message_type, length = _HEADER.unpack(header)
    if message_type != ord("p"):
        raise WireError("expected a message of type 'p'")
    if not _LENGTH.size <= length <= MAX_PASSWORD_BYTES:
        raise WireError("invalid message length")
    return int(length) - _LENGTH.size


def parse_password(body: bytes) -> str:
    """The text of a password message.

    Raises:
        WireError: the body is not one string that ends with a zero byte.
    """
    if not body.endswith(b"\0") or b"\0" in body[:-1]:
        raise WireError("invalid password message")
    return body[:-1].decode(errors="replace")


def build_message(message_type: bytes, body: bytes) -> bytes:
    """One message: type, length, body."""
    return message_type + _LENGTH.pack(len(body) + _LENGTH.size) + body


ASK_PASSWORD = build_message(b"R", b"\x00\x00\x00\x03")
"""AuthenticationCleartextPassword."""

AUTHENTICATED = build_message(b"R", b"\x00\x00\x00\x00")
"""AuthenticationOk."""


def build_negotiation(extensions: list[str]) -> bytes:
    """NegotiateProtocolVersion: 3.0 is the newest version, and these extensions are unknown."""
    names = b"".join(name.encode() + b"\0" for name in extensions)
    return build_message(b"v", _PROTOCOL_3_0 + _LENGTH.pack(len(extensions)) + names)


def build_fatal(error: WireError) -> bytes:
    """ErrorResponse of severity FATAL."""
    fields = {b"S": "FATAL", b"V": "FATAL", b"C": error.sqlstate, b"M": str(error), b"H": error.hint}
    body = b"".join(code + text.encode() + b"\0" for code, text in fields.items() if text)
    return build_message(b"E", body + b"\0")
