"""The health of a load process: the lag of its event loop, and the CPU that it and the machine use.

A client with a late event loop sends late and measures late. A cell in which this happens is not usable.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

import gevent
import psutil

from hotrow.errors import RunError
from hotrow.run.ledger import append_health

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hotrow.run.clock import RunClock

SAMPLE_INTERVAL_S = 0.01
WRITE_INTERVAL_S = 1.0


class Health:
    """Samples this process during a run and writes one line per second to `health-<worker>.jsonl`.

    A line covers the `seconds` before its `wall_ns`. No line covers parts of two cells: `cut` ends a line. If
    a line cannot be written, the next line of the same cell covers its time too.
    """

    def __init__(
        self,
        directory: Path,
        worker: int,
        clock: RunClock,
        *,
        each_second: Callable[[], object],
        connections: Callable[[], dict[str, Any]],
    ) -> None:
        self._directory, self._worker, self._clock = directory, worker, clock
        self._each_second, self._connections = each_second, connections
        self._cell: int | None = None
        self._begin_line(_Reading.take())
        self._cores = psutil.cpu_count() or 1
        self._greenlets = [gevent.spawn(self._sample), gevent.spawn(self._write)]

    def cut(self, cell: int | None) -> None:
        """End the current line; the next lines belong to `cell`, or to no cell (None)."""
        now = _Reading.take()
        self._append(now)
        self._begin_line(now)  # even if the line was not written: the next one is of another cell
        self._cell = cell

    def stop(self) -> None:
        """Stop sampling and write the last line."""
        gevent.killall(self._greenlets)
        self._append(_Reading.take())

    def _sample(self) -> None:
        while True:
            before_ns = time.perf_counter_ns()
            gevent.sleep(SAMPLE_INTERVAL_S)
            slept_ms = (time.perf_counter_ns() - before_ns) / 1e6
            self._lags_ms.append(max(0.0, slept_ms - SAMPLE_INTERVAL_S * 1e3))

    def _write(self) -> None:
        while True:
            gevent.sleep(WRITE_INTERVAL_S)
            now = _Reading.take()
            if self._append(now):
                self._begin_line(now)
            self._each_second()

    def _append(self, now: _Reading) -> bool:
        """Write the line that ends now; return whether it was written."""
        seconds = max((now.perf_ns - self._since.perf_ns) / 1e9, 1e-9)
        line = {
            "wall_ns": self._clock.wall_ns + now.perf_ns - self._clock.perf_ns,
            "cell": self._cell,
            "seconds": seconds,
            "lag_ms": max(self._lags_ms, default=0.0),
            "lags_ms": [round(lag, 2) for lag in self._lags_ms],
            "cpu": (now.cpu_s - self._since.cpu_s) / seconds,
            "machine_cpu": now.busy_of(self._since),
            "cores": self._cores,
            "late_wall_ms": round(self._clock.late_wall_ms(), 3),
            **self._connections(),
        }
        try:
            append_health(self._directory, self._worker, line)
        except RunError:
            return False
        return True

    def _begin_line(self, now: _Reading) -> None:
        self._since = now
        self._lags_ms: list[float] = []


class _Reading(NamedTuple):
    """The clocks and CPU times of this process and the machine at one instant."""

    perf_ns: int
    cpu_s: float
    machine_s: float
    """CPU time of all cores together since the machine started, idle time included."""
    idle_s: float

    @classmethod
    def take(cls) -> _Reading:
        times = psutil.cpu_times()
        # The time of guests is part of `user` already. A core that waits for a disk is idle.
        counted = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
        return cls(
            time.perf_counter_ns(), time.process_time(), counted, times.idle + getattr(times, "iowait", 0.0)
        )

    def busy_of(self, since: _Reading) -> float:
        """The share of the machine that was busy since the other reading, 0 to 1.

        `psutil.cpu_percent` cannot be used: it keeps its last reading per thread, and under gevent each
        greenlet counts as a thread.
        """
        elapsed_s = self.machine_s - since.machine_s
        idle = (self.idle_s - since.idle_s) / elapsed_s if elapsed_s > 0 else 1.0
        return min(1.0, max(0.0, 1.0 - idle))  # cores count their ticks separately
