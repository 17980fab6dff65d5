"""What the recorder writes: retries that are inferred, kinds, numbers of users, and a full disk."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from analysis.reading import Run, read_run
from hotrow.attempt.record import Flag, Marker, Outcome
from hotrow.errors import RunError
from hotrow.run.statement_log import MAX_KINDS, OTHER_KINDS
from hotrow.tap.recorder import RETRY_WITHIN_S, Recorder
from hotrow.tap.tap_run import finish
from hotrow.tap.transaction_watch import Observed
from tests.support.recorded import MS, new_recorder

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    """A recorder of a run whose clock shows 0."""
    return new_recorder(tmp_path, "tap")


def seen(recorder: Recorder, at_ms: int, outcome: Outcome = Outcome.COMMITTED, *, value: int = 1) -> Observed:
    """A transaction of 5 ms that updates a row."""
    conflict = outcome is Outcome.CONFLICT
    return Observed(
        started_ns=at_ms * MS,
        commit_sent_ns=(at_ms + 3) * MS,
        ended_ns=(at_ms + 5) * MS,
        outcome=outcome,
        marker=Marker.NONE,
        sqlstate="40001" if conflict else "",
        statements=(recorder.catalogue.statement(b"UPDATE a SET n = 1"),),
        digest=value,
        whole=True,
    )


def read(recorder: Recorder) -> Run:
    finish(recorder)
    return read_run(recorder.directory)


def test_the_same_statement_after_a_conflict_is_a_retry(recorder: Recorder) -> None:
    """It belongs to the same transaction, and the time between counts as backoff."""
    line = recorder.open_line()
    recorder.record(line, seen(recorder, 0, Outcome.CONFLICT))
    recorder.record(line, seen(recorder, 9))
    recorder.record(line, seen(recorder, 2_000))

    attempts = read(recorder).attempts

    assert attempts["transaction"].tolist() == [0, 0, 1]
    assert attempts["attempt"].tolist() == [1, 2, 1]
    assert attempts["backoff"].tolist() == [0, 4 * MS, 0]
    assert (attempts["body"][0], attempts["commit"][0]) == (3 * MS, 2 * MS)


@pytest.mark.parametrize(
    ("at_ms", "value", "outcome"),
    [
        (9, 2, Outcome.CONFLICT),
        (9, 1, Outcome.REJECTED),
        (int(RETRY_WITHIN_S * 1e3) + 6, 1, Outcome.CONFLICT),
    ],
    ids=["other values", "no conflict", "much later"],
)
def test_anything_else_is_a_new_transaction(
    recorder: Recorder, at_ms: int, value: int, outcome: Outcome
) -> None:
    """Other values, no conflict before, or too late."""
    line = recorder.open_line()
    recorder.record(line, seen(recorder, 0, outcome))
    recorder.record(line, seen(recorder, at_ms, value=value))

    assert read(recorder).attempts["transaction"].tolist() == [0, 1]


def test_a_conflict_on_another_connection_is_not_retried_here(recorder: Recorder) -> None:
    """Connections are apart."""
    one, other = recorder.open_line(), recorder.open_line()
    recorder.record(one, seen(recorder, 0, Outcome.CONFLICT))
    recorder.record(other, seen(recorder, 9))

    attempts = read(recorder).attempts

    assert attempts["transaction"].tolist() == [0, 1]
    assert attempts["user"].tolist() == [0, 1]


def test_a_conflict_that_nobody_repeats_was_given_up_unless_the_run_ended(recorder: Recorder) -> None:
    """In the last second nobody knows what the program would have done."""
    for at_ms in (0, 1_990):
        recorder.record(recorder.open_line(), seen(recorder, at_ms, Outcome.CONFLICT))
    recorder.record(recorder.open_line(), seen(recorder, 2_000))

    final = (read(recorder).attempts["flags"] & Flag.FINAL).tolist()

    assert final == [1, 0, 1]


def test_a_transaction_that_fails_early_counts_as_the_kind_that_begins_like_it(recorder: Recorder) -> None:
    """Otherwise every conflict before COMMIT would be of a kind that always conflicts."""
    line = recorder.open_line()
    second = recorder.catalogue.statement(b"UPDATE b SET n = 1")
    whole = seen(recorder, 0)
    recorder.record(line, replace(whole, statements=(*whole.statements, second)))
    recorder.record(line, replace(seen(recorder, 9, Outcome.CONFLICT), whole=False))

    run = read(recorder)

    assert run.meta["kinds"] == ["UPDATE a, UPDATE b"]
    assert run.attempts["kind"].tolist() == [0, 0]


def test_further_kinds_share_the_last_number(recorder: Recorder) -> None:
    """The record has one byte for the kind."""
    line = recorder.open_line()
    for number in range(MAX_KINDS + 2):
        statement = recorder.catalogue.statement(f"UPDATE a{number:x}g SET n = 1".encode())
        recorder.record(line, replace(seen(recorder, 10 * number), statements=(statement,)))

    run = read(recorder)

    assert run.meta["kinds"][-1] == OTHER_KINDS
    assert run.attempts["kind"].tolist()[-3:] == [MAX_KINDS - 1, MAX_KINDS, MAX_KINDS]
    assert not run.damage.records.impossible


def test_numbers_of_users_are_used_again(recorder: Recorder) -> None:
    """The number of users is that of the most connections at once."""
    one, other = recorder.open_line(), recorder.open_line()
    recorder.close_line(one)
    again = recorder.open_line()

    assert (one.user, other.user, again.user, recorder.totals.peak) == (0, 1, 0, 2)


def test_what_cannot_be_written_is_kept_and_written_later(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a disk that is full for a while."""

    def refuse(*_: object) -> None:
        raise RunError("the disk is full")

    line = recorder.open_line()
    with monkeypatch.context() as patch:
        patch.setattr("hotrow.tap.recorder.append_line", refuse)
        recorder.record(line, seen(recorder, 0))
        recorder.write()
        assert recorder.fault == "the disk is full"
    recorder.record(line, seen(recorder, 9))

    run = read(recorder)

    assert recorder.fault == ""
    assert len(run.attempts) == 2
    assert run.meta["kinds"] == ["UPDATE a"]


def test_a_crash_leaves_a_run_that_can_be_read(recorder: Recorder) -> None:
    """What was written counts, and the run is not called complete."""
    recorder.record(recorder.open_line(), seen(recorder, 0))
    recorder.record(recorder.open_line(), seen(recorder, 9))
    recorder.write()

    run = read_run(recorder.directory)

    assert len(run.attempts) == 2
    assert not run.intervals[0].closed
