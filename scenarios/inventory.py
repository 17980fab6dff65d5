"""Sales of items that can run out: a sale takes one piece, if any is left.

The fear is overselling: two customers see the last piece, and both get it. There are two ways to guard it:

- `--guard condition` writes `UPDATE … WHERE stock > 0`. It cannot oversell. It changes no row if nothing is
  left. If two sales take the same piece, the second one conflicts and is retried with the new stock.
- `--guard read` reads the stock first and then writes the new number. At snapshot isolation this is as safe,
  because both sales write the row. It is one statement longer, so more sales conflict. At READ COMMITTED,
  PostgreSQL's default, it would oversell.

Every sale writes the row of its item, so a popular item is a hot row. The cure is to spread the stock over
several rows, as `counter` does with `--shards`. A sale of a sold-out item is `rejected`; that is no conflict.
The default stock outlasts any usual run, so the run measures sales. With `--stock 100` the items sell out
during a cell. Each cell begins with full stocks.

The check proves that each acknowledged sale left one row, that stock and sales of every item add up to the
opening stock, and that no item sold more pieces than it had.
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
_RESTOCK = (
    "UPDATE item SET opening = opening + {0} - stock, stock = {0} "
    "WHERE id BETWEEN {1} AND {2} AND stock < {0}"
)
_WRONG = (
    "SELECT id, opening, stock, coalesce(sold, 0)::bigint FROM item LEFT JOIN "
    "(SELECT item, count(*) AS sold FROM sale GROUP BY item) AS sold_of ON item = id "
    "WHERE stock < 0 OR stock + coalesce(sold, 0) <> opening ORDER BY id"
)


class Inventory(Scenario):
    """Sell one piece of an item, if one is left."""

    name = "inventory"
    stock = Whole(1_000_000, "pieces of each item at first")
    guard = Choice(
        "condition", "how the last piece is guarded: by the UPDATE, or read before", ("condition", "read")
    )

    def tables(self) -> Sequence[str]:
        """The items, and one row per sale under a random id."""
        return [
            "CREATE TABLE item (id bigint PRIMARY KEY, opening bigint NOT NULL, stock bigint NOT NULL)",
            "CREATE TABLE sale (id uuid PRIMARY KEY, item bigint NOT NULL)",
        ]

    def seed(self, keys: int) -> Sequence[str]:
        """The opening stock of every item."""
        return [
            f"INSERT INTO item SELECT id, {self.stock}, {self.stock} "
            f"FROM generate_series({first}, {last}) AS id"
            for first, last in key_ranges(keys)
        ]

    def reset(self, keys: int) -> Sequence[str]:
        """Every item has its first stock again. What is added counts as opening stock."""
        return [_RESTOCK.format(self.stock, first, last) for first, last in key_ranges(keys)]

    def draw(self, keys: Keys, rng: np.random.Generator) -> Work:
        """Choose an item, and the id of the sale."""
        (item,) = keys.draw(1)
        return Work(parameters=(item, UUID(bytes=rng.bytes(16), version=4)), writes=(item,))

    def run(self, session: Session, work: Work) -> None:
        """Take a piece and record the sale; reject the sale if no piece is left."""
        item, sale = work.parameters
        if not (_take if self.guard == "condition" else _read_and_take)(session, item):
            raise Rejected("sold out")
        session.execute("INSERT INTO sale VALUES ($1, $2)", sale, item)

    def observe(self, session: Session) -> State:
        """The number of sales, and the items whose stock and sales do not add up."""
        ((sales,),) = session.execute("SELECT count(*) FROM sale").rows
        names = ("item", "opening", "stock", "sold")
        wrong = [dict(zip(names, row, strict=True)) for row in session.execute(_WRONG).rows]
        return {"sales": sales, "wrong": {item["item"]: item for item in wrong}}

    def check(self, before: State, after: State, tally: Tally) -> Sequence[Verdict]:
        """Check that each sale left one row and that no item went wrong since `before`."""
        sales = after["sales"] - before["sales"]
        known = {number: _faults(item) for number, item in before["wrong"].items()}
        wrong = [
            item for number, item in after["wrong"].items() if _faults(item) != known.get(number, (0, 0))
        ]
        return [
            applied_once("sales equal acknowledged transactions", sales, tally),
            judge("no item is oversold", [item for item in wrong if _oversold(item) > 0], size=_oversold),
            judge("stock and sales add up", [item for item in wrong if _missing(item)], size=_missing),
        ]


def _take(session: Session, item: int) -> bool:
    return session.execute(_TAKE, item).count == 1


def _read_and_take(session: Session, item: int) -> bool:
    ((stock,),) = session.execute(_READ, item).rows
    return stock > 0 and session.execute(_WRITE, item, stock - 1).count == 1


def _faults(item: Violation) -> tuple[int, int]:
    """(pieces too many, stock if it is below 0): what correct sales do not change about an item."""
    return item["stock"] + item["sold"] - item["opening"], min(item["stock"], 0)


def _oversold(item: Violation) -> int:
    """Pieces sold beyond the opening stock, by the sales or by a negative stock, whichever is more."""
    return int(max(item["sold"] - item["opening"], -item["stock"]))


def _missing(item: Violation) -> int:
    """The pieces by which stock and sales differ from the opening stock."""
    return int(abs(item["stock"] + item["sold"] - item["opening"]))
