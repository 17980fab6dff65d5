"""One run of the tap: from its directory to its seal."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import signal
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import uvloop

from hotrow.errors import RunError
from hotrow.interruption import SIGNALS, signals_delayed
from hotrow.run.clock import RunClock
from hotrow.run.directory import make_directory, write_observed_run_json
from hotrow.run.ledger import append_event, append_health
from hotrow.run.observed_run import observed_cell
from hotrow.run.process_reading import ProcessReading
from hotrow.run.seal import write_seal
from hotrow.tap.recorder import CELL, Recorder
from hotrow.tap.tap_server import TapServer

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping
    from pathlib import Path

    from hotrow.standin.endpoint.joining import Translation
    from hotrow.standin.endpoint.latency import LatencyProfile
    from hotrow.tap.server_login import ServerLogin

_WRITE_S = 0.5
"""How often the ledger is written. A crash loses what was seen since then."""
_SAMPLE_S = 0.01
_HEALTH_S = 1.0
_DRAIN_S = 2.0
"""How long transactions that are under way may still take when the tap ends."""
_DRAIN_STEP_S = 0.01
_OPEN_FILES = 32_768


@dataclass(frozen=True, slots=True)
class Route:
    """Where the tap's clients come in and where they go."""

    server: socket.socket
    login: ServerLogin
    translation: Translation
    latency: LatencyProfile


@dataclass(frozen=True, slots=True)
class Labels:
    """What run.json says about the run."""

    name: str
    target: Mapping[str, Any]
    options: Mapping[str, Any]
    reproduce: str


def record(route: Route, labels: Labels, out: Path, seconds: float | None) -> Path:
    """Relay and record until a signal comes, or for this many seconds; the run's directory.

    Raises:
        RunError: the directory cannot be written, or not everything could be written at the end.
    """
    directory = make_directory(out, labels.name)
    write_observed_run_json(
        directory,
        cell=observed_cell(labels.name),
        target=labels.target,
        options=labels.options,
        reproduce=labels.reproduce,
    )
    recorder = Recorder(directory, RunClock.start())
    _allow_many_files()
    reason = uvloop.run(_serve_until_signal(route, recorder, seconds))
    with signals_delayed():
        finish(recorder, reason)
    return directory


def finish(recorder: Recorder, reason: str = "") -> None:
    """Close the files of a run and seal it; `reason` says why it ended early.

    Raises:
        RunError: not everything could be written.
    """
    totals = recorder.totals
    try:
        recorder.finish(reason)
    finally:
        if totals.lost or recorder.fault:
            with contextlib.suppress(RunError):
                lost = recorder.fault or f"{totals.lost} attempts could not be kept"
                append_event(recorder.directory, {"event": "lost", "worker": 0, "cell": CELL, "reason": lost})
    append_event(
        recorder.directory,
        {
            "event": "tap",
            "connections": totals.connections,
            "unwatched": totals.unwatched,
            "bytes_from_clients": totals.bytes_from_clients,
            "bytes_to_clients": totals.bytes_to_clients,
        },
    )
    write_seal(recorder.directory)


async def _serve_until_signal(route: Route, recorder: Recorder, seconds: float | None) -> str:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, ended.set)
    if seconds is not None:
        loop.call_later(seconds, ended.set)
    return await serve(route, recorder, ended)


async def serve(route: Route, recorder: Recorder, ended: asyncio.Event) -> str:
    """Relay and record until `ended` is set; why it ended earlier, empty if it did not."""
    server = TapServer(route.login, route.translation, route.latency, recorder)
    loop = asyncio.get_running_loop()
    tasks = [
        loop.create_task(server.serve(route.server)),
        loop.create_task(_write_regularly(recorder)),
        loop.create_task(_watch_health(recorder)),
    ]
    stopping = loop.create_task(ended.wait())
    done, _ = await asyncio.wait([*tasks, stopping], return_when=asyncio.FIRST_COMPLETED)
    route.server.close()
    await _drain(server)
    server.ending = True
    for task in (*tasks, stopping):
        task.cancel()
    await asyncio.gather(*tasks, stopping, return_exceptions=True)
    failed = next((task.exception() for task in done if task is not stopping), None)
    return "" if failed is None else f"the tap failed: {type(failed).__name__}"


async def _drain(server: TapServer) -> None:
    """Let transactions that are under way end, for a short time."""
    until_s = time.monotonic() + _DRAIN_S
    while server.under_way and time.monotonic() < until_s:  # noqa: ASYNC110 - many connections, no one event
        await asyncio.sleep(_DRAIN_STEP_S)


async def _write_regularly(recorder: Recorder) -> None:
    told = False
    while True:
        await asyncio.sleep(_WRITE_S)
        recorder.write()
        if recorder.fault and not told:
            sys.stderr.write(f"hotrow: {recorder.fault}; the attempts are kept in memory until it can\n")
        told = bool(recorder.fault)


async def _watch_health(recorder: Recorder) -> None:
    """Write a health line per second: how busy the tap is, and how late its event loop."""
    since, lags_ms = ProcessReading.take(), []
    try:
        while True:
            before_ns = time.perf_counter_ns()
            await asyncio.sleep(_SAMPLE_S)
            now_ns = time.perf_counter_ns()
            lags_ms.append(max(0.0, (now_ns - before_ns) / 1e6 - _SAMPLE_S * 1e3))
            if now_ns - since.perf_ns >= _HEALTH_S * 1e9:
                since = _write_health(recorder, since, lags_ms)
                lags_ms = []
    finally:
        _write_health(recorder, since, lags_ms)


def _write_health(recorder: Recorder, since: ProcessReading, lags_ms: list[float]) -> ProcessReading:
    now = ProcessReading.take()
    with contextlib.suppress(RunError):  # health alone is not worth a message
        line = {"cell": CELL, **now.line(since, lags_ms, recorder.clock)}
        append_health(recorder.directory, 0, line)
    return now


def _allow_many_files() -> None:
    """Raise the limit of open files: each connection needs two."""
    current, limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if limit == resource.RLIM_INFINITY else min(limit, _OPEN_FILES)
    if current != resource.RLIM_INFINITY and current < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, limit))
