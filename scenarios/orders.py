"""A small marketplace: orders take stock and pay sellers, transfers move money between sellers.

A key is a seller, who has one account and sells one item. An order inserts a head and two lines, takes stock
of two items and credits their sellers. A transfer moves money between two sellers. The fears are overselling,
an order that is booked twice, and money that disappears. There is also a surprise: the two kinds of
transaction conflict with each other, because both write accounts. A rare, slow kind suffers from a frequent,
hot one.

To cool a hot item, split its stock over several rows. To cool a hot account, append what it is owed and sum
that up later. An order for a sold-out item is `rejected`, which is no conflict: `--stock 100` shows it.

The check proves three things. Each acknowledged order exists once. The stock of every item and the quantities
ordered add up to its opening stock, and no stock is negative. The balances grew by exactly the value of the
orders. Transfers leave no rows that could be counted, so this scenario always writes receipts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from hotrow.errors import Rejected
from hotrow.knob import Share, Whole
from hotrow.scenario import (
    Keys,
    Scenario,
    Session,
    State,
    Tally,
    Verdict,
    Violation,
    Work,
    applied_once,
    judge,
    key_ranges,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

ORDER, TRANSFER = 0, 1
"""Indexes into `kinds`."""
_PRICES = 50
"""Items cost 1 to 50."""
_MAX_QUANTITY = 3
_MAX_AMOUNT = 10

_TABLES = (
    """CREATE TABLE item (
        id bigint PRIMARY KEY, price bigint NOT NULL, opening bigint NOT NULL, stock bigint NOT NULL
    )""",
    "CREATE TABLE account (id bigint PRIMARY KEY, balance bigint NOT NULL)",
    "CREATE TABLE customer_order (id uuid PRIMARY KEY, placed timestamptz NOT NULL)",
    """CREATE TABLE order_line (
        order_id uuid, item bigint, quantity bigint NOT NULL, price bigint NOT NULL,
        PRIMARY KEY (order_id, item)
    )""",
)
_TAKE = "UPDATE item SET stock = stock - $2 WHERE id = $1 AND stock >= $2 RETURNING price"
_CREDIT = "UPDATE account SET balance = balance + $2 WHERE id = $1"
_LINE = "INSERT INTO order_line VALUES ($1, $2, $3, $4)"
_RESTOCK = (
    "UPDATE item SET opening = opening + {0} - stock, stock = {0} "
    "WHERE id BETWEEN {1} AND {2} AND stock < {0}"
)
_TOTALS = (
    "SELECT (SELECT sum(balance)::bigint FROM account), "
    "(SELECT coalesce(sum(quantity * price), 0)::bigint FROM order_line), "
    "(SELECT count(*) FROM customer_order)"
)
_WRONG = (
    "SELECT id, stock, coalesce(ordered, 0)::bigint, opening FROM item LEFT JOIN "
    "(SELECT item, sum(quantity) AS ordered FROM order_line GROUP BY item) AS line ON item = id "
    "WHERE stock < 0 OR stock + coalesce(ordered, 0) <> opening ORDER BY id"
)


class Orders(Scenario):
    """Order two items from two sellers, or move money between two sellers."""

    name = "orders"
    kinds = ("order", "transfer")
    receipts = True
    orders = Share(0.7, "share of orders; the others are transfers")
    stock = Whole(1_000_000, "stock of each item at first", most=2**31 - 1)

    @property
    def keys_per_transaction(self) -> int:
        """Two sellers, for both kinds of transaction."""
        return 2

    def tables(self) -> Sequence[str]:
        """Items and accounts under the id of their seller; orders and their lines under a random id."""
        return _TABLES

    def seed(self, keys: int) -> Sequence[str]:
        """Full stocks and empty accounts."""
        ranges = [f"FROM generate_series({first}, {last}) AS id" for first, last in key_ranges(keys)]
        items = f"INSERT INTO item SELECT id, 1 + id % {_PRICES}, {self.stock}, {self.stock}"
        return [f"{insert} {ids}" for ids in ranges for insert in (items, "INSERT INTO account SELECT id, 0")]

    def reset(self, keys: int) -> Sequence[str]:
        """Every item has its first stock again. What is added counts as opening stock."""
        return [_RESTOCK.format(self.stock, first, last) for first, last in key_ranges(keys)]

    def draw(self, keys: Keys, rng: np.random.Generator) -> Work:
        """Choose the kind, two sellers and the amounts; the lower id first, so that locks cannot deadlock."""
        sellers = tuple(sorted(keys.draw(2)))
        if rng.random() < self.orders:
            quantities = tuple(int(quantity) for quantity in rng.integers(1, _MAX_QUANTITY + 1, size=2))
            return Work(
                (UUID(bytes=rng.bytes(16), version=4), sellers, quantities), writes=sellers, kind=ORDER
            )
        amount = int(rng.integers(1, _MAX_AMOUNT + 1)) * int(rng.choice((-1, 1)))
        return Work((sellers, amount), writes=sellers, kind=TRANSFER)

    def run(self, session: Session, work: Work) -> None:
        """Place the order or make the transfer that was drawn."""
        (_order if work.kind == ORDER else _transfer)(session, *work.parameters)

    def observe(self, session: Session) -> State:
        """The sums over all tables, and the items whose stock and orders do not add up."""
        ((balances, turnover, orders),) = session.execute(_TOTALS).rows
        wrong = [_wrong_stock(*row) for row in session.execute(_WRONG).rows]
        return {"balances": balances, "turnover": turnover, "orders": orders, "wrong": wrong}

    def check(self, before: State, after: State, tally: Tally) -> Sequence[Verdict]:
        """Check that orders exist once, that no item went wrong, and that balances follow turnover."""
        known = {(item["item"], item["off_by"]) for item in before["wrong"]}
        wrong = [item for item in after["wrong"] if (item["item"], item["off_by"]) not in known]
        orders, turnover, earned = (after[name] - before[name] for name in ("orders", "turnover", "balances"))
        gone = [{"turnover": turnover, "earned": earned}] if turnover != earned else []
        return [
            applied_once("orders equal acknowledged orders", orders, tally.kinds[ORDER]),
            judge(
                "stock and orders add up to the opening stock", wrong, size=lambda item: abs(item["off_by"])
            ),
            judge("balances grew by what was ordered", gone, turnover=turnover, earned=earned),
        ]


def _order(session: Session, order: UUID, sellers: tuple[int, int], quantities: tuple[int, int]) -> None:
    """Place an order; every order takes items before accounts and lower ids first."""
    session.execute("INSERT INTO customer_order VALUES ($1, now())", order)
    lines = [
        (item, quantity, _take(session, item, quantity))
        for item, quantity in zip(sellers, quantities, strict=True)
    ]
    for item, quantity, price in lines:
        session.execute(_LINE, order, item, quantity, price)
        session.execute(_CREDIT, item, quantity * price)


def _take(session: Session, item: int, quantity: int) -> int:
    """Take the quantity from stock if there is enough; return the price of one piece."""
    taken = session.execute(_TAKE, item, quantity).rows
    if not taken:
        raise Rejected("sold out")
    return int(taken[0][0])


def _transfer(session: Session, sellers: tuple[int, int], amount: int) -> None:
    """Move the amount from the second seller to the first; the other way if it is negative."""
    first, second = sellers
    session.execute(_CREDIT, first, amount)
    session.execute(_CREDIT, second, -amount)


def _wrong_stock(item: int, stock: int, ordered: int, opening: int) -> Violation:
    """An item whose pieces do not add up, or whose stock is negative."""
    return {"item": item, "stock": stock, "ordered": ordered, "off_by": stock + ordered - opening or stock}
