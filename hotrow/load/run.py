"""How a run begins and ends under Locust: its listeners, and what its environment carries meanwhile."""

from __future__ import annotations

import logging
import sys
import time
from typing import TYPE_CHECKING, Any, cast

import gevent
import psutil
from gevent.lock import RLock
from locust import events
from locust.runners import MasterRunner, WorkerRunner

from hotrow.console import report_error
from hotrow.console import take_over as take_over_output
from hotrow.errors import HotrowError, in_a_line
from hotrow.exit_codes import ERROR, FINE
from hotrow.interruption import end_while_starting
from hotrow.load import own_exit, steady_time
from hotrow.load.board import Board
from hotrow.load.channel import MODE
from hotrow.load.conductor import Conductor
from hotrow.load.making import Maker
from hotrow.load.options import check_host
from hotrow.load.orphans import end_with_master
from hotrow.load.signals import Ending
from hotrow.load.web import guard
from hotrow.targets.target import Targets

if TYPE_CHECKING:
    from collections.abc import Callable

    from locust.env import Environment

STOP_TIMEOUT_S = 30.0
"""How long a user may finish its attempt in, if Locust was not told otherwise."""
_CHILDREN_END_S = 3.0
"""How long forked workers may take to end after the run."""
_WORKER_PATIENCE_S = 10.0
"""How long a worker that got a signal waits for its master to end the run."""


_EXIT = own_exit.take_over()
steady_time.take_over()


class Run:
    """What Locust's environment carries: a board if users run here, a conductor if the run is led here."""

    def __init__(self, board: Board | None, conductor: Conductor | None, ending: Ending) -> None:
        self.board = board
        self.conductor = conductor
        self.ending = ending


def of(environment: Environment) -> Run:
    """The run of an environment."""
    return cast("Run", environment.hotrow)  # type: ignore[attr-defined]


@events.init_command_line_parser.add_listener
def _on_start_of_locust(**_: Any) -> None:
    take_over_output()
    end_while_starting()


@events.init.add_listener
def _on_init(environment: Environment, runner: Any, **_: Any) -> None:
    """Refuse what cannot run before anything starts; then stand ready."""
    try:
        _stand_ready(environment, runner)
    except Exception as error:  # noqa: BLE001 - Locust would exit 1, which says that a gate failed
        refusal = in_a_line(error)
        report_error(refusal)
        _end_forked_workers(0.0)
        sys.exit(refusal.exit_code)


def _stand_ready(environment: Environment, runner: Any) -> None:
    options = environment.parsed_options
    _EXIT.environment = environment
    check_host(environment.host)
    hosts = guard(environment)
    if getattr(options, "progress", False):
        logging.getLogger("locust.stats_logger").disabled = True
    environment.stop_timeout = environment.stop_timeout or STOP_TIMEOUT_S
    targets = Targets()
    board = None if isinstance(runner, MasterRunner) else Board(runner, targets)
    if isinstance(runner, WorkerRunner):
        assert board is not None  # noqa: S101 - a worker has users
        environment.hotrow = _ready_to_work(environment, runner, board)  # type: ignore[attr-defined]
        return
    _stop_once_at_a_time(runner)
    by_itself = bool(getattr(options, "headless", False) or getattr(options, "autostart", False))
    environment.process_exit_code = ERROR if by_itself else FINE
    maker = Maker(environment, targets, hosts)
    conductor = Conductor(environment, runner, maker, _take_run_time(options) if by_itself else None)
    ending = Ending(conductor.interrupt, conductor.what_is_left)
    environment.hotrow = Run(board, conductor, ending)  # type: ignore[attr-defined]
    ending.install()
    maker.refuse_what_cannot_run()


def _ready_to_work(environment: Environment, runner: WorkerRunner, board: Board) -> Run:
    """A worker leaves the end of a run to its master, unless that does not answer."""
    environment.process_exit_code = FINE

    def leave(signal_name: str) -> None:
        if board.is_at_work:
            # A terminal sends Ctrl-C to the master too; only what was meant for this process is passed on.
            board.leaving = None if signal_name == "SIGINT" else signal_name
            gevent.sleep(_WORKER_PATIENCE_S)
        board.close()
        runner.quit()

    ending = Ending(leave, lambda: "its last records may be lost")
    ending.install()
    end_with_master(runner, board, forked=MODE.forks)
    return Run(board, None, ending)


def _stop_once_at_a_time(runner: Any) -> None:
    """A second stop waits for the first, and then has nothing to do: Locust would stop every user twice."""
    stop, lock = runner.stop, RLock()

    def stop_in_turn(*words: Any, **options: Any) -> None:
        with lock:
            stop(*words, **options)

    runner.stop = stop_in_turn


def _take_run_time(options: Any) -> float | None:
    """`-t`, which the conductor keeps: Locust would start to count before there are tables."""
    seconds: float | None = options.run_time
    options.run_time = None
    return seconds


def _end_forked_workers(grace_s: float) -> None:
    """End the workers of `--processes`: Locust waits for them, for ever if one stands still.

    They are told in another way before; whoever does not listen within `grace_s` is killed.
    """
    own = psutil.Process()
    workers = [child for child in own.children() if _is_fork_of(own, child)]
    deadline = time.monotonic() + grace_s
    while time.monotonic() < deadline and any(_is_alive(worker) for worker in workers):
        gevent.sleep(0.05)
    for worker in workers:
        if _is_alive(worker):
            worker.kill()


def _is_fork_of(own: psutil.Process, child: psutil.Process) -> bool:
    try:
        return child.cmdline() == own.cmdline()
    except psutil.Error:
        return False


def _is_alive(worker: psutil.Process) -> bool:
    try:
        return worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@events.test_start.add_listener
def _on_test_start(environment: Environment, **_: Any) -> None:
    run = of(environment)
    run.ending.install()  # Locust has set its own handler of SIGTERM since
    if run.conductor is None:
        return
    try:
        run.conductor.begin()
    except Exception as error:  # noqa: BLE001 - Locust would log it and go on for ever without a run
        run.conductor.abandon(error)


def _led(environment: Environment, step: Callable[[Conductor], None]) -> None:
    conductor = of(environment).conductor
    if conductor is None:
        return
    try:
        step(conductor)
    except Exception as error:  # noqa: BLE001 - Locust would only log it
        report_error(in_a_line(error))
        environment.process_exit_code = HotrowError.exit_code


@events.test_stopping.add_listener
def _on_test_stopping(environment: Environment, **_: Any) -> None:
    _led(environment, Conductor.stop)


@events.test_stop.add_listener
def _on_test_stop(environment: Environment, **_: Any) -> None:
    _led(environment, Conductor.finish)
    if isinstance(environment.runner, WorkerRunner):
        environment.stop_timeout = 0.0  # a worker sleeps so long before it is ready for the next run


@events.quitting.add_listener
def _on_quitting(environment: Environment, **_: Any) -> None:
    """Whatever still runs is ended properly, and the exit code is set."""
    run = of(environment)
    _led(environment, Conductor.stop)
    _led(environment, Conductor.finish)
    if run.conductor is None and run.board is not None:
        run.board.close()
    if isinstance(environment.runner, MasterRunner):
        _end_forked_workers(_CHILDREN_END_S)
