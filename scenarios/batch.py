"""Many rows a transaction, one statement each: the whole batch is lost where any of its rows was changed.

People fear batches for two reasons. The more rows, the more likely that one of them meets somebody, and then
all the work is done again: `--rows 1,10,100` shows it. And where rows are locked as they are written, two
batches that take them in different orders wait for each other until the server kills one (`deadlock`, 40P01).

The cure for deadlocks is to take rows in one order everywhere: `--order sorted`. On PostgreSQL that turns
them into waits and conflicts; on Aurora DSQL, which locks nothing and decides at COMMIT, the order does not
matter. The cure for lost work is smaller batches.

The check proves that batches are whole and none is lost or applied twice: each adds one to each of its rows,
so the sum over all rows is a multiple of the rows of a batch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hotrow.knob import Choice, Whole
from hotrow.scenario import (
    Keys,
    Scenario,
    Session,
    State,
    Tally,
    Verdict,
    Work,
    applied_once,
    judge,
    key_ranges,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

_ROWS_MOST = 2999
"""Aurora DSQL changes at most 3,000 rows a transaction; with `--receipts` one of them is the receipt."""


class Batch(Scenario):
    """Add one to each of many rows."""

    name = "batch"
    rows = Whole(10, "rows that one transaction updates", least=1, most=_ROWS_MOST)
    order = Choice("random", "order in which it updates them", ("random", "sorted"))

    @property
    def keys_per_transaction(self) -> int:
        """All rows of the batch."""
        return self.rows

    def tables(self) -> Sequence[str]:
        """One table of numbered rows."""
        return ["CREATE TABLE item (id bigint PRIMARY KEY, value bigint NOT NULL)"]

    def seed(self, keys: int) -> Sequence[str]:
        """Every row at zero."""
        return [
            f"INSERT INTO item SELECT id, 0 FROM generate_series({first}, {last}) AS id"
            for first, last in key_ranges(keys)
        ]

    def draw(self, keys: Keys, rng: np.random.Generator) -> Work:
        """Which rows, and in which order; mixed, because the hottest may be drawn first, an order too."""
        drawn = keys.draw(self.rows)
        ordered = sorted(drawn) if self.order == "sorted" else [drawn[i] for i in rng.permutation(len(drawn))]
        return Work(parameters=tuple(ordered), writes=drawn)

    def run(self, session: Session, work: Work) -> None:
        """Update them one by one."""
        for row in work.parameters:
            session.execute("UPDATE item SET value = value + 1 WHERE id = $1", row)

    def observe(self, session: Session) -> State:
        """The sum of all rows."""
        ((total,),) = session.execute("SELECT sum(value)::bigint FROM item").rows
        return {"total": total}

    def check(self, before: State, after: State, tally: Tally) -> Sequence[Verdict]:
        """Whole batches only, and acknowledged <= counted <= acknowledged + unknown."""
        updated = after["total"] - before["total"]
        batches, left = divmod(updated, self.rows)
        broken = [{"rows_updated": updated, "rows_a_batch": self.rows, "rows_left": left}] if left else []
        return [
            judge("every batch is applied as a whole", broken, rows_updated=updated),
            applied_once("batches equal acknowledged transactions", batches, tally),
        ]
