"""Unit tests of the startup messages: packets, requests, passwords and errors."""

from __future__ import annotations

import struct

import pytest

from hotrow.standin.endpoint import wire
from hotrow.standin.endpoint.wire import Request, WireError, build_startup, parse_first


def startup(body: bytes) -> wire.FirstPacket:
    """A startup packet of protocol 3.0 with these bytes after its version."""
    return parse_first(b"\x00\x03\x00\x00" + body)


def test_a_startup_packet_is_read_as_it_was_built() -> None:
    """Names and values come back. The length at the beginning includes itself."""
    parameters = {"user": "admin", "database": "postgres", "options": "-c search_path=é"}
    packet = build_startup(parameters)

    assert parse_first(packet[4:]) == wire.FirstPacket(Request.STARTUP, parameters)
    assert wire.startup_bytes(packet[:4]) == len(packet) - 4


@pytest.mark.parametrize(
    ("code", "request_type"), [(5678, Request.CANCEL), (5679, Request.TLS), (5680, Request.GSS)]
)
def test_requests_are_recognised_by_their_code(code: int, request_type: Request) -> None:
    """Cancel, TLS and GSS requests come instead of a startup packet."""
    assert parse_first(struct.pack("!HH", 1234, code)).request is request_type


@pytest.mark.parametrize(
    "body",
    [b"", b"user\0admin\0", b"user\0admin", b"user\0\0admin\0\0", b"\0x\0\0", b"user\0\xff\0\0", b"user\0"],
)
def test_a_startup_that_is_not_pairs_of_strings_is_refused(body: bytes) -> None:
    """A missing end, a name without value, an empty name, text that is not UTF-8."""
    with pytest.raises(WireError) as caught:
        startup(body)
    assert caught.value.sqlstate == "08P01"


@pytest.mark.parametrize(
    "body", [b"", b"\x00\x03", b"\x00\x02\x00\x00\0", b"\x04\xd2\x00\x00", b"\x16\x03\x01\x00"]
)
def test_other_protocols_are_refused(body: bytes) -> None:
    """Version 2, an unknown request and bytes of another protocol are refused."""
    with pytest.raises(WireError):
        parse_first(body)


@pytest.mark.parametrize("length", [0, 4, 7, 10_001, 2**31, 2**32 - 1])
def test_a_startup_length_out_of_bounds_is_refused_before_it_is_read(length: int) -> None:
    """No memory is used for a packet of an impossible length."""
    with pytest.raises(WireError, match="length"):
        wire.startup_bytes(struct.pack("!I", length))


@pytest.mark.parametrize("header", [b"Q\0\0\0\x08", b"p\0\0\0\x03", b"p\0\0\x27\x11", b"p\xff\xff\xff\xff"])
def test_only_a_password_of_sane_length_is_read(header: bytes) -> None:
    """Another type of message, and lengths below four or above the limit, are refused."""
    with pytest.raises(WireError):
        wire.password_bytes(header)


@pytest.mark.parametrize("body", [b"", b"token", b"to\0ken\0"])
def test_a_password_is_one_string(body: bytes) -> None:
    """The string ends with the only zero byte."""
    with pytest.raises(WireError):
        wire.parse_password(body)


def test_a_fatal_answer_carries_code_message_and_hint() -> None:
    """Each field of ErrorResponse ends with a zero byte, and one more follows.

    Without a hint there is no field for it.
    """
    error = WireError("access denied", sqlstate="28000", hint="again")
    without = wire.build_fatal(WireError("no"))

    assert wire.build_fatal(error) == b"E\0\0\0\x30SFATAL\0VFATAL\0C28000\0Maccess denied\0Hagain\0\0"
    assert without[5:] == b"SFATAL\0VFATAL\0C08P01\0Mno\0\0"
