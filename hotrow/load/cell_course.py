"""The course of one cell in the process that leads the run: open, warm up, close, judge."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

import gevent

from hotrow.errors import HotrowError, RunError
from hotrow.exit_codes import NOT_USABLE
from hotrow.load.board import DRAIN_TIMEOUT_S
from hotrow.load.cell_verdicts import judge, read_attempts

if TYPE_CHECKING:
    from collections.abc import Callable

    from hotrow.load.current_run import CurrentRun
    from hotrow.load.live.spectator import Spectator
    from hotrow.load.workers import Workers
    from hotrow.run.plan import Cell

READY_TIMEOUT_S = 120.0
"""How long users may take to connect before a cell."""
_POLL_INTERVAL_S = 0.02


class NotWholeError(RunError):
    """Attempts did not end with their cell, or the database was lost before the cell was judged."""

    exit_code = NOT_USABLE


class CellCourse:
    """Opens and closes the cells of a run: it tells the workers, and writes intervals and verdicts."""

    def __init__(self, workers: Workers, spectator: Spectator) -> None:
        self._workers = workers
        self._spectator = spectator

    def open(self, run: CurrentRun, cell: Cell, *, schema: str | None = None) -> None:
        """Open a cell. If it was added during the run, `schema` has its tables."""
        run.tables.prepare(cell.id)
        run.progress.cell_opened(cell)
        self._spectator.cell_opened(cell, run.users)
        run.open_cell = cell
        run.begin_ns = None
        self._workers.broadcast(cell=cell.id, added=None if schema is None else (cell, schema))

    def warm_up(self, run: CurrentRun) -> None:
        """Let the open cell warm up, then begin its interval. The event tells it even after a crash."""
        assert run.open_cell is not None  # noqa: S101 - called for an open cell
        gevent.sleep(run.open_cell.warmup_s)
        if run.open_cell is run.cells[0]:
            self.note_clocks(run)
        begin_ns = run.clock.now_ns()
        run.event_writer.write("begin", cell=run.open_cell.id, begin_ns=begin_ns)
        run.begin_ns = begin_ns
        self._spectator.interval_begun(run.open_cell, run.users, begin_ns)

    def close(self, run: CurrentRun) -> None:
        """Close the open cell, wait until its attempts have ended, and judge it.

        Raises:
            NotWholeError: attempts did not end, or the database was lost.
        """
        run.closing = True
        try:
            self._end(run)
        except HotrowError as error:
            raise NotWholeError(str(error)) from error
        finally:
            run.open_cell, run.closing = None, False

    def _end(self, run: CurrentRun) -> None:
        cell, end_ns = run.open_cell, run.clock.now_ns()
        assert cell is not None  # noqa: S101 - callers close what they opened
        self._workers.broadcast()
        # If the users were not all connected, or the warm-up had not ended, the interval is empty.
        begin_ns = end_ns if run.begin_ns is None else run.begin_ns
        self._spectator.cell_ends(cell, begin_ns, end_ns)
        cut_short = {} if run.cut_short is None else {"interrupted": run.cut_short}
        run.event_writer.write(
            "window", cell=cell.id, begin_ns=begin_ns, end_ns=end_ns, users=run.users, **cut_short
        )
        if not comes_true(self._workers.has_drained, DRAIN_TIMEOUT_S):
            raise NotWholeError(f"attempts in flight did not end within {DRAIN_TIMEOUT_S:.0f} s: not judged")
        self._spectator.cell_closed()
        attempts = read_attempts(run, self._workers)
        judge(run, self._workers, cell, attempts)
        run.progress.cell_closed(cell, attempts, begin_ns, end_ns)

    def wait_for_users(self, users: int) -> None:
        """Wait until exactly this many users are connected. Raises RunError if that takes too long."""
        if not comes_true(partial(self._workers.has_ready, users), READY_TIMEOUT_S):
            waited = f"waited {READY_TIMEOUT_S:.0f} s for {users} users to connect"
            raise RunError(f"{waited}: the run is given up")

    def note_clocks(self, run: CurrentRun) -> None:
        """Write the offsets of the workers' clocks: at the start too, in case the run is killed."""
        run.event_writer.write("clock", offsets=[offset.as_json() for offset in self._workers.offsets])


def comes_true(condition: Callable[[], bool], timeout_s: float) -> bool:
    """Wait until the condition is true; return whether it came true in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        gevent.sleep(_POLL_INTERVAL_S)
    return True
