"""Leads a run: makes its tables, opens and closes its cells, keeps their intervals and verdicts, and ends it.

There is one conductor, in the process that has no users of its own (Locust's master) or in the only one.
It talks to every worker's board by Locust's messages, which a local run delivers to itself.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

import gevent
from gevent.lock import RLock
from locust import events

from hotrow.console import report_error
from hotrow.errors import HotrowError, RunError, in_a_line
from hotrow.exit_codes import ERROR, NOT_USABLE, worst
from hotrow.load.board import DRAIN_TIMEOUT_S
from hotrow.load.cell_verdicts import judge, read_attempts
from hotrow.load.crew import Crew, Trouble
from hotrow.load.making import Maker, drop
from hotrow.run.seal import write_seal

if TYPE_CHECKING:
    from collections.abc import Callable

    from locust.env import Environment

    from hotrow.load.open_run import OpenRun
    from hotrow.run.plan import Cell

READY_TIMEOUT_S = 120.0
"""How long users may take to connect before a cell."""
_POLL_S = 0.02
_WATCH_EVERY_S = 0.2


class NotWholeError(RunError):
    """Attempts outlived their cell, or the database went away before it was judged."""

    exit_code = NOT_USABLE


class Conductor:
    """One run after another: begin, walk or hold the cells, stop, finish."""

    def __init__(
        self,
        environment: Environment,
        runner: Any,
        maker: Maker,
        run_time_s: float | None = None,
    ) -> None:
        self._environment = environment
        self._maker = maker
        self._runner = runner
        self._run_time_s = run_time_s
        self._crew = Crew(runner)
        self._ending = RLock()
        self._run: OpenRun | None = None
        self._beginning: gevent.Greenlet | None = None
        self._walk: gevent.Greenlet | None = None
        self._watch: gevent.Greenlet | None = None
        self._timer: gevent.Greenlet | None = None
        self._walked = False
        self._finishing = False
        self._quitting = False
        events.spawning_complete.add_listener(self._on_spawning_complete)

    @property
    def wanted_users(self) -> int | None:
        """How many users a sweep wants now; None once it has walked all its cells."""
        if self._run is None:
            return self._maker.request().settings.levels[0]
        return None if self._walked else self._run.wanted_users

    def begin(self) -> None:
        """Make the run's directory and tables and tell the workers; a sweep starts to walk.

        Raises:
            HotrowError: the options (changed in the web form, perhaps) or the target do not allow it.
        """
        self._quitting = False
        self._environment.process_exit_code = ERROR  # until the end of the run says how it went
        self._beginning = gevent.getcurrent()
        # Locust's own timer would count the filling of the tables too; it has looked at the option by now.
        if self._run_time_s is not None and self._environment.parsed_options is not None:
            self._environment.parsed_options.run_time = self._run_time_s
        try:
            run = self._maker.make()
            self._tell_workers(run)
        finally:
            self._beginning = None
        self._run = run
        self._watch = gevent.spawn(self._watch_crew, run)
        if self._environment.shape_class is None:
            self._open_cell(run, run.cells[0])
            if self._run_time_s is not None:
                self._timer = gevent.spawn_later(self._run_time_s, self._end_on_time)
        else:
            self._walked = False
            self._walk = gevent.spawn(self._walk_cells, run)

    def _tell_workers(self, run: OpenRun) -> None:
        """Have them prepare; this process, too, if it has users. What cannot begin leaves no tables."""
        self._maker.doing = "preparing the workers"
        try:
            self._crew.begin(run.clock, self._maker.setup(run, max(self._runner.worker_count, 1)))
        except BaseException:  # being told to end, too
            drop(run.tables)
            raise

    def abandon(self, error: Exception) -> None:
        """A run that cannot begin or go on: say why, keep what was measured, and stop Locust.

        What breaks off because the process was told to end before the load is no reason of its own.
        """
        if self._quitting and self._run is None:
            return
        self._end_early(Trouble(str(in_a_line(error)), in_a_line(error).exit_code))

    def interrupt(self, signal_name: str) -> None:
        """End the run because the process was told to; without a time limit that is how a run ends."""
        run = self._run
        if self._finishing or self._quitting:
            report_error(RunError(f"{signal_name} while the report is drawn: a second one ends it at once"))
        elif run is not None and (run.closing or self._has_no_end()):
            self._quit(entirely=True)
        elif run is not None:
            reason = f"interrupted by {signal_name}: what was measured until then is kept"
            self._end_early(Trouble(reason, NOT_USABLE), entirely=True)
        elif self._beginning is not None or self._is_headless():
            reason = f"interrupted by {signal_name} while {self._maker.doing}: nothing was measured"
            self._end_early(Trouble(reason, NOT_USABLE), entirely=True)
        else:
            self._quit(entirely=True)

    def what_is_left(self) -> str:
        """What a person who ends the process at once can still use."""
        if self._maker.directory is None:
            return "nothing was measured"
        return f"no report was drawn; draw it with: hotrow report {self._maker.directory}"

    def stop(self) -> None:
        """End the open cell: shut the gate, let attempts in flight end, keep the verdict."""
        with self._ending:
            self._stop_walking()
            run = self._run
            if run is None or run.open_cell is None or run.closing:
                return
            if run.open_cell.duration_s is not None:
                run.cut_short = run.cut_short or "stopped by hand"
            try:
                self._close_cell(run)
            except Exception as error:  # noqa: BLE001 - the run still ends, and the cell has no verdict
                self._note_fault(run, in_a_line(error))

    def finish(self) -> None:
        """End the run: free the database, summarise, draw, judge, and set the exit code."""
        with self._ending:
            run, self._run = self._run, None
            if run is None:
                return
            self._finishing = True
            for step in (self._end_workers, _free, self._report):
                try:
                    step(run)
                except Exception as error:  # noqa: BLE001 - what was measured is on the disk, to be drawn again
                    self._note_fault(run, in_a_line(error))
            self._environment.process_exit_code = worst(run.faults)
            self._finishing = False

    def _end_workers(self, run: OpenRun) -> None:
        """Have every worker close its files, for its last records and health lines belong to the summary."""
        self._crew.broadcast(end=True)
        ended = _comes_true(self._crew.has_ended, DRAIN_TIMEOUT_S)
        _kill(self._watch, self._timer)
        self._note_clocks(run)
        if not ended:
            raise NotWholeError(f"workers did not end within {DRAIN_TIMEOUT_S:.0f} s: records may be missing")
        write_seal(run.directory)

    def _note_clocks(self, run: OpenRun) -> None:
        """How far the workers' clocks are off: once at the start, for who reads a run that was killed."""
        run.notebook.note("clock", offsets=[offset.as_json() for offset in self._crew.offsets])

    def _report(self, run: OpenRun) -> None:
        from hotrow.finish import finish_run  # noqa: PLC0415 - drawing takes a second to import, and only the end draws

        run.faults.append(finish_run(run.directory, run.request.gates))

    def _note_fault(self, run: OpenRun, error: HotrowError) -> None:
        """Say what went wrong, unless it is one more consequence of what was said before."""
        run.faults.append(error.exit_code)
        if not any(_root_of(error) in line for line in run.said):
            report_error(error)
            run.said.append(str(error))

    def _end_early(self, trouble: Trouble, *, entirely: bool = False) -> None:
        """Say why, close the open cell as one that was cut short, and stop Locust."""
        report_error(RunError(trouble.reason))
        run = self._run
        if run is None:
            self._environment.process_exit_code = trouble.exit_code
        else:
            run.said.append(trouble.reason)
            run.faults.append(trouble.exit_code)
            run.cut_short = run.cut_short or trouble.reason
            if trouble.exit_code == ERROR:
                run.notebook.hurry()
        self._quit(entirely=entirely)

    def _quit(self, *, entirely: bool = False) -> None:
        """Stop Locust, in a greenlet that nothing of the run kills; its events end the run.

        With the web page Locust itself goes on, unless it is to end `entirely`.
        """
        self._quitting = True
        beginning, self._beginning = self._beginning, None
        web_ui = self._environment.web_ui

        def quit_locust() -> None:
            if beginning is not None and beginning is not gevent.getcurrent():
                beginning.kill()  # it takes its tables away
            self.stop()  # before Locust does: it reads its own source first, and nobody runs for 50 ms
            if web_ui is None or entirely:
                self._runner.quit()
            else:
                self._runner.stop()
            if web_ui is not None and entirely:
                web_ui.stop()

        gevent.spawn(quit_locust)

    def _end_on_time(self) -> None:
        """The time of `-t` is up, which counts from when the load began."""
        if self._run is not None:
            self._run.cut_short = None
            self._timer = None
        self._quit()

    def _has_no_end(self) -> bool:
        """Whether a signal is how this run was to end: it has no time limit and is no sweep."""
        return self._environment.shape_class is None and self._run_time_s is None

    def _watch_crew(self, run: OpenRun) -> None:
        """End the run once a worker is lost or cannot go on; those that are lost later are noted too."""
        ended = False
        while True:
            gevent.sleep(_WATCH_EVERY_S)
            trouble = self._crew.trouble()
            if trouble is not None and not ended and self._run is run:
                ended = True
                self.interrupt(trouble.signal) if trouble.signal else self._end_early(trouble)

    def _stop_walking(self) -> None:
        """End the walker; one that is closing a cell may end that first."""
        walk, self._walk = self._walk, None
        if walk is None or walk is gevent.getcurrent():
            return
        if self._run is not None and self._run.closing:
            walk.join()
        _kill(walk)

    def _walk_cells(self, run: OpenRun) -> None:
        try:
            for cell in run.cells:
                run.wanted_users = run.users = cell.users
                self._wait_for_users(cell.users)
                self._open_cell(run, cell)
                self._warm_up(run)
                gevent.sleep(cell.duration_s or 0.0)
                self._close_cell(run)
            self._walked = True
        except Exception as error:  # noqa: BLE001 - a walker that just died would leave the run standing
            self.abandon(error)

    def _on_spawning_complete(self, user_count: int, **_: Any) -> None:
        """Without a shape, the measured interval of the one cell begins (again) when all users have come."""
        if self._run is not None and self._environment.shape_class is None:
            self._run.users = user_count
            self._run.begin_ns = None
            _kill(self._walk)
            self._walk = gevent.spawn(self._begin_interval, self._run)

    def _begin_interval(self, run: OpenRun) -> None:
        """Locust counts users that it has started; the interval is for those that have connected as well."""
        try:
            self._wait_for_users(run.users)
            self._warm_up(run)
        except Exception as error:  # noqa: BLE001 - the same
            self.abandon(error)

    def _open_cell(self, run: OpenRun, cell: Cell) -> None:
        run.tables.prepare(cell.id)
        run.progress.cell_opened(cell)
        run.open_cell = cell
        run.begin_ns = None
        self._crew.broadcast(cell=cell.id)

    def _warm_up(self, run: OpenRun) -> None:
        """Let the open cell run unmeasured; then its interval begins. The event outlives a crash."""
        assert run.open_cell is not None  # noqa: S101 - called for an open cell
        gevent.sleep(run.open_cell.warmup_s)
        if run.open_cell is run.cells[0]:
            self._note_clocks(run)
        begin_ns = run.clock.now_ns()
        run.notebook.note("begin", cell=run.open_cell.id, begin_ns=begin_ns)
        run.begin_ns = begin_ns

    def _close_cell(self, run: OpenRun) -> None:
        run.closing = True
        try:
            self._end_cell(run)
        except HotrowError as error:
            raise NotWholeError(str(error)) from error
        finally:
            run.open_cell, run.closing = None, False

    def _end_cell(self, run: OpenRun) -> None:
        cell, end_ns = run.open_cell, run.clock.now_ns()
        assert cell is not None  # noqa: S101 - callers close what they opened
        self._crew.broadcast()
        # If its users had not all come, or it was not warm, its interval is empty: it was not measured.
        begin_ns = end_ns if run.begin_ns is None else run.begin_ns
        cut_short = {} if run.cut_short is None else {"interrupted": run.cut_short}
        run.notebook.note(
            "window", cell=cell.id, begin_ns=begin_ns, end_ns=end_ns, users=run.users, **cut_short
        )
        if not _comes_true(self._crew.has_drained, DRAIN_TIMEOUT_S):
            raise NotWholeError(f"attempts in flight did not end within {DRAIN_TIMEOUT_S:.0f} s: not judged")
        attempts = read_attempts(run, self._crew)
        judge(run, self._crew, cell, attempts)
        run.progress.cell_closed(cell, attempts, begin_ns, end_ns)

    def _wait_for_users(self, users: int) -> None:
        """Until just so many are connected and stand at the gate. Raises RunError if that takes too long."""
        if not _comes_true(partial(self._crew.has_ready, users), READY_TIMEOUT_S):
            waited = f"waited {READY_TIMEOUT_S:.0f} s for {users} users to connect"
            raise RunError(f"{waited}: the run is given up")

    def _is_headless(self) -> bool:
        return bool(getattr(self._environment.parsed_options, "headless", False))


def _root_of(error: BaseException) -> str:
    """What an error comes down to: what the operating system said, or its own text."""
    root = error
    while root.__cause__ is not None:
        root = root.__cause__
    return root.strerror if isinstance(root, OSError) and root.strerror else str(error)


def _free(run: OpenRun) -> None:
    run.progress.close()
    drop(run.tables)


def _comes_true(condition: Callable[[], bool], timeout_s: float) -> bool:
    """Wait for it; say whether it came true in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        gevent.sleep(_POLL_S)
    return True


def _kill(*greenlets: gevent.Greenlet | None) -> None:
    for greenlet in greenlets:
        if greenlet is not None and greenlet is not gevent.getcurrent():
            greenlet.kill()
