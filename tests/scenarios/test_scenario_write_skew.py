"""Doctors on call: without FOR UPDATE shifts become empty and the check finds each; with it none does."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from hotrow.attempt.record import Outcome
from hotrow.scenario import Tally, Work
from scenarios.write_skew import WriteSkew
from tests.support.playing import staged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.playing import Stagehand

pytestmark = pytest.mark.usefixtures("hotrow_home")
OVERLAPPING = "local:rtt=300us,commit=300us"
"""Round trips long enough that the transactions of several clients are open at once."""


@contextmanager
def both_at_once(stage: Stagehand) -> Iterator[list[Any]]:
    """Two open transactions in which the two doctors of shift 0 have changed their duty."""
    with ExitStack() as stack:
        sessions = [stack.enter_context(stage.session()) for _ in range(2)]
        for doctor, session in enumerate(sessions):
            session.begin()
            stage.scenario.run(session, Work(parameters=(0, doctor), writes=(0,)))
        yield sessions


def leave_together(stage: Stagehand) -> None:
    """Make a write skew: nobody is on call in shift 0."""
    with both_at_once(stage) as sessions:
        assert [session.commit() for session in sessions] == ["COMMIT", "COMMIT"]


def committed(transactions: int) -> Tally:
    return Tally(committed=transactions, unknown=0)


def test_two_who_see_each_other_leave_a_shift_empty() -> None:
    """Both commit, and the check shows the shift, which is still empty."""
    with staged(WriteSkew()) as stage:
        before = stage.observe()
        leave_together(stage)
        on_call, changes = stage.check(before, committed(2))

    assert (on_call.valid, on_call.count, changes.valid) == (False, 1, True)
    assert on_call.first is not None
    assert (on_call.first["shift"], on_call.first["noticed"]) == (0, None)
    assert on_call.first["unattended_ms"] > 0
    assert on_call.first == on_call.worst == on_call.last


def test_for_update_lets_only_one_of_them_go() -> None:
    """The second to commit conflicts, and at the retry he is the last doctor."""
    with staged(WriteSkew(for_update=True)) as stage:
        before = stage.observe()
        with both_at_once(stage) as (first, second):
            assert first.commit() == "COMMIT"
            with pytest.raises(psycopg.errors.SerializationFailure, match="OC000"):
                second.commit()
        verdicts = stage.check(before, committed(1))

    assert [verdict.valid for verdict in verdicts] == [True, True]


def test_a_violation_outlives_the_return_of_the_doctors() -> None:
    """Both come back at once and record the same empty shift: it is one violation, with its end."""
    with staged(WriteSkew()) as stage:
        before = stage.observe()
        leave_together(stage)
        with both_at_once(stage) as sessions:
            for session in sessions:
                session.commit()
        notes = stage.sql("SELECT count(*) FROM unattended").rows[0][0]
        on_call, changes = stage.check(before, committed(4))

    assert notes == 2
    assert (on_call.valid, on_call.count, changes.valid) == (False, 1, True)
    assert on_call.first is not None
    assert on_call.first["noticed"] > on_call.first["began"]


def test_each_time_is_a_violation_and_the_longest_is_the_worst() -> None:
    """A shift that is empty twice counts twice, in order of time."""
    with staged(WriteSkew()) as stage:
        before = stage.observe()
        for _ in range(3):
            leave_together(stage)
            with both_at_once(stage) as sessions:
                for session in sessions:
                    session.commit()
        stage.sql("UPDATE unattended SET noticed = noticed + interval '1 hour' WHERE changes = 6")
        on_call, _ = stage.check(before, committed(12))

    assert on_call.count == 3
    assert on_call.first is not None
    assert on_call.worst is not None
    assert on_call.last is not None
    assert on_call.first["began"] < on_call.worst["began"] < on_call.last["began"]
    assert on_call.worst["unattended_ms"] > 3_600_000


def test_a_violation_belongs_to_the_cell_in_which_it_began() -> None:
    """A shift that was empty at the end of one cell and is filled in the next is not counted again."""
    with staged(WriteSkew()) as stage:
        leave_together(stage)
        before = stage.observe()
        with both_at_once(stage) as sessions:
            for session in sessions:
                session.commit()
        on_call, _ = stage.check(before, committed(2))

    assert (on_call.valid, on_call.count) == (True, 0)


def test_unguarded_clients_leave_shifts_empty_again_and_again() -> None:
    """Without FOR UPDATE contended transactions break the rule, although none fails; no change is lost."""
    with staged(WriteSkew(), host=OVERLAPPING) as stage:
        before = stage.observe()
        played = stage.play(300, clients=4, skew="hot")
        on_call, changes = stage.check(before, played.tally())

    assert on_call.valid is False
    assert on_call.count > 1
    assert changes.valid is True
    assert played.outcomes(Outcome.REJECTED) > 0
    assert played.outcomes(Outcome.ERROR) == 0


@pytest.mark.parametrize("doctors", [2, 4])
def test_clients_with_for_update_leave_no_shift_empty(doctors: int) -> None:
    """With FOR UPDATE the same transactions conflict instead."""
    with staged(WriteSkew(for_update=True, doctors=doctors), host=OVERLAPPING) as stage:
        before = stage.observe()
        played = stage.play(200, clients=4, skew="hot")
        verdicts = stage.check(before, played.tally())

    assert [verdict.valid for verdict in verdicts] == [True, True]
    assert played.outcomes(Outcome.CONFLICT) > 0


def test_a_change_that_was_taken_back_is_found() -> None:
    """One change of duty fewer than acknowledged counts as lost."""
    with staged(WriteSkew()) as stage:
        before = stage.observe()
        played = stage.play(20)
        stage.sql("UPDATE doctor SET changes = changes - 1 WHERE shift = 0 AND id = 0")
        _, changes = stage.check(before, played.tally())

    assert (changes.valid, changes.details["lost"]) == (False, 1)
