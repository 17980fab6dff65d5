"""Orders and transfers: stock, money and orders add up, and the check finds what does not."""

from __future__ import annotations

from uuid import uuid4

import numpy as np
import psycopg
import pytest

from hotrow.attempt.record import Outcome
from hotrow.keys.skew import KeySource, parse_skew
from hotrow.scenario import Tally, Work
from scenarios.orders import ORDER, TRANSFER, Orders
from tests.support.playing import staged

pytestmark = pytest.mark.usefixtures("hotrow_home")

ONCE, STOCK, MONEY = 0, 1, 2
"""Indexes of the verdicts."""
OVERLAPPING = "local:rtt=300us,commit=300us"
"""Round trips long enough that the transactions of several clients are open at once."""


def work_of(kind: int, sellers: tuple[int, int]) -> Work:
    if kind == TRANSFER:
        return Work((sellers, 5), writes=sellers, kind=TRANSFER)
    return Work((uuid4(), sellers, (1, 2)), writes=sellers, kind=ORDER)


def test_everything_adds_up_after_a_contended_play() -> None:
    """Both kinds conflict on a hot seller, and every check is valid."""
    with staged(Orders(), host=OVERLAPPING) as stage:
        before = stage.observe()
        played = stage.play(80, clients=4, skew="hot")
        tally = played.tally(kinds=2)
        verdicts = stage.check(before, tally)
        lines = stage.sql("SELECT count(*) FROM order_line").rows[0][0]

    assert [verdict.valid for verdict in verdicts] == [True, True, True]
    assert lines == 2 * tally.kinds[ORDER].committed
    assert verdicts[MONEY].details["turnover"] > 0
    assert played.outcomes(Outcome.CONFLICT) > 0


@pytest.mark.parametrize(
    "kinds", [(ORDER, ORDER), (ORDER, TRANSFER), (TRANSFER, ORDER), (TRANSFER, TRANSFER)]
)
def test_any_two_that_share_a_seller_conflict(kinds: tuple[int, int]) -> None:
    """The second to commit conflicts, for all kinds, as `writes` declares."""
    works = [work_of(kind, sellers) for kind, sellers in zip(kinds, [(2, 3), (3, 4)], strict=True)]
    with staged(Orders()) as stage, stage.session() as first, stage.session() as second:
        for session, work in zip((first, second), works, strict=True):
            session.begin()
            stage.scenario.run(session, work)
        assert first.commit() == "COMMIT"
        with pytest.raises(psycopg.errors.SerializationFailure):
            second.commit()


@pytest.mark.parametrize("share", [0.0, 0.7, 1.0])
def test_the_kinds_are_mixed_as_asked(share: float) -> None:
    """The share of orders is that of the knob; both kinds write the two sellers that they drew."""
    rng = np.random.default_rng(1)
    keys = KeySource(parse_skew("uniform").table(20), rng)
    works = [Orders(orders=share).draw(keys, rng) for _ in range(1000)]

    assert np.mean([work.kind == ORDER for work in works]) == pytest.approx(share, abs=0.05)
    assert {len(set(work.writes)) for work in works} == {2}
    assert all(work.writes in work.parameters for work in works)


def test_what_is_sold_out_is_rejected_and_never_oversold() -> None:
    """Two items with five units each: some orders are rejected as a whole, and stock stays at least 0."""
    with staged(Orders(stock=5, orders=1), keys=2) as stage:
        before = stage.observe()
        played = stage.play(20, clients=2)
        verdicts = stage.check(before, played.tally(kinds=2))
        orders, left = stage.sql(
            "SELECT (SELECT count(*) FROM customer_order), (SELECT min(stock) FROM item)"
        ).rows[0]

    assert played.outcomes(Outcome.REJECTED) + orders == 20
    assert played.outcomes(Outcome.REJECTED) > 0
    assert left >= 0
    assert [verdict.valid for verdict in verdicts] == [True, True, True]


@pytest.mark.parametrize(
    ("wrong", "verdict"),
    [
        ("DELETE FROM customer_order WHERE id = (SELECT min(id::text)::uuid FROM customer_order)", ONCE),
        ("INSERT INTO customer_order VALUES ('00000000-0000-4000-8000-000000000000', now())", ONCE),
        ("UPDATE item SET stock = stock - 1 WHERE id = 3", STOCK),
        ("UPDATE account SET balance = balance - 1 WHERE id = 3", MONEY),
    ],
)
def test_each_wrong_is_found_by_its_own_check(wrong: str, verdict: int) -> None:
    """An order that is lost or doubled, a unit or a cent that is missing: only its own verdict fails."""
    with staged(Orders()) as stage:
        before = stage.observe()
        played = stage.play(30)
        stage.sql(wrong)
        verdicts = stage.check(before, played.tally(kinds=2))

    assert [each.valid for each in verdicts] == [place != verdict for place in range(3)]
    assert verdicts[verdict].count == 1


def test_a_wrong_stock_is_shown_by_item() -> None:
    """First, worst and last are items with their difference; the worst has the largest difference."""
    with staged(Orders(orders=0)) as stage:
        before = stage.observe()
        stage.sql("UPDATE item SET stock = stock - id WHERE id IN (2, 3)")
        stage.sql("UPDATE item SET stock = stock + 9 WHERE id = 5")
        stage.sql("UPDATE item SET stock = stock - 1 WHERE id = 7")
        stock = stage.check(before, Tally(0, 0, kinds=[Tally(0, 0)]))[STOCK]

    assert (stock.valid, stock.count) == (False, 4)
    shown = [(each["item"], each["off_by"]) for each in (stock.first, stock.worst, stock.last) if each]
    assert shown == [(2, -2), (5, 9), (7, -1)]


def test_a_negative_stock_is_found() -> None:
    """Stock and orders add up, but the stock is negative."""
    line = "INSERT INTO order_line VALUES ('00000000-0000-4000-8000-000000000000', 4, 7, 0)"
    with staged(Orders(stock=5)) as stage:
        before = stage.observe()
        stage.sql(line)
        stage.sql("UPDATE item SET stock = stock - 7 WHERE id = 4")
        stock = stage.check(before, Tally(0, 0, kinds=[Tally(0, 0)]))[STOCK]

    assert stock.valid is False
    assert stock.first == {"item": 4, "stock": -2, "ordered": 7, "off_by": -2}


def test_what_was_wrong_before_is_not_counted_again() -> None:
    """An item that was wrong before the cell and does not change is no violation of this cell."""
    with staged(Orders(orders=0)) as stage:
        stage.sql("UPDATE item SET stock = stock - 1 WHERE id < 4")
        before = stage.observe()
        stage.sql("UPDATE item SET stock = stock - 1 WHERE id = 2")
        stock = stage.check(before, Tally(0, 0, kinds=[Tally(0, 0)]))[STOCK]

    assert stock.count == 1
    assert stock.first is not None
    assert (stock.first["item"], stock.first["off_by"]) == (2, -2)


def test_unknown_orders_may_be_either_and_unknown_transfers_are_no_orders() -> None:
    """The count allows for orders with an unknown outcome, and not for transfers."""
    nothing = {"balances": 0, "turnover": 0, "orders": 0, "wrong": []}
    tally = Tally(13, unknown=6, kinds=[Tally(10, unknown=1), Tally(3, unknown=5)])
    verdicts = [
        Orders().check(nothing, nothing | {"orders": orders}, tally)[ONCE].valid for orders in range(9, 13)
    ]

    assert verdicts == [False, True, True, False]
