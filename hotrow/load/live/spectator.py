"""Follows a run in the process that leads it, for the Contention tab."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

import gevent

from hotrow.console import report_error
from hotrow.errors import RunError, in_a_line
from hotrow.load.live.digest import row_from_message
from hotrow.load.live.history import History
from hotrow.load.live.sending import DIGEST, INTERVAL, NO_MORE
from hotrow.run.clock import RunClock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from hotrow.keys.spaces import Spaces
    from hotrow.keys.table import Table
    from hotrow.load.current_run import CurrentRun
    from hotrow.load.workers import Workers
    from hotrow.run.plan import Cell

Given = ParamSpec("Given")
_S = 1e9
FIRST_FORECAST_S = 2.0
"""How long a cell is measured before its first forecast; the next one comes after three times as long."""


@dataclass(eq=False, slots=True)
class Watched:
    """The run that is shown: the last one that began."""

    directory: Path
    scenario: str
    target: Mapping[str, Any]
    """The target, as described in run.json."""
    cells: tuple[Cell, ...]
    think_s: float
    began_s: float
    run_time_s: float | None
    """When Locust's timer ends the run; None if it has none."""
    history: History
    workers: Workers
    cell: Cell | None = None
    """The open cell, or the one that was open last."""
    opened: dict[int, Cell] = field(default_factory=dict)
    """The cells so far, by their ids."""
    table: tuple[tuple[object, ...], Table | Spaces | None] | None = None
    """((skew, keys, spaces), the skew laid out over the keys), of the last cell for which it was needed."""
    forecasts: dict[int, Mapping[str, float | None]] = field(default_factory=dict)
    """By cell id: the last forecast."""
    forecast_at_s: dict[int, float] = field(default_factory=dict)
    """By cell id: how long the cell had been measured when its last forecast was begun."""
    ended_s: float | None = None

    def ahead_s(self, worker: int) -> int:
        """By how many whole seconds the clock of a worker is ahead of this process's."""
        corrections = {one.worker: one.correction_ns for one in self.workers.offsets}
        return round(corrections.get(worker, 0) / _S)


def _harmless(
    hook: Callable[Concatenate[Spectator, Given], None],
) -> Callable[Concatenate[Spectator, Given], None]:
    """A hook after whose errors the run is no longer shown: they must never end its measurement."""

    @wraps(hook)
    def call(spectator: Spectator, /, *given: Given.args, **named: Given.kwargs) -> None:
        try:
            hook(spectator, *given, **named)
        except Exception as error:  # noqa: BLE001 - whatever it is
            spectator.watched = None
            report_error(RunError(f"{NO_MORE}: {in_a_line(error)}"))

    return call


class Spectator:
    """Takes note of what the conductor does and of the digests; `watched` is the run that is shown.

    Without a web UI it does nothing, and the workers make no digests.
    """

    def __init__(self, runner: Any, *, is_on: bool) -> None:
        self._runner = runner
        self._is_on = is_on
        self._clock = RunClock.start()
        self._intervals = 0
        self._forecasting: gevent.Greenlet | None = None
        self.watched: Watched | None = None
        if is_on:
            runner.register_message(DIGEST, self._hear)

    def now_s(self) -> float:
        """Seconds since 1970 (UTC), by the clock of the run."""
        return self._clock.now_ns() / _S

    @_harmless
    def run_begun(self, run: CurrentRun, workers: Workers, run_time_s: float | None) -> None:
        """A run has its tables, and its workers are ready to begin."""
        if not self._is_on:
            return
        self._clock = run.clock
        self.watched = Watched(
            directory=run.directory,
            scenario=run.scenario.name,
            target=run.target,
            cells=run.cells,
            think_s=run.request.think_s,
            began_s=self.now_s(),
            run_time_s=run_time_s,
            history=History(max(self._runner.worker_count, 1)),
            workers=workers,
        )

    @_harmless
    def cell_opened(self, cell: Cell, users: int) -> None:
        """A cell is open; its measured interval has not begun."""
        watched = self.watched
        if watched is None:
            return
        watched.cell = watched.opened[cell.id] = cell
        watched.history.open_cell(cell.id, users, self.now_s())

    @_harmless
    def interval_begun(self, cell: Cell, users: int, begin_ns: int) -> None:
        """The measured interval of the open cell has begun, or has begun again."""
        if self.watched is None:
            return
        self._intervals += 1
        self._runner.send_message(INTERVAL, {"cell": cell.id, "number": self._intervals})
        self.watched.history.begin_interval(cell.id, self._intervals, users, begin_ns / _S)

    @_harmless
    def cell_ends(self, cell: Cell, begin_ns: int, end_ns: int) -> None:
        """No attempt begins any more in the open cell."""
        if self.watched is not None:
            self.watched.history.end_cell(cell.id, begin_ns / _S, end_ns / _S)

    @_harmless
    def cell_closed(self) -> None:
        """All attempts of the cell have ended, and their digests have come."""
        if self.watched is not None:
            self.watched.history.close_cell()

    @_harmless
    def run_ended(self) -> None:
        """The run has ended; it is shown until the next one begins."""
        if self.watched is not None:
            self.watched.history.close_cell()
            self.watched.ended_s = self.now_s()

    def table(self, cell: Cell) -> Table | Spaces | None:
        """The skew of a cell, laid out over its keys; None if it cannot be read."""
        assert self.watched is not None  # noqa: S101 - a cell is one of a run
        point, known = (cell.skew, cell.keys, cell.spaces), self.watched.table
        if known is None or known[0] != point:
            from analysis.expected import layout_of  # noqa: PLC0415 - only if someone looks
            from hotrow.errors import HotrowError  # noqa: PLC0415 - the same
            from hotrow.keys.skew import load_skew  # noqa: PLC0415 - the same

            try:
                skew = load_skew(cell.skew, self.watched.directory)
                known = (point, layout_of(cell.as_json(), {cell.skew: skew}))
            except HotrowError:
                known = (point, None)
            self.watched.table = known
        return known[1]

    def update_forecast(self) -> None:
        """Make a new forecast for a cell in the background, if one is due."""
        watched = self.watched
        if watched is None or (self._forecasting is not None and not self._forecasting.ready()):
            return
        for cell, span in watched.history.spans.items():
            seconds, last_s = watched.history.measured_s(cell), watched.forecast_at_s.get(cell, 0.0)
            if seconds > last_s and (span.closed_s or seconds >= max(3 * last_s, FIRST_FORECAST_S)):
                watched.forecast_at_s[cell] = seconds
                self._forecasting = gevent.spawn(self._forecast, watched, cell)
                return

    def _forecast(self, watched: Watched, number: int) -> None:
        from hotrow.load.live.forecast import forecast  # noqa: PLC0415 - only if someone looks

        cell, span = watched.opened[number], watched.history.spans[number]
        table = self.table(cell) if watched.target.get("conflicts") == "commit" else None
        facts = {**cell.as_json(), "users": span.users}
        watched.forecasts[number] = forecast(facts, table, span.total, watched.think_s)

    def _hear(self, msg: Any, **_: Any) -> None:
        watched, data = self.watched, msg.data
        if watched is None or watched.ended_s is not None:
            return
        ahead_s = watched.ahead_s(data["worker"])
        rows = [row_from_message(row) for row in data["rows"]]
        until = min(data["until"] - ahead_s, int(self.now_s()))
        watched.history.hear(
            data["worker"], until, [replace(row, second=row.second - ahead_s) for row in rows]
        )
