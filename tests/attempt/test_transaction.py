"""The attempt loop: how every end of an attempt is recorded, retried or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from greenlet import GreenletExit

from hotrow.attempt.record import NO_KEY, Flag, Marker, Outcome
from hotrow.errors import Rejected
from hotrow.scenario import Work
from tests.support.attempting import BLIP, CONFLICT, DEADLOCK, LOST, SCHEMA_CONFLICT, UNIQUE, Broken, Run

if TYPE_CHECKING:
    from collections.abc import Callable


def test_commit_at_once() -> None:
    """One attempt, final, with the times of its body and its COMMIT, and no backoff."""
    run = Run(["COMMIT"])

    assert run.go() is Outcome.COMMITTED
    (record,) = run.records
    assert record["flags"] == Flag.FINAL
    assert (record["attempt"], record["transaction"], record["key"]) == (1, 7, 1)
    assert min(record["body_ns"], record["commit_ns"]) > 0
    assert record["backoff_ns"] == 0


@pytest.mark.parametrize(
    ("error", "outcome", "marker"),
    [
        (CONFLICT, Outcome.CONFLICT, Marker.OC000),
        (SCHEMA_CONFLICT, Outcome.SCHEMA_CONFLICT, Marker.OC001),
        (DEADLOCK, Outcome.DEADLOCK, Marker.NONE),
    ],
)
def test_a_retryable_end_is_tried_again_with_the_same_work(
    error: Broken, outcome: Outcome, marker: Marker
) -> None:
    """An attempt that certainly applied nothing is repeated exactly; only the last record is final."""
    run = Run([error, error, "COMMIT"])

    assert run.go() is Outcome.COMMITTED
    assert run.column("outcome") == [outcome, outcome, Outcome.COMMITTED]
    assert run.column("marker")[:2] == [marker, marker]
    assert run.column("attempt") == [1, 2, 3]
    assert run.column("flags") == [0, 0, Flag.FINAL]
    assert run.scenario.drawn == 1
    assert len(set(run.column("scheduled_ns"))) == 1


def test_work_that_follows_is_not_drawn_even_with_redraw() -> None:
    """It depends on what the transaction before it read."""
    run = Run([CONFLICT, CONFLICT, "COMMIT"], redraw=True)

    assert run.go(Work((), writes=(41,))) is Outcome.COMMITTED
    assert run.column("key") == [41, 41, 41]
    assert run.scenario.drawn == 0


def test_a_pause_before_a_transaction_is_no_part_of_it() -> None:
    """It is made once, before the transaction is scheduled."""
    run = Run([CONFLICT, "COMMIT"], retry="fixed:base=5ms")

    assert run.go(Work((), writes=(1,), pause_s=0.25)) is Outcome.COMMITTED
    assert run.pauses == [0.25, 0.005]
    assert run.column("backoff_ns") == [0, pytest.approx(5e6)]
    first = run.records[0]
    assert 0 < first["started_ns"] - first["scheduled_ns"] <= 20  # two ticks of the clock, none for the pause


def test_a_transaction_whose_pause_is_cut_off_never_began() -> None:
    """The cell closed meanwhile: no attempt is recorded."""
    run = Run(["COMMIT"], pauses_until_closed=1)

    assert run.go(Work((), writes=(1,), pause_s=0.25)) is None
    assert run.records == []


def test_redraw_draws_fresh_keys() -> None:
    """With redraw, every retry is another draw."""
    run = Run([CONFLICT, CONFLICT, "COMMIT"], redraw=True)

    run.go()

    assert run.column("key") == [1, 2, 3]


def test_redraw_keeps_the_kind() -> None:
    """A transaction keeps its kind: draws of other kinds are skipped."""
    run = Run([CONFLICT, CONFLICT, "COMMIT"], redraw=True, kinds=3)

    run.go()

    assert run.column("kind") == [1, 1, 1]
    assert run.column("key") == [1, 4, 7]


def test_giving_up_is_final() -> None:
    """After the policy's last retry the conflict is final: the transaction gave up."""
    run = Run([CONFLICT] * 9, retry="immediate:max=2")

    assert run.go() is Outcome.CONFLICT
    assert run.column("flags") == [0, 0, Flag.FINAL]
    ((attempts, outcome, sqlstate),) = [
        (failure["attempts"], failure["outcome"], failure["sqlstate"]) for failure in run.failures
    ]
    assert (attempts, outcome, sqlstate) == (3, Outcome.CONFLICT, "40001")


def test_a_commit_and_a_conflict_that_is_tried_again_are_no_failures() -> None:
    """Only the end of a transaction counts."""
    run = Run([CONFLICT, CONFLICT, "COMMIT"])

    run.go()

    assert run.failures == []


def test_backoff_is_waited_and_recorded() -> None:
    """The policy's wait before a retry is in the record of that retry."""
    run = Run([CONFLICT, "COMMIT"], retry="fixed:base=20ms")

    run.go()

    assert run.pauses == [0.02]
    assert run.column("backoff_ns") == [0, pytest.approx(2e7)]


def test_cut_off_leaves_no_final_record() -> None:
    """A cell that closes during the backoff cuts the transaction off."""
    run = Run([CONFLICT, CONFLICT, "COMMIT"], pauses_until_closed=2)

    assert run.go() is None
    assert run.column("flags") == [0, 0]


@pytest.mark.parametrize("error", [LOST, BLIP])
def test_unknown_is_never_retried(error: Broken) -> None:
    """The connection broke, or XX000 came, while COMMIT was in flight: a retry could apply the work twice."""
    run = Run([error, "COMMIT"])

    assert run.go() is Outcome.UNKNOWN
    assert run.column("flags") == [Flag.FINAL]


def test_commit_answered_with_rollback_is_not_committed() -> None:
    """PostgreSQL answers COMMIT of an aborted transaction with the tag ROLLBACK and no error."""
    run = Run(["ROLLBACK"])

    assert run.go() is Outcome.ERROR


def test_an_error_in_the_body_rolls_back() -> None:
    """Any other error fails the transaction; the connection is left clean."""
    run = Run([], raises=UNIQUE)

    assert run.go() is Outcome.ERROR
    assert run.column("sqlstate") == ["23505"]
    assert run.session.sent[-1] == "ROLLBACK"


def test_a_bug_in_the_scenario_is_an_error_of_the_attempt() -> None:
    """An exception that no driver raised is recorded, not swallowed and not a crash."""
    run = Run([], raises=ZeroDivisionError("division by zero"))

    assert run.go() is Outcome.ERROR
    assert run.column("sqlstate") == [""]


def test_rejected_rolls_back_and_is_final() -> None:
    """The business rule refused the work: it is rolled back, is no error, and is not retried."""
    run = Run([], raises=Rejected("no money"))

    assert run.go() is Outcome.REJECTED
    assert run.session.sent == ["BEGIN", "WRITE (1,)", "ROLLBACK"]


def test_no_connection_is_an_error() -> None:
    """If no connection can be opened, the attempt fails and records how long it waited."""
    run = Run([], refusal=OSError("refused"))

    assert run.go() is Outcome.ERROR
    assert run.column("connect_ns")[0] > 0
    assert run.column("body_ns") == [0]


def test_a_kill_while_commit_is_in_flight_is_recorded_as_unknown() -> None:
    """If the user is killed during COMMIT, the attempt is recorded as unknown."""
    run = Run([KeyboardInterrupt()])

    with pytest.raises(KeyboardInterrupt):
        run.go()

    assert run.column("outcome") == [Outcome.UNKNOWN]
    assert run.column("flags") == [Flag.FINAL]


@pytest.mark.parametrize(
    ("raises", "outcome"),
    [
        (None, Outcome.CONFLICT),
        (Rejected("sold out"), Outcome.CONFLICT),
        (ValueError("mine"), Outcome.CONFLICT),
    ],
)
def test_a_conflict_that_run_caught_is_a_conflict(raises: Exception | None, outcome: Outcome) -> None:
    """It is retried and not counted as rejected, whatever the scenario raised instead."""
    del outcome
    run = Run(["COMMIT"], raises=raises, retry="none")
    run.session.aborted_by = CONFLICT

    assert run.go() is Outcome.CONFLICT
    assert run.column("sqlstate") == ["40001"]
    assert run.session.sent[-1] == "ROLLBACK"


def test_a_rule_may_reject_because_of_another_error() -> None:
    """For example because of a duplicate key."""
    run = Run([], raises=Rejected("there already"))
    run.session.aborted_by = UNIQUE

    assert run.go() is Outcome.REJECTED


@pytest.mark.parametrize(
    ("error", "text"), [(SystemExit(0), "SystemExit: 0"), (KeyboardInterrupt(), "KeyboardInterrupt")]
)
def test_a_run_that_tries_to_end_the_program_is_an_error(error: BaseException, text: str) -> None:
    """It is an error of this attempt, with a note; the program goes on."""
    run = Run([], raises=error)

    assert run.go() is Outcome.ERROR
    assert f"tried to end the program: {text}" in run.notes[0]["note"].message
    assert run.notes[0]["note"].place.startswith("attempting.py:")


@pytest.mark.parametrize("error", [GreenletExit(), GeneratorExit()])
def test_a_killed_user_ends(error: BaseException) -> None:
    """The kill is no error of the scenario."""
    run = Run([], raises=error)

    with pytest.raises(type(error)):
        run.go()


@pytest.mark.parametrize(
    ("drawn", "text"),
    [
        (SystemExit(0), "draw(): SystemExit: 0"),
        (KeyError("colour"), "draw(): KeyError: 'colour'"),
        (Work((), (-1,)), "writes holds -1"),
        (Work((), (1,), kind=5), "kind is 5"),
    ],
)
def test_a_draw_that_is_not_valid_is_an_error(drawn: Any, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is recorded as the end of its transaction, and nothing is sent."""
    run = Run([])
    monkeypatch.setattr(run.scenario, "draw", answering(drawn))

    assert run.go() is Outcome.ERROR
    assert (run.column("flags"), run.column("key")) == ([Flag.FINAL], [NO_KEY])
    assert text in run.notes[0]["note"].message
    assert run.session.sent == []


def test_a_redraw_that_is_not_valid_ends_the_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    """The records of the earlier attempts stay."""
    run = Run([CONFLICT], redraw=True)
    monkeypatch.setattr(run.scenario, "draw", answering(Work((1,), (1,)), ZeroDivisionError()))

    assert run.go() is Outcome.ERROR
    assert run.column("outcome") == [Outcome.CONFLICT, Outcome.ERROR]
    assert run.column("attempt") == [1, 2]
    assert run.column("flags") == [0, Flag.FINAL]


def answering(*answers: Any) -> Callable[..., Any]:
    """A draw that returns or raises these answers, one after another."""
    left = list(answers)

    def draw(*_: Any) -> Any:
        answer = left.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    return draw
