"""The hook that puts data back before each cell: it runs before every cell, and before the state is read."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, cast

import pytest

from hotrow.errors import TargetError, UsageError
from hotrow.scenario import Tally
from hotrow.tables.run_tables import RunTables
from hotrow.targets.session import BLOCKING
from hotrow.targets.target import parse_target, start
from scenarios.counter import Counter
from scenarios.inventory import Inventory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from hotrow.scenario import Scenario

pytestmark = pytest.mark.usefixtures("hotrow_home")

NOTHING = Tally(committed=0, unknown=0)


@pytest.fixture(params=["local:rtt=0,commit=0", "plain:rtt=0,commit=0"])
def lay_out(request: pytest.FixtureRequest) -> Iterator[Callable[..., RunTables]]:
    """A function that creates tables for scenarios; they are dropped at the end."""
    made: list[RunTables] = []

    def make(*scenarios: Scenario) -> RunTables:
        target = start(parse_target(request.param))
        schema = f"hotrow_reset_{os.urandom(4).hex()}"
        made.append(RunTables(target, schema, scenarios, BLOCKING, keys=3, receipts=False))
        made[-1].build(progress=False)
        return made[-1]

    yield make
    for tables in made:
        tables.drop()


def _sql(schema: str, statement: str) -> Sequence[tuple[int, ...]]:
    target = start(parse_target("plain:rtt=0,commit=0"))
    session = target.connect(BLOCKING, schema)
    try:
        return session.run(statement).rows
    finally:
        session.close()


def test_a_sold_out_shop_is_full_again_in_the_next_cell(lay_out: Callable[..., RunTables]) -> None:
    """Stock that was put back is no violation: the check of the next cell starts after the reset."""
    tables = lay_out(Inventory(stock=2), Inventory(stock=2))
    schema = tables.schemas[0]
    tables.prepare(0)
    session = start(parse_target("local:rtt=0,commit=0")).connect(BLOCKING, schema)
    for _ in range(2):
        session.begin()
        session.execute("UPDATE item SET stock = stock - 1 WHERE id = $1", 1)
        session.execute("INSERT INTO sale SELECT gen_random_uuid(), $1::bigint", 1)
        session.commit()
    session.close()

    sold_out = tables.judge(0, Tally(committed=2, unknown=0))
    tables.prepare(1)
    refilled = tables.judge(1, NOTHING)

    assert [verdict.valid for verdict in [*sold_out, *refilled]] == [True] * 6
    assert _sql(schema, "SELECT opening, stock FROM item ORDER BY id") == [(2, 2), (4, 2), (2, 2)]


class Refused(Counter):
    """A counter whose reset the server refuses."""

    name = "refused"

    def reset(self, keys: int) -> Sequence[str]:
        del keys
        return ["UPDATE no_such_table SET value = 0"]


class Wordy(Counter):
    """A counter whose reset returns a text instead of a list."""

    name = "wordy"

    def reset(self, keys: int) -> Sequence[str]:
        del keys
        return cast("Sequence[str]", 7)


def test_a_reset_that_cannot_run_is_refused_before_the_load(lay_out: Callable[..., RunTables]) -> None:
    """The rehearsal resets the tables first, so that the error does not wait for the second cell."""
    with pytest.raises(TargetError, match=r"cannot reset the tables of refused: .*no_such_table"):
        lay_out(Refused()).rehearse(1)


def test_a_reset_that_returns_no_statements_is_refused(lay_out: Callable[..., RunTables]) -> None:
    """Nothing is connected to: the scenario is at fault."""
    with pytest.raises(UsageError, match=r"cannot run wordy: reset\(\) must return a list"):
        lay_out(Wordy())
