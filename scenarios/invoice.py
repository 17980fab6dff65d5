"""Numbered invoices: the next number of a series is one more than its last one, the tail of an index.

The fear is a number that is given twice. There are two indexes on the number:

- `--index unique`: two transactions that take the same number conflict at COMMIT, and one is retried. Nobody
  writes a row that others write, and yet the end of each series is a hot row: in a unique index an entry is
  what conflicts.
- `--index plain`: writes to an index that is not unique never conflict. So nothing is retried, and numbers
  are given twice as soon as two users meet on a series. Its check is meant to fail (`--expect-violations`).

The cure for a hot series is a number that does not follow the last one, such as a random id, or several
series. Serial numbers, times and other growing values under a unique index all have such a tail.

The check proves that each acknowledged transaction left one invoice and that no number was given twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from hotrow.errors import Rejected
from hotrow.knob import Choice
from hotrow.scenario import Keys, Scenario, Session, State, Tally, Verdict, Work, applied_once, judge

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

_TABLE = "CREATE TABLE invoice (id uuid PRIMARY KEY, series bigint NOT NULL, number bigint NOT NULL)"
_INDEX = {
    "unique": "CREATE UNIQUE INDEX ASYNC invoice_number ON invoice (series, number)",
    "plain": "CREATE INDEX ASYNC invoice_number ON invoice (series, number)",
}
_LAST = "SELECT number FROM invoice WHERE series = $1 ORDER BY number DESC LIMIT 1"
# On row locks DO NOTHING turns 23505 into 40001 if the other entry is too new to be seen.
_INSERT = "INSERT INTO invoice VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"
_TWICE = (
    "SELECT series, number, count(*) FROM invoice GROUP BY series, number HAVING count(*) > 1 "
    "ORDER BY series, number"
)


class Invoice(Scenario):
    """Write an invoice under the next number of its series."""

    name = "invoice"
    index = Choice("unique", "the index on the number", ("unique", "plain"))

    def tables(self) -> Sequence[str]:
        """One row per invoice under a random id, and the index."""
        return [_TABLE, _INDEX[self.index]]

    def seed(self, keys: int) -> Sequence[str]:
        """No invoices."""
        del keys
        return []

    def draw(self, keys: Keys, rng: np.random.Generator) -> Work:
        """Choose the series, whose next entry is shared if the index is unique."""
        (series,) = keys.draw(1)
        writes = (series,) if self.index == "unique" else ()
        return Work((UUID(bytes=rng.bytes(16), version=4), series), writes=writes)

    def run(self, session: Session, work: Work) -> None:
        """Read the last number of the series and take the next one."""
        invoice, series = work.parameters
        last = session.execute(_LAST, series).rows
        number = last[0][0] + 1 if last else 1
        if session.execute(_INSERT, invoice, series, number).count == 0:
            raise Rejected("the number was taken meanwhile")

    def observe(self, session: Session) -> State:
        """The number of invoices, and the numbers that were given twice."""
        ((invoices,),) = session.execute("SELECT count(*) FROM invoice").rows
        twice = session.execute(_TWICE).rows
        return {"invoices": invoices, "twice": {(series, number): count for series, number, count in twice}}

    def check(self, before: State, after: State, tally: Tally) -> Sequence[Verdict]:
        """Check that every transaction left an invoice and that no number was given twice since `before`."""
        twice = [
            {"series": series, "number": number, "invoices": count}
            for (series, number), count in after["twice"].items()
            if count != before["twice"].get((series, number), 1)
        ]
        return [
            applied_once("invoices equal transactions", after["invoices"] - before["invoices"], tally),
            judge("no number is given twice", twice, size=lambda found: float(found["invoices"])),
        ]
