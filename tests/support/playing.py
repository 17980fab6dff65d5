"""Plays a scenario on a server without Locust: a few clients run seeded transactions, then it is checked."""

from __future__ import annotations

import os
import time
from collections import Counter as Count
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hotrow.attempt.loop import Client, run_transaction
from hotrow.attempt.record import Flag, Outcome
from hotrow.attempt.retry import parse_retry
from hotrow.keys.skew import parse_skew
from hotrow.keys.spaces import key_source, lay_out
from hotrow.scenario import Tally
from hotrow.scenario.calling import key_spaces
from hotrow.tables.run_schema import RunSchema
from hotrow.targets.connection import UserConnection
from hotrow.targets.session import BLOCKING
from hotrow.targets.target import parse_target, start

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hotrow.keys.skew import KeySource
    from hotrow.keys.spaces import SpaceSource
    from hotrow.scenario import Result, Scenario, State, Verdict
    from hotrow.targets.target import Target

FULL_SPEED = "local:rtt=0,commit=0"
PLAIN = "plain:rtt=0,commit=0"
RETRY = "immediate:max=unlimited"


@dataclass(frozen=True, slots=True)
class Played:
    """The records of a play: how its attempts and its transactions ended."""

    attempts: Count[tuple[int, Outcome]]
    """Attempts by kind and outcome."""
    finals: Count[tuple[int, Outcome]]
    """Transactions by kind and last outcome."""

    def outcomes(self, outcome: Outcome) -> int:
        """The number of attempts with this outcome."""
        return sum(count for (_, ended), count in self.attempts.items() if ended is outcome)

    def tally(self, kinds: int = 0) -> Tally:
        """The tally that the conductor would pass to a check."""

        def of(*kind: int) -> tuple[int, int]:
            return tuple(  # type: ignore[return-value]
                sum(n for (k, ended), n in self.finals.items() if ended is wanted and (not kind or k in kind))
                for wanted in (Outcome.COMMITTED, Outcome.UNKNOWN)
            )

        return Tally(*of(), kinds=[Tally(*of(kind)) for kind in range(kinds)])


class Stagehand:
    """The tables of one scenario on a server: play on them, change them, observe and check them."""

    def __init__(self, scenario: Scenario, target: Target, run_schema: RunSchema, keys: int) -> None:
        self.scenario, self.target, self.run_schema, self.keys = scenario, target, run_schema, keys

    def play(
        self, transactions: int, *, clients: int = 1, skew: str = "uniform", seed: int = 1, retry: str = RETRY
    ) -> Played:
        """Run at least `transactions` in total, an equal share per client.

        Each client is a thread with its own connection.
        """
        noted: list[tuple[int, Outcome, bool]] = []
        share = -(-transactions // clients)

        def client(number: int) -> None:
            rng = np.random.default_rng([seed, number])
            connection = UserConnection(self.target, self.run_schema.schema, BLOCKING)
            layout = lay_out(parse_skew(skew), self.keys, key_spaces(self.scenario, self.keys))
            loop_client = self._client(connection, key_source(layout, rng), rng, retry, noted)
            for transaction in range(share):
                run_transaction(loop_client, number * share + transaction)
            connection.close()

        with ThreadPoolExecutor(clients) as pool:
            list(pool.map(client, range(clients)))
        finals = [(kind, outcome) for kind, outcome, final in noted if final]
        return Played(Count((kind, outcome) for kind, outcome, _ in noted), Count(finals))

    def sql(self, statement: str, *parameters: Any) -> Result:
        """Run one statement in a committed transaction that the scenario does not know of."""
        with self.session() as session:
            session.begin()
            result = session.execute(statement, *parameters)
            assert session.commit() == "COMMIT"
            return result

    @contextmanager
    def session(self) -> Iterator[Any]:
        """A database session on these tables."""
        session = self.target.connect(BLOCKING, self.run_schema.schema)
        try:
            yield session
        finally:
            session.close()

    def observe(self) -> State:
        """The current state, as the scenario observes it for its check."""
        return self.run_schema.observe(self.scenario)

    def check(self, before: State, tally: Tally) -> Sequence[Verdict]:
        """The scenario's verdicts on what happened since `before`."""
        return self.scenario.check(before, self.observe(), tally)

    def _client(
        self,
        connection: UserConnection,
        keys: KeySource | SpaceSource,
        rng: np.random.Generator,
        retry: str,
        noted: list[tuple[int, Outcome, bool]],
    ) -> Client:
        def record(*, kind: int, outcome: Outcome, flags: int, **_: Any) -> None:
            noted.append((kind, outcome, bool(flags & Flag.FINAL)))

        def pause(seconds: float) -> bool:
            time.sleep(seconds)
            return True

        return Client(
            scenario=self.scenario,
            keys=keys,
            rng=rng,
            policy=parse_retry(retry),
            redraw=False,
            connections=connection,
            record=record,
            hottest=lambda writes: writes[0],
            clock_ns=time.perf_counter_ns,
            pause=pause,
        )


@contextmanager
def staged(scenario: Scenario, keys: int = 10, host: str = FULL_SPEED) -> Iterator[Stagehand]:
    """The scenario's tables, created and seeded as in a run, and dropped at the end."""
    target = start(parse_target(host))
    run_schema = RunSchema(target, f"hotrow_play_{os.urandom(4).hex()}", scenario, BLOCKING)
    run_schema.build(keys)
    try:
        yield Stagehand(scenario, target, run_schema, keys)
    finally:
        run_schema.drop()
