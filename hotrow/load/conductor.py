"""Leads a run: makes its tables, opens and closes its cells, keeps their windows and verdicts, and ends it.

There is one conductor, in the process that has no users of its own (Locust's master) or in the only one.
It talks to every worker's board by Locust's messages, which a local run delivers to itself.
"""

from __future__ import annotations

import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import gevent
from gevent.lock import RLock
from locust import events

from hotrow.errors import HotrowError, RunError
from hotrow.finish import finish_run, report_error
from hotrow.ledger import append_event
from hotrow.load import rundir
from hotrow.load.arguments import Request, read_request, run_suffix
from hotrow.load.board import DRAIN_TIMEOUT_S, TO_MASTER, TO_WORKERS, Setup
from hotrow.load.declared import declared_scenario
from hotrow.load.open_run import OpenRun, tally_cell
from hotrow.load.progress import Progress
from hotrow.load.waiting import COOPERATIVE
from hotrow.plan import Cell, plan_cells
from hotrow.targets.tables import Tables
from hotrow.targets.target import Targets, check_reachable, start

if TYPE_CHECKING:
    from pathlib import Path

    from locust.env import Environment

    from hotrow.scenario import Scenario
    from hotrow.targets.target import Target

READY_TIMEOUT_S = 120.0
"""How long users may take to connect before a cell."""
_POLL_S = 0.02


class Conductor:
    """One run after another: begin, walk or hold the cells, stop, finish."""

    def __init__(self, environment: Environment, runner: Any, targets: Targets) -> None:
        self._environment = environment
        self._targets = targets
        self._runner = runner
        self._ending = RLock()
        self._states: dict[int, dict[str, Any]] = {}
        self._sequence = 0
        self._run: OpenRun | None = None
        self._walk: gevent.Greenlet | None = None
        self._walked = False
        runner.register_message(TO_MASTER, self._on_state)
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
        check_reachable(start(target), COOPERATIVE)

    def begin(self) -> None:
        """Make the run's directory and tables and tell the workers; a sweep starts to walk.

        Raises:
            HotrowError: the options (changed in the web form, perhaps) or the target do not allow it.
        """
        scenario, request, cells = self._plan()
        target = start(self._targets.of(self._host()))
        server_version = check_reachable(target, COOPERATIVE)
        tables = self._lay_out(target, scenario, request, cells)
        directory = rundir.make_directory(request.out, scenario.name)
        rundir.write_run_json(
            directory,
            request=request,
            scenario=scenario,
            cells=cells,
            target=target,
            server_version=server_version,
        )
        self._prepare(tables, request, directory)
        self._run = OpenRun(
            scenario=scenario,
            request=request,
            cells=cells,
            directory=directory,
            tables=tables,
            progress=Progress(cells, shown=request.progress),
            users=cells[0].users,
            wanted_users=cells[0].users,
        )
        setup = Setup(
            directory=str(directory.resolve()),
            host=self._host(),
            chosen=self._chosen(),
            schemas=tables.schemas,
            seed=request.seed,
            think_s=request.think_s,
            receipts=request.receipts,
            cells=cells,
            workers=max(self._runner.worker_count, 1),
        )
        self._broadcast(setup=setup)
        if self._environment.shape_class is None:
            self._open_cell(self._run, cells[0])
        else:
            self._walked = False
            self._walk = gevent.spawn(self._walk_cells, self._run)

    def _lay_out(
        self, target: Target, scenario: Scenario, request: Request, cells: tuple[Cell, ...]
    ) -> Tables:
        turned = [type(scenario)(**cell.knobs) for cell in cells]
        return Tables(
            target,
            f"hotrow_{run_suffix()}",
            turned,
            COOPERATIVE,
            keys=request.settings.keys,
            receipts=request.receipts,
        )

    def _prepare(self, tables: Tables, request: Request, directory: Path) -> None:
        """Make the tables and play a few transactions on them; what cannot run leaves none behind."""
        try:
            tables.build(progress=request.progress)
            findings = tables.rehearse(request.seed)
        except HotrowError:
            with suppress(HotrowError):
                tables.drop()
            raise
        if findings:
            append_event(
                directory, {"event": "rehearsal", "findings": [finding.as_json() for finding in findings]}
            )

    def abandon(self, error: HotrowError) -> None:
        """A run that could not begin: say why and stop Locust."""
        report_error(error)
        self._environment.process_exit_code = error.exit_code
        gevent.spawn(self._runner.quit if self._is_headless() else self._runner.stop)

    def stop(self) -> None:
        """End the open cell where it stands: close the gate, let attempts in flight end, keep the verdict."""
        with self._ending:
            if self._walk is not None:
                self._walk.kill()
                self._walk = None
            if self._run is not None and self._run.open_cell is not None:
                try:
                    self._close_cell(self._run)
                except HotrowError as error:  # the run still ends, and has no verdict
                    report_error(error)

    def finish(self) -> None:
        """End the run: free the database, summarise, draw, judge, and set the exit code."""
        with self._ending:
            run, self._run = self._run, None
            if run is None:
                return
            self._broadcast(end=True)
            run.progress.close()
            try:
                run.tables.drop()
            except HotrowError as error:  # what was measured is summarised all the same
                report_error(error)
            self._environment.process_exit_code = finish_run(run.directory, run.request.gates)

    def _walk_cells(self, run: OpenRun) -> None:
        try:
            for cell in run.cells:
                run.wanted_users = run.users = cell.users
                all_ready = partial(self._has_ready, cell.users)
                self._wait_until(all_ready, READY_TIMEOUT_S, f"{cell.users} users to connect")
                self._open_cell(run, cell)
                self._warm_up(run)
                gevent.sleep(cell.duration_s or 0.0)
                self._close_cell(run)
            self._walked = True
        except HotrowError as error:
            self._walk = None
            self.abandon(error)

    def _on_spawning_complete(self, user_count: int, **_: Any) -> None:
        """Without a shape, the window of the one cell begins (again) when all users have come."""
        if self._run is not None and self._environment.shape_class is None:
            self._run.users = user_count
            self._run.begin_ns = None
            if self._walk is not None:
                self._walk.kill()
            self._walk = gevent.spawn(self._begin_window, self._run)

    def _begin_window(self, run: OpenRun) -> None:
        """Locust counts users that it has started; the window is for those that have connected as well."""
        try:
            all_ready = partial(self._has_ready, run.users)
            self._wait_until(all_ready, READY_TIMEOUT_S, f"{run.users} users to connect")
            self._warm_up(run)
        except HotrowError as error:
            self._walk = None
            self.abandon(error)

    def _open_cell(self, run: OpenRun, cell: Cell) -> None:
        run.tables.prepare(cell.id)
        run.progress.cell_opened(cell)
        run.open_cell = cell
        run.begin_ns = None
        self._broadcast(cell=cell.id)

    def _warm_up(self, run: OpenRun) -> None:
        """Let the open cell run unmeasured; then its window begins. The event outlives a crash of the run."""
        assert run.open_cell is not None  # noqa: S101 - called for an open cell
        gevent.sleep(run.open_cell.warmup_s)
        run.begin_ns = time.time_ns()
        append_event(run.directory, {"event": "begin", "cell": run.open_cell.id, "begin_ns": run.begin_ns})

    def _close_cell(self, run: OpenRun) -> None:
        cell = run.open_cell
        assert cell is not None  # noqa: S101 - callers close what they opened
        run.open_cell = None
        end_ns = time.time_ns()
        self._broadcast()
        # Where its users had not all come, or it was not warm, its window is empty: it was not measured.
        begin_ns = end_ns if run.begin_ns is None else run.begin_ns
        append_event(
            run.directory,
            {
                "event": "window",
                "cell": cell.id,
                "begin_ns": begin_ns,
                "end_ns": end_ns,
                "users": run.users,
            },
        )
        self._wait_until(self._has_drained, DRAIN_TIMEOUT_S, "attempts in flight to end")
        self._judge(run, cell)
        run.progress.cell_closed(cell, run.directory, begin_ns, end_ns)

    def _judge(self, run: OpenRun, cell: Cell) -> None:
        verdicts = run.tables.judge(cell.id, tally_cell(run.directory, cell, len(run.scenario.kinds)))
        append_event(
            run.directory,
            {"event": "verdict", "cell": cell.id, "checks": [verdict.as_json() for verdict in verdicts]},
        )

    def _broadcast(self, *, setup: Setup | None = None, cell: int | None = None, end: bool = False) -> None:
        self._sequence += 1
        self._runner.send_message(
            TO_WORKERS,
            {
                "sequence": self._sequence,
                "setup": None if setup is None else setup.as_message(),
                "open": cell,
                "end": end,
            },
        )

    def _on_state(self, msg: Any, **_: Any) -> None:
        self._states[msg.data["worker"]] = msg.data

    def _has_ready(self, users: int) -> bool:
        ready: int = sum(state["ready"] for state in self._states.values())
        return ready == users

    def _has_drained(self) -> bool:
        states = [state for state in self._states.values() if state["sequence"] == self._sequence]
        workers: int = self._runner.worker_count
        return len(states) >= workers and all(bool(state["drained"]) for state in states)

    def _wait_until(self, condition: Any, timeout_s: float, what: str) -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > deadline:
                raise RunError(f"waited {timeout_s:.0f} s for {what}: the run is given up")
            gevent.sleep(_POLL_S)

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
        return self._environment.host or "local"

    def _is_headless(self) -> bool:
        return bool(getattr(self._environment.parsed_options, "headless", False))
