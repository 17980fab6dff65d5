"""Page views by the second, written with INSERT … ON CONFLICT DO UPDATE: who is first makes the row.

A view adds one to the row of its page and period, and makes it where it is not there yet. At every new period
all clients race to insert the same row. People fear the duplicate key (23505) here. But whether ON CONFLICT
finds the row is decided on the snapshot: who does not see it inserts it, and where another one did so
meanwhile, the loser gets an ordinary conflict (40001) and finds the row when it tries again. So an upsert is
not free of conflicts: the race to insert is one, and from then on the row is as hot as any counter.

The cure is the counter's: spread a page over several rows, or append views and sum them up (`ledger`). With
`--period 0s` there is one row a page for all time, and nobody races after the first moment.

The check proves that each acknowledged view is counted once, whether it inserted or updated.
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
    period = Duration("1s", "how long views of a page are added up in one row; 0s: for ever")

    def tables(self) -> Sequence[str]:
        """One row a page and period that was viewed at all."""
        return [_TABLE]

    def seed(self, keys: int) -> Sequence[str]:  # noqa: ARG002 - any number of keys is no rows
        """No rows: whoever comes first makes them."""
        return []

    def draw(self, keys: Keys, rng: np.random.Generator) -> Work:  # noqa: ARG002 - the page is all there is to draw
        """Which page, and when: a retry counts the view in the period in which it was made."""
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
        """Acknowledged <= counted <= acknowledged + unknown."""
        counted = after["views"] - before["views"]
        return [applied_once("views equal acknowledged transactions", counted, tally)]


def _period(now_s: float, length_s: float) -> int:
    """The number of the period that this moment is in; all moments are in one where it has no length."""
    return int(now_s // length_s) if length_s else 0
