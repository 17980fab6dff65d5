"""Money moves between two accounts: the smallest transaction that can lose somebody's money.

Two rows are written, so a transaction conflicts when either is contended. The check is conservation: whatever
committed, was retried, or is unknown, the total of all balances never changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hotrow.scenario import Keys, Scenario, Session, State, Tally, Verdict, Work, judge, key_ranges

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

OPENING_BALANCE = 1000
MOST_AT_ONCE = 10


class Transfer(Scenario):
    """Move 1 to 10 from one account to another."""

    name = "transfer"

    @property
    def keys_per_transaction(self) -> int:
        """Two accounts."""
        return 2

    def tables(self) -> Sequence[str]:
        """One table of accounts; a balance may go below zero, so that no transfer is ever refused."""
        return ["CREATE TABLE account (id bigint PRIMARY KEY, balance bigint NOT NULL)"]

    def seed(self, keys: int) -> Sequence[str]:
        """Every account with the same opening balance."""
        return [
            f"INSERT INTO account SELECT id, {OPENING_BALANCE} FROM generate_series({first}, {last}) AS id"
            for first, last in key_ranges(keys)
        ]

    def draw(self, keys: Keys, rng: np.random.Generator) -> Work:
        """Two different accounts and an amount."""
        source, destination = keys.draw(2)
        amount = int(rng.integers(1, MOST_AT_ONCE + 1))
        return Work(parameters=(source, destination, amount), writes=(source, destination))

    def run(self, session: Session, work: Work) -> None:
        """Take from one, give to the other."""
        source, destination, amount = work.parameters
        session.execute("UPDATE account SET balance = balance - $1 WHERE id = $2", amount, source)
        session.execute("UPDATE account SET balance = balance + $1 WHERE id = $2", amount, destination)

    def observe(self, session: Session) -> State:
        """The total of all balances, and how many accounts there are."""
        ((total, accounts),) = session.execute("SELECT sum(balance)::bigint, count(*) FROM account").rows
        return {"total": total, "accounts": accounts}

    def check(self, before: State, after: State, tally: Tally) -> Sequence[Verdict]:  # noqa: ARG002 - conservation needs no counts
        """Conservation: the total is what it was."""
        changed = [{"name": name, "before": before[name], "after": after[name]} for name in before]
        violations = [each for each in changed if each["before"] != each["after"]]
        return [judge("total balance unchanged", violations, before=before["total"], after=after["total"])]
