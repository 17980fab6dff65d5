"""A worker's side of a run: which cell is open, who is at work in it, and where attempts are written.

Users park at the gate while no cell is open. Between cells the master closes the gate, waits until every
worker has drained (no attempt in flight, everything flushed) and opens the next one.
"""

from __future__ import annotations

import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gevent
from gevent.event import Event
from gevent.lock import RLock

from hotrow.console import report_error
from hotrow.errors import HotrowError, RunError, in_a_line
from hotrow.load.health import Health
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
UNWRITTEN_MAX_S = 30.0
"""How long attempts wait in memory for a disk that takes none; then the run ends."""
UNWRITTEN_MAX_BYTES = 64 * 2**20
"""A million attempts: more than wait in memory for such a disk."""
_REPORT_EVERY_S = 0.02


@dataclass(frozen=True, slots=True)
class Setup:
    """What a worker needs to know of a run; crosses the network as `as_message`."""

    directory: str
    host: str
    chosen: str | None
    """What `--scenario` says, where it may choose."""
    schemas: tuple[str, ...]
    """Where each cell's tables are."""
    seed: int
    think_s: float
    receipts: bool
    cells: tuple[Cell, ...]
    workers: int = 1
    """How many processes have users, and share what is for all of them."""

    def as_message(self) -> dict[str, Any]:
        """Plain data for Locust's messages."""
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
        }


class Board:
    """What the users of one worker process look at, and what its master is told."""

    def __init__(self, runner: Runner, targets: Targets | None = None) -> None:
        self.setup: Setup | None = None
        self.target: Target | None = None
        self.cell: Cell | None = None
        self.worker = 0
        self.ledger: LedgerWriter | None = None
        self.errors: ErrorLog | None = None
        self.in_flight = 0
        self.ready = 0
        self.leaving: str | None = None
        """Name of the signal that told this process to end; the master ends the run then."""
        self._failed: HotrowError | None = None
        self._runner = runner
        self._targets = targets or Targets()
        self._users_of_region: list[int] = []
        self._health: Health | None = None
        self._clock = RunClock.start()
        self._unwritten_since_s: float | None = None
        self._records = 0
        self._sequence = 0
        self._sent_ns, self._received_ns = 0, 0
        self._ended = False
        self._users = 0
        self._transactions = 0
        self._obeying = RLock()
        self._gate = Event()
        self._closing = Event()
        self._reported: dict[str, Any] = {}
        self._reporter = gevent.spawn(self._report_changes)
        runner.register_message(TO_WORKERS, self._on_message)

    @property
    def is_at_work(self) -> bool:
        """Whether a run is going on."""
        return self.setup is not None and not self._ended

    def number_user(self) -> int:
        """A number for a new user, unique in this worker."""
        self._users += 1
        return self._users - 1

    def enter_region(self) -> int:
        """The region of a new user: where this worker has the fewest, so round-robin while nobody leaves.

        Each worker begins at another region, so that few users of many workers are spread too.
        """
        counts = self._users_of_region
        order = [(self.worker + place) % len(counts) for place in range(len(counts))]
        region = min(order, key=counts.__getitem__)
        counts[region] += 1
        return region

    def leave_region(self, region: int) -> None:
        """A user of this region has gone."""
        self._users_of_region[region] -= 1

    def even_region(self, region: int) -> int:
        """Where a user of this region belongs as a cell begins: Locust chose who left after the last one."""
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
        """The open cell; waits at the gate while there is none."""
        while self.cell is None:
            self._gate.wait()
        return self.cell

    def admit(self, cell: Cell) -> bool:
        """Whether a transaction may begin in this cell now; if so, it is in flight until `leave`.

        Asked last of all before it begins: whatever waits in between may outlive the cell.
        """
        if self.cell is not cell:
            return False
        self.in_flight += 1
        return True

    def leave(self) -> None:
        """A transaction that was admitted has ended, and its attempts are noted."""
        self.in_flight -= 1

    def pause(self, seconds: float) -> bool:
        """Wait so long, or until the cell closes; say whether it is still open.

        Nobody begins to wait for what is set: gevent 26.9 never wakes whoever does so while earlier waiters
        are about to be woken, if the last of those leaves by itself meanwhile; not even by the timeout.
        """
        if seconds > 0 and not self._closing.is_set():
            self._closing.wait(seconds)
        return not self._closing.is_set()

    def fail(self, error: BaseException) -> None:
        """Let nothing more begin and have the master end the run for this reason, in one line."""
        self._failed = self._failed or in_a_line(error)
        self._shut_gate()

    def close(self, drain_s: float = DRAIN_TIMEOUT_S) -> None:
        """Shut the gate, let attempts in flight end, and give the files up: at the end of a run or process.

        An attempt that outlived its ledger would be a commit that nobody counted.
        """
        self._shut_gate()
        deadline = time.monotonic() + drain_s
        while self.in_flight and time.monotonic() < deadline:
            gevent.sleep(_REPORT_EVERY_S)
        if self._health is not None:
            self._health.stop()
            self._health = None
        if self.ledger is not None:
            ledger, self.ledger = self.ledger, None
            try:
                ledger.close()
            except RunError as error:
                self.fail(error)
            self._records = ledger.appended

    def _on_message(self, msg: Any, **_: Any) -> None:
        """Do what the master says; what cannot be done is told to it, and not only logged by Locust.

        One message at a time: a run may be told to end while this process still prepares for it.
        """
        with self._obeying:
            try:
                self._obey(msg.data)
            except Exception as error:  # noqa: BLE001 - whatever it is, the run cannot go on
                self.fail(error)
            self._sequence = msg.data["sequence"]
            self._sent_ns, self._received_ns = msg.data["sent_ns"], self._clock.now_ns()

    def _obey(self, data: dict[str, Any]) -> None:
        if data["setup"] is not None:
            self._begin(data["setup"])
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
        self._clock = RunClock.start()
        self.ledger = LedgerWriter(
            directory, self.worker, wall_ns=self._clock.wall_ns, perf_ns=self._clock.perf_ns
        )
        self.errors = ErrorLog(directory, self.worker)
        self._health = Health(
            directory, self.worker, self._clock, each_second=self._flush, connections=self._connections
        )

    def _prepare_to_connect(self, target: Target) -> None:
        """Before any user comes; where it fails, each user's attempt fails in the same way and records it."""
        assert self.setup is not None  # noqa: S101 - just set
        try:
            target.begin_run(self.setup.workers)
        except HotrowError as error:
            report_error(error)

    def _connections(self) -> dict[str, Any]:
        """What connecting took since the run began, region by region; nothing if that is not counted."""
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
        """Write what is pending; say whether all of it is on its way to the disk.

        A disk that takes nothing for a while costs no attempt: they wait in memory, up to a limit.
        """
        if self.ledger is None:
            return True
        try:
            self.ledger.flush()
        except RunError as error:
            now_s = time.monotonic()
            self._unwritten_since_s = self._unwritten_since_s or now_s
            waited_s = now_s - self._unwritten_since_s
            if waited_s > UNWRITTEN_MAX_S or self.ledger.pending_bytes > UNWRITTEN_MAX_BYTES:
                self.fail(error)
            return False
        self._unwritten_since_s = None
        return True

    def _report_changes(self) -> None:
        """Tell the master of every change: users ready, message applied, drained and flushed."""
        while True:
            gevent.sleep(_REPORT_EVERY_S)
            state = self._state()
            if state != self._reported:
                self._runner.send_message(TO_MASTER, {**state, **self._times()})
                self._reported = state

    def _times(self) -> dict[str, int]:
        """From which the master tells how far this process's clock is off."""
        return {
            "sent_ns": self._sent_ns,
            "received_ns": self._received_ns,
            "answered_ns": self._clock.now_ns(),
        }

    def _state(self) -> dict[str, Any]:
        # What can never be written holds nobody up: its number is told, and the file will have fewer.
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
