"""A small marketplace: orders take stock and pay sellers, transfers move the sellers' money.

A key is a seller: one account, and one item that it sells. An order writes its head and two lines, takes
stock of two items and credits their sellers; a transfer moves money between two sellers. People fear
overselling, the order that was booked twice, and money that is gone. They also expect each kind to conflict
by itself, but an order and a transfer meet on the accounts: what is rare and slow suffers from what is
frequent and hot.

The cure for a hot item is to split its stock over several rows; for a hot account, to append what it is owed
and to sum that up later. Sold out is `rejected`, not a conflict: `--stock 100` shows it.

The check proves that each acknowledged order is there once, that of every item what is in stock and what was
ordered add up to what there was, and never to less than nothing in stock, and that balances grew by exactly
what was ordered. Transfers leave no trace of their number, so this scenario always writes receipts.
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
"""Places in `kinds`."""
_PRICES = 50
"""Items cost 1 to 50."""
_QUANTITY_MOST = 3
_AMOUNT_MOST = 10

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
    """Order two items, or move money between two sellers."""

    name = "orders"
    kinds = ("order", "transfer")
    receipts = True
    orders = Share(0.7, "share of orders; the others are transfers")
    stock = Whole(1_000_000, "stock of each item at first", most=2**31 - 1)

    @property
    def keys_per_transaction(self) -> int:
        """Two sellers, of either kind."""
        return 2

    def tables(self) -> Sequence[str]:
        """Items and accounts share their ids; an order and its lines lie under a random one."""
        return _TABLES

    def seed(self, keys: int) -> Sequence[str]:
        """Full stock and empty accounts."""
        ranges = [f"FROM generate_series({first}, {last}) AS id" for first, last in key_ranges(keys)]
        items = f"INSERT INTO item SELECT id, 1 + id % {_PRICES}, {self.stock}, {self.stock}"
        return [f"{insert} {ids}" for ids in ranges for insert in (items, "INSERT INTO account SELECT id, 0")]

    def draw(self, keys: Keys, rng: np.random.Generator) -> Work:
        """Which kind, two sellers, and how much; the lower id first, so that row locks cannot deadlock."""
        sellers = tuple(sorted(keys.draw(2)))
        if rng.random() < self.orders:
            quantities = tuple(int(each) for each in rng.integers(1, _QUANTITY_MOST + 1, size=2))
            return Work(
                (UUID(bytes=rng.bytes(16), version=4), sellers, quantities), writes=sellers, kind=ORDER
            )
        amount = int(rng.integers(1, _AMOUNT_MOST + 1)) * int(rng.choice((-1, 1)))
        return Work((sellers, amount), writes=sellers, kind=TRANSFER)

    def run(self, session: Session, work: Work) -> None:
        """Do what was drawn."""
        (_order if work.kind == ORDER else _transfer)(session, *work.parameters)

    def observe(self, session: Session) -> State:
        """Sums over all tables, and the items whose stock and orders do not add up."""
        ((balances, turnover, orders),) = session.execute(_TOTALS).rows
        wrong = [_wrong_stock(*row) for row in session.execute(_WRONG).rows]
        return {"balances": balances, "turnover": turnover, "orders": orders, "wrong": wrong}

    def check(self, before: State, after: State, tally: Tally) -> Sequence[Verdict]:
        """Orders once; no item wrong that was not just as wrong before; balances follow turnover."""
        known = {(each["item"], each["off_by"]) for each in before["wrong"]}
        wrong = [each for each in after["wrong"] if (each["item"], each["off_by"]) not in known]
        orders, turnover, earned = (after[name] - before[name] for name in ("orders", "turnover", "balances"))
        gone = [{"turnover": turnover, "earned": earned}] if turnover != earned else []
        return [
            applied_once("orders equal acknowledged orders", orders, tally.kinds[ORDER]),
            judge("stock and orders add up to the opening stock", wrong, size=lambda one: abs(one["off_by"])),
            judge("balances grew by what was ordered", gone, turnover=turnover, earned=earned),
        ]


def _order(session: Session, order: UUID, sellers: tuple[int, int], quantities: tuple[int, int]) -> None:
    """Items before accounts and lower ids first, as everybody takes them."""
    session.execute("INSERT INTO customer_order VALUES ($1, now())", order)
    lines = [
        (item, quantity, _take(session, item, quantity))
        for item, quantity in zip(sellers, quantities, strict=True)
    ]
    for item, quantity, price in lines:
        session.execute(_LINE, order, item, quantity, price)
        session.execute(_CREDIT, item, quantity * price)


def _take(session: Session, item: int, quantity: int) -> int:
    """Take it from stock if there is enough; return its price."""
    taken = session.execute(_TAKE, item, quantity).rows
    if not taken:
        raise Rejected("sold out")
    return int(taken[0][0])


def _transfer(session: Session, sellers: tuple[int, int], amount: int) -> None:
    """Move the amount from the second to the first; back where it is negative."""
    first, second = sellers
    session.execute(_CREDIT, first, amount)
    session.execute(_CREDIT, second, -amount)


def _wrong_stock(item: int, stock: int, ordered: int, opening: int) -> Violation:
    """An item that lost units or got some from nowhere, or of which more was sold than there was."""
    return {"item": item, "stock": stock, "ordered": ordered, "off_by": stock + ordered - opening or stock}
