"""The board: which transactions may begin, where attempts wait, and what is sent to the master."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import gevent
import pytest
from gevent.event import Event

from hotrow.attempt.record import Marker, Outcome
from hotrow.errors import RunError, UsageError
from hotrow.load import board as board_module
from hotrow.load.board import TO_MASTER, TO_WORKERS, Board
from hotrow.run.ledger import read_ledger
from tests.load.in_gevent.fakes import Runner, cells, setup_message, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ATTEMPT = {
    "transaction": 0,
    "attempt": 1,
    "scheduled_ns": 0,
    "started_ns": 0,
    "begin_ns": 0,
    "body_ns": 0,
    "commit_ns": 0,
    "backoff_ns": 0,
    "connect_ns": 0,
    "key": 0,
    "user": 0,
    "cell": 0,
    "outcome": Outcome.COMMITTED,
    "marker": Marker.NONE,
    "sqlstate": "",
    "flags": 1,
}


def message(sequence: int, **data: Any) -> dict[str, Any]:
    """A message of the master."""
    return {"sequence": sequence, "setup": None, "open": None, "end": False, "sent_ns": 7, **data}


@pytest.fixture
def runner() -> Runner:
    return Runner()


@pytest.fixture
def board(runner: Runner, tmp_path: Path) -> Board:
    """A board in a run of one cell, which is open."""
    made = Board(runner)  # type: ignore[arg-type]  # the part of a runner that a board uses
    runner.send_message(TO_WORKERS, message(1, setup=setup_message(tmp_path, cells())))
    runner.send_message(TO_WORKERS, message(2, open=0))
    return made


def last(runner: Runner) -> dict[str, Any]:
    return runner.sent[TO_MASTER][-1] if runner.sent[TO_MASTER] else {}


def says(runner: Runner, **wanted: Any) -> Callable[[], bool]:
    return lambda: {name: last(runner).get(name) for name in wanted} == wanted


def test_nobody_is_admitted_once_the_cell_has_closed(board: Board, runner: Runner) -> None:
    """A user that saw the open cell and then took long to connect may not begin in it."""
    cell = board.wait_for_cell()
    runner.send_message(TO_WORKERS, message(3))
    until(says(runner, sequence=3, drained=True), "drained")

    assert not board.admit(cell)
    assert board.in_flight == 0


def test_a_cell_is_not_drained_while_an_admitted_transaction_runs(board: Board, runner: Runner) -> None:
    """It counts from its admission to its end, waits included."""
    assert board.admit(board.wait_for_cell())
    runner.send_message(TO_WORKERS, message(3))
    until(says(runner, sequence=3), "heard")
    before = last(runner)["drained"]

    board.leave()
    until(says(runner, drained=True), "drained")

    assert before is False


def test_a_full_disk_loses_no_attempt(
    board: Board, runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Attempts wait in memory. The cell is drained when all of them are in the file."""
    assert board.ledger is not None
    write, full = os.write, [True]

    def refuse(file: int, data: bytes) -> int:
        if full[0]:
            raise OSError(28, "No space left on device")
        return write(file, data)

    monkeypatch.setattr(os, "write", refuse)
    for number in range(1000):
        board.ledger.append(**ATTEMPT | {"transaction": number})
    runner.send_message(TO_WORKERS, message(3))
    until(says(runner, sequence=3), "heard")
    before = last(runner)

    full[0] = False
    until(says(runner, drained=True), "drained")

    assert (before["drained"], before["records"]) == (False, None)
    assert last(runner)["records"] == len(read_ledger(tmp_path).attempts) == 1000


def test_a_disk_that_stays_full_ends_the_run(
    board: Board, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a while no transaction begins, and the master gets the reason and exit code 2."""
    assert board.ledger is not None

    def refuse(file: int, data: bytes) -> int:
        del file, data
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", refuse)
    monkeypatch.setattr(board_module, "MAX_UNWRITTEN_S", 0.0)
    board.ledger.append(**ATTEMPT)
    until(lambda: last(runner).get("failed") is not None, "failed")

    until(says(runner, drained=True), "drained")
    assert "No space left on device" in last(runner)["failed"]
    assert (last(runner)["exit_code"], last(runner)["records"]) == (2, 1)
    assert board.cell is None


def test_a_request_of_the_master_that_fails_is_reported(runner: Runner, tmp_path: Path) -> None:
    """An example is a ledger that exists already. Locust would only log it, and the master would wait."""
    (tmp_path / "attempts-0.bin").write_bytes(b"")
    Board(runner)  # type: ignore[arg-type]  # the same
    runner.send_message(TO_WORKERS, message(1, setup=setup_message(tmp_path, cells())))

    until(lambda: last(runner).get("failed") is not None, "failed")

    assert "attempts-0.bin" in last(runner)["failed"]


def test_the_first_failure_is_the_reported_one(board: Board, runner: Runner) -> None:
    """Its message and exit code go to the master; a later error adds nothing."""
    board.fail(UsageError("draw() cannot"))
    board.fail(RunError("and so on"))

    until(says(runner, failed="draw() cannot", exit_code=2), "failed")

    assert [state["failed"] for state in runner.sent[TO_MASTER] if state["failed"]] == ["draw() cannot"]


def test_closing_waits_for_attempts_in_flight(board: Board, tmp_path: Path) -> None:
    """An attempt that ends while the board closes is in the file."""
    assert board.ledger is not None
    assert board.admit(board.wait_for_cell())
    ledger = board.ledger
    closing = gevent.spawn(board.close)
    gevent.sleep(0.05)
    ledger.append(**ATTEMPT)
    board.leave()
    closing.join(20)

    assert len(read_ledger(tmp_path).attempts) == 1


def test_ready_counts_only_users_that_were_ready(board: Board) -> None:
    """A user that was stopped before it had connected does not lower the count."""
    from hotrow.load.user import ContentionUser  # noqa: PLC0415 - declares options when it is subclassed

    class Idle(ContentionUser):
        abstract = True

    user = Idle.__new__(Idle)
    user._board, user._connection, user._is_ready = board, None, False
    user.on_stop()
    user.on_stop()

    assert board.ready == 0


def test_a_pause_that_begins_as_the_gate_closes_ends(board: Board, runner: Runner) -> None:
    """It ends although the only earlier pause leaves by itself before it is woken; the cell is closed.

    A user that stayed in its pause kept the run from draining: 1,000 users, one run in ten.
    """
    earlier = gevent.spawn(board.pause, 600)
    gevent.sleep(0)

    def close_and_pause() -> bool:
        earlier.kill(block=False)
        runner.send_message(TO_WORKERS, message(3))
        return board.pause(600)

    later = gevent.spawn(close_and_pause)
    later.join(timeout=20)

    assert later.value is False


def test_users_are_spread_anew_if_the_users_who_left_were_of_one_region(board: Board) -> None:
    """Five users, four of them in one region, become three and two; no other user moves."""
    board._users_of_region = [0, 0]
    users = [board.enter_region() for _ in range(8)]
    for user in (7, 5, 3):
        board.leave_region(users.pop(user))

    assert users == [0, 1, 0, 0, 0]
    assert [board.even_region(user) for user in users] == [1, 1, 0, 0, 0]


def test_a_user_that_connects_longer_than_its_cell_runs_nothing_in_it(
    board: Board, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it moves to the cell's tables the cell is judged; the user begins no transaction."""
    from hotrow.load import user as user_module  # noqa: PLC0415 - the same

    moving, moved, began = Event(), Event(), []

    class Slow(user_module.ContentionUser):
        abstract = True
        scenario = None

    def take_place(self: Any, cell: Any) -> None:
        del self, cell
        moving.set()
        moved.wait()

    def run_transaction(client: Any, number: int) -> None:
        del client
        began.append(number)

    monkeypatch.setattr(Slow, "_move_to", take_place)
    monkeypatch.setattr(Slow, "_make_client", lambda _self, _cell: type("C", (), {"rng": None})())
    monkeypatch.setattr(user_module, "run_transaction", run_transaction)
    user = Slow.__new__(Slow)
    user._board, user._connection, user._is_ready = board, None, True
    user._client = user._cell = None
    user._state = "running"
    at_work = gevent.spawn(user.transaction)
    moving.wait(20)
    runner.send_message(TO_WORKERS, message(3))
    until(says(runner, sequence=3, drained=True), "drained")
    moved.set()
    at_work.join(20)

    assert at_work.successful()
    assert began == []


def test_messages_are_handled_one_at_a_time(
    runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the run ends while this process prepares for it, a whole, empty file remains."""
    prepared, prepares = Event(), Event()
    begin = board_module.start

    def slow(target: Any) -> Any:
        prepares.set()
        prepared.wait(20)
        return begin(target)

    monkeypatch.setattr(board_module, "start", slow)
    board = Board(runner)  # type: ignore[arg-type]
    setup = message(1, setup=setup_message(tmp_path, cells()))
    gevent.spawn(runner.send_message, TO_WORKERS, setup)
    assert prepares.wait(20)
    ending = gevent.spawn(runner.send_message, TO_WORKERS, message(2, end=True))
    gevent.sleep(0)
    assert not ending.dead

    prepared.set()
    until(says(runner, sequence=2, ended=True), "ended")

    assert board.ledger is None
    assert len(read_ledger(tmp_path).attempts) == 0


def test_a_cell_that_was_added_opens_with_its_tables(runner: Runner, board: Board) -> None:
    """The person at the web page has edited the run; the setup that users read has the new cell."""
    (cell,) = cells()
    added = replace(cell, id=1, users=9)
    runner.send_message(TO_WORKERS, message(3))

    runner.send_message(TO_WORKERS, message(4, added=[added.as_json(), "s1"], open=1))

    assert board.wait_for_cell() == added
    assert board.setup is not None
    assert board.setup.schemas == ("s", "s1")
