"""The rehearsal of an application: a few calls with one client, before any load.

The application commits by itself, so nothing is rolled back. Its check is called with what was committed.
Which rows it writes is not compared with `Work.writes`, because its statements are not changed.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np

from hotrow.attempt.app_call import play_call
from hotrow.attempt.loop import Client, Position
from hotrow.attempt.record import RETRYABLE, Flag, Outcome
from hotrow.attempt.retry import APPLICATION, recorded_policy
from hotrow.errors import UsageError
from hotrow.finding import Finding
from hotrow.keys.skew import KeySource, parse_skew
from hotrow.scenario import Tally
from hotrow.scenario.declarations import works_of
from hotrow.scenario.slow import warn_while_slow
from hotrow.targets.app_engine import UserEngine
from hotrow.targets.connection import AppUserConnection
from hotrow.targets.own_connections import noticing
from hotrow.targets.session import Latency

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hotrow.scenario import AppScenario, Work
    from hotrow.targets.session import Waiting
    from hotrow.targets.target import Target

CALLS = 6
"""At least. There are more if a kind of transaction is rare."""
_MAX_TRIES = 5
"""For one work whose call ends in a conflict, for example with another run's changes to its schema."""
_PAUSE_S = 0.05
"""Half of the first pause after a conflict. Each pause is twice the last."""
_NOT_OURS = "use the connection that run_app() gets, or self.engine, and no pool of your own"
_SEVERAL = (
    "every figure counts transactions; check() gets the number of transactions that committed, not of calls"
)
_PAGE = "(docs/your-application.md)"
_SAVEPOINT = "a transaction() inside another one is a SAVEPOINT, which this target lacks; use one level"


@dataclass(slots=True)
class _Seen:
    """The records of the rehearsed calls, and the text of the last error."""

    records: list[Any] = field(default_factory=list)
    fault: str = ""

    def record(self, **fields: Any) -> None:
        """Keep an attempt."""
        self.records.append(fields)

    def note(self, *, kind: int, outcome: Outcome, sqlstate: str, note: Any) -> None:
        """Keep the text of an error."""
        del kind, outcome
        text = f"{sqlstate} {note.message}" if sqlstate else note.message
        text += "" if note.statement is None else f": {note.statement}"
        text += "" if note.place is None else f" ({note.place})"
        savepoint = sqlstate.startswith("0A") and "SAVEPOINT" in text
        self.fault = f"{text}: {_SAVEPOINT}" if savepoint else text

    def committed(self, kind: int | None = None) -> int:
        """How many transactions committed: all, or those of one kind."""
        return sum(
            record["outcome"] == Outcome.COMMITTED and kind in {None, record["kind"]}
            for record in self.records
        )

    def tally(self, scenario: AppScenario) -> Tally:
        """How many transactions committed. Nobody else was there, so none is in doubt."""
        kinds = [Tally(self.committed(kind), 0) for kind in range(len(scenario.kinds))]
        return Tally(self.committed(), 0, kinds=kinds)


def rehearse_app(
    scenario: AppScenario, target: Target, schema: str, waiting: Waiting, *, keys: int, seed: int
) -> tuple[list[Finding], Tally]:
    """Call the application a few times on the tables in `schema`; return findings and what was committed.

    There is no injected latency.

    Raises:
        UsageError: a call failed, or a work is not valid; one line has the reason and the location.
    """
    quick = replace(target, latency=Latency()) if target.latency is not None else target
    connections = AppUserConnection(quick, schema, waiting)
    scenario.attach(UserEngine(connections))
    seen, calls = _Seen(), 0
    client = _client(scenario, connections, seen, waiting)
    with warn_while_slow(scenario, "the rehearsal"), noticing() as opened:
        try:
            for work in works_of(scenario, keys, seed, CALLS):
                fault = _call(client, scenario, connections, work, seen)
                if fault is not None:
                    own = f"it opened a connection of its own; {_NOT_OURS} {_PAGE}"
                    raise UsageError(
                        f"cannot run {scenario.name}: run_app(): {own if opened else seen.fault or fault}"
                    )
                calls += 1
        finally:
            connections.close()
    return list(_findings(scenario, seen, calls, opened)), seen.tally(scenario)


def _call(
    client: Client, scenario: AppScenario, connections: AppUserConnection, work: Work, seen: _Seen
) -> str | None:
    """Call the application with one work, again after a conflict; return why it failed, if it did."""
    for tries in range(1, _MAX_TRIES + 1):
        numbers = count()
        position = Position(next(numbers), time.perf_counter_ns())
        outcome = play_call(
            client, scenario, connections, work, position=position, number=partial(next, numbers)
        )
        if outcome in {Outcome.COMMITTED, Outcome.REJECTED}:
            return None
        if outcome not in RETRYABLE:
            return seen.fault
        client.pause(_PAUSE_S * 2**tries)
    return f"with one client, {_MAX_TRIES} calls ended in a conflict"


def _client(scenario: AppScenario, connections: Any, seen: _Seen, waiting: Waiting) -> Client:
    """A client whose records are kept here. It draws nothing."""
    rng = np.random.default_rng()
    return Client(
        scenario=scenario,
        keys=KeySource(parse_skew("uniform").table(1), rng),
        rng=rng,
        policy=recorded_policy(APPLICATION),
        redraw=False,
        connections=connections,
        record=seen.record,
        hottest=lambda keys: keys[0],
        clock_ns=time.perf_counter_ns,
        pause=partial(_pause, waiting),
        note_error=seen.note,
    )


def _pause(waiting: Waiting, seconds: float) -> bool:
    waiting.sleep(seconds)
    return True


def _findings(scenario: AppScenario, seen: _Seen, calls: int, opened: list[str]) -> Iterator[Finding]:
    finals = sum(bool(record["flags"] & Flag.FINAL) for record in seen.records)
    if finals > calls:
        yield Finding(
            "several_transactions",
            f"{scenario.name}: {calls} calls of run_app() made {finals} transactions, each counted by itself",
            f"{_SEVERAL} {_PAGE}",
        )
    if opened:
        yield Finding(
            "own_connection",
            f"{scenario.name}: run_app() opened a connection of its own; nothing on it is measured",
            f"{_NOT_OURS} {_PAGE}",
        )
