"""A transfer as an application writes it in psycopg, with its own retry loop: `transfer(connection, …)`.

hotrow only calls the function and watches its connection. The function tries three times and then raises, so
on a hot account many transfers are given up: with ten clients on one row, nine attempts in ten conflict, and
three in a row do so seven times in ten.

More attempts, and a pause with jitter before each, help. So do fewer statements between BEGIN and COMMIT.
To measure a function of your own, write a scenario like this one: see docs/your-application.md.

The check proves conservation, as that of `transfer`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg.errors import SerializationFailure

from hotrow.knob import Whole
from hotrow.scenario import AppScenario, Keys, Session, State, Tally, Verdict, Work
from scenarios.transfer import Transfer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    import numpy as np
    import psycopg

_TAKE = "UPDATE account SET balance = balance - %s WHERE id = %s"
_GIVE = "UPDATE account SET balance = balance + %s WHERE id = %s"


def transfer(
    connection: psycopg.Connection[Any], source: int, destination: int, amount: int, attempts: int = 3
) -> None:
    """Move an amount from one account to another; after a conflict, try again.

    Raises:
        SerializationFailure: the last attempt conflicted, too.
    """
    for attempt in range(1, attempts + 1):
        try:
            with connection.transaction():
                connection.execute(_TAKE, (amount, source))
                connection.execute(_GIVE, (amount, destination))
        except SerializationFailure:
            if attempt == attempts:
                raise
        else:
            return


class AppTransfer(AppScenario):
    """Move an amount with a psycopg function that has its own retry loop."""

    name = "app-transfer"
    attempts = Whole(3, "attempts that the function makes before it raises", least=1, most=1000)
    _rules = Transfer()

    @property
    def keys_per_transaction(self) -> int:
        """Two accounts."""
        return self._rules.keys_per_transaction

    def tables(self) -> Sequence[str]:
        """The accounts of `transfer`."""
        return self._rules.tables()

    def seed(self, keys: int) -> Sequence[str]:
        """All accounts, with the same opening balance."""
        return self._rules.seed(keys)

    def draw(self, keys: Keys, rng: np.random.Generator) -> Work:
        """Choose two different accounts and an amount."""
        return self._rules.draw(keys, rng)

    def run_app(self, connection: psycopg.Connection[Any], work: Work) -> None:
        """Call the function."""
        source, destination, amount = work.parameters
        transfer(connection, source, destination, amount, attempts=self.attempts)

    def observe(self, session: Session) -> State:
        """The total of all balances, and the number of accounts."""
        return self._rules.observe(session)

    def check(self, before: State, after: State, tally: Tally) -> Sequence[Verdict]:
        """Check that the total has not changed."""
        return self._rules.check(before, after, tally)
