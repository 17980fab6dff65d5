"""A run in progress, and the events that it notes."""

from __future__ import annotations

import errno
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import gevent

from hotrow.errors import RunError
from hotrow.run.ledger import append_event

if TYPE_CHECKING:
    from pathlib import Path

    from hotrow.load.options import Request
    from hotrow.load.progress import Progress
    from hotrow.run.clock import RunClock
    from hotrow.run.plan import Cell
    from hotrow.scenario import Scenario
    from hotrow.tables.run_tables import RunTables

_PATIENCE_S = 30.0
"""How long a disk may be full before the run is given up."""
_PASSING = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EAGAIN})


class Notebook:
    """Writes the events of a run. A disk that is full for a while delays them and loses none."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._gave_up = False

    def hurry(self) -> None:
        """From now on wait for no disk: the run is ending anyhow."""
        self._gave_up = True

    def note(self, event: str, **facts: Any) -> None:
        """Append one event, trying again for a while if the disk takes nothing.

        Raises:
            RunError: it cannot be written.
        """
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            try:
                append_event(self.directory, {"event": event, **facts})
            except RunError as error:
                passing = isinstance(error.__cause__, OSError) and error.__cause__.errno in _PASSING
                self._gave_up = self._gave_up or not passing or time.monotonic() > deadline
                if self._gave_up:
                    raise
                gevent.sleep(0.1)
            else:
                return


@dataclass(slots=True)
class OpenRun:
    """What a run in progress has: plan, directory, tables, and which cell is open."""

    scenario: Scenario
    request: Request
    cells: tuple[Cell, ...]
    notebook: Notebook
    tables: RunTables
    progress: Progress
    clock: RunClock
    users: int
    """How many users the open cell has."""
    wanted_users: int
    """How many a sweep wants."""
    open_cell: Cell | None = None
    closing: bool = False
    """Whether a cell is being closed and judged."""
    begin_ns: int | None = None
    """When the measured interval of the open cell began; None while it warms up or its users still come."""
    cut_short: str | None = None
    """Why the open cell ended before it was planned to."""
    faults: list[int] = field(default_factory=list)
    """Exit codes that the run ends with at least."""
    said: list[str] = field(default_factory=list)
    """What went wrong so far, in the lines that the person has seen."""

    @property
    def directory(self) -> Path:
        """Where all of it is written."""
        return self.notebook.directory
