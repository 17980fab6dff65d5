"""The health of a load process: the lag of its event loop, and the CPU that it and the machine use.

A client with a late event loop sends late and measures late. A cell in which this happens is not usable.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import gevent

from hotrow.errors import RunError
from hotrow.run.ledger import append_health
from hotrow.run.process_reading import ProcessReading

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
        self._begin_line(ProcessReading.take())
        self._greenlets = [gevent.spawn(self._sample), gevent.spawn(self._write)]

    def cut(self, cell: int | None) -> None:
        """End the current line; the next lines belong to `cell`, or to no cell (None)."""
        now = ProcessReading.take()
        self._append(now)
        self._begin_line(now)  # even if the line was not written: the next one is of another cell
        self._cell = cell

    def stop(self) -> None:
        """Stop sampling and write the last line."""
        gevent.killall(self._greenlets)
        self._append(ProcessReading.take())

    def _sample(self) -> None:
        while True:
            before_ns = time.perf_counter_ns()
            gevent.sleep(SAMPLE_INTERVAL_S)
            slept_ms = (time.perf_counter_ns() - before_ns) / 1e6
            self._lags_ms.append(max(0.0, slept_ms - SAMPLE_INTERVAL_S * 1e3))

    def _write(self) -> None:
        while True:
            gevent.sleep(WRITE_INTERVAL_S)
            now = ProcessReading.take()
            if self._append(now):
                self._begin_line(now)
            self._each_second()

    def _append(self, now: ProcessReading) -> bool:
        """Write the line that ends now; return whether it was written."""
        line = {
            "cell": self._cell,
            **now.line(self._since, self._lags_ms, self._clock),
            **self._connections(),
        }
        try:
            append_health(self._directory, self._worker, line)
        except RunError:
            return False
        return True

    def _begin_line(self, now: ProcessReading) -> None:
        self._since = now
        self._lags_ms: list[float] = []
