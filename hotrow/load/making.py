"""Makes a run: reads what was asked for, refuses what cannot run, and prepares directory and tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hotrow.console import report_error
from hotrow.errors import HotrowError
from hotrow.load.board import Setup
from hotrow.load.declared import declared_scenario
from hotrow.load.open_run import Notebook, OpenRun
from hotrow.load.options import Request, read_request
from hotrow.load.progress import Progress
from hotrow.load.waiting import COOPERATIVE
from hotrow.run import directory as rundir
from hotrow.run.clock import RunClock
from hotrow.run.plan import Cell, plan_cells
from hotrow.tables import schema_name
from hotrow.tables.run_tables import RunTables
from hotrow.targets.target import Targets, check_reachable, start

if TYPE_CHECKING:
    from pathlib import Path

    from locust.env import Environment

    from hotrow.load.hosts import Hosts
    from hotrow.scenario import Scenario
    from hotrow.targets.target import Target


class Maker:
    """Makes one run after another, each from what Locust's options say then: the web form may change them."""

    def __init__(self, environment: Environment, targets: Targets, hosts: Hosts) -> None:
        self._environment, self._targets, self._hosts = environment, targets, hosts
        self.doing = "looking at the options"
        """What is going on, for a person who interrupts it."""
        self.directory: Path | None = None
        """Of the last run that was made, or was being made when something went wrong."""

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

    def make(self) -> OpenRun:
        """Make the run's directory and tables.

        Raises:
            HotrowError: the options or the target do not allow it.
        """
        self.directory = None
        self.doing = "looking at the options"
        scenario, request, cells = self._plan()
        target = start(self._targets.of(self._host()))
        self.doing = "looking whether the target can be reached"
        server_version = check_reachable(target, COOPERATIVE)
        tables = self._lay_out(target, scenario, request, cells)
        self.directory = rundir.make_directory(request.out, scenario.name)
        notebook = Notebook(self.directory)
        rundir.write_run_json(
            notebook.directory,
            scenario=scenario,
            cells=cells,
            target=target.description(server_version),
            settings=request.settings,
            seed=request.seed,
            think_s=request.think_s,
            options=request.options,
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

    def setup(self, run: OpenRun, workers: int) -> Setup:
        """What the workers need to know of it."""
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
        )

    def _lay_out(
        self, target: Target, scenario: Scenario, request: Request, cells: tuple[Cell, ...]
    ) -> RunTables:
        turned = [type(scenario)(**cell.knobs) for cell in cells]
        return RunTables(
            target,
            schema_name.new_name(),
            turned,
            COOPERATIVE,
            keys=request.settings.keys,
            receipts=request.receipts,
        )

    def _prepare(self, tables: RunTables, request: Request, notebook: Notebook) -> None:
        """Make the tables and play a few transactions on them; what cannot run leaves none behind."""
        self.doing = "filling the tables"
        try:
            tables.build(progress=request.progress)
            self.doing = "rehearsing the scenario's transactions"
            findings = tables.rehearse(request.seed)
        except BaseException:  # being told to end, too
            drop(tables)
            raise
        if findings:
            notebook.note("rehearsal", findings=[finding.as_json() for finding in findings])

    def request(self) -> Request:
        """What the options ask for. Raises UsageError if one cannot be."""
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
        scenario, request = self._scenario(), self.request()
        return scenario, request, plan_cells(request.settings, scenario, request.seed)

    def _host(self) -> str:
        return self._hosts.real(self._environment.host or "local")


def drop(tables: RunTables) -> None:
    """Take a run's tables away; what was measured is kept all the same if that fails."""
    try:
        tables.drop()
    except HotrowError as error:
        report_error(error)
