"""The attempt loop: how every end of an attempt is recorded, retried or not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from hotrow.attempt import Flag, Marker, Outcome
from hotrow.errors import Rejected
from hotrow.retry import parse_retry
from hotrow.scenario import Keys, Result, Scenario, Session, Work
from hotrow.transaction import Client, run_transaction


@dataclass(frozen=True)
class Said:
    """What a session says of an error."""

    sqlstate: str | None
    message: str = ""
    lost: bool = False


class Broken(Exception):  # noqa: N818 - a stand-in for a driver's error
    """An error that carries what the session will say of it."""

    def __init__(self, said: Said) -> None:
        super().__init__(said.message)
        self.said = said


CONFLICT = Broken(Said("40001", "change conflicts with another transaction (OC000)"))
SCHEMA_CONFLICT = Broken(Said("40001", "schema has been updated by another transaction (OC001)"))
DEADLOCK = Broken(Said("40P01", "deadlock detected"))
LOST = Broken(Said(None, "server closed the connection", lost=True))
BLIP = Broken(Said("XX000", "server unavailable"))
UNIQUE = Broken(Said("23505", "duplicate key"))


class FakeSession:
    """Answers each COMMIT by the next of `commits`: a tag, or an error to raise."""

    def __init__(self, commits: list[str | BaseException]) -> None:
        self.commits = commits
        self.sent: list[str] = []
        self.usable = True

    def begin(self) -> None:
        self.sent.append("BEGIN")

    def execute(self, sql: str, *parameters: Any) -> Result:
        self.sent.append(f"{sql} {parameters}")
        return Result([], 1)

    def commit(self) -> str:
        self.sent.append("COMMIT")
        answer = self.commits.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def rollback(self) -> None:
        self.sent.append("ROLLBACK")

    def close(self) -> None:
        self.usable = False

    def describe(self, error: Exception) -> Said:
        return error.said if isinstance(error, Broken) else Said(None, str(error))


class Draws(Scenario):
    """Writes the next number; raises `raises` from its body where that is set."""

    name = "draws"

    def __init__(self, raises: Exception | None = None) -> None:
        self.raises = raises
        self.drawn = 0

    def tables(self) -> list[str]:
        return []

    def seed(self, keys: int) -> list[str]:
        return []

    def draw(self, keys: Keys, rng: np.random.Generator) -> Work:
        self.drawn += 1
        return Work(parameters=(self.drawn,), writes=(self.drawn,))

    def run(self, session: Session, work: Work) -> None:
        session.execute("WRITE", *work.parameters)
        if self.raises is not None:
            raise self.raises

    def observe(self, session: Session) -> dict[str, int]:
        return {}

    def check(self, before: Any, after: Any, tally: Any) -> list[Any]:
        return []


class FakeConnections:
    """Hands out one session, or the error of opening it."""

    def __init__(self, session: FakeSession, refusal: Exception | None) -> None:
        self._session = session
        self._refusal = refusal

    def session(self) -> FakeSession:
        if self._refusal is not None:
            raise self._refusal
        return self._session

    def describe(self, error: Exception) -> Said:
        return Said(None, str(error), lost=True)


@dataclass
class Run:
    """A client on fakes, and what it recorded."""

    commits: list[str | BaseException]
    retry: str = "immediate:max=3"
    redraw: bool = False
    raises: Exception | None = None
    refusal: Exception | None = None
    pauses_until_closed: int = 1000
    records: list[dict[str, Any]] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.session = FakeSession(self.commits)
        self.scenario = Draws(self.raises)

    def go(self) -> Outcome | None:
        ticks = iter(range(10, 10**9, 10))
        client = Client(
            scenario=self.scenario,
            keys=None,  # type: ignore[arg-type]
            rng=np.random.default_rng(1),
            policy=parse_retry(self.retry),
            redraw=self.redraw,
            connections=FakeConnections(self.session, self.refusal),
            record=lambda **fields: self.records.append(fields),
            hottest=lambda keys: keys[0],
            clock_ns=lambda: next(ticks),
            pause=self._pause,
        )
        return run_transaction(client, transaction=7)

    def _pause(self, seconds: float) -> bool:
        self.pauses.append(seconds)
        return len(self.pauses) < self.pauses_until_closed

    def column(self, name: str) -> list[Any]:
        return [record[name] for record in self.records]


def test_commit_at_once() -> None:
    """One attempt, final, with its three times apart and no backoff."""
    run = Run(["COMMIT"])

    assert run.go() is Outcome.COMMITTED
    (record,) = run.records
    assert record["flags"] == Flag.FINAL
    assert (record["attempt"], record["transaction"], record["key"]) == (1, 7, 1)
    assert min(record["begin_ns"], record["body_ns"], record["commit_ns"]) > 0
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
    """What certainly applied nothing is repeated exactly; only the last record is final."""
    run = Run([error, error, "COMMIT"])

    assert run.go() is Outcome.COMMITTED
    assert run.column("outcome") == [outcome, outcome, Outcome.COMMITTED]
    assert run.column("marker")[:2] == [marker, marker]
    assert run.column("attempt") == [1, 2, 3]
    assert run.column("flags") == [0, 0, Flag.FINAL]
    assert run.scenario.drawn == 1
    assert len(set(run.column("scheduled_ns"))) == 1


def test_redraw_draws_fresh_keys() -> None:
    """With redraw, every retry is another draw."""
    run = Run([CONFLICT, CONFLICT, "COMMIT"], redraw=True)

    run.go()

    assert run.column("key") == [1, 2, 3]


def test_giving_up_is_final() -> None:
    """After the policy's last retry the conflict is final: the transaction gave up."""
    run = Run([CONFLICT] * 9, retry="immediate:max=2")

    assert run.go() is Outcome.CONFLICT
    assert run.column("flags") == [0, 0, Flag.FINAL]


def test_backoff_is_waited_and_recorded() -> None:
    """The wait before a retry is the policy's, and stands in the record of that retry."""
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
    """A connection lost, or XX000, while COMMIT was in flight: nobody knows, so nothing is tried again."""
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
    """The business rule said no: rolled back on purpose, not an error, not retried."""
    run = Run([], raises=Rejected("no money"))

    assert run.go() is Outcome.REJECTED
    assert run.session.sent == ["BEGIN", "WRITE (1,)", "ROLLBACK"]


def test_no_connection_is_an_error() -> None:
    """Where no connection can be had the attempt fails, and says how long it waited for one."""
    run = Run([], refusal=OSError("refused"))

    assert run.go() is Outcome.ERROR
    assert run.column("connect_ns")[0] > 0
    assert run.column("begin_ns") == [0]


def test_a_kill_while_commit_is_in_flight_is_recorded_as_unknown() -> None:
    """Whoever kills the user in the middle of COMMIT leaves an unknown behind, not nothing."""
    run = Run([KeyboardInterrupt()])

    with pytest.raises(KeyboardInterrupt):
        run.go()

    assert run.column("outcome") == [Outcome.UNKNOWN]
    assert run.column("flags") == [Flag.FINAL]
