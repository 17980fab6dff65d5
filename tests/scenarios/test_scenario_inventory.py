"""The inventory: sold out to the last piece and never beyond it, on the stand-in and under row locks."""

from __future__ import annotations

import pytest

from hotrow.attempt.record import Outcome
from hotrow.scenario import Tally
from scenarios.inventory import Inventory
from tests.support.playing import FULL_SPEED, PLAIN, staged

pytestmark = pytest.mark.usefixtures("hotrow_home")


@pytest.mark.parametrize("guard", ["condition", "read"])
@pytest.mark.parametrize("conflicts", ["commit", "locks"])
@pytest.mark.usefixtures("dsn")
def test_the_last_piece_is_sold_once(guard: str, conflicts: str) -> None:
    """Clients that want more than the stock sell all of it and no more; the other sales are rejected."""
    host = FULL_SPEED if conflicts == "commit" else PLAIN
    with staged(Inventory(stock=20, guard=guard), keys=3, host=host) as stage:
        before = stage.observe()
        played = stage.play(200, clients=4, skew="hot")
        verdicts = stage.check(before, played.tally())
        stock = stage.sql("SELECT id, stock FROM item ORDER BY id").rows

    assert played.finals == {(0, Outcome.COMMITTED): 20, (0, Outcome.REJECTED): 180}
    assert sorted(left for _, left in stock) == [0, 20, 20]
    assert [verdict.valid for verdict in verdicts] == [True, True, True]


@pytest.mark.parametrize("guard", ["condition", "read"])
def test_sales_of_one_item_conflict(guard: str) -> None:
    """They write its row. Sales that conflict are retried, and none is lost."""
    with staged(Inventory(guard=guard)) as stage:
        before = stage.observe()
        played = stage.play(120, clients=4, skew="hot")
        once, *_ = stage.check(before, played.tally())

    assert played.outcomes(Outcome.CONFLICT) > 0
    assert (once.valid, once.details["counted"]) == (True, 120)


def test_oversold_items_are_found() -> None:
    """A negative stock, and more sales than pieces: the first, worst and last item are shown."""
    with staged(Inventory(stock=2), keys=5) as stage:
        before = stage.observe()
        stage.sql("UPDATE item SET stock = -1 WHERE id IN (0, 4)")
        stage.sql("UPDATE item SET stock = 0 WHERE id = 2")
        stage.sql("INSERT INTO sale SELECT gen_random_uuid(), 2 FROM generate_series(1, 9)")
        stage.sql("INSERT INTO sale SELECT gen_random_uuid(), n % 2 * 4 FROM generate_series(1, 5) AS n")
        once, oversold, adding = stage.check(before, Tally(14, 0))

    assert once.valid is True
    assert (oversold.valid, oversold.count) == (False, 3)
    assert oversold.first == {"item": 0, "opening": 2, "stock": -1, "sold": 2}
    assert oversold.worst == {"item": 2, "opening": 2, "stock": 0, "sold": 9}
    assert oversold.last == {"item": 4, "opening": 2, "stock": -1, "sold": 3}
    assert (adding.valid, adding.count) == (False, 2)
    assert (adding.first, adding.worst) == (oversold.first, oversold.worst)


def test_stock_that_vanished_is_found() -> None:
    """Pieces that were taken without a sale, or put back, are no overselling, but do not add up."""
    with staged(Inventory(stock=50), keys=5) as stage:
        before = stage.observe()
        played = stage.play(20)
        stage.sql("UPDATE item SET stock = stock - id WHERE id IN (1, 4)")
        stage.sql("UPDATE item SET stock = stock + 10 WHERE id = 3")
        once, oversold, adding = stage.check(before, played.tally())

    assert (once.valid, oversold.valid) == (True, True)
    assert (adding.valid, adding.count) == (False, 3)
    assert [one["item"] for one in (adding.first, adding.worst, adding.last) if one] == [1, 3, 4]


@pytest.mark.parametrize(
    ("wrong", "direction"),
    [
        ("DELETE FROM sale WHERE id = (SELECT id FROM sale ORDER BY id LIMIT 1)", "lost"),
        ("INSERT INTO sale SELECT gen_random_uuid(), item FROM sale LIMIT 1", "doubled"),
    ],
)
def test_a_sale_lost_or_doubled_is_found(wrong: str, direction: str) -> None:
    """The count of sales is wrong, and stock and sales do not add up."""
    with staged(Inventory(), keys=5) as stage:
        before = stage.observe()
        played = stage.play(20)
        stage.sql(wrong)
        once, _, adding = stage.check(before, played.tally())

    assert (once.valid, once.count, once.details[direction]) == (False, 1, 1)
    assert (adding.valid, adding.count) == (False, 1)


def test_a_sale_of_unknown_outcome_may_be_there_or_not() -> None:
    """Both are correct; one sale more is a violation."""
    with staged(Inventory(), keys=5) as stage:
        before = stage.observe()
        stage.play(20)
        verdicts = [stage.check(before, Tally(committed, 1))[0] for committed in (20, 19, 18)]

    assert [verdict.valid for verdict in verdicts] == [True, True, False]


def test_a_fault_from_before_the_cell_is_not_counted() -> None:
    """An item that was wrong before is no new violation, unless it becomes worse."""
    with staged(Inventory(stock=50), keys=2) as stage:
        stage.sql("UPDATE item SET stock = stock - 1")
        before = stage.observe()
        tally = stage.play(20).tally()
        went_on = stage.check(before, tally)
        stage.sql("UPDATE item SET stock = stock - 1 WHERE id = 1")
        further = stage.check(before, tally)

    assert [verdict.valid for verdict in went_on] == [True, True, True]
    assert [verdict.valid for verdict in further] == [True, True, False]
