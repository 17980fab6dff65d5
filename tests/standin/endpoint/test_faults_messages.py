"""Messages cut out of a stream, and what statements mean; no wire needed."""

from __future__ import annotations

import random

import pytest

from hotrow.standin.endpoint.faults import Faults
from hotrow.standin.endpoint.injection import Bucket, Dice, Injection
from hotrow.standin.endpoint.messages import OTHER, MessageCutter, build_ready, is_ready
from hotrow.standin.endpoint.statements import Meaning, find_statements, meaning_of
from hotrow.standin.endpoint.wire import build_message


@pytest.mark.parametrize("seed", range(20))
def test_a_stream_is_cut_the_same_however_it_comes(seed: int) -> None:
    """Joined, the pieces are what came; the kinds that matter come in their order, complete where short."""
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
    assert [kind for kind, _ in pieces if kind != OTHER] == [each[0] for each in messages if each[0] in b"CZ"]
    shown = [piece for kind, piece in pieces if kind == ord("C")]
    assert shown == [each for each in messages if each[:1] == b"C"]


def test_what_is_held_back_can_be_taken() -> None:
    """Where a stream is not to be cut any more."""
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
    """Quoted semicolons and bytes that are no ASCII stay where they are."""
    text = "BEGIN; UPDATE t SET v = 'é;COMMIT'; COMMIT ; ".encode()
    found = find_statements(text)

    assert [one.meaning for one in found] == [Meaning.BEGIN, Meaning.WRITE, Meaning.COMMIT]
    assert text[found[2].start : found[2].end] == b"COMMIT"
    assert text[found[1].start : found[1].end] == "UPDATE t SET v = 'é;COMMIT'".encode()
    assert [one.meaning for one in find_statements(b"SELECT 'open; COMMIT")] == [None]


def test_ready_is_recognised_by_all_its_six_bytes() -> None:
    """A cut one, or another status, is not it."""
    assert all(is_ready(build_ready(status)) for status in (b"I", b"T", b"E"))
    assert not any(is_ready(tail) for tail in (b"", b"Z\0\0\0\5", build_ready(b"X"), b"C\0\0\0\5I"))


def test_a_bucket_lets_in_the_burst_and_then_the_rate() -> None:
    """It fills up to the burst, not above it."""
    bucket, admitted = Bucket(2, 2, 0.0), []
    for now_s in (0.0, 0.0, 0.0, 0.5, 1.0, 9.0, 9.0, 9.0):
        bucket, one = bucket.take(1, 2, now_s)
        admitted.append(one)

    assert admitted == [True, True, False, False, True, True, True, False]


def test_a_fault_s_draws_do_not_depend_on_the_other_faults() -> None:
    """Adding one to a run leaves the others where they were."""

    def conflicts(**more: float) -> list[bool]:
        injection = Injection()
        injection.set(Faults(conflict=0.5, seed=3, **more))  # type: ignore[arg-type]  # probabilities
        dice = Dice(injection)
        return ["conflict" in {fault.value for fault in dice.draw_all()} for _ in range(50)]

    assert conflicts() == conflicts(drop_after=0.5, unavailable=0.5)
