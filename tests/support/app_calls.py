"""Calls of an application's function on the tables of a run, with the records that hotrow makes of them."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np

from hotrow.attempt.app_call import run_call
from hotrow.attempt.loop import Client
from hotrow.attempt.record import Flag, Outcome
from hotrow.attempt.retry import APPLICATION, recorded_policy
from hotrow.keys.skew import KeySource, parse_skew
from hotrow.scenario import AppScenario, Tally, Work, applied_once
from hotrow.targets.app_engine import UserEngine
from hotrow.targets.connection import AppUserConnection
from hotrow.targets.session import BLOCKING
from tests.support.playing import staged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import psycopg

    from tests.support.playing import Stagehand

ADD = "UPDATE counter SET value = value + 1 WHERE id = %s"


class Counted(AppScenario):
    """Runs a function on a counter. Its check counts increments."""

    name = "counted"

    def __init__(self, function: Callable[[Any], object] | None = None) -> None:
        super().__init__()
        self.function = function

    def tables(self) -> list[str]:
        return ["CREATE TABLE counter (id bigint PRIMARY KEY, value bigint NOT NULL)"]

    def seed(self, keys: int) -> list[str]:
        return [f"INSERT INTO counter SELECT id, 0 FROM generate_series(0, {keys - 1}) AS id"]  # noqa: S608 - a number

    def draw(self, keys: Any, rng: Any) -> Work:
        del rng
        (key,) = keys.draw(1)
        return Work((key,), (key,))

    def run_app(self, connection: Any, work: Work) -> None:
        del work
        assert self.function is not None
        self.function(connection)

    def observe(self, session: Any) -> dict[str, int]:
        return {"total": session.execute("SELECT sum(value)::bigint FROM counter").rows[0][0]}

    def check(self, before: Any, after: Any, tally: Tally) -> list[Any]:
        return [applied_once("value equals acknowledged increments", after["total"] - before["total"], tally)]


@dataclass
class Caller:
    """One user of an application: calls functions, and keeps the records and the notes of errors."""

    stage: Stagehand
    records: list[dict[str, Any]] = field(default_factory=list)
    notes: list[Any] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.connections = AppUserConnection(self.stage.target, self.stage.run_schema.schema, BLOCKING)
        self.engine = UserEngine(self.connections)
        self.numbers = count()

    def call(self, function: Callable[[Any], object]) -> list[str]:
        """Call a function with the connection; its attempts, as `describe` writes them."""
        first = len(self.records)
        scenario = Counted(function)
        scenario.attach(self.engine)
        rng = np.random.default_rng(1)
        client = Client(
            scenario=scenario,
            keys=KeySource(parse_skew("uniform").table(10), rng),
            rng=rng,
            policy=recorded_policy(APPLICATION),
            redraw=False,
            connections=self.connections,  # type: ignore[arg-type] # those of an application
            record=lambda **fields: self.records.append(dict(fields)),
            hottest=lambda writes: writes[0],
            clock_ns=time.perf_counter_ns,
            pause=lambda _: True,
            note_error=lambda **fields: self.notes.append(fields["note"]),
        )
        self.outcomes.append(run_call(client, scenario, self.connections, self.numbers.__next__))
        return self.described(first)

    def described(self, first: int = 0) -> list[str]:
        """Each attempt as `t0.1 committed final`: number of its transaction in the call, attempt, outcome."""
        records = self.records[first:]
        numbers = {record["transaction"]: n for n, record in reversed(list(enumerate(records)))}
        order = sorted(numbers, key=numbers.__getitem__)
        return [
            f"t{order.index(record['transaction'])}.{record['attempt']}"
            f" {Outcome(record['outcome']).name.lower()}{' final' if record['flags'] & Flag.FINAL else ''}"
            for record in records
        ]

    def tally(self) -> Tally:
        """How many transactions committed, and how many are unknown."""
        finals = [record["outcome"] for record in self.records if record["flags"] & Flag.FINAL]
        return Tally(finals.count(Outcome.COMMITTED), finals.count(Outcome.UNKNOWN))

    def totals(self) -> list[int]:
        """The values of all counters by id, read by another session."""
        return [row[0] for row in self.stage.sql("SELECT value FROM counter ORDER BY id").rows]

    def spoil(self, key: int = 0) -> None:
        """Commit an increment of a counter in another session: whoever has a snapshot now loses."""
        self.stage.sql("UPDATE counter SET value = value + 1 WHERE id = $1", key)


@contextmanager
def calling(host: str) -> Iterator[Caller]:
    """A user of an application on fresh tables of this target."""
    with staged(Counted(), keys=3, host=host) as stage:
        caller = Caller(stage)
        try:
            yield caller
        finally:
            caller.connections.close()


def add(connection: psycopg.Connection[Any], key: int = 0) -> None:
    """Increment a counter, in whatever transaction there is."""
    connection.execute(ADD, (key,))
