"""Transfers: the total of all balances stays the same, and the check finds money that came or went."""

from __future__ import annotations

import pytest

from hotrow.attempt.record import Outcome
from hotrow.scenario import Tally
from scenarios.transfer import OPENING_BALANCE, Transfer
from tests.support.playing import staged

pytestmark = pytest.mark.usefixtures("hotrow_home")


def test_the_total_is_conserved_under_contention() -> None:
    """Clients on few accounts move money, and the total stays the same."""
    with staged(Transfer(), keys=3) as stage:
        before = stage.observe()
        played = stage.play(200, clients=4)
        (verdict,) = stage.check(before, played.tally())
        moved = stage.sql("SELECT count(*) FROM account WHERE balance <> $1", OPENING_BALANCE).rows[0][0]

    assert played.outcomes(Outcome.CONFLICT) > 0
    assert moved > 0
    assert verdict.valid is True
    assert verdict.details == {"before": 3 * OPENING_BALANCE, "after": 3 * OPENING_BALANCE}


@pytest.mark.parametrize("amount", [-1, 1])
def test_money_that_came_or_went_is_found(amount: int) -> None:
    """The check does not depend on the outcomes of transactions."""
    with staged(Transfer()) as stage:
        before = stage.observe()
        played = stage.play(20)
        stage.sql("UPDATE account SET balance = balance + $1 WHERE id = 3", amount)
        (verdict,) = stage.check(before, played.tally())

    total = 10 * OPENING_BALANCE
    assert (verdict.valid, verdict.count) == (False, 1)
    assert verdict.first == verdict.last == {"name": "total", "before": total, "after": total + amount}


def test_a_lost_account_is_found_beside_its_money() -> None:
    """Both are violations. A lost account without money is one violation."""
    with staged(Transfer()) as stage:
        before = stage.observe()
        stage.sql("DELETE FROM account WHERE id = 3")
        (both,) = stage.check(before, Tally(0, 0))
        stage.sql("UPDATE account SET balance = balance + $1 WHERE id = 4", OPENING_BALANCE)
        (one,) = stage.check(before, Tally(0, 0))

    assert (both.valid, both.count) == (False, 2)
    assert one.first == {"name": "accounts", "before": 10, "after": 9}


def test_an_unknown_outcome_does_not_excuse_lost_money() -> None:
    """A transfer is applied as a whole or not at all, so the total allows for nothing."""
    with staged(Transfer()) as stage:
        before = stage.observe()
        stage.sql("UPDATE account SET balance = balance - 1 WHERE id = 0")
        (verdict,) = stage.check(before, Tally(0, 100))

    assert verdict.valid is False
