"""Think time inside the transaction: the application reads, asks another service, and then writes.

The write takes a moment; what counts is the window between the snapshot and COMMIT, and waiting for somebody
else's answer makes it long. Every transaction on the same row that commits in that window makes this one
fail, so the conflict rate grows with `hold`, and on one row not even 1/window transactions a second can
commit.

The cure is to wait outside: ask before BEGIN, or write down the wish, commit, ask, and write the answer in a
second transaction. `--hold 0,10ms,50ms` shows what that is worth.

The new value is computed by the application from what it read, as an object mapper does. At READ COMMITTED
that loses updates; here the check proves that the conflict caught each of them: no use is lost and none
counted twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hotrow.knob import Duration
from hotrow.scenario import Keys, Scenario, Session, State, Tally, Verdict, Work, applied_once, key_ranges

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np


class Long(Scenario):
    """Use one unit of a quota, with a call to another service in the middle."""

    name = "long"
    hold = Duration("50ms", "time that the transaction waits between its read and its write")

    def tables(self) -> Sequence[str]:
        """One row a quota."""
        return ["CREATE TABLE quota (id bigint PRIMARY KEY, used bigint NOT NULL)"]

    def seed(self, keys: int) -> Sequence[str]:
        """Every quota unused."""
        return [
            f"INSERT INTO quota SELECT id, 0 FROM generate_series({first}, {last}) AS id"
            for first, last in key_ranges(keys)
        ]

    def draw(self, keys: Keys, rng: np.random.Generator) -> Work:  # noqa: ARG002 - the key is all the chance
        """Which quota."""
        drawn = keys.draw(1)
        return Work(parameters=drawn, writes=drawn)

    def run(self, session: Session, work: Work) -> None:
        """Read, wait, write what was read plus one."""
        (quota,) = work.parameters
        ((used,),) = session.execute("SELECT used FROM quota WHERE id = $1", quota).rows
        session.think(self.hold)
        session.execute("UPDATE quota SET used = $2 WHERE id = $1", quota, used + 1)

    def observe(self, session: Session) -> State:
        """The sum of all quotas."""
        ((total,),) = session.execute("SELECT sum(used)::bigint FROM quota").rows
        return {"total": total}

    def check(self, before: State, after: State, tally: Tally) -> Sequence[Verdict]:
        """Acknowledged <= counted <= acknowledged + unknown."""
        counted = after["total"] - before["total"]
        return [applied_once("used equals acknowledged uses", counted, tally)]
