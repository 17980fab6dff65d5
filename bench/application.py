"""Client CPU per transfer of an application's function: bare, watched, and beside it hotrow's own session.

`python bench/application.py` runs transfers of two UPDATEs on ordinary tables of the embedded server, without
injected latency, with one client. The variants take turns, and the median of the rounds is printed.
"""

from __future__ import annotations

import statistics
import sys
import time
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import psycopg
import sqlalchemy as sa

from hotrow.attempt.app_call import run_call
from hotrow.attempt.loop import Client, run_transaction
from hotrow.attempt.retry import APPLICATION, parse_retry, recorded_policy
from hotrow.keys.skew import KeySource, parse_skew
from hotrow.targets.app_engine import UserEngine
from hotrow.targets.connection import AppUserConnection, UserConnection
from hotrow.targets.session import BLOCKING
from scenarios.app_transfer import AppTransfer, transfer
from scenarios.transfer import Transfer
from tests.support.playing import PLAIN, staged

if TYPE_CHECKING:
    from collections.abc import Callable

KEYS = 1000
TRANSFERS = 2000
ROUNDS = 5
TAKE = sa.text("UPDATE account SET balance = balance - :amount WHERE id = :id")


class WithEngine(AppTransfer):
    """The same transfer by SQLAlchemy."""

    name = "engine-transfer"

    def run_app(self, connection: Any, work: Any) -> None:
        """Two statements in one transaction."""
        del connection
        by_engine(self.engine, work)


def by_engine(engine: Any, work: Any) -> None:
    source, destination, amount = work.parameters
    with engine.begin() as connection:
        connection.execute(TAKE, {"amount": amount, "id": source})
        connection.execute(TAKE, {"amount": -amount, "id": destination})


def cpu_us(call: Callable[[], object]) -> float:
    """Microseconds of this process's CPU per call."""
    before = time.process_time()
    for _ in range(TRANSFERS):
        call()
    return (time.process_time() - before) / TRANSFERS * 1e6


def main() -> None:
    with staged(Transfer(), keys=KEYS, host=PLAIN) as stage:
        target, schema = stage.target, stage.run_schema.schema
        rng = np.random.default_rng(1)
        keys = KeySource(parse_skew("uniform").table(KEYS), rng)
        numbers = count()
        sessions, watched = (kind(target, schema, BLOCKING) for kind in (UserConnection, AppUserConnection))
        bare = psycopg.connect(target.conninfo, options=f"-c search_path={schema}")
        engine = sa.create_engine(
            "postgresql+psycopg://",
            creator=lambda: psycopg.connect(target.conninfo, options=f"-c search_path={schema}"),
            use_native_hstore=False,
        )

        def client(scenario: Any, connections: Any, policy: Any) -> Client:
            return Client(
                scenario=scenario,
                keys=keys,
                rng=rng,
                policy=policy,
                redraw=False,
                connections=connections,
                record=lambda **_: None,
                hottest=lambda writes: writes[0],
                clock_ns=time.perf_counter_ns,
                pause=lambda _: True,
            )

        own = client(Transfer(), sessions, parse_retry("none"))
        apps = {}
        for kind in (AppTransfer, WithEngine):
            scenario = kind()
            scenario.attach(UserEngine(watched))
            apps[kind] = client(scenario, watched, recorded_policy(APPLICATION))

        def watched_call(kind: type[AppTransfer]) -> None:
            run_call(apps[kind], apps[kind].scenario, watched, numbers.__next__)

        draw = Transfer().draw
        variants: dict[str, Callable[[], object]] = {
            "hotrow's session (a scenario)": lambda: run_transaction(own, next(numbers)),
            "bare psycopg": lambda: transfer(bare, *draw(keys, rng).parameters),
            "psycopg function, watched": lambda: watched_call(AppTransfer),
            "bare SQLAlchemy": lambda: by_engine(engine, draw(keys, rng)),
            "SQLAlchemy function, watched": lambda: watched_call(WithEngine),
        }
        taken: dict[str, list[float]] = {name: [] for name in variants}
        for _ in range(ROUNDS):
            for name, call in variants.items():
                taken[name].append(cpu_us(call))
        for name, values in taken.items():
            print(f"{name:<32} {statistics.median(values):7.1f} µs per transfer")
        bare.close()
        engine.dispose()
        sessions.close()
        watched.close()


if __name__ == "__main__":
    main()
