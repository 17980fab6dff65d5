"""A client of the attempt loop on fakes: its session gives prepared answers, and its records are kept."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from hotrow.attempt.loop import Client, run_transaction
from hotrow.attempt.receipts import PATIENCE_S, Receipts
from hotrow.attempt.retry import parse_retry
from hotrow.keys.skew import KeySource, parse_skew
from hotrow.scenario import Keys, Result, Scenario, Session, Work

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hotrow.attempt.record import Outcome


@dataclass(frozen=True)
class FakeFailure:
    """How a session describes an error: SQLSTATE, message, and whether the connection was lost."""

    sqlstate: str | None
    message: str = ""
    lost: bool = False


class Broken(Exception):  # noqa: N818 - a stand-in for a driver's error
    """An error that carries the description the session will give of it."""

    def __init__(self, failure: FakeFailure) -> None:
        super().__init__(failure.message)
        self.failure = failure


CONFLICT = Broken(FakeFailure("40001", "change conflicts with another transaction (OC000)"))
SCHEMA_CONFLICT = Broken(FakeFailure("40001", "schema has been updated by another transaction (OC001)"))
DEADLOCK = Broken(FakeFailure("40P01", "deadlock detected"))
LOST = Broken(FakeFailure(None, "server closed the connection", lost=True))
BLIP = Broken(FakeFailure("XX000", "server unavailable"))
UNIQUE = Broken(FakeFailure("23505", "duplicate key"))


class FakeSession:
    """Answers each COMMIT from `commits` and each look-up of a receipt from `lookups`, in order.

    An item of `commits` is a tag, or an error to raise.
    """

    def __init__(
        self, commits: list[str | BaseException], lookups: list[bool | BaseException | None]
    ) -> None:
        self.commits = commits
        self.lookups = lookups
        self.sent: list[str] = []
        self.usable = True
        self.last_statement: str | None = None
        self.aborted_by: Exception | None = None

    def begin(self) -> None:
        self.sent.append("BEGIN")

    def execute(self, sql: str, *parameters: Any) -> Result:
        self.last_statement = sql
        self.sent.append(f"{sql} {parameters}")
        if not sql.startswith("SELECT applied"):
            return Result([], 1)
        answer = self.lookups.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return Result([] if answer is None else [(answer,)], 1)

    def commit(self) -> str:
        self.last_statement = "COMMIT"
        self.sent.append("COMMIT")
        answer = self.commits.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def rollback(self) -> None:
        self.sent.append("ROLLBACK")

    def close(self) -> None:
        self.usable = False

    def describe(self, error: Exception) -> FakeFailure:
        return error.failure if isinstance(error, Broken) else FakeFailure(None, str(error))


class Draws(Scenario):
    """Writes the next number, then raises `raises` from its body if that is set. Its kinds take turns."""

    name = "draws"

    def __init__(self, raises: BaseException | None = None, kinds: int = 1) -> None:
        self.raises = raises
        self.many = kinds
        self.kinds = tuple(f"k{kind}" for kind in range(kinds)) if kinds > 1 else ()  # type: ignore[misc]
        self.drawn = 0

    def tables(self) -> list[str]:
        return []

    def seed(self, keys: int) -> list[str]:
        del keys
        return []

    def draw(self, keys: Keys, rng: np.random.Generator) -> Work:
        del keys, rng
        self.drawn += 1
        return Work(parameters=(self.drawn,), writes=(self.drawn,), kind=self.drawn % self.many)

    def run(self, session: Session, work: Work) -> None:
        session.execute("WRITE", *work.parameters)
        if self.raises is not None:
            raise self.raises

    def observe(self, session: Session) -> dict[str, int]:
        del session
        return {}

    def check(self, before: Any, after: Any, tally: Any) -> list[Any]:
        del before, after, tally
        return []


class FakeConnections:
    """Hands out one session, or raises the error of opening it."""

    def __init__(self, session: FakeSession, refusal: Exception | None) -> None:
        self._session = session
        self._refusal = refusal
        self.closed = 0

    def session(self) -> FakeSession:
        if self._refusal is not None:
            raise self._refusal
        return self._session

    def describe(self, error: Exception) -> FakeFailure:
        return FakeFailure(None, str(error), lost=True)

    def close(self) -> None:
        self.closed += 1


@dataclass
class Run:
    """A client on fakes, with its records, pauses, error notes and failures."""

    commits: list[str | BaseException]
    retry: str = "immediate:max=3"
    redraw: bool = False
    kinds: int = 1
    raises: BaseException | None = None
    refusal: Exception | None = None
    pauses_until_closed: int = 1000
    lookups: list[bool | BaseException | None] | None = None
    """The answers to the receipt look-ups; None is a run without receipts."""
    records: list[dict[str, Any]] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    notes: list[dict[str, Any]] = field(default_factory=list)
    failures: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.session = FakeSession(self.commits, self.lookups or [])
        self.connections = FakeConnections(self.session, self.refusal)
        self.scenario = Draws(self.raises, self.kinds)
        self.client = self._client()

    def go(self, following: Work | None = None) -> Outcome | None:
        """Run one more transaction of the same client."""
        return run_transaction(self.client, 7, following)

    def _client(self) -> Client:
        ticks = iter(range(10, 10**9, 10))
        return Client(
            scenario=self.scenario,
            keys=KeySource(parse_skew("uniform").table(1000), np.random.default_rng(1)),
            rng=np.random.default_rng(1),
            policy=parse_retry(self.retry),
            redraw=self.redraw,
            connections=self.connections,
            record=lambda **fields: self.records.append(fields),
            hottest=lambda keys: keys[0],
            clock_ns=lambda: next(ticks),
            pause=self._pause,
            receipts=None if self.lookups is None else self._receipts(ticks),
            note_error=lambda **fields: self.notes.append(fields),
            note_failure=lambda **fields: self.failures.append(fields),
        )

    def _receipts(self, ticks: Iterator[int]) -> Receipts:
        """Receipts on the run's clock. One tick of it is a quarter of a look-up's time limit."""
        return Receipts(
            worker=0,
            rng=np.random.default_rng(2),
            sleep=lambda _seconds: None,
            clock_s=lambda: next(ticks) * PATIENCE_S / 40,
            time_limit=lambda _seconds: nullcontext(),
        )

    def _pause(self, seconds: float) -> bool:
        self.pauses.append(seconds)
        return len(self.pauses) < self.pauses_until_closed

    def column(self, name: str) -> list[Any]:
        return [record[name] for record in self.records]
