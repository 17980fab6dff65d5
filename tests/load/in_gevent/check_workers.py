"""The workers in the master: their states, and when a worker counts as lost."""

from __future__ import annotations

import os
import socket
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from locust.runners import MasterRunner

from hotrow.load import workers as workers_module
from hotrow.load.board import TO_MASTER, TO_WORKERS, Setup
from hotrow.load.workers import Workers
from hotrow.run.clock import RunClock
from tests.load.in_gevent.fakes import Runner, cells, setup_message

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

NO_PROCESS = 2**22 + 1
"""A number above the largest possible process id."""


class Master(Runner, MasterRunner):
    """A runner that counts as Locust's master, with workers of these states."""

    def __init__(self, **states: str) -> None:
        Runner.__init__(self)
        self.clients = {node: SimpleNamespace(state=state) for node, state in states.items()}

    def __del__(self) -> None:
        """Locust's has greenlets to kill."""

    @property
    def worker_count(self) -> int:
        return sum(client.state != "missing" for client in self.clients.values())

    @worker_count.setter
    def worker_count(self, count: int) -> None:
        """Fixed by the states."""


def state(worker: int, sequence: int, **changes: Any) -> dict[str, Any]:
    """The state that a worker sends."""
    return {
        "worker": worker,
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "sequence": sequence,
        "ready": 1,
        "drained": True,
        "ended": False,
        "records": 5,
        "failed": None,
        "exit_code": None,
        "leaving": None,
        "sent_ns": 0,
        "received_ns": 0,
        "answered_ns": 0,
        **changes,
    }


def begun(runner: Runner, directory: Path) -> Workers:
    """Workers to which a run was announced, with message 1."""
    workers = Workers(runner)
    message = setup_message(directory, ())
    workers.begin(RunClock.start(), Setup(**{**message, "cells": cells()}))
    return workers


def test_a_worker_that_is_silent_holds_the_cell_up(tmp_path: Path) -> None:
    """Locust does not count a missing worker, but its attempts may still be in flight."""
    runner = Master(a="running", b="missing")
    workers = begun(runner, tmp_path)
    runner.hear(TO_MASTER, "a", **state(0, 1))
    runner.hear(TO_MASTER, "b", **state(1, 1))
    workers.broadcast()
    runner.hear(TO_MASTER, "a", **state(0, 2))

    assert workers.trouble() is None
    assert not workers.has_drained()
    runner.hear(TO_MASTER, "b", **state(1, 2))
    assert workers.has_drained()


def test_a_worker_whose_process_is_gone_is_lost(tmp_path: Path) -> None:
    """It is named, the run cannot go on, and the master does not wait for it."""
    runner = Master(a="running", b="running")
    workers = begun(runner, tmp_path)
    runner.hear(TO_MASTER, "a", **state(0, 1))
    runner.hear(TO_MASTER, "b", **state(1, 1, pid=NO_PROCESS))
    workers.broadcast()
    runner.hear(TO_MASTER, "a", **state(0, 2))

    trouble = workers.trouble()

    assert trouble is not None
    assert (trouble.worker, trouble.exit_code) == (1, 4)
    assert "worker 1" in trouble.reason
    assert [trouble.worker for trouble in workers.lost] == [1]
    assert workers.has_drained()
    assert workers.has_ready(1)


def test_a_worker_that_ended_with_the_run_is_not_lost(tmp_path: Path) -> None:
    """Its files are closed and counted, so its process may end."""
    runner = Master(a="running")
    workers = begun(runner, tmp_path)
    runner.hear(TO_MASTER, "a", **state(0, 1, pid=NO_PROCESS, ended=True))

    assert workers.trouble() is None


def test_a_worker_elsewhere_is_lost_after_a_long_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its process cannot be checked, only Locust's heartbeats."""
    now = [100.0]
    monkeypatch.setattr(workers_module.time, "monotonic", lambda: now[0])
    runner = Master(a="missing")
    workers = begun(runner, tmp_path)
    runner.hear(TO_MASTER, "a", **state(0, 1, host="elsewhere", pid=NO_PROCESS))

    early = workers.trouble()
    now[0] += workers_module.MAX_SILENCE_S + 1
    late = workers.trouble()

    assert early is None
    assert late is not None
    assert late.worker == 0


def test_a_worker_that_comes_back_is_not_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that stopped for some seconds has all its records; the silence starts again at 0."""
    now = [100.0]
    monkeypatch.setattr(workers_module.time, "monotonic", lambda: now[0])
    runner = Master(a="missing")
    workers = begun(runner, tmp_path)
    runner.hear(TO_MASTER, "a", **state(0, 1))
    assert workers.trouble() is None
    now[0] += workers_module.MAX_SILENCE_S - 1
    runner.clients["a"].state = "running"
    assert workers.trouble() is None
    runner.clients["a"].state = "missing"
    now[0] += 2

    assert workers.trouble() is None


def test_a_message_of_the_last_run_does_not_count(tmp_path: Path) -> None:
    """A late message of the last run changes neither the users nor the records of this run."""
    runner = Master(a="running")
    workers = begun(runner, tmp_path)
    setup = Setup(**{**setup_message(tmp_path, ()), "cells": cells()})
    workers.begin(RunClock.start(), setup)

    runner.hear(TO_MASTER, "a", **state(0, 1, records=999))

    assert workers.records == {}
    assert not workers.has_ready(1)


def test_records_are_the_last_that_were_sent(tmp_path: Path) -> None:
    """A worker that is not drained sends no count, and the last count stands."""
    runner = Master(a="running")
    workers = begun(runner, tmp_path)
    runner.hear(TO_MASTER, "a", **state(0, 1, records=7))
    runner.hear(TO_MASTER, "a", **state(0, 1, records=None))

    assert workers.records == {0: 7}


def test_a_failed_worker_and_one_that_was_told_to_end(tmp_path: Path) -> None:
    """The first ends the run with its own line and code, the second with the signal's name."""
    runner = Master(a="running", b="running")
    workers = begun(runner, tmp_path)
    runner.hear(TO_MASTER, "a", **state(0, 1, leaving="SIGTERM"))
    leaving = workers.trouble()
    runner.hear(TO_MASTER, "a", **state(0, 1, failed="draw(): ValueError", exit_code=2))
    failed = workers.trouble()

    assert leaving is not None
    assert leaving.signal == "SIGTERM"
    assert failed is not None
    assert (failed.reason, failed.exit_code) == ("draw(): ValueError", 2)


def test_the_quickest_answer_tells_the_clocks_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker's clock is an hour ahead; of two answers the one with the shorter delay is kept."""
    hour_ns = 3_600_000_000_000
    runner = Master(a="running")
    workers = begun(runner, tmp_path)
    now = [1_000]
    monkeypatch.setattr(RunClock, "now_ns", lambda _: now[0])
    now[0] = 5_000_000
    runner.hear(TO_MASTER, "a", **state(0, 1, sent_ns=0, received_ns=hour_ns, answered_ns=hour_ns))
    now[0] = 200
    runner.hear(
        TO_MASTER, "a", **state(0, 1, sent_ns=0, received_ns=hour_ns + 100, answered_ns=hour_ns + 100)
    )
    now[0] = 9_000_000
    runner.hear(TO_MASTER, "a", **state(0, 1, sent_ns=0, received_ns=hour_ns, answered_ns=hour_ns))

    (offset,) = workers.offsets

    assert (offset.offset_ns, offset.delay_ns) == (hour_ns, 200)
    assert runner.sent[TO_WORKERS][0]["sequence"] == 1
