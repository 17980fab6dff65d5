"""Whether this process kept up: event-loop lag and CPU, once a second.

A client that is late sends late and measures late; a cell in which that happened is not usable.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import gevent

from hotrow.ledger import append_health

if TYPE_CHECKING:
    from pathlib import Path

    from hotrow.load.board import Board

SAMPLE_EVERY_S = 0.01
WRITE_EVERY_S = 1.0


class Health:
    """Samples this process while a run lasts, and flushes its ledger once a second."""

    def __init__(self, directory: Path, board: Board) -> None:
        self._directory = directory
        self._board = board
        self._lags_ms: list[float] = []
        self._greenlets = [gevent.spawn(self._sample), gevent.spawn(self._write)]

    def stop(self) -> None:
        """Stop sampling; a last line has what connecting took in all."""
        gevent.killall(self._greenlets)
        if self._connections():
            self._append(0.0)

    def _sample(self) -> None:
        while True:
            before = time.perf_counter()
            gevent.sleep(SAMPLE_EVERY_S)
            self._lags_ms.append((time.perf_counter() - before - SAMPLE_EVERY_S) * 1e3)

    def _write(self) -> None:
        wall, cpu = time.perf_counter(), time.process_time()
        while True:
            gevent.sleep(WRITE_EVERY_S)
            now, used = time.perf_counter(), time.process_time()
            self._append((used - cpu) / (now - wall))
            wall, cpu = now, used
            if self._board.ledger is not None:
                self._board.ledger.flush()

    def _append(self, cpu: float) -> None:
        lags, self._lags_ms = sorted(self._lags_ms), []
        cell = self._board.cell
        append_health(
            self._directory,
            self._board.worker,
            {
                "wall_ns": time.time_ns(),
                "cell": None if cell is None else cell.id,
                "lag_ms": lags[-1] if lags else 0.0,
                "cpu": cpu,
                **self._connections(),
            },
        )

    def _connections(self) -> dict[str, Any]:
        """What connecting took since the run began, region by region; nothing where that is not counted."""
        target = self._board.target
        if target is None or not target.doors:
            return {}
        return {"connections": [{"region": door.cluster.region, **door.as_json()} for door in target.doors]}
