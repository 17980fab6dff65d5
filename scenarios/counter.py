"""One row a counter, one increment a transaction: the hot row at its purest.

Every increment reads the value that the one before it wrote, so at most one transaction a window can commit
on a row. The check is that no acknowledged increment is lost and none is applied twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hotrow.scenario import Keys, Scenario, Session, State, Tally, Verdict, Work, key_ranges

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np


class Counter(Scenario):
    """Add one to a counter."""

    name = "counter"
    keys_per_transaction = 1

    def tables(self) -> Sequence[str]:
        """One table of counters."""
        return ["CREATE TABLE counter (id bigint PRIMARY KEY, value bigint NOT NULL)"]

    def seed(self, keys: int) -> Sequence[str]:
        """Every counter at zero."""
        return [
            f"INSERT INTO counter SELECT id, 0 FROM generate_series({first}, {last}) AS id"
            for first, last in key_ranges(keys)
        ]

    def draw(self, keys: Keys, rng: np.random.Generator) -> Work:  # noqa: ARG002 - an increment has no other choice
        """Which counter."""
        chosen = keys.draw(1)
        return Work(parameters=chosen, writes=chosen)

    def run(self, session: Session, work: Work) -> None:
        """Increment it."""
        session.execute("UPDATE counter SET value = value + 1 WHERE id = $1", *work.parameters)

    def observe(self, session: Session) -> State:
        """The sum of all counters."""
        ((total,),) = session.execute("SELECT sum(value)::bigint FROM counter").rows
        return {"total": total}

    def check(self, before: State, after: State, tally: Tally) -> Sequence[Verdict]:
        """Acknowledged <= counted <= acknowledged + unknown."""
        counted = after["total"] - before["total"]
        lost = max(tally.committed - counted, 0)
        doubled = max(counted - tally.committed - tally.unknown, 0)
        return [
            Verdict(
                name="value equals acknowledged increments",
                valid=not (lost or doubled),
                count=lost + doubled,
                details={
                    "counted": counted,
                    "acknowledged": tally.committed,
                    "unknown": tally.unknown,
                    "lost": lost,
                    "doubled": doubled,
                },
            )
        ]
