"""A run in progress, and how the transactions of a cell ended that is over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hotrow.attempt import Flag, Outcome
from hotrow.ledger import read_ledger
from hotrow.scenario import Tally

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from hotrow.load.arguments import Request
    from hotrow.load.progress import Progress
    from hotrow.plan import Cell
    from hotrow.scenario import Scenario
    from hotrow.targets.tables import Tables


@dataclass(slots=True)
class OpenRun:
    """What a run in progress has: plan, directory, tables, and which cell is open."""

    scenario: Scenario
    request: Request
    cells: tuple[Cell, ...]
    directory: Path
    tables: Tables
    progress: Progress
    users: int
    """How many users the open cell has."""
    wanted_users: int
    """How many a sweep wants."""
    open_cell: Cell | None = None
    begin_ns: int | None = None
    """When the window of the open cell began; None while it warms up or its users still come."""


def tally_cell(directory: Path, cell: Cell, kinds: int) -> Tally:
    """How the transactions of a cell ended, warm-up included: what the database must agree with."""
    attempts = read_ledger(directory).attempts
    own = attempts[attempts["cell"] == cell.id]
    return _count(own, [_count(own[own["kind"] == kind]) for kind in range(kinds)])


def _count(attempts: NDArray[np.void], kinds: Sequence[Tally] = ()) -> Tally:
    final = (attempts["flags"] & Flag.FINAL) != 0
    return Tally(
        committed=int(np.count_nonzero(final & (attempts["outcome"] == Outcome.COMMITTED))),
        unknown=int(np.count_nonzero(attempts["outcome"] == Outcome.UNKNOWN)),
        kinds=kinds,
    )
