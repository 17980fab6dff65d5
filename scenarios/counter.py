"""One row a counter, one increment a transaction: the hot row at its purest, and its cure.

Every increment reads the value that the one before it wrote, so at most one transaction a window can commit
on a row. The cure is to spread a counter over `shards` rows, of which an increment picks one at random: so
several can commit at once, and the counter's value is the sum of its rows. What it costs is that sum.

The check is that no acknowledged increment is lost and none is applied twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hotrow.knob import Whole
from hotrow.scenario import Keys, Scenario, Session, State, Tally, Verdict, Work, applied_once, key_ranges

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

_ROWS_MOST = 3000
"""Rows that one seeding statement may make."""


class Counter(Scenario):
    """Add one to a counter."""

    name = "counter"
    shards = Whole(1, "rows that share the increments of one counter", least=1, most=_ROWS_MOST)

    @property
    def rows_per_key(self) -> int:
        """Increments of one counter are spread over its shards."""
        return self.shards

    def tables(self) -> Sequence[str]:
        """One row a shard."""
        return [
            "CREATE TABLE counter (id bigint, shard bigint, value bigint NOT NULL, PRIMARY KEY (id, shard))"
        ]

    def seed(self, keys: int) -> Sequence[str]:
        """Every shard of every counter at zero."""
        return [
            "INSERT INTO counter SELECT id, shard, 0 "
            f"FROM generate_series({first}, {last}) AS id, generate_series(0, {self.shards - 1}) AS shard"
            for first, last in key_ranges(keys, _ROWS_MOST // self.shards)
        ]

    def draw(self, keys: Keys, rng: np.random.Generator) -> Work:
        """Which counter, and which of its shards."""
        (counter,) = keys.draw(1)
        return Work(parameters=(counter, int(rng.integers(self.shards))), writes=(counter,))

    def run(self, session: Session, work: Work) -> None:
        """Increment it."""
        session.execute("UPDATE counter SET value = value + 1 WHERE id = $1 AND shard = $2", *work.parameters)

    def observe(self, session: Session) -> State:
        """The sum of all counters."""
        ((total,),) = session.execute("SELECT sum(value)::bigint FROM counter").rows
        return {"total": total}

    def check(self, before: State, after: State, tally: Tally) -> Sequence[Verdict]:
        """Acknowledged <= counted <= acknowledged + unknown."""
        counted = after["total"] - before["total"]
        return [applied_once("value equals acknowledged increments", counted, tally)]
