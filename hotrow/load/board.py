"""A worker's side of a run: the open cell, the users in it, and the files for their attempts.

Users wait at the gate while no cell is open. Between cells the master closes the gate and waits until every
worker has drained, which means that no attempt is in flight and all records are written. Then it opens the
next cell.
"""

from __future__ import annotations

import os
import socket
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gevent
from gevent.event import Event
from gevent.lock import RLock

from hotrow.console import report_error
from hotrow.errors import HotrowError, RunError, in_a_line
from hotrow.load.health import Health
from hotrow.load.live.sending import Digests
from hotrow.load.locust_statistics import FailureTexts
from hotrow.run.clock import RunClock
from hotrow.run.error_log import ErrorLog
from hotrow.run.ledger import LedgerWriter
from hotrow.run.plan import Cell
from hotrow.targets.target import Target, Targets, start

if TYPE_CHECKING:
    from locust.runners import Runner

TO_WORKERS = "hotrow_cell"
TO_MASTER = "hotrow_state"
DRAIN_TIMEOUT_S = 60.0
"""How long attempts in flight may take to end after a cell."""
MAX_UNWRITTEN_S = 30.0
"""How long attempts wait in memory while the disk cannot be written. Then the run ends."""
MAX_UNWRITTEN_BYTES = 64 * 2**20
"""How many bytes wait in memory for such a disk: a million attempts."""
_REPORT_INTERVAL_S = 0.02


@dataclass(frozen=True, slots=True)
class Setup:
    """The description of a run that the master sends to its workers, as `as_message`."""

    directory: str
    host: str
    chosen: str | None
    """The value of `--scenario`, if the locustfile has this option."""
    schemas: tuple[str, ...]
    """The schema with the tables of each cell."""
    seed: int
    think_s: float
    receipts: bool
    cells: tuple[Cell, ...]
    workers: int = 1
    """The number of processes with users; limits for all users are divided by it."""
    watched: bool = False
    """Whether workers send digests for the Contention tab."""

    def as_message(self) -> dict[str, Any]:
        """The setup as plain data for Locust's messages."""
        return {
            "directory": self.directory,
            "host": self.host,
            "chosen": self.chosen,
            "schemas": self.schemas,
            "seed": self.seed,
            "think_s": self.think_s,
            "receipts": self.receipts,
            "cells": [cell.as_json() for cell in self.cells],
            "workers": self.workers,
            "watched": self.watched,
        }


class Board:
    """The state of a run in one worker process, for its users and its master."""

    def __init__(self, runner: Runner, targets: Targets | None = None) -> None:
        self.setup: Setup | None = None
        self.target: Target | None = None
        self.cell: Cell | None = None
        self.worker = 0
        self.ledger: LedgerWriter | None = None
        self.errors: ErrorLog | None = None
        self.failure_texts = FailureTexts()
        self.in_flight = 0
        self.ready = 0
        self.leaving: str | None = None
        """The name of the signal that told this process to end. The master then ends the run."""
        self._failed: HotrowError | None = None
        self._runner = runner
        self._targets = targets or Targets()
        self._users_of_region: list[int] = []
        self._health: Health | None = None
        self._digests = Digests(runner)
        self._clock = RunClock.start()
        self._unwritten_since_s: float | None = None
        self._records = 0
        self._sequence = 0
        self._sent_ns, self._received_ns = 0, 0
        self._ended = False
        self._users = 0
        self._transactions = 0
        self._message_lock = RLock()
        self._gate = Event()
        self._closing = Event()
        self._reported: dict[str, Any] = {}
        self._reporter = gevent.spawn(self._report_changes)
        runner.register_message(TO_WORKERS, self._on_message)

    @property
    def is_at_work(self) -> bool:
        """Whether a run is in progress."""
        return self.setup is not None and not self._ended

    def number_user(self) -> int:
        """A number for a new user, unique in this worker."""
        self._users += 1
        return self._users - 1

    def enter_region(self) -> int:
        """The region for a new user: the one in which this worker has the fewest users.

        Each worker starts with another region, so that a few users of many workers are spread too.
        """
        counts = self._users_of_region
        order = [(self.worker + step) % len(counts) for step in range(len(counts))]
        region = min(order, key=counts.__getitem__)
        counts[region] += 1
        return region

    def leave_region(self, region: int) -> None:
        """Count a user of this region as gone."""
        self._users_of_region[region] -= 1

    def even_region(self, region: int) -> int:
        """The region for a user of this region in the next cell, after Locust has stopped some users."""
        counts = self._users_of_region
        if counts[region] - min(counts) <= 1:
            return region
        self.leave_region(region)
        return self.enter_region()

    def number_transaction(self) -> int:
        """A number for a new transaction, unique in this worker."""
        self._transactions += 1
        return self._transactions - 1

    def wait_for_cell(self) -> Cell:
        """The open cell. Waits at the gate while no cell is open."""
        while self.cell is None:
            self._gate.wait()
        return self.cell

    def admit(self, cell: Cell) -> bool:
        """Whether a transaction may begin in this cell now; if so, it is in flight until `leave`.

        Call this last, just before the transaction begins: during any wait in between the cell may close.
        """
        if self.cell is not cell:
            return False
        self.in_flight += 1
        return True

    def leave(self) -> None:
        """Count an admitted transaction as ended; its attempts must be recorded."""
        self.in_flight -= 1

    def pause(self, seconds: float) -> bool:
        """Wait this long, or until the cell closes; return whether it is still open.

        Do not wait for an event that is set. In gevent 26.9 such a waiter may never wake, not even by its
        timeout: this happens if earlier waiters are about to wake and the last of them leaves by itself.
        """
        if seconds > 0 and not self._closing.is_set():
            self._closing.wait(seconds)
        return not self._closing.is_set()

    def fail(self, error: BaseException) -> None:
        """Let no more transactions begin, and have the master end the run for this reason."""
        self._failed = self._failed or in_a_line(error)
        self._shut_gate()

    def close(self, drain_s: float = DRAIN_TIMEOUT_S) -> None:
        """Shut the gate, let attempts in flight end, and close the files, at the end of a run or process.

        An attempt that ended after its ledger was closed would be a commit that is not counted.
        """
        self._shut_gate()
        deadline = time.monotonic() + drain_s
        while self.in_flight and time.monotonic() < deadline:
            gevent.sleep(_REPORT_INTERVAL_S)
        if self._health is not None:
            self._health.stop()
            self._health = None
        if self.ledger is not None:
            ledger, self.ledger = self.ledger, None
            self._digests.end()
            try:
                ledger.close()
            except RunError as error:
                self.fail(error)
            self._records = ledger.appended

    def _on_message(self, msg: Any, **_: Any) -> None:
        """Carry out a message of the master. An error is reported to the master, not only logged by Locust.

        Messages are handled one at a time: the end of a run may be announced while it is being prepared.
        """
        with self._message_lock:
            try:
                self._carry_out(msg.data)
            except Exception as error:  # noqa: BLE001 - after any error the run cannot go on
                self.fail(error)
            self._sequence = msg.data["sequence"]
            self._sent_ns, self._received_ns = msg.data["sent_ns"], self._clock.now_ns()

    def _carry_out(self, data: dict[str, Any]) -> None:
        if data["setup"] is not None:
            self._begin(data["setup"])
        if data.get("added") is not None:
            self._add_cell(*data["added"])
        if data["end"]:
            self.close()
            self._ended = True
        elif data["open"] is None:
            self._shut_gate()
        else:
            self._open_gate(data["open"])

    def _begin(self, setup: dict[str, Any]) -> None:
        self.close()
        cells = tuple(Cell(**cell) for cell in setup.pop("cells"))
        self.setup = Setup(cells=cells, **setup)
        self._failed, self._ended, self._unwritten_since_s = None, False, None
        self.target = start(self._targets.of(self.setup.host))
        self.worker = max(getattr(self._runner, "worker_index", 0), 0)
        self._users_of_region = [0] * max(len(self.target.regions), 1)
        self._prepare_to_connect(self.target)
        directory = Path(self.setup.directory)
        self._transactions, self._records = 0, 0
        self.failure_texts = FailureTexts()
        self._clock = RunClock.start()
        self.ledger = LedgerWriter(
            directory, self.worker, wall_ns=self._clock.wall_ns, perf_ns=self._clock.perf_ns
        )
        if self.setup.watched:
            at_commit = self.target.conflicts == "commit"
            self._digests.begin(self.ledger, self._clock, self.worker, at_commit=at_commit)
        self.errors = ErrorLog(directory, self.worker)
        self._health = Health(
            directory, self.worker, self._clock, each_second=self._flush, connections=self._connections
        )

    def _add_cell(self, cell: dict[str, Any], schema: str) -> None:
        """Take a cell into the setup that the person at the web page asked for during the run."""
        assert self.setup is not None  # noqa: S101 - the master sends the setup first
        self.setup = replace(
            self.setup, cells=(*self.setup.cells, Cell(**cell)), schemas=(*self.setup.schemas, schema)
        )

    def _prepare_to_connect(self, target: Target) -> None:
        """Prepare the target before users connect. If that fails, their attempts fail and record it."""
        assert self.setup is not None  # noqa: S101 - just set
        try:
            target.begin_run(self.setup.workers)
        except HotrowError as error:
            report_error(error)

    def _connections(self) -> dict[str, Any]:
        """The costs of connecting since the run began, by region; empty if the target does not count them."""
        connectors = () if self.target is None else self.target.connectors
        if not connectors:
            return {}
        return {
            "connections": [
                {"region": connector.cluster.region, **connector.as_json()} for connector in connectors
            ]
        }

    def _open_gate(self, cell: int) -> None:
        assert self.setup is not None  # noqa: S101 - the master sends the setup before any cell
        if self._failed is not None:
            return
        if self._health is not None:
            self._health.cut(cell)
        self.cell = self.setup.cells[cell]
        self._closing.clear()
        self._gate.set()

    def _shut_gate(self) -> None:
        if self.cell is not None and self._health is not None:
            self._health.cut(None)
        self.cell = None
        self._gate.clear()
        self._closing.set()

    def _flush(self) -> bool:
        """Write pending attempts; return whether all of them are written.

        No attempt is lost if the disk cannot be written for a while: attempts wait in memory, up to a limit.
        """
        if self.ledger is None:
            return True
        self._digests.send()
        try:
            self.ledger.flush()
        except RunError as error:
            now_s = time.monotonic()
            self._unwritten_since_s = self._unwritten_since_s or now_s
            waited_s = now_s - self._unwritten_since_s
            if waited_s > MAX_UNWRITTEN_S or self.ledger.pending_bytes > MAX_UNWRITTEN_BYTES:
                self.fail(error)
            return False
        self._unwritten_since_s = None
        return True

    def _report_changes(self) -> None:
        """Send every change to the master: users ready, message handled, drained and written."""
        while True:
            gevent.sleep(_REPORT_INTERVAL_S)
            state = self._state()
            if state != self._reported:
                self._runner.send_message(TO_MASTER, {**state, **self._times()})
                self._reported = state

    def _times(self) -> dict[str, int]:
        """The times from which the master estimates the offset of this process's clock."""
        return {
            "sent_ns": self._sent_ns,
            "received_ns": self._received_ns,
            "answered_ns": self._clock.now_ns(),
        }

    def _state(self) -> dict[str, Any]:
        # After a failure do not wait for the disk: the master gets the count, and the file has fewer records.
        drained = self.cell is None and self.in_flight == 0 and (self._flush() or self._failed is not None)
        if self.ledger is not None:
            self._records = self.ledger.appended
        return {
            "worker": self.worker,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "sequence": self._sequence,
            "ready": self.ready,
            "drained": drained,
            "ended": self._ended,
            "records": self._records if drained else None,
            "failed": None if self._failed is None else str(self._failed),
            "exit_code": None if self._failed is None else self._failed.exit_code,
            "leaving": self.leaving,
        }
