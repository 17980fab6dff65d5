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

from hotrow.clock import RunClock
from hotrow.errors import HotrowError, RunError, in_a_line
from hotrow.exit_codes import ERROR, NOT_USABLE, worst
from hotrow.finish import finish_run, report_error
from hotrow.load import rundir
from hotrow.load.arguments import Request, read_request
from hotrow.load.board import DRAIN_TIMEOUT_S, Setup
from hotrow.load.crew import Crew, Trouble
from hotrow.load.declared import declared_scenario
from hotrow.load.judging import judge, read_attempts
from hotrow.load.open_run import Notebook, OpenRun
from hotrow.load.progress import Progress
from hotrow.load.waiting import COOPERATIVE
from hotrow.plan import Cell, plan_cells
from hotrow.targets import schema_name
from hotrow.targets.tables import Tables
from hotrow.targets.target import Targets, check_reachable, start

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from locust.env import Environment

    from hotrow.load.hosts import Hosts
    from hotrow.scenario import Scenario
    from hotrow.targets.target import Target

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
        targets: Targets,
        hosts: Hosts,
        run_time_s: float | None = None,
    ) -> None:
        self._environment = environment
        self._targets = targets
        self._hosts = hosts
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
        self._directory: Path | None = None
        self.doing = "looking at the options"
        """What is going on, for a person who interrupts it."""
        events.spawning_complete.add_listener(self._on_spawning_complete)

    @property
    def wanted_users(self) -> int | None:
        """How many users a sweep wants now; None once it has walked all its cells."""
        if self._run is None:
            return self._request().settings.levels[0]
        return None if self._walked else self._run.wanted_users

    def refuse_what_cannot_run(self) -> None:
        """Check every option, the directory and the target.

        Raises:
            HotrowError: the first thing that is wrong, in one line.
        """
        scenario, request, cells = self._plan()
        target = self._targets.of(self._host())
        rundir.refuse_unwritable(request.out)
        self._lay_out(target, scenario, request, cells)
        self.doing = "looking whether the target can be reached"
        check_reachable(start(target), COOPERATIVE)
        self.doing = "waiting for the run to start"

    def begin(self) -> None:
        """Make the run's directory and tables and tell the workers; a sweep starts to walk.

        Raises:
            HotrowError: the options (changed in the web form, perhaps) or the target do not allow it.
        """
        self._quitting, self._directory = False, None
        self._environment.process_exit_code = ERROR  # until the end of the run says how it went
        self._beginning = gevent.getcurrent()
        # Locust's own timer would count the filling of the tables too; it has looked at the option by now.
        if self._run_time_s is not None and self._environment.parsed_options is not None:
            self._environment.parsed_options.run_time = self._run_time_s
        try:
            run = self._make_run()
        finally:
            self._beginning = None
        self._run = run
        self.doing = "measuring"
        self._crew.begin(run.clock, self._setup(run))
        self._watch = gevent.spawn(self._watch_crew, run)
        if self._environment.shape_class is None:
            self._open_cell(run, run.cells[0])
            if self._run_time_s is not None:
                self._timer = gevent.spawn_later(self._run_time_s, self._end_on_time)
        else:
            self._walked = False
            self._walk = gevent.spawn(self._walk_cells, run)

    def _make_run(self) -> OpenRun:
        self.doing = "looking at the options"
        scenario, request, cells = self._plan()
        target = start(self._targets.of(self._host()))
        self.doing = "looking whether the target can be reached"
        server_version = check_reachable(target, COOPERATIVE)
        tables = self._lay_out(target, scenario, request, cells)
        self._directory = rundir.make_directory(request.out, scenario.name)
        notebook = Notebook(self._directory)
        rundir.write_run_json(
            notebook.directory,
            request=request,
            scenario=scenario,
            cells=cells,
            target=target,
            server_version=server_version,
        )
        self._prepare(tables, request, notebook)
        return OpenRun(
            scenario=scenario,
            request=request,
            cells=cells,
            notebook=notebook,
            tables=tables,
            progress=Progress(cells, shown=request.progress),
            clock=RunClock.start(),
            users=cells[0].users,
            wanted_users=cells[0].users,
        )

    def _setup(self, run: OpenRun) -> Setup:
        return Setup(
            directory=str(run.directory.resolve()),
            host=self._host(),
            chosen=self._chosen(),
            schemas=run.tables.schemas,
            seed=run.request.seed,
            think_s=run.request.think_s,
            receipts=run.request.receipts,
            cells=run.cells,
            workers=max(self._runner.worker_count, 1),
        )

    def _lay_out(
        self, target: Target, scenario: Scenario, request: Request, cells: tuple[Cell, ...]
    ) -> Tables:
        turned = [type(scenario)(**cell.knobs) for cell in cells]
        return Tables(
            target,
            schema_name.new_name(),
            turned,
            COOPERATIVE,
            keys=request.settings.keys,
            receipts=request.receipts,
        )

    def _prepare(self, tables: Tables, request: Request, notebook: Notebook) -> None:
        """Make the tables and play a few transactions on them; what cannot run leaves none behind."""
        self.doing = "filling the tables"
        try:
            tables.build(progress=request.progress)
            self.doing = "rehearsing the scenario's transactions"
            findings = tables.rehearse(request.seed)
        except BaseException:  # being told to end, too
            _drop(tables)
            raise
        if findings:
            notebook.note("rehearsal", findings=[finding.as_json() for finding in findings])

    def abandon(self, error: Exception) -> None:
        """A run that cannot begin or go on: say why, keep what was measured, and stop Locust."""
        self._end_early(Trouble(str(in_a_line(error)), in_a_line(error).exit_code))

    def interrupt(self, signal_name: str) -> None:
        """End the run because the process was told to; without a time limit that is how a run ends."""
        run = self._run
        if self._finishing or self._quitting:
            report_error(RunError(f"{signal_name} while {self.doing}: a second one ends it at once"))
        elif run is not None and (run.closing or self._has_no_end()):
            self._quit(entirely=True)
        elif run is not None:
            reason = f"interrupted by {signal_name}: what was measured until then is kept"
            self._end_early(Trouble(reason, NOT_USABLE), entirely=True)
        elif self._beginning is not None or self._is_headless():
            reason = f"interrupted by {signal_name} while {self.doing}: nothing was measured"
            self._end_early(Trouble(reason, NOT_USABLE), entirely=True)
        else:
            self._quit(entirely=True)

    def what_is_left(self) -> str:
        """What a person who ends the process at once can still use."""
        if self._directory is None:
            return "nothing was measured"
        return f"no report was drawn; draw it with: hotrow report {self._directory}"

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
            self.doing = "drawing the report"
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
        run.notebook.note("clock", offsets=[offset.as_json() for offset in self._crew.offsets])
        if not ended:
            raise NotWholeError(f"workers did not end within {DRAIN_TIMEOUT_S:.0f} s: records may be missing")

    def _report(self, run: OpenRun) -> None:
        run.faults.append(finish_run(run.directory, run.request.gates))

    def _note_fault(self, run: OpenRun, error: HotrowError) -> None:
        report_error(error)
        run.faults.append(error.exit_code)

    def _end_early(self, trouble: Trouble, *, entirely: bool = False) -> None:
        """Say why, close the open cell as one that was cut short, and stop Locust."""
        report_error(RunError(trouble.reason))
        run = self._run
        if run is None:
            self._environment.process_exit_code = trouble.exit_code
        else:
            run.faults.append(trouble.exit_code)
            run.cut_short = run.cut_short or trouble.reason
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

    def _request(self) -> Request:
        options = self._environment.parsed_options
        assert options is not None  # noqa: S101 - Locust parsed its command line before it fired `init`
        return read_request(options, self._scenario())

    def _scenario(self) -> Scenario:
        return declared_scenario(self._environment.user_classes, self._chosen())

    def _chosen(self) -> str | None:
        """What `--scenario` says, where there is that option."""
        return getattr(self._environment.parsed_options, "scenario", None)

    def _plan(self) -> tuple[Scenario, Request, tuple[Cell, ...]]:
        """What the options ask for now, checked; the web form may have changed them since the last run."""
        scenario, request = self._scenario(), self._request()
        return scenario, request, plan_cells(request.settings, scenario, request.seed)

    def _host(self) -> str:
        return self._hosts.real(self._environment.host or "local")

    def _is_headless(self) -> bool:
        return bool(getattr(self._environment.parsed_options, "headless", False))


def _drop(tables: Tables) -> None:
    """Take a run's tables away; what was measured is kept all the same if that fails."""
    try:
        tables.drop()
    except HotrowError as error:
        report_error(error)


def _free(run: OpenRun) -> None:
    run.progress.close()
    _drop(run.tables)


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
