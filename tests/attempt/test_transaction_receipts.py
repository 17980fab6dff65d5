"""The attempt loop with receipts: the outcome of a COMMIT whose answer was lost."""

from __future__ import annotations

import pytest

from hotrow.attempt.record import Flag, Outcome
from tests.support.attempting import BLIP, CONFLICT, LOST, Broken, Run

RESOLVED = Flag.FINAL | Flag.RESOLVED


def receipts_written(run: Run) -> list[str]:
    """The ids that transactions wrote, tombstones not counted."""
    return [sent.split("'")[1] for sent in run.session.sent if sent.startswith("INSERT") and "true" in sent]


@pytest.mark.parametrize("error", [LOST, BLIP])
def test_a_receipt_that_is_found_commits_the_transaction(error: Broken) -> None:
    """The lost answer was COMMIT: one attempt, committed, marked as resolved, nothing tried again."""
    run = Run([error], lookups=[True])

    assert run.go() is Outcome.COMMITTED
    assert run.column("outcome") == [Outcome.COMMITTED]
    assert run.column("flags") == [RESOLVED]
    assert run.connections.closed == 1  # asked on a new connection, though the old one may still stand


def test_a_missing_receipt_gets_a_tombstone_and_the_work_is_retried() -> None:
    """Nothing was applied: the policy retries as after a conflict, with the same work and a new receipt."""
    run = Run([LOST, "COMMIT", "COMMIT"], lookups=[None])

    assert run.go() is Outcome.COMMITTED
    assert run.column("outcome") == [Outcome.ERROR, Outcome.COMMITTED]
    assert run.column("flags") == [Flag.RESOLVED, Flag.FINAL]
    assert run.scenario.drawn == 1
    assert len(set(receipts_written(run))) == 2


def test_a_policy_without_retries_ends_with_the_result_of_the_look_up() -> None:
    """The transaction failed: certainly nothing was applied, and it is not retried."""
    run = Run([LOST, "COMMIT"], retry="none", lookups=[None])

    assert run.go() is Outcome.ERROR
    assert run.column("flags") == [RESOLVED]


def test_a_cell_that_closes_after_the_look_up_cuts_the_transaction_off() -> None:
    """The record has the result of the look-up, and is not final."""
    run = Run([LOST, "COMMIT"], lookups=[None], pauses_until_closed=1)

    assert run.go() is None
    assert run.column("flags") == [Flag.RESOLVED]


def test_a_look_up_without_an_answer_leaves_the_outcome_unknown() -> None:
    """The server does not answer in time: the outcome is unknown and final."""
    run = Run([LOST], lookups=[LOST] * 9)

    assert run.go() is Outcome.UNKNOWN
    assert run.column("flags") == [Flag.FINAL]
    assert len(run.session.lookups) > 0  # it stopped asking


def test_a_kill_during_the_look_up_is_recorded_as_unknown() -> None:
    """There is one record, and its outcome is unknown whatever the look-up would have found."""
    run = Run([LOST], lookups=[KeyboardInterrupt()])

    with pytest.raises(KeyboardInterrupt):
        run.go()

    assert run.column("outcome") == [Outcome.UNKNOWN]
    assert run.column("flags") == [Flag.FINAL]


def test_retries_after_conflicts_keep_the_receipt() -> None:
    """There is one receipt per transaction, as its first statement: at most one attempt can commit."""
    run = Run([CONFLICT, CONFLICT, "COMMIT"], lookups=[])

    run.go()

    assert len(receipts_written(run)) == 3
    assert len(set(receipts_written(run))) == 1
    assert [sent.split()[0] for sent in run.session.sent[:4]] == ["BEGIN", "INSERT", "WRITE", "COMMIT"]


def test_without_receipts_none_is_written() -> None:
    """Only the scenario's statements are sent."""
    run = Run(["COMMIT"])

    run.go()

    assert run.session.sent == ["BEGIN", "WRITE (1,)", "COMMIT"]


def test_the_time_of_a_look_up_is_counted_as_the_commit_s() -> None:
    """Body and backoff are the same as without a look-up."""
    plain, looked_up = Run(["COMMIT"], lookups=[]), Run([LOST], lookups=[True])
    plain.go()
    looked_up.go()

    assert looked_up.column("body_ns") == plain.column("body_ns")
    assert looked_up.column("backoff_ns") == [0]
    assert looked_up.column("commit_ns")[0] > plain.column("commit_ns")[0]
