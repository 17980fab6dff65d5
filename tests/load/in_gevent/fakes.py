"""Fakes of a runner, tables and a run, without Locust's loop and without a database."""

from __future__ import annotations

from collections import defaultdict
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import gevent

from hotrow.load.conductor import Conductor
from hotrow.load.current_run import CurrentRun, EventWriter
from hotrow.load.hosts import Hosts
from hotrow.load.progress import Progress
from hotrow.load.run_maker import RunMaker
from hotrow.run.clock import RunClock
from hotrow.run.plan import Settings, plan_cells
from hotrow.scenario import Tally, Verdict
from hotrow.targets.target import Targets
from scenarios.counter import Counter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hotrow.run.plan import Cell

SETTINGS = Settings(
    skews=("hot",),
    keys=10,
    levels=(2,),
    retry="none",
    knobs={},
    redraw=False,
    repeats=1,
    warmup_s=0.0,
    duration_s=None,
)


def cells(duration_s: float | None = None, *, repeats: int = 1) -> tuple[Cell, ...]:
    """The cells of a small run of the counter."""
    settings = Settings(**{**_as_dict(SETTINGS), "duration_s": duration_s, "repeats": repeats})
    return plan_cells(settings, Counter(), 1)


def _as_dict(settings: Settings) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in Settings.__dataclass_fields__}


def setup_message(directory: Path, planned: tuple[Cell, ...]) -> dict[str, Any]:
    """The message that sets up a board for a run; its target is never connected."""
    return {
        "directory": str(directory),
        "host": "postgresql://127.0.0.1:1/nobody",
        "chosen": None,
        "schemas": tuple("s" for _ in planned),
        "seed": 1,
        "think_s": 0.0,
        "receipts": False,
        "cells": [cell.as_json() for cell in planned],
        "workers": 1,
    }


class Runner:
    """Delivers messages to their listeners, as Locust's local runner does, and keeps them."""

    def __init__(self, worker_count: int = 1) -> None:
        self.worker_count = worker_count
        self.worker_index = 0
        self.clients: dict[str, Any] = {}
        self.sent: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.listeners: dict[str, Callable[..., None]] = {}
        self.quits = 0
        self.on_quit: Callable[[], None] = lambda: None

    def register_message(self, kind: str, listener: Callable[..., None]) -> None:
        self.listeners[kind] = listener

    def send_message(self, kind: str, data: dict[str, Any], client_id: str | None = None) -> None:
        assert client_id is None
        self.sent[kind].append(data)
        if kind in self.listeners:
            self.listeners[kind](msg=SimpleNamespace(data=data, node_id="local"))

    def hear(self, kind: str, node: str, **data: Any) -> None:
        """Deliver a message from the worker with this id."""
        self.listeners[kind](msg=SimpleNamespace(data=data, node_id=node))

    def quit(self) -> None:
        self.quits += 1
        self.on_quit()

    def stop(self) -> None:
        self.quits += 1
        self.on_quit()


class FakeTables:
    """Tables that note every call; judging them raises `error`, if it is set."""

    schemas: tuple[str, ...] = ("s", "s", "s")

    def __init__(self) -> None:
        self.judged: list[tuple[int, Tally, bool]] = []
        self.read: list[tuple[str, int]] = []
        self.dropped = 0
        self.like: list[int] = []
        self.error: Exception | None = None

    def add(self, like: int) -> None:
        self.like.append(like)
        self.schemas = (*self.schemas, self.schemas[like])

    def prepare(self, cell: int) -> None:
        self.read.append(("before", cell))

    def judge(self, cell: int, tally: Tally, *, records_lost: bool) -> list[Verdict]:
        self.read.append(("after", cell))
        self.judged.append((cell, tally, records_lost))
        if self.error is not None:
            raise self.error
        return [Verdict("all is well", valid=None if records_lost else True)]

    def drop(self) -> None:
        self.dropped += 1


def environment(*, shape: object | None = None) -> Any:
    """The part of Locust's environment that a conductor uses."""
    return SimpleNamespace(
        shape_class=shape,
        process_exit_code=None,
        parsed_options=SimpleNamespace(headless=True, run_time=None),
        web_ui=None,
        host="local",
        user_classes=[],
    )


def open_run(directory: Path, planned: tuple[Cell, ...]) -> CurrentRun:
    """A run on fake tables whose events go to `directory`."""
    return CurrentRun(
        scenario=Counter(),
        request=SimpleNamespace(  # type: ignore[arg-type]  # the part that a conductor reads
            gates=None, seed=1, think_s=0.0, receipts=False, no_report=False, options={"keys": "10"}
        ),
        cells=planned,
        event_writer=EventWriter(directory),
        tables=FakeTables(),  # type: ignore[arg-type]  # the same interface
        progress=Progress(planned, shown=False),
        clock=RunClock.start(),
        users=planned[0].users,
        wanted_users=planned[0].users,
    )


class ReadyMaker(RunMaker):
    """Makes no run: it returns the run that was passed in."""

    def __init__(self, run: CurrentRun, environment: Any) -> None:
        super().__init__(environment, Targets(), Hosts())
        self.run = run
        self.made = 0
        self.wish: tuple[Any, Cell] = (run.request, run.cells[0])
        """The request and the cell that the options describe now."""

    def make(self) -> CurrentRun:
        self.made += 1
        return self.run

    def wanted(self) -> tuple[Any, Cell]:
        return self.wish


class Led(Conductor):
    """A conductor of a ready run, which notes the directories to report on instead of drawing reports."""

    def __init__(
        self, run: CurrentRun, runner: Runner, *, shape: object | None = None, **options: Any
    ) -> None:
        self.environment = environment(shape=shape)
        self.maker = ReadyMaker(run, self.environment)
        super().__init__(self.environment, runner, self.maker, **options)
        self.reported: list[Path] = []
        self.exit_code = 0

    def _report(self, run: CurrentRun) -> None:
        self.reported.append(run.directory)
        run.exit_codes.append(self.exit_code)


def until(condition: Callable[[], bool], what: str) -> None:
    """Let the greenlets run until the condition holds; fail after 20 s."""
    with gevent.Timeout(20, AssertionError(f"never: {what}")):
        while not condition():
            gevent.sleep(0.005)
