"""Unit tests of faults: messages cut out of a stream, the meanings of statements, and draws."""

from __future__ import annotations

import random

import pytest

from hotrow.standin.endpoint.faults import Faults
from hotrow.standin.endpoint.injection import Bucket, Dice, Injection
from hotrow.standin.endpoint.message_cutter import OTHER, MessageCutter
from hotrow.standin.endpoint.messages import build_ready, is_ready
from hotrow.standin.endpoint.statements import Meaning, find_statements, meaning_of
from hotrow.standin.endpoint.wire import build_message


@pytest.mark.parametrize("seed", range(20))
def test_a_stream_is_cut_the_same_however_it_comes(seed: int) -> None:
    """Joined, the pieces are the stream.

    Messages of the wanted types come in order, and short ones are complete.
    """
    rng = random.Random(seed)  # noqa: S311 - chosen bytes
    messages = [
        build_message(rng.choice((b"C", b"Z", b"D", b"T")), rng.randbytes(rng.choice((0, 1, 7, 300, 9_000))))
        for _ in range(60)
    ]
    stream = b"".join(messages)
    cutter, pieces, at = MessageCutter(b"CZ", b"C"), [], 0
    while at < len(stream):
        size = rng.choice((1, 2, 5, 50, 5_000, 60_000))
        pieces += cutter.feed(stream[at : at + size])
        at += size

    assert b"".join(piece for _, piece in pieces) == stream
    assert cutter.at_boundary
    types = [message_type for message_type, _ in pieces if message_type != OTHER]
    assert types == [message[0] for message in messages if message[0] in b"CZ"]
    shown = [piece for message_type, piece in pieces if message_type == ord("C")]
    assert shown == [message for message in messages if message[:1] == b"C"]


def test_what_is_held_back_can_be_taken() -> None:
    """`drain` returns the bytes that are held back, for a stream that is not cut any more."""
    cutter = MessageCutter(b"C")
    assert cutter.feed(b"D\0\0\0\4C\0") == [(OTHER, b"D\0\0\0\4")]
    assert not cutter.at_boundary
    assert cutter.drain() == b"C\0"
    assert cutter.at_boundary


@pytest.mark.parametrize(
    ("statement", "meaning"),
    [
        (b"COMMIT", Meaning.COMMIT),
        (b" /* a; */ -- b\n commit work", Meaning.COMMIT),
        (b"END TRANSACTION;", Meaning.COMMIT),
        (b"COMMIT PREPARED 'x'", None),
        (b"committed", None),
        (b"endless", None),
        (b"begin isolation level repeatable read", Meaning.BEGIN),
        (b"START\nTRANSACTION", Meaning.BEGIN),
        (b"ABORT", Meaning.ROLLBACK),
        (b"ROLLBACK", Meaning.ROLLBACK),
        (b"insert into t values (1)", Meaning.WRITE),
        (b"SELECT 'COMMIT'", None),
        (b"\xff", None),
        (b"", None),
    ],
)
def test_a_statement_means_what_its_first_word_says(statement: bytes, meaning: Meaning | None) -> None:
    """Comments before it do not matter."""
    assert meaning_of(statement) == meaning


def test_a_text_of_several_statements_is_read_one_by_one() -> None:
    """Quoted semicolons and bytes that are not ASCII do not change the positions."""
    text = "BEGIN; UPDATE t SET v = 'é;COMMIT'; COMMIT ; ".encode()
    statements = find_statements(text)

    assert [statement.meaning for statement in statements] == [Meaning.BEGIN, Meaning.WRITE, Meaning.COMMIT]
    assert text[statements[2].start : statements[2].end] == b"COMMIT"
    assert text[statements[1].start : statements[1].end] == "UPDATE t SET v = 'é;COMMIT'".encode()
    assert [statement.meaning for statement in find_statements(b"SELECT 'open; COMMIT")] == [None]


def test_ready_is_recognised_by_all_its_six_bytes() -> None:
    """An incomplete message, or one with another status, is not ReadyForQuery."""
    assert all(is_ready(build_ready(status)) for status in (b"I", b"T", b"E"))
    assert not any(is_ready(tail) for tail in (b"", b"Z\0\0\0\5", build_ready(b"X"), b"C\0\0\0\5I"))


def test_a_bucket_lets_in_the_burst_and_then_the_rate() -> None:
    """The bucket fills up to the burst and not above it."""
    bucket, admitted = Bucket(2, 2, 0.0), []
    for now_s in (0.0, 0.0, 0.0, 0.5, 1.0, 9.0, 9.0, 9.0):
        bucket, one = bucket.take(1, 2, now_s)
        admitted.append(one)

    assert admitted == [True, True, False, False, True, True, True, False]


def test_a_fault_s_draws_do_not_depend_on_the_other_faults() -> None:
    """An additional fault does not change the draws of the other faults."""

    def conflicts(**more: float) -> list[bool]:
        injection = Injection()
        injection.set(Faults(conflict=0.5, seed=3, **more))  # type: ignore[arg-type]  # probabilities
        dice = Dice(injection)
        return ["conflict" in {fault.value for fault in dice.draw_all()} for _ in range(50)]

    assert conflicts() == conflicts(drop_after=0.5, unavailable=0.5)
