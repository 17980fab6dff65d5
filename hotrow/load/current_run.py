"""The run in progress, and the writer of its events."""

from __future__ import annotations

import errno
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import gevent

from hotrow.errors import RunError
from hotrow.keys.skew import keep_skews, parse_skews
from hotrow.run.ledger import append_event

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hotrow.load.locust_options import Request
    from hotrow.load.progress import Progress
    from hotrow.run.clock import RunClock
    from hotrow.run.plan import Cell
    from hotrow.scenario import Scenario
    from hotrow.tables.run_tables import RunTables

_PATIENCE_S = 30.0
"""How long a disk may be full before the run is given up."""
_TEMPORARY = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EAGAIN})


class EventWriter:
    """Writes the events of a run. A disk that is full for a while delays events; none is lost."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._gave_up = False

    def stop_waiting(self) -> None:
        """Do not wait for a full disk any more, because the run is ending."""
        self._gave_up = True

    def write(self, event: str, **facts: Any) -> None:
        """Append one event; try again for a while if the disk cannot be written.

        Raises:
            RunError: the event cannot be written.
        """
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            try:
                append_event(self.directory, {"event": event, **facts})
            except RunError as error:
                temporary = isinstance(error.__cause__, OSError) and error.__cause__.errno in _TEMPORARY
                self._gave_up = self._gave_up or not temporary or time.monotonic() > deadline
                if self._gave_up:
                    raise
                gevent.sleep(0.1)
            else:
                return


@dataclass(frozen=True, slots=True)
class EndedRun:
    """A run of this process that has ended."""

    directory: Path
    exit_code: int


@dataclass(slots=True)
class CurrentRun:
    """The run in progress: its request, cells, directory and tables, and the open cell."""

    scenario: Scenario
    request: Request
    cells: tuple[Cell, ...]
    event_writer: EventWriter
    tables: RunTables
    progress: Progress
    clock: RunClock
    users: int
    """The number of users of the open cell."""
    wanted_users: int
    """The number of users that a sweep needs next."""
    target: Mapping[str, Any] = field(default_factory=dict)
    """The target, as described in run.json."""
    open_cell: Cell | None = None
    closing: bool = False
    """Whether a cell is being closed and judged."""
    begin_ns: int | None = None
    """When the measured interval of the open cell began; None during warm-up or while users connect."""
    cut_short: str | None = None
    """The reason why the open cell ends early."""
    exit_codes: list[int] = field(default_factory=list)
    """Exit codes of the faults so far; the run ends with the worst of them."""
    reported: list[str] = field(default_factory=list)
    """The messages about faults that the user has seen."""

    def add(self, like: Cell, cell: Cell) -> None:
        """Add a cell with the tables of another, before it opens. The event tells readers of the run.

        Raises:
            RunError: the event, or the weights of a `file:` skew, cannot be written.
        """
        keep_skews(self.directory, parse_skews((cell.skew,)))
        self.event_writer.write("added", added=cell.as_json())
        self.tables.add(like.id)
        self.cells = (*self.cells, cell)
        self.users = cell.users

    @property
    def directory(self) -> Path:
        """The directory of the run."""
        return self.event_writer.directory
