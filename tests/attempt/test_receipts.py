"""The look-up of a receipt: its answer is right whatever happens to it and to the COMMIT in doubt."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np
import pytest

from hotrow.attempt.receipts import COUNT, PATIENCE_S, TABLE, TRY_S, WRITE, Receipts, check_receipts
from hotrow.scenario import Result, Tally
from hotrow.targets.connection import UserConnection
from hotrow.targets.session import BLOCKING, PostgresSession
from hotrow.targets.target import parse_target, start
from tests.support.local_home import value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hotrow.targets.target import Target

RECEIPT = "0123456789abcdef0123456789abcdef"
COMMIT_STEP = 3
"""SELECT, INSERT, COMMIT: the steps of a look-up that finds no receipt."""


class Lost(Exception):  # noqa: N818 - a stand-in for a driver's error
    """The connection is gone."""


class Database:
    """One table with a primary key, adjudicated at COMMIT; steps of the look-up can be lost.

    The COMMIT in doubt lands before the `lands_at`-th step of all look-ups together, or never. `faults`
    holds, by step: "before", where the step is lost on its way, or "after", where its answer is.
    """

    def __init__(self, lands_at: int | None, faults: dict[int, str]) -> None:
        self.rows: dict[str, bool] = {}
        self.steps = 0
        self.connections = 0
        self._lands_at = lands_at
        self._faults = faults

    def session(self) -> Database.Session:
        self.connections += 1
        return Database.Session(self)

    def close(self) -> None:
        pass

    def describe(self, error: Exception) -> Any:
        raise NotImplementedError

    def step(self, what: Callable[[], Any]) -> Any:
        """Do one step of a look-up; the COMMIT in doubt may land just before it."""
        if self.steps == self._lands_at:
            self.land()
        fault = self._faults.get(self.steps)
        self.steps += 1
        if fault == "before":
            raise Lost
        answer = what()
        if fault == "after":
            raise Lost
        return answer

    def land(self) -> None:
        """Apply the COMMIT in doubt, unless its key exists."""
        self.rows.setdefault(RECEIPT, True)

    class Session:
        """The connection of one look-up: its snapshot and its writes."""

        usable = True

        def __init__(self, database: Database) -> None:
            self._database = database
            self._snapshot: dict[str, bool] = {}
            self._written: dict[str, bool] = {}

        def begin(self) -> None:
            self._snapshot = dict(self._database.rows)

        def execute(self, sql: str, receipt: str) -> Result:
            if sql.startswith("SELECT"):
                return self._database.step(lambda: self._read(receipt))
            return self._database.step(lambda: self._insert(receipt, applied="true" in sql))

        def _read(self, receipt: str) -> Result:
            self._snapshot = dict(self._database.rows)
            return Result([(self._snapshot[receipt],)] if receipt in self._snapshot else [], 0)

        def _insert(self, receipt: str, *, applied: bool) -> Result:
            self._written[receipt] = applied
            return Result([], 1)

        def commit(self) -> str:
            return self._database.step(self._commit)

        def _commit(self) -> str:
            if self._written.keys() & self._database.rows.keys():
                raise Lost  # 40001: the second committer of a key loses
            self._database.rows.update(self._written)
            return "COMMIT"

        def rollback(self) -> None: ...

        def close(self) -> None: ...

        def describe(self, error: Exception) -> Any:
            raise NotImplementedError


class Clock:
    """A clock that advances only during sleeps."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


def receipts_of(worker: int = 0, clock: Clock | None = None) -> Receipts:
    """The receipts of a user, with a clock of the test or the real clock."""
    return Receipts(
        worker=worker,
        rng=np.random.default_rng(1),
        sleep=clock.sleep if clock else time.sleep,
        clock_s=clock or time.monotonic,
        time_limit=lambda _seconds: nullcontext(),
    )


@pytest.mark.parametrize("lands_at", [None, *range(8)])
@pytest.mark.parametrize("seed", range(25))
def test_the_answer_is_right_whenever_the_commit_is_applied(lands_at: int | None, seed: int) -> None:
    """The COMMIT comes before, between or after the steps, and steps or their answers may be lost."""
    coins = np.random.default_rng(seed)
    faults = {step: str(coins.choice(["before", "after"])) for step in range(12) if coins.random() < 0.4}
    database = Database(lands_at, faults)

    answer = receipts_of(clock=Clock()).look_up(database, RECEIPT)
    database.land()  # however late it comes

    assert answer is database.rows[RECEIPT]


def test_a_look_up_that_finds_nothing_writes_a_tombstone() -> None:
    """The simple case takes three steps on one new connection."""
    database = Database(None, {})

    assert receipts_of(clock=Clock()).look_up(database, RECEIPT) is False
    assert database.rows == {RECEIPT: False}
    assert (database.steps, database.connections) == (COMMIT_STEP, 1)


def test_a_tombstone_whose_answer_was_lost_is_recognised() -> None:
    """The look-up's own COMMIT can be lost too: the next try finds a tombstone, not an applied receipt."""
    database = Database(None, {COMMIT_STEP - 1: "after"})

    assert receipts_of(clock=Clock()).look_up(database, RECEIPT) is False
    assert database.connections == 2


def test_a_server_that_cannot_be_reached_leaves_the_outcome_unknown() -> None:
    """The look-up tries again with growing pauses until its time is up."""
    clock = Clock()
    database = Database(None, dict.fromkeys(range(10_000), "before"))

    assert receipts_of(clock=clock).look_up(database, RECEIPT) is None
    assert PATIENCE_S <= clock.now_s < PATIENCE_S + 1
    assert 20 < database.connections < 200


def test_a_try_that_takes_too_long_is_given_up_and_repeated() -> None:
    """The first two answers never come; no try may take longer than what is left of the patience."""
    database, limits_s = Database(None, {}), []

    @contextmanager
    def time_limit(seconds: float) -> Iterator[None]:
        limits_s.append(seconds)
        if len(limits_s) <= 2:
            raise TimeoutError
        yield

    receipts = replace(receipts_of(clock=Clock()), time_limit=time_limit)

    assert receipts.look_up(database, RECEIPT) is False
    assert limits_s == [TRY_S] * 3


def test_a_user_that_is_killed_does_not_go_on_asking() -> None:
    """An exception that is not an `Exception` ends the look-up."""
    database = Database(None, {})
    database.session = _interrupt  # type: ignore[method-assign]

    with pytest.raises(KeyboardInterrupt):
        receipts_of(clock=Clock()).look_up(database, RECEIPT)


def _interrupt() -> Any:
    raise KeyboardInterrupt


def test_every_worker_transaction_and_tombstone_has_an_id_of_its_own() -> None:
    """The ids can be calculated from the ledger, are uuids, and are not consecutive."""
    ids = [
        receipts_of(worker).id_of(transaction, spent)
        for worker in range(3)
        for transaction in range(300)
        for spent in range(3)
    ]

    assert len(set(ids)) == len(ids)
    assert ids[5] == receipts_of(0).id_of(1, 2)
    assert all(UUID(each).hex == each for each in ids)
    assert len({each[:2] for each in ids}) == 256


@pytest.mark.parametrize(
    ("receipts", "unknown", "lost", "doubled"),
    [(10, 0, 0, 0), (9, 0, 1, 0), (11, 0, 0, 1), (12, 2, 0, 0), (10, 2, 0, 0), (13, 2, 0, 1)],
)
def test_receipts_lie_between_acknowledged_and_unknown(
    receipts: int, unknown: int, lost: int, doubled: int
) -> None:
    """Fewer receipts mean lost work, more mean work applied twice; unknown outcomes may count or not."""
    verdict = check_receipts(receipts, Tally(committed=10, unknown=unknown))

    assert verdict.valid is (lost + doubled == 0)
    assert (verdict.details["lost"], verdict.details["doubled"]) == (lost, doubled)


@pytest.fixture
def target(dsn: str) -> Target:
    """The stand-in without injected latency."""
    assert dsn
    return start(parse_target("local:rtt=0,commit=0"))


@pytest.fixture(params=["conflicts at COMMIT", "row locks"])
def session(request: pytest.FixtureRequest, target: Target, schema: str) -> Iterator[PostgresSession]:
    """The session whose COMMIT will be in doubt; the receipt is written, COMMIT not sent."""
    session = target.connect(BLOCKING, schema)
    if request.param == "row locks":
        session.run("SET hotrow.adopt TO off")
    session.run(TABLE)
    session.begin()
    session.execute(WRITE, RECEIPT)
    yield session
    session.close()


def test_a_commit_that_was_applied_is_found(session: PostgresSession, target: Target, schema: str) -> None:
    """On a real server: the receipt exists, and no tombstone is written."""
    session.commit()

    assert _settle(target, schema) is True
    assert session.execute(COUNT).rows == [(1,)]


@pytest.mark.parametrize("session", ["conflicts at COMMIT"], indirect=True)
def test_a_commit_that_lands_after_the_look_up_conflicts(
    session: PostgresSession, target: Target, schema: str
) -> None:
    """A SELECT alone would be wrong here. The tombstone makes the late COMMIT the second committer."""
    assert _settle(target, schema) is False

    with pytest.raises(Exception, match="OC000") as late:
        session.commit()

    assert session.describe(late.value).sqlstate == "40001"
    assert session.execute(COUNT).rows == [(0,)]


@pytest.mark.parametrize("session", ["row locks"], indirect=True)
@pytest.mark.parametrize("commits", [True, False])
def test_with_row_locks_the_look_up_waits_for_the_commit(
    session: PostgresSession, dsn: str, target: Target, schema: str, commits: bool
) -> None:
    """The second writer of the id waits for the first, and then knows its outcome."""
    answers: list[bool | None] = []
    asking = threading.Thread(target=lambda: answers.append(_settle(target, schema)))
    asking.start()
    _wait_until_somebody_waits(dsn, schema)

    session.commit() if commits else session.close()
    asking.join()

    assert answers == [commits]


def _settle(target: Target, schema: str) -> bool | None:
    connection = UserConnection(target, schema, BLOCKING)
    try:
        return receipts_of().look_up(connection, RECEIPT)
    finally:
        connection.close()


def _wait_until_somebody_waits(dsn: str, schema: str) -> None:
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query ~ 'hotrow_receipt'"
    )
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if value(dsn, query):
            return
        time.sleep(0.01)
    raise AssertionError(f"no look-up waits in {schema}")
