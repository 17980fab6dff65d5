"""The user: connecting, waiting for a cell, one transaction, and its report to Locust, on a fake clock."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import gevent
import numpy as np
import pytest

from hotrow.attempt.error_note import ErrorNote
from hotrow.attempt.record import Marker, Outcome
from hotrow.load import user as user_module
from hotrow.load.board import TO_MASTER, TO_WORKERS, Board
from hotrow.load.user import ContentionUser
from hotrow.scenario import Work
from scenarios.counter import Counter
from tests.load.in_gevent.check_board import last, message, says
from tests.load.in_gevent.fakes import Runner, cells, setup_message, until

if TYPE_CHECKING:
    from pathlib import Path


ENDS: dict[Any, dict[str, Any]] = {
    Outcome.CONFLICT: {
        "attempts": 3,
        "outcome": Outcome.CONFLICT,
        "sqlstate": "40001",
        "marker": Marker.OC000,
        "note": None,
    },
    Outcome.ERROR: {
        "attempts": 1,
        "outcome": Outcome.ERROR,
        "sqlstate": "42P01",
        "marker": Marker.NONE,
        "note": ErrorNote("no such table", None, None),
    },
}
"""What the loop notes about a transaction that ends so."""


class Clock:
    """Stands in for the module `time`; only tests and fakes move it."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def perf_counter(self) -> float:
        return self.now_s

    def perf_counter_ns(self) -> int:
        return round(self.now_s * 1e9)


class Connection:
    """Notes the calls of a user to its connection."""

    made: list[Connection]

    def __init__(self, _target: Any, schema: str, _waiting: Any, region: int) -> None:
        self.schemas = [schema]
        self.region = region
        self.is_open = False
        self.made.append(self)

    def try_to_open(self) -> None:
        self.is_open = True

    def move_to(self, schema: str) -> None:
        self.schemas.append(schema)

    def close(self) -> None:
        self.is_open = False


class Crowd:
    """A board with an open run, and users on fake connections whose transactions end as the test says."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = Clock()
        self.runner = Runner()
        self.board = Board(self.runner)  # type: ignore[arg-type]  # the part of a runner that a board uses
        self.events: list[dict[str, Any]] = []
        self.pauses_s: list[float] = []
        self.takes_s = 0.025
        self.outcome: Outcome | BaseException | None = Outcome.COMMITTED
        self.clients: list[Any] = []
        self.works: list[tuple[int, Work | None]] = []
        self.connections = Connection.made = []
        monkeypatch.setattr(user_module, "declare_knobs_of", lambda _: None)  # for Locust's parser, for ever
        monkeypatch.setattr(user_module, "time", self.clock)
        monkeypatch.setattr(user_module, "UserConnection", Connection)
        monkeypatch.setattr(user_module, "run_transaction", self._run_transaction)
        monkeypatch.setattr(self.board, "pause", self._pause)
        planned = cells(repeats=2)
        setup = setup_message(directory, planned) | {"schemas": ("s0", "s1")}
        self.runner.send_message(TO_WORKERS, message(1, setup=setup))

    def open(self, cell: int, sequence: int = 2) -> None:
        self.runner.send_message(TO_WORKERS, message(sequence, open=cell))

    def user(self) -> ContentionUser:
        """A new user of the counter, as Locust makes it; it has not started."""

        class Adder(ContentionUser):
            abstract = True
            scenario = Counter()

        fired = SimpleNamespace(fire=lambda **fields: self.events.append(fields))
        environment: Any = SimpleNamespace(
            hotrow=SimpleNamespace(board=self.board), events=SimpleNamespace(request=fired)
        )
        user = Adder(environment)
        user._state = "running"
        return user

    def _run_transaction(self, client: Any, number: int, following: Work | None) -> Outcome | None:
        self.clients.append(client)
        self.works.append((number, following))
        self.clock.now_s += self.takes_s
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        if self.outcome in ENDS:
            client.note_failure(**ENDS[self.outcome])
        return self.outcome

    def _pause(self, seconds: float) -> bool:
        self.pauses_s.append(seconds)
        self.clock.now_s += seconds
        return True


@pytest.fixture
def crowd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Crowd:
    return Crowd(tmp_path, monkeypatch)


def test_a_user_is_ready_once_it_has_connected(crowd: Crowd) -> None:
    """It connects before any cell is open, counts as ready until it stops, and closes its connection."""
    user = crowd.user()
    user.on_start()
    ready = crowd.board.ready
    (connection,) = crowd.connections
    was_open = connection.is_open
    user.on_stop()

    assert (ready, was_open, connection.schemas) == (1, True, ["s0"])
    assert (crowd.board.ready, connection.is_open) == (0, False)


def test_without_a_run_a_user_connects_nowhere(crowd: Crowd) -> None:
    """The run could not begin, so Locust is about to stop: the user does nothing and does not think."""
    crowd.board.setup = None
    user = crowd.user()
    user.on_start()

    assert (crowd.connections, crowd.board.ready, user.wait_time()) == ([], 0, 0.0)


@pytest.mark.parametrize(
    ("outcome", "failure"),
    [
        (Outcome.COMMITTED, ""),
        (Outcome.REJECTED, ""),
        (Outcome.CONFLICT, "gave up after 3 attempts: 40001 OC000"),
        (Outcome.ERROR, "42P01: no such table"),
    ],
)
def test_locust_gets_an_event_for_each_transaction(crowd: Crowd, outcome: Outcome, failure: str) -> None:
    """One event with the time from the first try to the end; given up and failed are failures."""
    crowd.outcome = outcome
    crowd.open(0)
    user = crowd.user()
    user.on_start()

    user.transaction()

    (event,) = crowd.events
    assert (event["name"], event["request_type"]) == ("counter: transactions", "transaction")
    assert event["response_time"] == pytest.approx(25.0)
    assert str(event["exception"] or "") == failure
    assert crowd.board.in_flight == 0


@pytest.mark.parametrize("outcome", [None, Outcome.UNKNOWN])
def test_locust_gets_no_event_for_an_unknown_outcome(crowd: Crowd, outcome: Outcome | None) -> None:
    """A transaction that was cut off, or whose COMMIT had no answer, is neither success nor failure."""
    crowd.outcome = outcome
    crowd.open(0)
    user = crowd.user()
    user.on_start()

    user.transaction()

    assert len(crowd.clients) == 1
    assert (crowd.events, crowd.board.in_flight) == ([], 0)


@pytest.mark.parametrize(
    ("outcome", "is_open", "pauses_s"),
    [(Outcome.ERROR, False, [0.2]), (Outcome.ERROR, True, []), (Outcome.COMMITTED, False, [])],
)
def test_a_lost_connection_is_not_replaced_at_once(
    crowd: Crowd, outcome: Outcome, is_open: bool, pauses_s: list[float]
) -> None:
    """After a transaction that lost its connection the user waits. The wait is not part of the latency."""
    crowd.outcome = outcome
    crowd.open(0)
    user = crowd.user()
    user.on_start()
    crowd.connections[0].is_open = is_open

    user.transaction()

    assert crowd.pauses_s == pauses_s
    assert crowd.events[0]["response_time"] == pytest.approx(25.0)


def test_a_user_joins_at_a_random_point_of_its_think_time(crowd: Crowd) -> None:
    """Once per cell: 20 users that think for 2 s are spread over the 2 s, and think in full afterwards."""
    assert crowd.board.setup is not None
    object.__setattr__(crowd.board.setup, "think_s", 2.0)
    crowd.open(0)
    users = [crowd.user() for _ in range(20)]
    for user in users:
        user.on_start()
        user.transaction()
        user.transaction()

    assert len(crowd.pauses_s) == 20
    assert np.ptp(crowd.pauses_s) > 1.0
    assert 0.0 <= min(crowd.pauses_s) < max(crowd.pauses_s) < 2.0
    assert {user.wait_time() for user in users} == {2.0}


def test_a_new_cell_has_a_new_client_on_its_own_tables(crowd: Crowd) -> None:
    """Within a cell the client stays; at the next cell the user moves to that cell's tables."""
    crowd.open(0)
    user = crowd.user()
    user.on_start()
    user.transaction()
    user.transaction()
    crowd.runner.send_message(TO_WORKERS, message(3))
    crowd.open(1, sequence=4)
    user.transaction()

    first, second, third = crowd.clients
    assert first is second is not third
    assert crowd.connections[0].schemas == ["s0", "s0", "s1"]
    assert not np.array_equal(first.rng.random(5), third.rng.random(5))


def test_users_draw_apart(crowd: Crowd) -> None:
    """Two users of a worker have generators of their own."""
    crowd.open(0)
    for _ in range(2):
        user = crowd.user()
        user.on_start()
        user.transaction()

    one, other = crowd.clients
    assert not np.array_equal(one.rng.random(5), other.rng.random(5))


def test_a_user_waits_at_the_gate_and_may_be_stopped_there(crowd: Crowd) -> None:
    """Locust stops a waiting user at once; when the cell opens the user runs again."""
    user = crowd.user()
    user.on_start()
    at_work = gevent.spawn(user.transaction)
    gevent.sleep(0)
    state = user._state
    crowd.open(0)
    at_work.join(20)

    assert (state, user._state) == ("waiting", "running")
    assert len(crowd.events) == 1


@pytest.mark.parametrize("error", [ZeroDivisionError("draw() divides"), SystemExit(3)])
def test_an_error_of_the_scenario_ends_the_run(crowd: Crowd, error: BaseException) -> None:
    """Locust would log it and go on. Here the master gets a message, and no transaction is left or begins."""
    crowd.outcome = error
    crowd.open(0)
    user = crowd.user()
    user.on_start()

    user.transaction()
    until(says(crowd.runner, drained=True), "drained")

    assert last(crowd.runner)["failed"]
    assert (crowd.board.in_flight, crowd.board.cell, crowd.events) == (0, None, [])
    assert crowd.runner.sent[TO_MASTER]


def test_a_user_that_is_being_stopped_does_not_back_off(crowd: Crowd) -> None:
    """Its retries end at once: the pause before the next try reports that there will be none."""
    crowd.open(0)
    user = crowd.user()
    user.on_start()
    user.transaction()
    pause = crowd.clients[0].pause
    before = pause(0.5)
    user._state = "stopping"

    assert (before, pause(0.5)) == (True, False)
    assert crowd.pauses_s == [0.5]


@pytest.mark.parametrize(
    ("outcome", "transactions"),
    [
        (Outcome.COMMITTED, 3),
        (Outcome.REJECTED, 3),
        (Outcome.CONFLICT, 1),
        (Outcome.ERROR, 1),
        (Outcome.UNKNOWN, 1),
    ],
)
def test_transactions_that_follow_are_run_if_the_last_ended_well(
    crowd: Crowd, monkeypatch: pytest.MonkeyPatch, outcome: Outcome, transactions: int
) -> None:
    """Each has a number of its own, and the work that `follow` returned."""
    following = iter([Work((), (1,)), Work((), (2,)), None])
    monkeypatch.setattr(Counter, "follow", lambda _: next(following))
    crowd.outcome = outcome
    crowd.open(0)
    user = crowd.user()
    user.on_start()

    user.transaction()

    works = [(0, None), (1, Work((), (1,))), (2, Work((), (2,)))]
    assert crowd.works == works[:transactions]
    assert crowd.board.in_flight == 0
