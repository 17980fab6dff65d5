"""A worker's side of a run: which cell is open, who is at work in it, and where attempts are written.

Users park at the gate while no cell is open. Between cells the master closes the gate, waits until every
worker has drained (no attempt in flight, everything flushed) and opens the next one.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gevent
from gevent.event import Event

from hotrow.error_log import ErrorLog
from hotrow.errors import HotrowError
from hotrow.finish import report_error
from hotrow.ledger import LedgerWriter
from hotrow.load.health import Health
from hotrow.plan import Cell
from hotrow.targets.target import Target, Targets, start

if TYPE_CHECKING:
    from locust.runners import Runner

TO_WORKERS = "hotrow_cell"
TO_MASTER = "hotrow_state"
DRAIN_TIMEOUT_S = 60.0
"""How long attempts in flight may take to end after a cell."""
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
    """What the users of one worker process look at."""

    def __init__(self, runner: Runner, targets: Targets | None = None) -> None:
        self.setup: Setup | None = None
        self.target: Target | None = None
        self.cell: Cell | None = None
        self.worker = 0
        self.ledger: LedgerWriter | None = None
        self.errors: ErrorLog | None = None
        self.in_flight = 0
        self.ready = 0
        self._runner = runner
        self._targets = targets or Targets()
        self._users_of_region: list[int] = []
        self._health: Health | None = None
        self._sequence = 0
        self._users = 0
        self._transactions = 0
        self._gate = Event()
        self._closing = Event()
        self._reported: dict[str, Any] = {}
        self._reporter = gevent.spawn(self._report_changes)
        runner.register_message(TO_WORKERS, self._on_message)

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

    def pause(self, seconds: float) -> bool:
        """Wait so long, or until the cell closes; say whether it is still open.

        Nobody begins to wait for what is set: gevent 26.9 never wakes whoever does so while earlier waiters
        are about to be woken, if the last of those leaves by itself meanwhile; not even by the timeout.
        """
        if seconds > 0 and not self._closing.is_set():
            self._closing.wait(seconds)
        return not self._closing.is_set()

    def close(self) -> None:
        """Close the gate, let attempts in flight end, and give the files up: at the end of a run or process.

        An attempt that outlived its ledger would be a commit that nobody counted.
        """
        self._shut_gate()
        deadline = time.monotonic() + DRAIN_TIMEOUT_S
        while self.in_flight and time.monotonic() < deadline:
            gevent.sleep(_REPORT_EVERY_S)
        if self._health is not None:
            self._health.stop()
            self._health = None
        if self.ledger is not None:
            self.ledger.close()
            self.ledger = None

    def _on_message(self, msg: Any, **_: Any) -> None:
        data = msg.data
        if data["setup"] is not None:
            self._begin(data["setup"])
        if data["end"]:
            self.close()
        elif data["open"] is None:
            self._shut_gate()
        else:
            self._open_gate(data["open"])
        self._sequence = data["sequence"]

    def _begin(self, setup: dict[str, Any]) -> None:
        self.close()
        cells = tuple(Cell(**cell) for cell in setup.pop("cells"))
        self.setup = Setup(cells=cells, **setup)
        self.target = start(self._targets.of(self.setup.host))
        self.worker = max(getattr(self._runner, "worker_index", 0), 0)
        self._users_of_region = [0] * max(len(self.target.regions), 1)
        self._prepare_to_connect(self.target)
        directory = Path(self.setup.directory)
        self._transactions = 0
        self.ledger = LedgerWriter(
            directory, self.worker, wall_ns=time.time_ns(), perf_ns=time.perf_counter_ns()
        )
        self.errors = ErrorLog(directory, self.worker)
        self._health = Health(directory, self)

    def _prepare_to_connect(self, target: Target) -> None:
        """Before any user comes; where it fails, each user's attempt fails in the same way and records it."""
        assert self.setup is not None  # noqa: S101 - just set
        try:
            target.begin_run(self.setup.workers)
        except HotrowError as error:
            report_error(error)

    def _open_gate(self, cell: int) -> None:
        assert self.setup is not None  # noqa: S101 - the master sends the setup before any cell
        self.cell = self.setup.cells[cell]
        self._closing.clear()
        self._gate.set()

    def _shut_gate(self) -> None:
        self.cell = None
        self._gate.clear()
        self._closing.set()

    def _report_changes(self) -> None:
        """Tell the master of every change: users ready, message applied, drained and flushed."""
        while True:
            gevent.sleep(_REPORT_EVERY_S)
            drained = self.cell is None and self.in_flight == 0
            state = {
                "worker": self.worker,
                "sequence": self._sequence,
                "ready": self.ready,
                "drained": drained,
            }
            if state != self._reported:
                if drained and self.ledger is not None:
                    self.ledger.flush()
                self._runner.send_message(TO_MASTER, state)
                self._reported = state
