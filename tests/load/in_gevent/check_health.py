"""Health lines: each covers a known time in one cell, and every sample of lag is in exactly one line."""

from __future__ import annotations

import time
from collections import namedtuple
from typing import TYPE_CHECKING

import gevent
import pytest

from hotrow.errors import RunError
from hotrow.load import health as health_module
from hotrow.load.health import Health
from hotrow.run import process_reading
from hotrow.run.clock import RunClock
from hotrow.run.ledger import read_health
from tests.load.in_gevent.fakes import until

if TYPE_CHECKING:
    from pathlib import Path


def begun(directory: Path, flushes: list[int] | None = None) -> Health:
    """A worker's health, measured from now on; each second adds an item to `flushes`."""
    seconds = [] if flushes is None else flushes
    return Health(directory, 0, RunClock.start(), each_second=lambda: seconds.append(1), connections=dict)


def test_no_line_covers_two_cells(tmp_path: Path) -> None:
    """A cut ends the line of the open cell, and the next line begins where it ended."""
    health = begun(tmp_path)
    health.cut(0)
    gevent.sleep(0.05)
    health.cut(None)
    health.stop()

    lines = read_health(tmp_path)[0].objects
    assert [line["cell"] for line in lines] == [None, 0, None]
    starts = [line["wall_ns"] - line["seconds"] * 1e9 for line in lines]
    assert abs(starts[1] - lines[0]["wall_ns"]) < 1e4
    assert abs(starts[2] - lines[1]["wall_ns"]) < 1e4
    assert 0.04 < lines[1]["seconds"] < 60


def test_a_stall_is_one_long_sample(tmp_path: Path) -> None:
    """The event loop was blocked for 200 ms; the line has that sample beside the others."""
    health = begun(tmp_path)
    gevent.sleep(0.05)
    end_s = time.perf_counter() + 0.2
    while time.perf_counter() < end_s:
        pass
    gevent.sleep(0.05)
    health.stop()

    (line,) = read_health(tmp_path)[0].objects
    assert max(line["lags_ms"]) == pytest.approx(line["lag_ms"], abs=0.01)
    assert line["lag_ms"] > 150
    assert len(line["lags_ms"]) > 3
    assert line["late_wall_ms"] == pytest.approx(0, abs=60_000)
    assert line["cores"] >= 1


def test_a_line_that_cannot_be_written_is_in_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk leaves no gap and does not stop the flushing of attempts."""
    monkeypatch.setattr(health_module, "WRITE_INTERVAL_S", 0.02)
    append, full = health_module.append_health, [True]

    def refuse(*arguments: object) -> None:
        if full[0]:
            raise RunError("No space left on device")
        append(*arguments)  # type: ignore[arg-type]  # the arguments of append_health

    monkeypatch.setattr(health_module, "append_health", refuse)
    flushes: list[int] = []
    health = begun(tmp_path, flushes)
    until(lambda: len(flushes) > 3, "four flushes")
    full[0] = False
    health.stop()

    first = read_health(tmp_path)[0].objects[0]
    assert first["seconds"] > 3 * 0.02


def test_the_machine_s_load_is_that_of_the_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 20 s of CPU time 5 s are idle, and then 20.02 s, because ticks are coarse."""
    readings = iter([(0.0, 0.0), (20.0, 5.0), (40.0, 25.02)])

    def cpu_times() -> object:
        total, idle = next(readings)
        return namedtuple("Times", "user idle")(total - idle, idle)  # noqa: PYI024 - like psutil's

    monkeypatch.setattr(process_reading.psutil, "cpu_times", cpu_times)
    health = begun(tmp_path)
    gevent.spawn(health.cut, 0).join()
    health.stop()

    lines = read_health(tmp_path)[0].objects
    assert [line["machine_cpu"] for line in lines] == [0.75, 0.0]
