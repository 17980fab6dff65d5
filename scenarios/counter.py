"""One row per counter, one increment per transaction: the simplest hot row, and its cure.

Every increment reads the value that the previous increment wrote. So a row takes at most one commit per
conflict window, whatever the number of clients.

The cure is to spread a counter over several rows (`--shards 4`). Each increment picks one of them at random,
so several increments can commit at the same time. The price is paid by readers: the value of the counter is
the sum of its rows.

The check proves that no acknowledged increment is lost and none is applied twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hotrow.knob import Whole
from hotrow.scenario import Keys, Scenario, Session, State, Tally, Verdict, Work, applied_once, key_ranges

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

_MAX_ROWS = 3000
"""Rows that one seeding statement may insert."""


class Counter(Scenario):
    """Add one to a counter."""

    name = "counter"
    shards = Whole(1, "rows that share the increments of one counter", least=1, most=_MAX_ROWS)

    @property
    def rows_per_key(self) -> int:
        """The shards of a counter, which share its increments."""
        return self.shards

    def tables(self) -> Sequence[str]:
        """A table with one row per shard."""
        return [
            "CREATE TABLE counter (id bigint, shard bigint, value bigint NOT NULL, PRIMARY KEY (id, shard))"
        ]

    def seed(self, keys: int) -> Sequence[str]:
        """All shards of all counters, with the value 0."""
        return [
            "INSERT INTO counter SELECT id, shard, 0 "
            f"FROM generate_series({first}, {last}) AS id, generate_series(0, {self.shards - 1}) AS shard"
            for first, last in key_ranges(keys, _MAX_ROWS // self.shards)
        ]

    def draw(self, keys: Keys, rng: np.random.Generator) -> Work:
        """Choose a counter and one of its shards."""
        (counter,) = keys.draw(1)
        return Work(parameters=(counter, int(rng.integers(self.shards))), writes=(counter,))

    def run(self, session: Session, work: Work) -> None:
        """Increment the shard."""
        session.execute("UPDATE counter SET value = value + 1 WHERE id = $1 AND shard = $2", *work.parameters)

    def observe(self, session: Session) -> State:
        """The sum of all counters."""
        ((total,),) = session.execute("SELECT sum(value)::bigint FROM counter").rows
        return {"total": total}

    def check(self, before: State, after: State, tally: Tally) -> Sequence[Verdict]:
        """Check that acknowledged <= counted <= acknowledged + unknown."""
        counted = after["total"] - before["total"]
        return [applied_once("value equals acknowledged increments", counted, tally)]
