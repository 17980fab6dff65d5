"""Leads a run: makes its tables, opens and closes its cells, records intervals and verdicts, and ends it.

There is one conductor. It is in Locust's master, which has no users of its own, or in the only process. It
sends Locust messages to the board of every worker; a run with one process sends them to itself.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import gevent
from gevent.lock import RLock
from locust import events

from hotrow.errors import HotrowError, RunError, UsageError, in_a_line
from hotrow.exit_codes import ERROR, NOT_USABLE, worst
from hotrow.load.board import DRAIN_TIMEOUT_S
from hotrow.load.cell_course import CellCourse, NotWholeError, comes_true
from hotrow.load.current_run import EndedRun
from hotrow.load.edit import edited_cell
from hotrow.load.live.spectator import Spectator
from hotrow.load.notices import Notices
from hotrow.load.run_maker import RunMaker, drop
from hotrow.load.workers import Trouble, Workers
from hotrow.run.seal import write_seal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locust.env import Environment

    from hotrow.load.current_run import CurrentRun
    from hotrow.run.plan import Cell

_WATCH_INTERVAL_S = 0.2


class Conductor:
    """Leads one run after another: begin, open and close the cells, stop, finish."""

    def __init__(
        self,
        environment: Environment,
        runner: Any,
        maker: RunMaker,
        run_time_s: float | None = None,
        notices: Notices | None = None,
        *,
        spectator: Spectator | None = None,
    ) -> None:
        self.notices = notices or Notices()
        self.ended: list[EndedRun] = []
        """The runs that have ended, the last one at the end."""
        self._environment = environment
        self._maker = maker
        self._runner = runner
        self._run_time_s = run_time_s
        self._workers = Workers(runner)
        self._spectator = spectator or Spectator(runner, is_on=False)
        self._course = CellCourse(self._workers, self._spectator)
        self._ending = RLock()
        self._run: CurrentRun | None = None
        self._prepared: CurrentRun | None = None
        self._beginning: gevent.Greenlet | None = None
        self._walk: gevent.Greenlet | None = None
        self._watch: gevent.Greenlet | None = None
        self._timer: gevent.Greenlet | None = None
        self._walked = False
        self._stopping = False
        self._finishing = False
        self._quitting = False
        self._leaving = False
        """Whether a signal asked for the end of the process while a report is drawn."""
        events.spawning_complete.add_listener(self._on_spawning_complete)

    @property
    def wanted_users(self) -> int | None:
        """How many users a sweep needs now; None after its last cell."""
        if self._run is None:
            return self._maker.request().settings.levels[0]
        return None if self._walked else self._run.wanted_users

    @property
    def is_running(self) -> bool:
        """Whether a run is in progress; it may be ending."""
        return self._run is not None

    @property
    def state(self) -> tuple[str, str]:
        """What is going on (`idle`, `preparing`, `running` or `ending`), and the step of the preparation."""
        if self._beginning is not None:
            return "preparing", self._maker.doing
        if self._finishing or (self._run is not None and self._stopping):
            return "ending", ""
        return ("idle" if self._run is None else "running"), ""

    def prepare(self, run_time_s: float | None) -> None:
        """Make the directory and the tables of the next run, before Locust starts anything for it.

        Raises:
            HotrowError: an option is not valid, the target refuses, or the last run has not ended.
        """
        if self._run is not None or self._finishing or self._beginning is not None:
            raise UsageError(f"another run is {self.state[0]}: wait for its end, or stop it")
        if self._runner.worker_count < 1:
            raise UsageError("no worker process has joined yet: wait for one")
        self.notices.clear()
        self._drop_prepared()
        self._run_time_s = run_time_s
        with self._beginning_here():
            self._prepared = self._maker.make()

    @contextmanager
    def _beginning_here(self) -> Iterator[None]:
        """Let a signal end the greenlet that begins a run."""
        self._quitting = False
        self._beginning = gevent.getcurrent()
        try:
            yield
        finally:
            self._beginning = None

    def _drop_prepared(self) -> None:
        """Drop the tables of a run that was prepared and never began."""
        prepared, self._prepared = self._prepared, None
        if prepared is not None:
            drop(prepared.tables)

    def begin(self) -> None:
        """Make the run unless it is prepared, send the setup to the workers, and start the cells.

        Raises:
            HotrowError: an option is not valid (the web form may have changed it), or the target refuses.
        """
        self._environment.process_exit_code = ERROR  # until the run has ended
        # Locust's own timer would also count the filling of the tables. It has read the option already.
        if self._run_time_s is not None and self._environment.parsed_options is not None:
            self._environment.parsed_options.run_time = self._run_time_s
        run, self._prepared = self._prepared, None
        with self._beginning_here():
            run = run or self._maker.make()
            self._tell_workers(run)
        self._spectator.run_begun(run, self._workers, self._run_time_s)
        self._run = run
        self._stopping = False
        self._watch = gevent.spawn(self._watch_workers, run)
        if self._environment.shape_class is None:
            self._course.open(run, run.cells[0])
            if self._run_time_s is not None:
                self._timer = gevent.spawn_later(self._run_time_s, self._end_on_time)
        else:
            self._walked = False
            self._walk = gevent.spawn(self._walk_cells, run)

    def _tell_workers(self, run: CurrentRun) -> None:
        """Send the setup to the workers, which may be this process; drop the tables after an error."""
        self._maker.doing = "preparing the workers"
        try:
            self._workers.begin(run.clock, self._maker.setup(run, max(self._runner.worker_count, 1)))
        except BaseException:  # also an interruption
            drop(run.tables)
            raise

    def edit(self) -> bool:
        """Apply options that were changed during the run; return whether that opened another cell.

        The open cell is closed and judged, so that nothing measured is lost. The next cell has the tables of
        this one; it is measured when Locust has started or stopped the users, or at once if their number is
        the same.

        Raises:
            UsageError: there is no open cell, or a changed option holds for the whole run.
        """
        run = self._run
        if self._environment.shape_class is not None:
            raise UsageError("a sweep cannot be edited: its cells are planned; stop it and start another")
        if run is None or self._stopping:
            raise UsageError("the run is ending: start another one")
        cell = edited_cell(run, *self._maker.wanted())
        if cell is None:
            return False
        with self._ending:
            self._stop_walking()
            if self._run is not run or run.open_cell is None or run.closing:
                raise UsageError("the run is ending: start another one")
            self._change_cell(run, run.open_cell, cell)
        return True

    def _change_cell(self, run: CurrentRun, old: Cell, new: Cell) -> None:
        try:
            self._course.close(run)
            run.add(old, new)
            self._course.open(run, new, schema=run.tables.schemas[new.id])
        except Exception as error:
            self.abandon(error)
            raise in_a_line(error) from error
        if new.users == old.users:
            self._walk = gevent.spawn(self._begin_interval, run)

    def abandon(self, error: Exception) -> None:
        """End a run that cannot begin or go on: report why, keep the measurements, and stop Locust.

        An error after an interruption before the load is not reported: it is a consequence of that.
        """
        if self._quitting and self._run is None:
            return
        self._end_early(Trouble(str(in_a_line(error)), in_a_line(error).exit_code))

    def interrupt(self, signal_name: str) -> None:
        """End the run because of a signal. A run without a time limit ends in this way."""
        run = self._run
        if self._finishing or self._quitting:
            self._leaving = True
            text = f"{signal_name} while the report is drawn: a second signal ends the process at once"
            self.notices.tell(RunError(text))
        elif run is not None and (run.closing or self._has_no_end()):
            self._quit(entirely=True)
        elif run is not None:
            reason = f"interrupted by {signal_name}: the measurements until then are kept"
            self._end_early(Trouble(reason, NOT_USABLE), entirely=True)
        elif self._beginning is not None or self._is_headless():
            reason = f"interrupted by {signal_name} while {self._maker.doing}: nothing was measured"
            self._end_early(Trouble(reason, NOT_USABLE), entirely=True)
        else:
            self._quit(entirely=True)

    def what_is_left(self) -> str:
        """What remains of the run, for a person who ends the process at once."""
        if self._maker.directory is None:
            return "nothing was measured"
        return f"no report was drawn; draw it with: hotrow report {self._maker.directory}"

    def stop(self) -> None:
        """End the open cell: shut the gate, let attempts in flight end, and record the verdict."""
        with self._ending:
            self._stopping = True
            self._stop_walking()
            run = self._run
            if run is None or run.open_cell is None or run.closing:
                return
            if run.open_cell.duration_s is not None:
                run.cut_short = run.cut_short or "stopped by hand"
            try:
                self._course.close(run)
            except Exception as error:  # noqa: BLE001 - the run still ends, and the cell has no verdict
                self._note_fault(run, in_a_line(error))

    def finish(self) -> None:
        """End the run: drop its tables, write summary and reports, check the gates, set the exit code."""
        with self._ending:
            self._drop_prepared()
            run, self._run = self._run, None
            if run is None:
                return
            self._finishing = True
            for step in (self._end_workers, _drop_tables, self._report):
                try:
                    step(run)
                except Exception as error:  # noqa: BLE001 - the measurements are on the disk, and a report can be drawn later
                    self._note_fault(run, in_a_line(error))
            code = self._environment.process_exit_code = worst(run.exit_codes)
            self.ended.append(EndedRun(run.directory, code))
            self._spectator.run_ended()
            self._finishing = False
            if self._leaving and self._environment.web_ui is not None:
                self._quit(entirely=True)

    def _end_workers(self, run: CurrentRun) -> None:
        """Let every worker close its files, because the summary needs its last records and health lines."""
        self._workers.broadcast(end=True)
        ended = comes_true(self._workers.has_ended, DRAIN_TIMEOUT_S)
        _kill(self._watch, self._timer)
        self._course.note_clocks(run)
        if not ended:
            raise NotWholeError(f"workers did not end within {DRAIN_TIMEOUT_S:.0f} s: records may be missing")
        write_seal(run.directory)

    def _report(self, run: CurrentRun) -> None:
        from hotrow.finish import Telling, finish_run  # noqa: PLC0415 - drawing takes a second to import, and only the end draws

        request = run.request
        as_json = bool(getattr(self._environment.parsed_options, "json", False))
        telling = Telling(github=request.github, stdout_is_data=as_json)
        finish = partial(finish_run, run.directory, request.gates, telling, no_report=request.no_report)
        # With a page it is drawn in a thread, so that the page answers meanwhile.
        has_page = self._environment.web_ui is not None
        run.exit_codes.append(gevent.get_hub().threadpool.apply(finish) if has_page else finish())

    def _note_fault(self, run: CurrentRun, error: HotrowError) -> None:
        """Report a fault, unless it has the same cause as one that was reported before."""
        run.exit_codes.append(error.exit_code)
        if not any(_root_cause(error) in message for message in run.reported):
            self.notices.tell(error)
            run.reported.append(str(error))

    def _end_early(self, trouble: Trouble, *, entirely: bool = False) -> None:
        """Report the reason, close the open cell as one that was cut short, and stop Locust."""
        self.notices.tell(RunError(trouble.reason))
        run = self._run
        if run is None:
            self._environment.process_exit_code = trouble.exit_code
        else:
            run.reported.append(trouble.reason)
            run.exit_codes.append(trouble.exit_code)
            run.cut_short = run.cut_short or trouble.reason
            if trouble.exit_code == ERROR:
                run.event_writer.stop_waiting()
        self._quit(entirely=entirely)

    def _quit(self, *, entirely: bool = False) -> None:
        """Stop Locust, whose events then end the run. It happens in a greenlet that the run does not kill.

        With a web page the process goes on, unless it is to end `entirely`.
        """
        self._quitting = True
        beginning, self._beginning = self._beginning, None
        web_ui = self._environment.web_ui

        def quit_locust() -> None:
            if beginning is not None and beginning is not gevent.getcurrent():
                beginning.kill()  # it drops its tables
            self.stop()  # before Locust stops: Locust first reads its own source, and nothing runs for 50 ms
            if web_ui is not None and not entirely:
                self._runner.stop()
                self._quitting = False  # the page waits for the next run
                return
            self._runner.quit()
            if web_ui is not None:
                web_ui.stop()

        gevent.spawn(quit_locust)

    def _end_on_time(self) -> None:
        """End the run after the time of `-t`, counted from the start of the load."""
        if self._run is not None:
            self._run.cut_short = None
            self._timer = None
        self._quit()

    def _has_no_end(self) -> bool:
        """Whether only a signal ends this run: it has no time limit and is no sweep."""
        return self._environment.shape_class is None and self._run_time_s is None

    def _watch_workers(self, run: CurrentRun) -> None:
        """End the run when a worker is lost or cannot go on; go on watching for others that are lost."""
        ended = False
        while True:
            gevent.sleep(_WATCH_INTERVAL_S)
            trouble = self._workers.trouble()
            if trouble is not None and not ended and self._run is run:
                ended = True
                self.interrupt(trouble.signal) if trouble.signal else self._end_early(trouble)

    def _stop_walking(self) -> None:
        """Stop the greenlet that opens and closes the cells; let it finish closing a cell first."""
        walk, self._walk = self._walk, None
        if walk is None or walk is gevent.getcurrent():
            return
        if self._run is not None and self._run.closing:
            walk.join()
        _kill(walk)

    def _walk_cells(self, run: CurrentRun) -> None:
        try:
            for cell in run.cells:
                run.wanted_users = run.users = cell.users
                self._course.wait_for_users(cell.users)
                self._course.open(run, cell)
                self._course.warm_up(run)
                gevent.sleep(cell.duration_s or 0.0)
                self._course.close(run)
            self._walked = True
        except Exception as error:  # noqa: BLE001 - without this the run would never end
            self.abandon(error)

    def _on_spawning_complete(self, user_count: int, **_: Any) -> None:
        """Without a shape, begin the interval of the only cell (again) when all users are started."""
        if self._run is not None and self._environment.shape_class is None:
            self._run.users = user_count
            self._run.begin_ns = None
            _kill(self._walk)
            self._walk = gevent.spawn(self._begin_interval, self._run)

    def _begin_interval(self, run: CurrentRun) -> None:
        """Begin the interval when the users are connected; Locust counts them when they are started."""
        try:
            self._course.wait_for_users(run.users)
            self._course.warm_up(run)
        except Exception as error:  # noqa: BLE001 - the same
            self.abandon(error)

    def _is_headless(self) -> bool:
        return bool(getattr(self._environment.parsed_options, "headless", False))


def _root_cause(error: BaseException) -> str:
    """The cause of an error: the operating system's message, or the error's own text."""
    root = error
    while root.__cause__ is not None:
        root = root.__cause__
    return root.strerror if isinstance(root, OSError) and root.strerror else str(error)


def _drop_tables(run: CurrentRun) -> None:
    run.progress.close()
    drop(run.tables)


def _kill(*greenlets: gevent.Greenlet | None) -> None:
    for greenlet in greenlets:
        if greenlet is not None and greenlet is not gevent.getcurrent():
            greenlet.kill()
