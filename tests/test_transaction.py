"""The attempt loop: how every end of an attempt is recorded, retried or not."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from hotrow.attempt import Flag, Marker, Outcome
from hotrow.errors import Rejected
from hotrow.receipts import PATIENCE_S, Receipts
from hotrow.retry import parse_retry
from hotrow.scenario import Keys, Result, Scenario, Session, Work
from hotrow.transaction import Client, run_transaction

if TYPE_CHECKING:
    from collections.abc import Iterator


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
    """Answers each COMMIT by the next of `commits`: a tag, or an error to raise; each look-up by `found`."""

    def __init__(self, commits: list[str | BaseException], found: list[bool | BaseException | None]) -> None:
        self.commits = commits
        self.found = found
        self.sent: list[str] = []
        self.usable = True

    def begin(self) -> None:
        self.sent.append("BEGIN")

    def execute(self, sql: str, *parameters: Any) -> Result:
        self.sent.append(f"{sql} {parameters}")
        if not sql.startswith("SELECT applied"):
            return Result([], 1)
        answer = self.found.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return Result([] if answer is None else [(answer,)], 1)

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
        self.closed = 0

    def session(self) -> FakeSession:
        if self._refusal is not None:
            raise self._refusal
        return self._session

    def describe(self, error: Exception) -> Said:
        return Said(None, str(error), lost=True)

    def close(self) -> None:
        self.closed += 1


@dataclass
class Run:
    """A client on fakes, and what it recorded."""

    commits: list[str | BaseException]
    retry: str = "immediate:max=3"
    redraw: bool = False
    raises: Exception | None = None
    refusal: Exception | None = None
    pauses_until_closed: int = 1000
    found: list[bool | BaseException | None] | None = None
    """What the look-ups of receipts will find; None is a run without receipts."""
    records: list[dict[str, Any]] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.session = FakeSession(self.commits, self.found or [])
        self.connections = FakeConnections(self.session, self.refusal)
        self.scenario = Draws(self.raises)

    def go(self) -> Outcome | None:
        ticks = iter(range(10, 10**9, 10))
        client = Client(
            scenario=self.scenario,
            keys=None,  # type: ignore[arg-type]
            rng=np.random.default_rng(1),
            policy=parse_retry(self.retry),
            redraw=self.redraw,
            connections=self.connections,
            record=lambda **fields: self.records.append(fields),
            hottest=lambda keys: keys[0],
            clock_ns=lambda: next(ticks),
            pause=self._pause,
            receipts=None if self.found is None else self._receipts(ticks),
        )
        return run_transaction(client, transaction=7)

    def _receipts(self, ticks: Iterator[int]) -> Receipts:
        """On the run's clock, of which a tick is a quarter of a look-up's patience."""
        return Receipts(
            worker=0,
            rng=np.random.default_rng(2),
            sleep=lambda seconds: None,
            clock_s=lambda: next(ticks) * PATIENCE_S / 40,
            time_limit=lambda seconds: nullcontext(),
        )

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


RESOLVED = Flag.FINAL | Flag.RESOLVED


def receipts_written(run: Run) -> list[str]:
    """The ids that transactions wrote, tombstones not counted."""
    return [sent.split("'")[1] for sent in run.session.sent if sent.startswith("INSERT") and "true" in sent]


@pytest.mark.parametrize("error", [LOST, BLIP])
def test_a_receipt_that_is_found_commits_the_transaction(error: Broken) -> None:
    """The lost answer was COMMIT: one attempt, committed, marked as resolved, nothing tried again."""
    run = Run([error], found=[True])

    assert run.go() is Outcome.COMMITTED
    assert run.column("outcome") == [Outcome.COMMITTED]
    assert run.column("flags") == [RESOLVED]
    assert run.connections.closed == 1  # asked on a new connection, though the old one may still stand


def test_a_receipt_that_is_not_found_is_buried_and_the_work_tried_again() -> None:
    """Nothing was applied: the policy goes on as after a conflict, with the same work and another receipt."""
    run = Run([LOST, "COMMIT", "COMMIT"], found=[None])

    assert run.go() is Outcome.COMMITTED
    assert run.column("outcome") == [Outcome.ERROR, Outcome.COMMITTED]
    assert run.column("flags") == [Flag.RESOLVED, Flag.FINAL]
    assert run.scenario.drawn == 1
    assert len(set(receipts_written(run))) == 2


def test_a_policy_without_retries_ends_with_what_the_receipt_said() -> None:
    """The transaction failed: certainly nothing was applied, and it is not tried again."""
    run = Run([LOST, "COMMIT"], retry="none", found=[None])

    assert run.go() is Outcome.ERROR
    assert run.column("flags") == [RESOLVED]


def test_a_cell_that_closes_after_the_look_up_cuts_the_transaction_off() -> None:
    """The record says what the receipt said, and is not final."""
    run = Run([LOST, "COMMIT"], found=[None], pauses_until_closed=1)

    assert run.go() is None
    assert run.column("flags") == [Flag.RESOLVED]


def test_a_look_up_without_an_answer_leaves_the_outcome_unknown() -> None:
    """The server stays away for as long as is waited: unknown, final, counted neither way."""
    run = Run([LOST], found=[LOST] * 9)

    assert run.go() is Outcome.UNKNOWN
    assert run.column("flags") == [Flag.FINAL]
    assert len(run.session.found) > 0  # it stopped asking


def test_a_kill_during_the_look_up_is_recorded_as_unknown() -> None:
    """Once, and not as what the look-up might have found."""
    run = Run([LOST], found=[KeyboardInterrupt()])

    with pytest.raises(KeyboardInterrupt):
        run.go()

    assert run.column("outcome") == [Outcome.UNKNOWN]
    assert run.column("flags") == [Flag.FINAL]


def test_retries_after_conflicts_keep_the_receipt() -> None:
    """One receipt a transaction, first of its statements, so that at most one of its attempts can commit."""
    run = Run([CONFLICT, CONFLICT, "COMMIT"], found=[])

    run.go()

    assert len(receipts_written(run)) == 3
    assert len(set(receipts_written(run))) == 1
    assert [sent.split()[0] for sent in run.session.sent[:4]] == ["BEGIN", "INSERT", "WRITE", "COMMIT"]


def test_without_receipts_none_is_written() -> None:
    """The scenario's statements are all that is sent."""
    run = Run(["COMMIT"])

    run.go()

    assert run.session.sent == ["BEGIN", "WRITE (1,)", "COMMIT"]


def test_the_time_of_a_look_up_is_counted_as_the_commit_s() -> None:
    """Body and backoff are what they are without one."""
    plain, looked_up = Run(["COMMIT"], found=[]), Run([LOST], found=[True])
    plain.go()
    looked_up.go()

    assert looked_up.column("body_ns") == plain.column("body_ns")
    assert looked_up.column("backoff_ns") == [0]
    assert looked_up.column("commit_ns")[0] > plain.column("commit_ns")[0]
