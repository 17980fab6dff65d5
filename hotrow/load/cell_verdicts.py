"""The verdicts on a cell that has just ended, and the numbers of records on which they are based."""

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

    from hotrow.load.current_run import CurrentRun
    from hotrow.load.workers import Workers
    from hotrow.run.plan import Cell


def read_attempts(run: CurrentRun, workers: Workers) -> NDArray[np.void]:
    """All attempts of the run so far, on the clock of this process."""
    attempts = read_ledger(run.directory).attempts
    align(attempts, {offset.worker: offset for offset in workers.offsets})
    return attempts


def judge(run: CurrentRun, workers: Workers, cell: Cell, attempts: NDArray[np.void]) -> None:
    """Run the checks on the cell, and write their verdicts and the numbers of records as an event.

    If records are missing, checks that depend on counts are undecided.

    Raises:
        HotrowError: the database cannot be read, or the events cannot be written.
    """
    lost = _note_lost(run, workers, cell, attempts)
    tally = tally_cell(attempts, cell, len(run.scenario.kinds))
    verdicts = run.tables.judge(cell.id, tally, records_lost=lost)
    run.event_writer.write(
        "verdict",
        cell=cell.id,
        checks=[verdict.as_json() for verdict in verdicts],
        records={str(worker): count for worker, count in workers.records.items()},
        acknowledged={"committed": tally.committed, "unknown": tally.unknown},
    )


def tally_cell(attempts: NDArray[np.void], cell: Cell, kinds: int) -> Tally:
    """The tally of a cell, warm-up included, for comparison with the database."""
    in_cell = attempts[attempts["cell"] == cell.id]
    return _count(in_cell, [_count(in_cell[in_cell["kind"] == kind]) for kind in range(kinds)])


def _count(attempts: NDArray[np.void], kinds: Sequence[Tally] = ()) -> Tally:
    return Tally(*count_acknowledged(attempts), kinds=kinds)


def missing_records(attempts: NDArray[np.void], written: Mapping[int, int]) -> list[int]:
    """The workers that wrote more attempts than can be read."""
    return [
        worker for worker, count in written.items() if np.count_nonzero(attempts["worker"] == worker) < count
    ]


def _note_lost(run: CurrentRun, workers: Workers, cell: Cell, attempts: NDArray[np.void]) -> bool:
    """Write an event for each worker whose records are or may be missing; return whether there is any."""
    reasons = {trouble.worker: trouble.reason for trouble in workers.lost if trouble.worker is not None}
    for worker in missing_records(attempts, workers.records):
        reasons.setdefault(worker, f"attempts of worker {worker} that were written cannot be read")
    for worker, reason in reasons.items():
        started_ns = attempts["started"][attempts["worker"] == worker]
        run.event_writer.write(
            "lost",
            worker=worker,
            cell=cell.id,
            reason=reason,
            from_ns=int(started_ns.max()) if len(started_ns) else None,
            to_ns=run.clock.now_ns(),
        )
    return bool(reasons)
