"""Makes a run: reads the options, refuses what cannot run, and prepares the directory and the tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hotrow.console import report_error
from hotrow.errors import HotrowError
from hotrow.load.board import Setup
from hotrow.load.current_run import CurrentRun, EventWriter
from hotrow.load.gevent_waiting import COOPERATIVE
from hotrow.load.locust_options import Request, read_request
from hotrow.load.locustfile_scenario import locustfile_scenario
from hotrow.load.progress import Progress
from hotrow.run import directory as rundir
from hotrow.run.clock import RunClock
from hotrow.run.gate_rules import refuse_idle
from hotrow.run.options import GATES_FILE
from hotrow.run.plan import Cell, plan_cells
from hotrow.run.reproduction import reproduction
from hotrow.scenario import AppScenario
from hotrow.tables import schema_name
from hotrow.tables.returning import primary_keys
from hotrow.tables.run_tables import RunTables
from hotrow.targets.app_opening import for_application
from hotrow.targets.target import Targets, check_reachable, start

if TYPE_CHECKING:
    from pathlib import Path

    from locust.env import Environment

    from hotrow.load.hosts import Hosts
    from hotrow.scenario import Scenario
    from hotrow.targets.target import Target


class RunMaker:
    """Makes one run after another, each from the current options: the web form may change them."""

    def __init__(self, environment: Environment, targets: Targets, hosts: Hosts) -> None:
        self._environment, self._targets, self._hosts = environment, targets, hosts
        self.doing = "reading the options"
        """The current step, for the message to a person who interrupts it."""
        self.directory: Path | None = None
        """The directory of the last run that was made, or was being made when an error occurred."""

    def refuse_what_cannot_run(self) -> None:
        """Check every option, the directory and the target.

        Raises:
            HotrowError: the first fault that was found.
        """
        scenario, request, cells = self._plan()
        target = self._targets.of(self._host())
        rundir.refuse_unwritable(request.out)
        self._lay_out(target, scenario, request, cells)
        self.doing = "connecting to the target"
        check_reachable(start(target), COOPERATIVE)
        self.doing = "waiting for the run to start"

    def make(self) -> CurrentRun:
        """Make the run's directory and tables.

        Raises:
            HotrowError: an option is not valid, or the target refuses.
        """
        self.directory = None
        self.doing = "reading the options"
        scenario, request, cells = self._plan()
        target = start(self._targets.of(self._host()))
        self.doing = "connecting to the target"
        server_version = check_reachable(target, COOPERATIVE)
        tables = self._lay_out(target, scenario, request, cells)
        self.directory = rundir.make_directory(request.out, scenario.name)
        event_writer = EventWriter(self.directory)
        used = for_application(target) if isinstance(scenario, AppScenario) else target
        description = used.description(server_version)
        rundir.write_run_json(
            event_writer.directory,
            scenario=scenario,
            cells=cells,
            target=description,
            settings=request.settings,
            seed=request.seed,
            think_s=request.think_s,
            options=request.options,
            tables=sorted(primary_keys(scenario.tables())),
            reproduce=self._reproduction(request),
            gate_rules=request.gates.rules,
        )
        self._prepare(tables, request, event_writer)
        return CurrentRun(
            scenario=scenario,
            request=request,
            cells=cells,
            event_writer=event_writer,
            tables=tables,
            progress=Progress(cells, shown=request.progress),
            clock=RunClock.start(),
            users=cells[0].users,
            wanted_users=cells[0].users,
            target=description,
        )

    def setup(self, run: CurrentRun, workers: int) -> Setup:
        """The description of a run for its workers."""
        return Setup(
            directory=str(run.directory.resolve()),
            host=self._host(),
            chosen=self._chosen(),
            schemas=run.tables.schemas,
            seed=run.request.seed,
            think_s=run.request.think_s,
            receipts=run.request.receipts,
            cells=run.cells,
            workers=workers,
            watched=self._environment.web_ui is not None,
        )

    def _lay_out(
        self, target: Target, scenario: Scenario, request: Request, cells: tuple[Cell, ...]
    ) -> RunTables:
        scenarios = [type(scenario)(**cell.knobs) for cell in cells]
        return RunTables(
            target,
            schema_name.new_name(),
            scenarios,
            COOPERATIVE,
            keys=request.settings.keys,
            receipts=request.receipts,
        )

    def _prepare(self, tables: RunTables, request: Request, event_writer: EventWriter) -> None:
        """Make the tables and rehearse a few transactions on them; after an error drop the tables."""
        self.doing = "filling the tables"
        try:
            tables.build(progress=request.progress)
            self.doing = "rehearsing the scenario's transactions"
            findings = tables.rehearse(request.seed)
        except BaseException:  # also an interruption
            drop(tables)
            raise
        if findings:
            event_writer.write("rehearsal", findings=[finding.as_json() for finding in findings])

    def request(self) -> Request:
        """The request that the options describe. Raises UsageError if an option is not valid."""
        options = self._environment.parsed_options
        assert options is not None  # noqa: S101 - Locust parsed its command line before it fired `init`
        return read_request(options, self._scenario())

    def _reproduction(self, request: Request) -> str:
        """The command that makes this run again."""
        started = self._environment.parsed_options
        file = getattr(started, GATES_FILE.name, "")  # run.json has its tables, the command its path
        return reproduction(
            {**request.options, GATES_FILE.name: file},
            host=self._host(),
            scenario=self._chosen(),
            locustfile=getattr(started, "locustfile", None),
            processes=getattr(started, "processes", None),
        )

    def wanted(self) -> tuple[Request, Cell]:
        """The current request and its first cell, checked as for a new run. Raises UsageError."""
        _, request, cells = self._plan()
        return request, cells[0]

    def _scenario(self) -> Scenario:
        return locustfile_scenario(self._environment.user_classes, self._chosen())

    def _chosen(self) -> str | None:
        """The value of `--scenario`; None if the locustfile does not have this option."""
        return getattr(self._environment.parsed_options, "scenario", None)

    def _plan(self) -> tuple[Scenario, Request, tuple[Cell, ...]]:
        """The scenario, request and cells by the current options, checked."""
        scenario, request = self._scenario(), self.request()
        cells = plan_cells(request.settings, scenario, request.seed)
        refuse_idle(GATES_FILE.flag, request.gates.rules, [cell.as_json() for cell in cells], scenario.kinds)
        return scenario, request, cells

    def _host(self) -> str:
        return self._hosts.real(self._environment.host or "local")


def drop(tables: RunTables) -> None:
    """Drop a run's tables. If that fails, report the error; the measurements are kept."""
    try:
        tables.drop()
    except HotrowError as error:
        report_error(error)
