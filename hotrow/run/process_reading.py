"""Readings of the clocks and the CPU times of a process, and the health line of the time between two."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

import psutil

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hotrow.run.clock import RunClock


class ProcessReading(NamedTuple):
    """The clocks and CPU times of this process and the machine at one instant."""

    perf_ns: int
    cpu_s: float
    machine_s: float
    """CPU time of all cores together since the machine started, idle time included."""
    idle_s: float

    @classmethod
    def take(cls) -> ProcessReading:
        """Read all of them now."""
        times = psutil.cpu_times()
        # The time of guests is part of `user` already. A core that waits for a disk is idle.
        counted = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
        return cls(
            time.perf_counter_ns(), time.process_time(), counted, times.idle + getattr(times, "iowait", 0.0)
        )

    def busy_of(self, since: ProcessReading) -> float:
        """The share of the machine that was busy since the other reading, 0 to 1.

        `psutil.cpu_percent` cannot be used: it keeps its last reading per thread, and under gevent each
        greenlet counts as a thread.
        """
        elapsed_s = self.machine_s - since.machine_s
        idle = (self.idle_s - since.idle_s) / elapsed_s if elapsed_s > 0 else 1.0
        return min(1.0, max(0.0, 1.0 - idle))  # cores count their ticks separately

    def line(self, since: ProcessReading, lags_ms: Sequence[float], clock: RunClock) -> dict[str, Any]:
        """The health line of the time since the other reading, without its cell.

        `lags_ms` is how late each sample of the event loop was.
        """
        seconds = max((self.perf_ns - since.perf_ns) / 1e9, 1e-9)
        return {
            "wall_ns": clock.wall_ns + self.perf_ns - clock.perf_ns,
            "seconds": seconds,
            "lag_ms": max(lags_ms, default=0.0),
            "lags_ms": [round(lag, 2) for lag in lags_ms],
            "cpu": (self.cpu_s - since.cpu_s) / seconds,
            "machine_cpu": self.busy_of(since),
            "cores": psutil.cpu_count() or 1,
            "late_wall_ms": round(clock.late_wall_ms(), 3),
        }
