"""Sales of an item that may run out: stock is taken only where there is some.

People fear overselling: two customers who both see the last piece and both get it. `UPDATE … WHERE stock > 0`
cannot oversell: it changes no row where none is left, and of two that take the same piece the second
conflicts and is tried again on what is true by then (`--guard condition`). To read the stock first and then
write what was computed from it (`--guard read`) is as safe at snapshot isolation, because both write the row;
it is one statement longer, so more of them meet. At READ COMMITTED, PostgreSQL's default, it would oversell.

Every sale of an item writes its row, so a popular item is a hot row. The cure is to spread its stock over
several rows, as `counter` does with `--shards`. Sold out is `rejected`, not a conflict. By default the stock
outlasts any usual run, so that it measures sales; with `--stock 100` it ends with every item sold out to the
last piece.

The check proves that each acknowledged sale left one row, that stock and sales of every item still add up to
the opening stock, and that none was sold that was not there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from hotrow.errors import Rejected
from hotrow.knob import Choice, Whole
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

_TAKE = "UPDATE item SET stock = stock - 1 WHERE id = $1 AND stock > 0"
_READ = "SELECT stock FROM item WHERE id = $1"
_WRITE = "UPDATE item SET stock = $2 WHERE id = $1"
_WRONG = (
    "SELECT id, stock, coalesce(sold, 0)::bigint FROM item LEFT JOIN "
    "(SELECT item, count(*) AS sold FROM sale GROUP BY item) AS sold_of ON item = id "
    "WHERE stock < 0 OR stock + coalesce(sold, 0) <> $1 ORDER BY id"
)


class Inventory(Scenario):
    """Sell one piece of an item."""

    name = "inventory"
    stock = Whole(1_000_000, "pieces of each item at first")
    guard = Choice(
        "condition", "how the last piece is guarded: by the UPDATE, or read before", ("condition", "read")
    )

    def tables(self) -> Sequence[str]:
        """Items, and one row a sale under a random id."""
        return [
            "CREATE TABLE item (id bigint PRIMARY KEY, stock bigint NOT NULL)",
            "CREATE TABLE sale (id uuid PRIMARY KEY, item bigint NOT NULL)",
        ]

    def seed(self, keys: int) -> Sequence[str]:
        """The opening stock of every item."""
        return [
            f"INSERT INTO item SELECT id, {self.stock} FROM generate_series({first}, {last}) AS id"
            for first, last in key_ranges(keys)
        ]

    def draw(self, keys: Keys, rng: np.random.Generator) -> Work:
        """Which item, and the sale's id."""
        (item,) = keys.draw(1)
        return Work(parameters=(item, UUID(bytes=rng.bytes(16), version=4)), writes=(item,))

    def run(self, session: Session, work: Work) -> None:
        """Take a piece and note the sale."""
        item, sale = work.parameters
        if not (_take if self.guard == "condition" else _read_and_take)(session, item):
            raise Rejected("sold out")
        session.execute("INSERT INTO sale VALUES ($1, $2)", sale, item)

    def observe(self, session: Session) -> State:
        """How many sales there are, and the items whose stock and sales do not add up."""
        ((sales,),) = session.execute("SELECT count(*) FROM sale").rows
        wrong = session.execute(_WRONG, self.stock).rows
        return {"sales": sales, "wrong": {item: (stock, sold) for item, stock, sold in wrong}}

    def check(self, before: State, after: State, tally: Tally) -> Sequence[Verdict]:
        """One row a sale; no item went wrong since `before`."""
        sales = after["sales"] - before["sales"]
        wrong = [
            {"item": item, "opening": self.stock, "stock": stock, "sold": sold}
            for item, (stock, sold) in after["wrong"].items()
            if _faults(stock, sold) != _faults(*before["wrong"].get(item, (self.stock, 0)))
        ]
        return [
            applied_once("sales equal acknowledged transactions", sales, tally),
            judge("no item is oversold", [one for one in wrong if _oversold(one) > 0], size=_oversold),
            judge("stock and sales add up", [one for one in wrong if _missing(one)], size=_missing),
        ]


def _take(session: Session, item: int) -> bool:
    return session.execute(_TAKE, item).count == 1


def _read_and_take(session: Session, item: int) -> bool:
    ((stock,),) = session.execute(_READ, item).rows
    return stock > 0 and session.execute(_WRITE, item, stock - 1).count == 1


def _faults(stock: int, sold: int) -> tuple[int, int]:
    """What goes on being wrong of an item while right sales go on: the pieces in all, those below nothing."""
    return stock + sold, min(stock, 0)


def _oversold(item: Violation) -> int:
    """Pieces sold that were not there, by the sales or by a stock below nothing, whichever is more."""
    return int(max(item["sold"] - item["opening"], -item["stock"]))


def _missing(item: Violation) -> int:
    """By how many pieces stock and sales differ from the opening stock."""
    return int(abs(item["stock"] + item["sold"] - item["opening"]))
