"""The workers of a run, as the process that leads it knows them: what each one said last, and who is gone."""

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

SILENT_MAX_S = 20.0
"""A worker that is not heard from for so long is taken for gone; one that only stood still comes back."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a run cannot go on, in one line, with the exit code that it asks for at least."""

    reason: str
    exit_code: int
    worker: int | None = None
    """Whose records may be missing; None if nobody's."""
    signal: str | None = None
    """The signal by which a worker was told to end; None if it was something else."""


class Crew:
    """Sends the master's messages and keeps the workers' answers. One worker is this process itself."""

    def __init__(self, runner: Any) -> None:
        self._runner = runner
        self._clock = RunClock.start()
        self._sequence = self._begun_at = 0
        self._states: dict[str, dict[str, Any]] = {}
        """By Locust's id of the worker."""
        self._offsets: dict[int, Offset] = {}
        self._silent_since_s: dict[str, float] = {}
        self._lost: dict[str, Trouble] = {}
        runner.register_message(TO_MASTER, self._hear)

    def begin(self, clock: RunClock, setup: Setup) -> None:
        """A run begins: everybody is told what it is, and nothing of the last one counts any more."""
        self._clock = clock
        self._states, self._offsets, self._silent_since_s, self._lost = {}, {}, {}, {}
        self._begun_at = self._sequence + 1
        self.broadcast(setup=setup)

    def broadcast(self, *, setup: Setup | None = None, cell: int | None = None, end: bool = False) -> None:
        """Tell every worker which cell is open, if any, or that the run has ended."""
        self._sequence += 1
        self._runner.send_message(
            TO_WORKERS,
            {
                "sequence": self._sequence,
                "setup": None if setup is None else setup.as_message(),
                "open": cell,
                "end": end,
                "sent_ns": self._clock.now_ns(),
            },
        )

    def has_ready(self, users: int) -> bool:
        """Whether just so many users stand at the gate, connected."""
        ready: int = sum(state["ready"] for state in self._living())
        return ready == users

    def has_drained(self) -> bool:
        """Whether every worker has heard the last message and has no attempt in flight or unwritten."""
        return self._all_say("drained")

    def has_ended(self) -> bool:
        """Whether every worker has closed its files."""
        return self._all_say("ended")

    @property
    def records(self) -> dict[int, int]:
        """How many attempts each worker has written in this run, as it said when it had last drained."""
        return {
            state["worker"]: state["records"]
            for state in self._states.values()
            if state["records"] is not None
        }

    @property
    def lost(self) -> list[Trouble]:
        """The workers that went away in this run, as far as they were found out."""
        return list(self._lost.values())

    @property
    def offsets(self) -> list[Offset]:
        """How far each worker's clock is ahead of this process's, by the quickest answer so far."""
        return [self._offsets[worker] for worker in sorted(self._offsets)]

    def trouble(self) -> Trouble | None:
        """Why the run cannot go on; None as long as it can."""
        self._look_for_the_lost()
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
            return  # said before this run
        self._time(state)
        before = self._states.get(msg.node_id)
        if state["records"] is None and before is not None:
            state = {**state, "records": before["records"]}
        self._states[msg.node_id] = state

    def _time(self, state: dict[str, Any]) -> None:
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

    def _all_say(self, what: str) -> bool:
        """Whether all that are there say so after the last message; Locust knows who has said nothing yet."""
        living = self._living()
        expected: int = self._runner.worker_count - len(self._lost)
        return len(living) >= expected and all(
            state["sequence"] == self._sequence and bool(state[what]) for state in living
        )

    def _look_for_the_lost(self) -> None:
        if not isinstance(self._runner, MasterRunner):
            return
        for node, state in self._states.items():
            why = None if node in self._lost or state["ended"] else self._gone(node, state)
            if why is not None:
                number = state["worker"]
                self._lost[node] = Trouble(
                    f"worker {number} {why}; its last records may be lost", NOT_USABLE, number
                )

    def _gone(self, node: str, state: dict[str, Any]) -> str | None:
        """How a worker went away; None if it is there, or may come back."""
        if state["host"] == socket.gethostname() and not _is_running(state["pid"]):
            return "ended by itself or was killed"
        client = self._runner.clients.get(node)
        if client is not None and client.state != STATE_MISSING:
            self._silent_since_s.pop(node, None)
            return None
        since_s = self._silent_since_s.setdefault(node, time.monotonic())
        return (
            f"was not heard from for {SILENT_MAX_S:.0f} s"
            if time.monotonic() - since_s > SILENT_MAX_S
            else None
        )


def _is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
