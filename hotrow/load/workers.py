"""The workers of a run in the process that leads it: the last state of each worker, and which are lost."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psutil
from locust.runners import STATE_MISSING, MasterRunner

from hotrow.exit_codes import NOT_USABLE
from hotrow.load.board import TO_MASTER, TO_WORKERS
from hotrow.run.clock import Offset, RunClock, estimate

if TYPE_CHECKING:
    from hotrow.load.board import Setup
    from hotrow.run.plan import Cell

MAX_SILENCE_S = 20.0
"""After this time without a message a worker counts as lost; if it only stopped for a while, it returns."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """The reason why a run cannot go on, in one line, and the exit code for it."""

    reason: str
    exit_code: int
    worker: int | None = None
    """The worker whose records may be missing; None if no records are missing."""
    signal: str | None = None
    """The signal that told a worker to end; None if it was something else."""


class Workers:
    """Sends messages to the workers and keeps their states. In a run of one process it is the only worker."""

    def __init__(self, runner: Any) -> None:
        self._runner = runner
        self._clock = RunClock.start()
        self._sequence = self._begun_at = 0
        self._states: dict[str, dict[str, Any]] = {}
        """The last state of each worker, by Locust's id of the worker."""
        self._offsets: dict[int, Offset] = {}
        self._silent_since_s: dict[str, float] = {}
        self._lost: dict[str, Trouble] = {}
        runner.register_message(TO_MASTER, self._hear)

    def begin(self, clock: RunClock, setup: Setup) -> None:
        """Send the setup of a new run to all workers, and forget the states of the last run."""
        self._clock = clock
        self._states, self._offsets, self._silent_since_s, self._lost = {}, {}, {}, {}
        self._begun_at = self._sequence + 1
        self.broadcast(setup=setup)

    def broadcast(
        self,
        *,
        setup: Setup | None = None,
        cell: int | None = None,
        end: bool = False,
        added: tuple[Cell, str] | None = None,
    ) -> None:
        """Send every worker the open cell, if any, or the end of the run.

        `added` is a cell that the setup does not have, with the schema of its tables.
        """
        self._sequence += 1
        self._runner.send_message(
            TO_WORKERS,
            {
                "sequence": self._sequence,
                "setup": None if setup is None else setup.as_message(),
                "added": None if added is None else [added[0].as_json(), added[1]],
                "open": cell,
                "end": end,
                "sent_ns": self._clock.now_ns(),
            },
        )

    def has_ready(self, users: int) -> bool:
        """Whether exactly this many users are connected and wait at the gate."""
        ready: int = sum(state["ready"] for state in self._living())
        return ready == users

    def has_drained(self) -> bool:
        """Whether every worker has handled the last message and has no attempt in flight or unwritten."""
        return self._all_are("drained")

    def has_ended(self) -> bool:
        """Whether every worker has closed its files."""
        return self._all_are("ended")

    @property
    def records(self) -> dict[int, int]:
        """How many attempts each worker had written in this run when it last drained."""
        return {
            state["worker"]: state["records"]
            for state in self._states.values()
            if state["records"] is not None
        }

    @property
    def lost(self) -> list[Trouble]:
        """The workers that were lost in this run, as far as is known."""
        return list(self._lost.values())

    @property
    def offsets(self) -> list[Offset]:
        """The offset of each worker's clock, from the quickest answer so far."""
        return [self._offsets[worker] for worker in sorted(self._offsets)]

    def trouble(self) -> Trouble | None:
        """The reason why the run cannot go on; None if it can."""
        self._find_lost()
        if self._lost:
            return next(iter(self._lost.values()))
        for state in self._living():
            if state["failed"] is not None:
                return Trouble(state["failed"], state["exit_code"])
            if state["leaving"] is not None:
                return Trouble("a worker was told to end", NOT_USABLE, signal=state["leaving"])
        return None

    def _hear(self, msg: Any, **_: Any) -> None:
        state = msg.data
        if state["sequence"] < self._begun_at:
            return  # sent before this run
        self._update_offset(state)
        previous = self._states.get(msg.node_id)
        if state["records"] is None and previous is not None:
            state = {**state, "records": previous["records"]}
        self._states[msg.node_id] = state

    def _update_offset(self, state: dict[str, Any]) -> None:
        offset = estimate(
            state["worker"],
            sent_ns=state["sent_ns"],
            received_ns=state["received_ns"],
            answered_ns=state["answered_ns"],
            returned_ns=self._clock.now_ns(),
        )
        known = self._offsets.get(offset.worker)
        if known is None or offset.delay_ns < known.delay_ns:
            self._offsets[offset.worker] = offset

    def _living(self) -> list[dict[str, Any]]:
        return [state for node, state in self._states.items() if node not in self._lost]

    def _all_are(self, field: str) -> bool:
        """Whether this field is true for all workers that are not lost, since the last message to them."""
        living = self._living()
        expected: int = self._runner.worker_count - len(self._lost)  # some may have sent no state yet
        return len(living) >= expected and all(
            state["sequence"] == self._sequence and bool(state[field]) for state in living
        )

    def _find_lost(self) -> None:
        if not isinstance(self._runner, MasterRunner):
            return
        for node, state in self._states.items():
            loss = None if node in self._lost or state["ended"] else self._loss(node, state)
            if loss is not None:
                number = state["worker"]
                self._lost[node] = Trouble(
                    f"worker {number} {loss}; its last records may be lost", NOT_USABLE, number
                )

    def _loss(self, node: str, state: dict[str, Any]) -> str | None:
        """How a worker was lost; None if it exists, or may come back."""
        if state["host"] == socket.gethostname() and not _is_running(state["pid"]):
            return "ended by itself or was killed"
        client = self._runner.clients.get(node)
        if client is not None and client.state != STATE_MISSING:
            self._silent_since_s.pop(node, None)
            return None
        since_s = self._silent_since_s.setdefault(node, time.monotonic())
        return f"was silent for {MAX_SILENCE_S:.0f} s" if time.monotonic() - since_s > MAX_SILENCE_S else None


def _is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
