"""How a run begins and ends under Locust: its listeners, and what hangs on the environment meanwhile."""

from __future__ import annotations

import logging
import signal
import sys
import traceback
from typing import TYPE_CHECKING, Any, cast

import gevent
import psutil
from locust import events
from locust.runners import MasterRunner, WorkerRunner

from hotrow.errors import HotrowError, RunError
from hotrow.finish import report_error
from hotrow.load.board import Board
from hotrow.load.conductor import Conductor
from hotrow.targets.target import Targets

if TYPE_CHECKING:
    from locust.env import Environment

STOP_TIMEOUT_S = 30.0
"""How long a user may finish its attempt in, where Locust was not told otherwise."""


class Run:
    """What hangs on Locust's environment: a board where users run, a conductor where the run is led."""

    def __init__(self, board: Board | None, conductor: Conductor | None) -> None:
        self.board = board
        self.conductor = conductor


def of(environment: Environment) -> Run:
    """The run of an environment."""
    return cast("Run", environment.hotrow)  # type: ignore[attr-defined]


@events.init.add_listener
def _on_init(environment: Environment, runner: Any, **_: Any) -> None:
    """Refuse what cannot run before anything starts; then stand ready."""
    try:
        environment.hotrow = _stand_ready(environment, runner)  # type: ignore[attr-defined]
    except HotrowError as error:
        report_error(error)
        _end_forked_workers()
        sys.exit(error.exit_code)
    except Exception:  # noqa: BLE001 - Locust would exit 1, which says that a gate failed
        traceback.print_exc()
        sys.exit(HotrowError.exit_code)


def _stand_ready(environment: Environment, runner: Any) -> Run:
    environment.host = environment.host or "local"
    if getattr(environment.parsed_options, "progress", False):
        logging.getLogger("locust.stats_logger").disabled = True
    environment.stop_timeout = environment.stop_timeout or STOP_TIMEOUT_S
    targets = Targets()
    board = None if isinstance(runner, MasterRunner) else Board(runner, targets)
    if isinstance(runner, WorkerRunner) or getattr(environment.parsed_options, "headless", False):
        _end_on_signals(environment, runner, board)
    if isinstance(runner, WorkerRunner):
        return Run(board, None)
    conductor = Conductor(environment, runner, targets)
    conductor.refuse_what_cannot_run()
    return Run(board, conductor)


def _end_forked_workers() -> None:
    """End the workers of `--processes`: Locust leaves them to look for their master for a minute."""
    own = psutil.Process()
    for child in own.children():
        if child.cmdline() == own.cmdline():
            child.terminate()


def _end_on_signals(environment: Environment, runner: Any, board: Board | None) -> None:
    """End the run properly at the first Ctrl-C; the second ends the process.

    By itself Python would raise KeyboardInterrupt in whichever user is at work. Locust has a handler for
    SIGTERM, but installs it only when a headless sweep has ended.
    """

    def end() -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if board is not None and isinstance(runner, WorkerRunner):
            board.close()
        runner.quit()

    gevent.signal_handler(signal.SIGINT, end)
    if environment.shape_class is not None:
        gevent.signal_handler(signal.SIGTERM, end)


@events.test_start.add_listener
def _on_test_start(environment: Environment, **_: Any) -> None:
    conductor = of(environment).conductor
    if conductor is None:
        return
    try:
        conductor.begin()
    except HotrowError as error:
        conductor.abandon(error)
    except Exception as error:  # noqa: BLE001 - Locust would log it and go on for ever without a run
        traceback.print_exc()
        conductor.abandon(RunError(f"the run could not begin: {type(error).__name__}: {error}"))


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
