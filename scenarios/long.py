"""A wait inside the transaction: the application reads, calls another service, and then writes.

The write itself is quick. But the conflict window reaches from the snapshot to COMMIT, and the call makes it
long. If another transaction on the same row commits within the window, this one fails. So the conflict rate
grows with `hold`, and one row takes fewer than 1/R commits per second, where R is the conflict window.

The cure is to wait outside the transaction. Call the service before BEGIN; or record the request, commit,
call the service, and write its answer in a second transaction. `--hold 0s,10ms,50ms` shows the gain.

The application computes the new value from the value that it read, as an object mapper does. At READ
COMMITTED this loses updates. Here the check proves that each such update ended as a conflict: no use is lost
and none is counted twice.
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
        """A table with one row per quota."""
        return ["CREATE TABLE quota (id bigint PRIMARY KEY, used bigint NOT NULL)"]

    def seed(self, keys: int) -> Sequence[str]:
        """All quotas, unused."""
        return [
            f"INSERT INTO quota SELECT id, 0 FROM generate_series({first}, {last}) AS id"
            for first, last in key_ranges(keys)
        ]

    def draw(self, keys: Keys, rng: np.random.Generator) -> Work:  # noqa: ARG002 - the key is all the chance
        """Choose a quota."""
        (quota,) = keys.draw(1)
        return Work(parameters=(quota,), writes=(quota,))

    def run(self, session: Session, work: Work) -> None:
        """Read the quota, wait, then write one more than was read."""
        (quota,) = work.parameters
        ((used,),) = session.execute("SELECT used FROM quota WHERE id = $1", quota).rows
        session.think(self.hold)
        session.execute("UPDATE quota SET used = $2 WHERE id = $1", quota, used + 1)

    def observe(self, session: Session) -> State:
        """The units used of all quotas."""
        ((total,),) = session.execute("SELECT sum(used)::bigint FROM quota").rows
        return {"total": total}

    def check(self, before: State, after: State, tally: Tally) -> Sequence[Verdict]:
        """Check that acknowledged <= counted <= acknowledged + unknown."""
        counted = after["total"] - before["total"]
        return [applied_once("used equals acknowledged uses", counted, tally)]
