"""A scenario with key spaces: a booking writes its account, its branch and the one row of the bank."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hotrow.knob import Whole
from hotrow.scenario import Keys, Scenario, Session, State, Tally, Verdict, Work, judge, key_ranges

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

_BOOK = "UPDATE {} SET balance = balance + $2 WHERE id = $1"


class Tellers(Scenario):
    """Book an amount on an account, its branch and the bank."""

    name = "tellers"
    branches = Whole(10, "branches", least=1)

    @property
    def spaces(self) -> Mapping[str, int | None]:
        """As many accounts as `--keys` says, and the one row that every booking writes."""
        return {"account": None, "branch": self.branches, "bank": 1}

    def tables(self) -> Sequence[str]:
        """One table per key space."""
        columns = "id bigint PRIMARY KEY, balance bigint NOT NULL"
        return [f"CREATE TABLE {name} ({columns})" for name in self.spaces]

    def seed(self, keys: int) -> Sequence[str]:
        """Empty balances."""
        insert = "INSERT INTO {} SELECT id, 0 FROM generate_series({}, {}) AS id"
        return [
            insert.format(name, first, last)
            for name, count in self.spaces.items()
            for first, last in key_ranges(keys if count is None else count)
        ]

    def draw(self, keys: Keys, rng: np.random.Generator) -> Work:
        """Choose an account and a branch."""
        account, branch = keys["account"].draw(1), keys["branch"].draw(1)
        writes = keys.ids(account=account, branch=branch, bank=(0,))
        return Work((*account, *branch, int(rng.integers(1, 10))), writes=writes)

    def run(self, session: Session, work: Work) -> None:
        """Book."""
        account, branch, amount = work.parameters
        for table, row in (("account", account), ("branch", branch), ("bank", 0)):
            session.execute(_BOOK.format(table), row, amount)

    def observe(self, session: Session) -> State:
        """The sums of the three tables."""
        total = "(SELECT sum(balance)::bigint FROM {})"
        sums = (total.format(name) for name in self.spaces)
        return {"sums": session.execute(f"SELECT {', '.join(sums)}").rows[0]}

    def check(self, before: State, after: State, tally: Tally) -> Sequence[Verdict]:
        """All three are equal."""
        del before, tally
        return [judge("the sums agree", [] if len(set(after["sums"])) == 1 else [dict(after)])]
