"""The listeners by which a run begins and ends under Locust."""

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
from hotrow.load import locust_exit, locust_statistics, locust_time
from hotrow.load.board import Board
from hotrow.load.channel import MODE
from hotrow.load.conductor import Conductor
from hotrow.load.live.routes import serve
from hotrow.load.live.spectator import Spectator
from hotrow.load.locust_options import check_host
from hotrow.load.orphans import end_with_master
from hotrow.load.run_maker import RunMaker
from hotrow.load.signals import Ending
from hotrow.load.web.checked_start import take_over_start
from hotrow.load.web.guard import guard
from hotrow.load.web.page import add_page
from hotrow.targets.target import Targets

if TYPE_CHECKING:
    from collections.abc import Callable

    from locust.env import Environment

STOP_TIMEOUT_S = 30.0
"""How long a user may take to finish its attempt, unless Locust's option says otherwise."""
_CHILDREN_END_S = 3.0
"""How long forked workers may take to end after the run."""
_WORKER_PATIENCE_S = 10.0
"""How long a worker that received a signal waits for its master to end the run."""


_EXIT = locust_exit.take_over()
locust_time.take_over()
locust_statistics.take_over()


class RunContext:
    """The context of a process: a board if it has users, a conductor if it leads the run."""

    def __init__(self, board: Board | None, conductor: Conductor | None, ending: Ending) -> None:
        self.board = board
        self.conductor = conductor
        self.ending = ending


def context_of(environment: Environment) -> RunContext:
    """The context that an environment carries."""
    return cast("RunContext", environment.hotrow)  # type: ignore[attr-defined]


@events.init_command_line_parser.add_listener
def _on_start_of_locust(**_: Any) -> None:
    """When Locust makes its parser for the first time; its web page makes it again at every visit."""
    if _EXIT.environment is not None:
        return
    take_over_output()
    end_while_starting()


@events.init.add_listener
def _on_init(environment: Environment, runner: Any, **_: Any) -> None:
    """Prepare this process for runs; refuse what cannot run before anything starts."""
    try:
        _prepare(environment, runner)
    except Exception as error:  # noqa: BLE001 - Locust would exit with 1, which means that a gate failed
        refusal = in_a_line(error)
        report_error(refusal)
        _end_forked_workers(0.0)
        sys.exit(refusal.exit_code)


def _prepare(environment: Environment, runner: Any) -> None:
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
        environment.hotrow = _worker_context(environment, runner, board)  # type: ignore[attr-defined]
        return
    _serialize_stops(runner)
    by_itself = bool(getattr(options, "headless", False) or getattr(options, "autostart", False))
    environment.process_exit_code = ERROR if by_itself else FINE
    maker = RunMaker(environment, targets, hosts)
    spectator = Spectator(runner, is_on=environment.web_ui is not None)
    if environment.web_ui is not None:
        serve(environment.web_ui, spectator)
    run_time_s = _take_run_time(options) if by_itself else None
    conductor = Conductor(environment, runner, maker, run_time_s, spectator=spectator)
    ending = Ending(conductor.interrupt, conductor.what_is_left)
    environment.hotrow = RunContext(board, conductor, ending)  # type: ignore[attr-defined]
    if environment.web_ui is not None:
        take_over_start(environment, hosts, conductor)
        add_page(environment, conductor)
    ending.install()
    maker.refuse_what_cannot_run()


def _worker_context(environment: Environment, runner: WorkerRunner, board: Board) -> RunContext:
    """The context of a worker, whose master ends the run, unless the master does not answer."""
    environment.process_exit_code = FINE

    def leave(signal_name: str) -> None:
        if board.is_at_work:
            # A terminal sends Ctrl-C to the master too, so only other signals are passed on to it.
            board.leaving = None if signal_name == "SIGINT" else signal_name
            gevent.sleep(_WORKER_PATIENCE_S)
        board.close()
        runner.quit()

    ending = Ending(leave, lambda: "its last records may be lost")
    ending.install()
    end_with_master(runner, board, forked=MODE.forks)
    return RunContext(board, None, ending)


def _serialize_stops(runner: Any) -> None:
    """Let a second stop wait for the first: at the same time, both would stop every user."""
    stop, lock = runner.stop, RLock()

    def stop_in_turn(*words: Any, **options: Any) -> None:
        with lock:
            stop(*words, **options)

    runner.stop = stop_in_turn


def _take_run_time(options: Any) -> float | None:
    """The value of `-t`, taken from Locust, which would start to count before the tables are filled."""
    seconds: float | None = options.run_time
    options.run_time = None
    return seconds


def _end_forked_workers(grace_s: float) -> None:
    """End the workers of `--processes`, because Locust waits forever for a worker that hangs.

    They were told to end before. A worker that still runs after `grace_s` is killed.
    """
    this_process = psutil.Process()
    workers = [child for child in this_process.children() if _is_fork_of(this_process, child)]
    deadline = time.monotonic() + grace_s
    while time.monotonic() < deadline and any(_is_alive(worker) for worker in workers):
        gevent.sleep(0.05)
    for worker in workers:
        if _is_alive(worker):
            worker.kill()


def _is_fork_of(parent: psutil.Process, child: psutil.Process) -> bool:
    try:
        return child.cmdline() == parent.cmdline()
    except psutil.Error:
        return False


def _is_alive(worker: psutil.Process) -> bool:
    try:
        return worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@events.test_start.add_listener
def _on_test_start(environment: Environment, **_: Any) -> None:
    context = context_of(environment)
    context.ending.install()  # Locust has set its own handler of SIGTERM meanwhile
    if context.conductor is None:
        return
    try:
        context.conductor.begin()
    except Exception as error:  # noqa: BLE001 - Locust would log it and go on forever without a run
        context.conductor.abandon(error)


def _conduct(environment: Environment, step: Callable[[Conductor], None]) -> None:
    """Take a step in the process that leads the run; do nothing in a worker."""
    conductor = context_of(environment).conductor
    if conductor is None:
        return
    try:
        step(conductor)
    except Exception as error:  # noqa: BLE001 - Locust would only log it
        report_error(in_a_line(error))
        environment.process_exit_code = HotrowError.exit_code


@events.test_stopping.add_listener
def _on_test_stopping(environment: Environment, **_: Any) -> None:
    _conduct(environment, Conductor.stop)


@events.test_stop.add_listener
def _on_test_stop(environment: Environment, **_: Any) -> None:
    _conduct(environment, Conductor.finish)
    if isinstance(environment.runner, WorkerRunner):
        environment.stop_timeout = 0.0  # otherwise a worker sleeps this long before the next run


@events.quitting.add_listener
def _on_quitting(environment: Environment, **_: Any) -> None:
    """End a run that is still in progress, and set the exit code."""
    context = context_of(environment)
    _conduct(environment, Conductor.stop)
    _conduct(environment, Conductor.finish)
    if context.conductor is None and context.board is not None:
        context.board.close()
    if isinstance(environment.runner, MasterRunner):
        _end_forked_workers(_CHILDREN_END_S)
