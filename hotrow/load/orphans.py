"""The end of workers whose master is gone: within seconds, and at any load."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import gevent

from hotrow.console import report_error
from hotrow.errors import RunError
from hotrow.exit_codes import ERROR

if TYPE_CHECKING:
    from locust.runners import WorkerRunner

    from hotrow.load.board import Board

_CHECK_INTERVAL_S = 0.5
MAX_SILENCE_S = 4.0
"""A master on another machine sends a heartbeat per second. After this time without one it is gone."""
_DRAIN_S = 0.5


def end_with_master(runner: WorkerRunner, board: Board, *, forked: bool) -> None:
    """Watch the master in a greenlet, and end this process when it is gone.

    A master that forked this process exists as long as it is the parent. A master on another machine exists
    as long as it sends heartbeats. Locust itself would wait for a minute.
    """
    last_heartbeat_s = [time.monotonic()]

    def note_heartbeat(**_: Any) -> None:
        last_heartbeat_s[0] = time.monotonic()

    def is_gone() -> bool:
        if forked:
            return os.getppid() != parent
        return board.is_at_work and time.monotonic() - last_heartbeat_s[0] > MAX_SILENCE_S

    def watch() -> None:
        while not is_gone():
            gevent.sleep(_CHECK_INTERVAL_S)
        board.close(_DRAIN_S)
        report_error(RunError(f"worker {board.worker} ends because its master is gone"))
        os._exit(ERROR)

    parent = os.getppid()
    runner.environment.events.heartbeat_received.add_listener(note_heartbeat)
    gevent.spawn(watch)
