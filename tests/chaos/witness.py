"""A scenario whose transactions each also insert a witness: a row of a table that no run drops.

The harness creates the table in the schema `hotrow_chaos` and passes its name in the environment. Its rows
are the truth with which a run's records are compared, for each process of the client.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

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

MARK = "HOTROW_CHAOS_WITNESS"
"""The environment variable with the name of the table; every process of a run inherits it."""
COUNTS = "witnesses equal acknowledged transfers"
CONSERVES = "total balance unchanged"


class Witness(Scenario):
    """A transfer between two accounts that leaves a witness."""

    name = "witness"

    @property
    def keys_per_transaction(self) -> int:
        """Two, one per account."""
        return 2

    def tables(self) -> Sequence[str]:
        """The accounts. The table of witnesses does not belong to the run."""
        return ["CREATE TABLE account (id bigint PRIMARY KEY, balance bigint NOT NULL)"]

    def seed(self, keys: int) -> Sequence[str]:
        """Accounts with a balance of 1,000 each."""
        return [
            f"INSERT INTO account SELECT id, 1000 FROM generate_series({first}, {last}) AS id"
            for first, last in key_ranges(keys)
        ]

    def draw(self, keys: Keys, rng: np.random.Generator) -> Work:
        """Two accounts and a random id for the witness."""
        source, destination = keys.draw(2)
        return Work(parameters=(source, destination, rng.bytes(16).hex()), writes=(source, destination))

    def run(self, session: Session, work: Work) -> None:
        """Take 1 from one account, give it to the other, and insert a witness."""
        source, destination, name = work.parameters
        session.execute("UPDATE account SET balance = balance - 1 WHERE id = $1", source)
        session.execute("UPDATE account SET balance = balance + 1 WHERE id = $1", destination)
        session.execute(f"INSERT INTO {os.environ[MARK]} (id, pid) VALUES ($1, $2)", name, os.getpid())

    def observe(self, session: Session) -> State:
        """The total balance, which must not change, and the number of witnesses."""
        ((total,),) = session.execute("SELECT sum(balance)::bigint FROM account").rows
        ((count,),) = session.execute(f"SELECT count(*) FROM {os.environ[MARK]}").rows
        return {"total": total, "count": count}

    def check(self, before: State, after: State, tally: Tally) -> Sequence[Verdict]:
        """One check that counts acknowledgements, and one that does not."""
        changed = [after["total"] - before["total"]] if after["total"] != before["total"] else []
        return [
            applied_once(COUNTS, after["count"] - before["count"], tally),
            judge(CONSERVES, changed, before=before["total"], after=after["total"]),
        ]
