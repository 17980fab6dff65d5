"""Unit tests of what a client sends after its login: messages are cut and rewritten, within limits."""

from __future__ import annotations

import random

import pytest

from hotrow.standin.endpoint.client_stream import (
    CACHED_STATEMENTS,
    MAX_CACHED_STATEMENT_BYTES,
    ClientStream,
    cached_edit,
)
from hotrow.standin.endpoint.wire import WireError, build_message

SHOUT = cached_edit(str.upper)


def parse(name: bytes, statement: bytes, rest: bytes = b"\0\0") -> bytes:
    """A Parse message."""
    return build_message(b"P", name + b"\0" + statement + b"\0" + rest)


def query(statement: bytes) -> bytes:
    """A Query message."""
    return build_message(b"Q", statement + b"\0")


def test_statements_are_rewritten_and_lengths_follow() -> None:
    """Query and Parse are rewritten. Parse keeps its name and parameter types, and other messages stay."""
    stream = ClientStream(cached_edit(lambda text: f"{text}; --"))
    sync = build_message(b"S", b"")

    assert stream.feed(sync + query(b"select 1") + sync) == sync + query(b"select 1; --") + sync
    sent = parse(b"name", b"select $1", b"\0\1\0\0\0\x17")
    assert stream.feed(sent) == parse(b"name", b"select $1; --", b"\0\1\0\0\0\x17")


def test_bytes_that_are_not_utf_8_come_out_as_they_went_in() -> None:
    """The client may use another encoding."""
    assert ClientStream(SHOUT).feed(query(b"select '\xe9\xff'")) == query(b"SELECT '\xe9\xff'")


@pytest.mark.parametrize("body", [b"", b"no end", b"name\0no end"])
def test_a_statement_that_is_not_laid_out_as_one_passes(body: bytes) -> None:
    """PostgreSQL has its own answer to it."""
    for message_type in (b"Q", b"P"):
        message = build_message(message_type, body.replace(b"\0", b"") if message_type == b"Q" else body)
        assert ClientStream(SHOUT).feed(message) == message


@pytest.mark.parametrize("seed", range(20))
def test_how_the_bytes_arrive_does_not_matter(seed: int) -> None:
    """Messages in any number of pieces give the same result as in one piece."""
    rng = random.Random(seed)  # noqa: S311 - chosen bytes, no secrets
    sent, expected = b"", b""
    for _ in range(60):
        size = rng.choice((0, 3, 40, 3000))
        statement = bytes(rng.choices(b"abc $1'", k=size))
        message_type = rng.choice(b"BCDEHSXdcfQPQP")
        sent += _message(message_type, statement)
        expected += _message(message_type, statement.upper() if message_type in b"QP" else statement)
    stream, received, position = ClientStream(SHOUT), b"", 0
    while position < len(sent):
        step = rng.choice((1, 2, 5, 100, 5000))
        received += stream.feed(sent[position : position + step])
        position += step

    assert received == expected


def _message(message_type: int, statement: bytes) -> bytes:
    if message_type == ord("Q"):
        return query(statement)
    if message_type == ord("P"):
        return parse(b"n", statement)
    return build_message(bytes((message_type,)), statement)


def test_what_is_not_a_statement_passes_before_it_is_complete() -> None:
    """A gigabyte of COPY needs no memory, and the message after it is recognised."""
    stream = ClientStream(SHOUT)
    head = build_message(b"d", b"x" * 1_000_000)

    assert stream.feed(head[:70_000]) == head[:70_000]
    assert stream.feed(head[70_000:-1]) == head[70_000:-1]
    assert stream.feed(head[-1:] + query(b"a")[:3]) == head[-1:]
    assert stream.feed(query(b"a")[3:]) == query(b"A")


@pytest.mark.parametrize(
    "message",
    [
        b"Q\0\0\0\x03",
        b"Q\xff\xff\xff\xff",
        b"d\x04\0\0\1",
        b"p\0\0\0\x08abc\0",
        b"\0\0\0\0\x08",
        b"Z\0\0\0\5I",
    ],
)
def test_impossible_messages_end_the_stream(message: bytes) -> None:
    """Lengths below four or above 64 MiB, a second password, messages of a server and of unknown types."""
    with pytest.raises(WireError):
        ClientStream(SHOUT).feed(build_message(b"S", b"") + message)


def test_a_statement_is_rewritten_once_unless_it_is_long_or_long_ago() -> None:
    """The cache is bounded in number and size."""
    seen: list[str] = []
    edit = cached_edit(lambda text: seen.append(text) or text)  # type: ignore[func-returns-value]
    for _ in range(3):
        assert edit(b"select 1") == b"select 1"
    assert seen == ["select 1"]

    for number in range(CACHED_STATEMENTS):
        edit(str(number).encode())
    edit(b"select 1")
    assert seen[-1] == "select 1"

    seen.clear()
    for _ in range(2):
        edit(b"x" * (MAX_CACHED_STATEMENT_BYTES + 1))
    assert len(seen) == 2
