"""Transfers between two accounts: the smallest transaction that can lose money.

A transfer writes two rows, so it conflicts if another transaction changes either of them. Each attempt meets
more others than an increment of `counter` does, and its conflict window is one statement longer.

Fewer clients at the same time and a shorter transaction help. To cool a hot account, append entries instead
of updating a balance: see `ledger`.

The check proves conservation: the total of all balances never changes, whatever committed, was retried or has
an unknown outcome.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hotrow.scenario import Keys, Scenario, Session, State, Tally, Verdict, Work, judge, key_ranges

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

OPENING_BALANCE = 1000
MAX_AMOUNT = 10


class Transfer(Scenario):
    """Move an amount of 1 to 10 from one account to another."""

    name = "transfer"

    @property
    def keys_per_transaction(self) -> int:
        """Two accounts."""
        return 2

    def tables(self) -> Sequence[str]:
        """A table of accounts; a balance may be negative, so that no transfer is ever rejected."""
        return ["CREATE TABLE account (id bigint PRIMARY KEY, balance bigint NOT NULL)"]

    def seed(self, keys: int) -> Sequence[str]:
        """All accounts, with the same opening balance."""
        return [
            f"INSERT INTO account SELECT id, {OPENING_BALANCE} FROM generate_series({first}, {last}) AS id"
            for first, last in key_ranges(keys)
        ]

    def draw(self, keys: Keys, rng: np.random.Generator) -> Work:
        """Choose two different accounts and an amount."""
        source, destination = keys.draw(2)
        amount = int(rng.integers(1, MAX_AMOUNT + 1))
        return Work(parameters=(source, destination, amount), writes=(source, destination))

    def run(self, session: Session, work: Work) -> None:
        """Take the amount from one account and give it to the other."""
        source, destination, amount = work.parameters
        session.execute("UPDATE account SET balance = balance - $1 WHERE id = $2", amount, source)
        session.execute("UPDATE account SET balance = balance + $1 WHERE id = $2", amount, destination)

    def observe(self, session: Session) -> State:
        """The total of all balances, and the number of accounts."""
        ((total, accounts),) = session.execute("SELECT sum(balance)::bigint, count(*) FROM account").rows
        return {"total": total, "accounts": accounts}

    def check(self, before: State, after: State, tally: Tally) -> Sequence[Verdict]:  # noqa: ARG002 - conservation needs no counts
        """Check that the total has not changed."""
        violations = [
            {"name": name, "before": before[name], "after": after[name]}
            for name in before
            if before[name] != after[name]
        ]
        return [judge("total balance unchanged", violations, before=before["total"], after=after["total"])]
