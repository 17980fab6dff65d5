"""How a run begins and ends under Locust: its listeners, and what hangs on the environment meanwhile."""

from __future__ import annotations

import logging
import sys
import traceback
from typing import TYPE_CHECKING, Any, cast

from locust import events
from locust.runners import MasterRunner, WorkerRunner

from hotrow.errors import HotrowError, UsageError
from hotrow.finish import report_error
from hotrow.load.board import Board
from hotrow.load.conductor import Conductor

if TYPE_CHECKING:
    from collections.abc import Iterable

    from locust.env import Environment

    from hotrow.scenario import Scenario

STOP_TIMEOUT_S = 30.0
"""How long a user may finish its attempt in, where Locust was not told otherwise."""


class Run:
    """What hangs on Locust's environment: a board where users run, a conductor where the run is led."""

    def __init__(self, environment: Environment, board: Board | None, conductor: Conductor | None) -> None:
        options: Any = environment.parsed_options
        self.scenario = declared_scenario(environment.user_classes, getattr(options, "scenario", None))
        self.board = board
        self.conductor = conductor


def of(environment: Environment) -> Run:
    """The run of an environment."""
    return cast("Run", environment.hotrow)  # type: ignore[attr-defined]


def declared_scenario(kinds: Iterable[type[Any]], chosen: str | None) -> Scenario:
    """The scenario of a locustfile: the one its user class names, or the one that `--scenario` chooses.

    Raises:
        UsageError: none is named, or the chosen one is unknown.
    """
    for kind in kinds:
        if getattr(kind, "scenario", None) is not None:
            return cast("Scenario", kind.scenario)
        if chosen in getattr(kind, "scenarios", {}):
            return cast("Scenario", kind.scenarios[chosen]())
    known = sorted({name for kind in kinds for name in getattr(kind, "scenarios", {})})
    if known:
        raise UsageError(f"--scenario {chosen}: unknown scenario; use {', '.join(known)}")
    raise UsageError("the locustfile's user class names no scenario; set `scenario = YourScenario()`")


@events.init.add_listener
def _on_init(environment: Environment, runner: Any, **_: Any) -> None:
    """Refuse what cannot run before anything starts; then stand ready."""
    try:
        environment.hotrow = _stand_ready(environment, runner)  # type: ignore[attr-defined]
    except HotrowError as error:
        report_error(error)
        sys.exit(error.exit_code)
    except Exception:  # noqa: BLE001 - Locust would exit 1, which says that a gate failed
        traceback.print_exc()
        sys.exit(HotrowError.exit_code)


def _stand_ready(environment: Environment, runner: Any) -> Run:
    environment.host = environment.host or "local"
    if getattr(environment.parsed_options, "progress", False):
        logging.getLogger("locust.stats_logger").disabled = True
    environment.stop_timeout = environment.stop_timeout or STOP_TIMEOUT_S
    board = None if isinstance(runner, MasterRunner) else Board(runner)
    if isinstance(runner, WorkerRunner):
        return Run(environment, board, None)
    run = Run(environment, board, None)
    conductor = Conductor(environment, runner, run.scenario)
    conductor.refuse_what_cannot_run()
    run.conductor = conductor
    return run


@events.test_start.add_listener
def _on_test_start(environment: Environment, **_: Any) -> None:
    conductor = of(environment).conductor
    if conductor is None:
        return
    try:
        conductor.begin()
    except HotrowError as error:
        conductor.abandon(error)


@events.test_stopping.add_listener
def _on_test_stopping(environment: Environment, **_: Any) -> None:
    conductor = of(environment).conductor
    if conductor is not None:
        conductor.stop()


@events.test_stop.add_listener
def _on_test_stop(environment: Environment, **_: Any) -> None:
    conductor = of(environment).conductor
    if conductor is not None:
        conductor.finish()


@events.quitting.add_listener
def _on_quitting(environment: Environment, **_: Any) -> None:
    """SIGTERM comes here first: whatever still runs is ended properly, and the exit code is set."""
    run = of(environment)
    if run.conductor is not None:
        run.conductor.stop()
        run.conductor.finish()
    elif run.board is not None:
        run.board.close()
