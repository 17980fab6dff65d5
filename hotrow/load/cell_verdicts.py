"""A cell that has just ended: its attempts, the verdicts on it, and the records by which they were made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hotrow.run.acknowledged import count_acknowledged
from hotrow.run.clock import align
from hotrow.run.ledger import read_ledger
from hotrow.scenario import Tally

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from hotrow.load.crew import Crew
    from hotrow.load.open_run import OpenRun
    from hotrow.run.plan import Cell


def read_attempts(run: OpenRun, crew: Crew) -> NDArray[np.void]:
    """All attempts of the run so far, on the clock of this process."""
    attempts = read_ledger(run.directory).attempts
    align(attempts, {offset.worker: offset for offset in crew.offsets})
    return attempts


def judge(run: OpenRun, crew: Crew, cell: Cell, attempts: NDArray[np.void]) -> None:
    """Have the checks decide on the cell, and note by which records they did.

    If records are missing, checks that count acknowledgements cannot decide.

    Raises:
        HotrowError: the database cannot be read, or the events cannot be written.
    """
    lost = _note_lost(run, crew, cell, attempts)
    tally = tally_cell(attempts, cell, len(run.scenario.kinds))
    verdicts = run.tables.judge(cell.id, tally, records_lost=lost)
    run.notebook.note(
        "verdict",
        cell=cell.id,
        checks=[verdict.as_json() for verdict in verdicts],
        records={str(worker): count for worker, count in crew.records.items()},
        acknowledged={"committed": tally.committed, "unknown": tally.unknown},
    )


def tally_cell(attempts: NDArray[np.void], cell: Cell, kinds: int) -> Tally:
    """How the transactions of a cell ended, warm-up included: what the database must agree with."""
    own = attempts[attempts["cell"] == cell.id]
    return _count(own, [_count(own[own["kind"] == kind]) for kind in range(kinds)])


def _count(attempts: NDArray[np.void], kinds: Sequence[Tally] = ()) -> Tally:
    return Tally(*count_acknowledged(attempts), kinds=kinds)


def missing_records(attempts: NDArray[np.void], written: Mapping[int, int]) -> list[int]:
    """The workers of whose attempts fewer can be read than they have written."""
    return [
        worker for worker, count in written.items() if np.count_nonzero(attempts["worker"] == worker) < count
    ]


def _note_lost(run: OpenRun, crew: Crew, cell: Cell, attempts: NDArray[np.void]) -> bool:
    """Note of which workers records are or may be missing; whether there are any."""
    reasons = {each.worker: each.reason for each in crew.lost if each.worker is not None}
    for worker in missing_records(attempts, crew.records):
        reasons.setdefault(worker, f"attempts of worker {worker} that were written cannot be read")
    for worker, reason in reasons.items():
        own = attempts["started"][attempts["worker"] == worker]
        run.notebook.note(
            "lost",
            worker=worker,
            cell=cell.id,
            reason=reason,
            from_ns=int(own.max()) if len(own) else None,
            to_ns=run.clock.now_ns(),
        )
    return bool(reasons)
