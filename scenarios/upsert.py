"""Page views per second, written with INSERT … ON CONFLICT DO UPDATE: an upsert still conflicts.

A view adds one to the row of its page and period. The first view of a period inserts the row, and at the
start of every period all clients race to insert it. The fear is a duplicate key (SQLSTATE 23505). But ON
CONFLICT looks at the snapshot. If the snapshot does not have the row, the transaction inserts it. If another
transaction has inserted it meanwhile, the loser gets an ordinary conflict (40001) and finds the row when it
retries. So an upsert is not free of conflicts. The inserts conflict, and afterwards the row is as hot as any
counter.

The cures are those of a counter: spread a page over several rows, or append views and sum them up (`ledger`).
With `--period 0s` there is one row per page for the whole run, and clients race to insert it only once.

The check proves that each acknowledged view is counted once, whether it inserted or updated the row.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from hotrow.knob import Duration
from hotrow.scenario import Keys, Scenario, Session, State, Tally, Verdict, Work, applied_once

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

_TABLE = (
    "CREATE TABLE page_view (page bigint, period bigint, views bigint NOT NULL, PRIMARY KEY (page, period))"
)
_VIEW = (
    "INSERT INTO page_view (page, period, views) VALUES ($1, $2, 1) "
    "ON CONFLICT (page, period) DO UPDATE SET views = page_view.views + 1"
)


class Upsert(Scenario):
    """Count a view of a page."""

    name = "upsert"
    period = Duration("1s", "how long views of a page are added up in one row; 0s: for the whole run")

    def tables(self) -> Sequence[str]:
        """A table with one row per page and period that had a view."""
        return [_TABLE]

    def seed(self, keys: int) -> Sequence[str]:  # noqa: ARG002 - any number of keys is no rows
        """No rows: the first view of a page and period inserts its row."""
        return []

    def draw(self, keys: Keys, rng: np.random.Generator) -> Work:  # noqa: ARG002 - the page is all there is to draw
        """Choose the page, and note the period, so that a retry counts the view in the same period."""
        (page,) = keys.draw(1)
        return Work(parameters=(page, _period(time.time(), self.period)), writes=(page,))

    def run(self, session: Session, work: Work) -> None:
        """Count the view."""
        session.execute(_VIEW, *work.parameters)

    def observe(self, session: Session) -> State:
        """The sum of all views."""
        ((views,),) = session.execute("SELECT coalesce(sum(views), 0)::bigint FROM page_view").rows
        return {"views": views}

    def check(self, before: State, after: State, tally: Tally) -> Sequence[Verdict]:
        """Check that acknowledged <= counted <= acknowledged + unknown."""
        counted = after["views"] - before["views"]
        return [applied_once("views equal acknowledged transactions", counted, tally)]


def _period(now_s: float, length_s: float) -> int:
    """The number of the period that this moment is in; always 0 if periods have no length."""
    return int(now_s // length_s) if length_s else 0
