"""Many rows per transaction, one statement per row: a conflict on any row undoes the whole batch.

Batches cause two problems. First, more rows make it more likely that another transaction changes one of them.
The whole batch is then done again: `--rows 1,10,100` shows this. Second, if the database locks rows as they
are written, two batches that take the same rows in different orders wait for each other until the server
aborts one of them (`deadlock`, SQLSTATE 40P01).

To avoid deadlocks, take rows in the same order everywhere: `--order sorted`. On PostgreSQL the deadlocks then
become waits and conflicts. Aurora DSQL takes no locks and decides at COMMIT, so the order does not matter
there. To lose less work, use smaller batches.

The check proves that batches are whole and that none is lost or applied twice. Each batch adds one to each of
its rows, so the sum over all rows is a multiple of the number of rows per batch.
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

_MAX_ROWS = 2999
"""Aurora DSQL changes at most 3,000 rows per transaction. With `--receipts` one of them is the receipt."""


class Batch(Scenario):
    """Add one to each row of a batch."""

    name = "batch"
    rows = Whole(10, "rows that one transaction updates", least=1, most=_MAX_ROWS)
    order = Choice("random", "order in which it updates them", ("random", "sorted"))

    @property
    def keys_per_transaction(self) -> int:
        """All rows of the batch."""
        return self.rows

    def tables(self) -> Sequence[str]:
        """A table of numbered rows."""
        return ["CREATE TABLE item (id bigint PRIMARY KEY, value bigint NOT NULL)"]

    def seed(self, keys: int) -> Sequence[str]:
        """All rows, with the value 0."""
        return [
            f"INSERT INTO item SELECT id, 0 FROM generate_series({first}, {last}) AS id"
            for first, last in key_ranges(keys)
        ]

    def draw(self, keys: Keys, rng: np.random.Generator) -> Work:
        """Choose the rows and their order.

        A random order is shuffled again: some skews draw the hottest key first, which is an order too.
        """
        drawn = keys.draw(self.rows)
        ordered = sorted(drawn) if self.order == "sorted" else [drawn[i] for i in rng.permutation(len(drawn))]
        return Work(parameters=tuple(ordered), writes=drawn)

    def run(self, session: Session, work: Work) -> None:
        """Update the rows one by one."""
        for row in work.parameters:
            session.execute("UPDATE item SET value = value + 1 WHERE id = $1", row)

    def observe(self, session: Session) -> State:
        """The sum of all rows."""
        ((total,),) = session.execute("SELECT sum(value)::bigint FROM item").rows
        return {"total": total}

    def check(self, before: State, after: State, tally: Tally) -> Sequence[Verdict]:
        """Check that batches are whole and that acknowledged <= counted <= acknowledged + unknown."""
        updated = after["total"] - before["total"]
        batches, left = divmod(updated, self.rows)
        violations = [{"rows_updated": updated, "rows_a_batch": self.rows, "rows_left": left}] if left else []
        return [
            judge("every batch is applied as a whole", violations, rows_updated=updated),
            applied_once("batches equal acknowledged transactions", batches, tally),
        ]
