"""A tap in a thread of the test, and what it has recorded."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import IsolationLevel

from analysis.reading import Run, read_run
from analysis.summarise import summarise
from hotrow.attempt.record import Outcome
from hotrow.run.clock import RunClock
from hotrow.run.directory import write_observed_run_json
from hotrow.run.observed_run import observed_cell
from hotrow.tap.recorder import Recorder
from hotrow.tap.tap_run import Route, finish, serve
from hotrow.tap.tap_server import listen
from hotrow.tap.tap_targets import find_target, latency_of, login_to, translation_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FULL_SPEED = "rtt=0,commit=0"
WAIT_S = 60


@dataclass
class Tapped:
    """A running tap."""

    directory: Path
    port: int
    recorder: Recorder
    ended: Callable[[], None] = field(repr=False)
    """Ends it, and waits until its files are complete."""

    def connect(self, **options: Any) -> psycopg.Connection[Any]:
        """A client's connection, without a password."""
        options = {"user": "anybody", "dbname": "postgres", **options}
        return psycopg.connect(host="127.0.0.1", port=self.port, **options)

    def run(self) -> Run:
        """End the tap, and read what it has recorded."""
        self.ended()
        return read_run(self.directory)

    def cell(self) -> dict[str, Any]:
        """End the tap, and summarise its only cell."""
        (cell,) = summarise(self.run())["cells"]
        return dict(cell)


@contextmanager
def tapped(to: str, directory: Path) -> Iterator[Tapped]:
    """A tap to this target, on any free port."""
    target = find_target(to)
    write_observed_run_json(
        directory, cell=observed_cell("tap"), target=target.description(""), options={}, reproduce=""
    )
    recorder = Recorder(directory, RunClock.start())
    with listen("127.0.0.1", 0) as server:
        route = Route(server, login_to(target), translation_of(target), latency_of(target))
        port = server.getsockname()[1]
        started, running = threading.Event(), {}

        async def run() -> None:
            running["loop"], running["ended"] = asyncio.get_running_loop(), asyncio.Event()
            started.set()
            await serve(route, recorder, running["ended"])
            finish(recorder)

        thread = threading.Thread(target=lambda: asyncio.run(run()))
        thread.start()
        assert started.wait(WAIT_S)

        def end() -> None:
            if thread.is_alive():
                running["loop"].call_soon_threadsafe(running["ended"].set)
                thread.join(WAIT_S)

        try:
            yield Tapped(directory, port, recorder, end)
        finally:
            end()


def outcomes(run: Run) -> list[str]:
    """The outcomes of a run's attempts, in the order of its ledger."""
    return [Outcome(number).name.lower() for number in run.attempts["outcome"]]


@dataclass
class Told:
    """What the clients of a workload were told."""

    commits: int = 0
    conflicts: int = 0


def transfer_threads(tap: Tapped, table: str, *, threads: int, each: int) -> Told:
    """Threads that each commit `each` increments of two rows, and repeat after every conflict."""
    told, lock, barrier = Told(), threading.Lock(), threading.Barrier(threads)

    def work() -> None:
        with tap.connect() as connection:
            connection.isolation_level = IsolationLevel.REPEATABLE_READ
            barrier.wait(WAIT_S)
            for _ in range(each):
                conflicts = _increment(connection, table)
                with lock:
                    told.conflicts += conflicts
                    told.commits += 1

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(WAIT_S)
    return told


def _increment(connection: psycopg.Connection[Any], table: str) -> int:
    """Commit one increment; how many conflicts there were before that."""
    conflicts = 0
    while True:
        try:
            with connection.transaction():
                for key in (1, 2):
                    connection.execute(f"UPDATE {table} SET n = n + 1 WHERE id = %s", (key,))  # noqa: S608 - our own name
        except psycopg.errors.SerializationFailure:
            conflicts += 1
        else:
            return conflicts
