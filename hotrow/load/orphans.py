"""A worker whose master has gone ends by itself, within seconds and at any load."""

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

_LOOK_EVERY_S = 0.5
SILENT_MAX_S = 4.0
"""A master on another machine sends a heartbeat each second; without one for so long it is gone."""
_DRAIN_S = 0.5


def end_with_master(runner: WorkerRunner, board: Board, *, forked: bool) -> None:
    """Look after the master from now on, in a greenlet.

    A master that forked this process is there as long as it is the parent; one on another machine, as long
    as it sends heartbeats. Locust's own rule waits for a minute.
    """
    heard_s = [time.monotonic()]

    def hear(**_: Any) -> None:
        heard_s[0] = time.monotonic()

    def is_gone() -> bool:
        if forked:
            return os.getppid() != parent
        return board.is_at_work and time.monotonic() - heard_s[0] > SILENT_MAX_S

    def watch() -> None:
        while not is_gone():
            gevent.sleep(_LOOK_EVERY_S)
        board.close(_DRAIN_S)
        report_error(RunError(f"worker {board.worker} ends, because its master has gone"))
        os._exit(ERROR)

    parent = os.getppid()
    runner.environment.events.heartbeat_received.add_listener(hear)
    gevent.spawn(watch)
