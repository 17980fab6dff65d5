"""An application's function through the endpoint as `dsql://`, also while COMMITs lose their connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import sqlalchemy as sa

from hotrow.attempt.record import Outcome
from hotrow.standin.endpoint.control import ask_control
from hotrow.standin.endpoint.faults import Fault, Faults
from hotrow.standin.endpoint.running import find_control
from tests.support.app_calls import ADD, Caller, add, calling
from tests.support.dsql_endpoint import offered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.usefixtures("hotrow_home")
CALLS = 40


@pytest.fixture(scope="module")
def host(dsn: str) -> Iterator[str]:
    """The endpoint as a `--host`."""
    assert dsn
    with offered() as offer:
        yield offer.host()


@pytest.fixture
def caller(host: str) -> Iterator[Caller]:
    """A user of the endpoint on fresh tables, with no faults before and after."""
    ask_control(find_control(), Faults())
    with calling(host) as caller:
        yield caller
        ask_control(find_control(), Faults())


def retrying(connection: Any) -> None:
    """Three attempts, as an application without receipts should: it repeats conflicts only."""
    for attempt in (1, 2, 3):
        try:
            with connection.transaction():
                add(connection)
        except psycopg.errors.SerializationFailure:
            if attempt == 3:
                raise
        else:
            return


def alone(connection: Any) -> None:
    """One statement by itself, which commits with its answer."""
    connection.autocommit = True
    add(connection)


def test_conflicts_at_the_endpoint_are_retried_by_the_function(caller: Caller) -> None:
    """Half of the COMMITs are answered with OC000; each is a conflict of its attempt."""
    faults = ask_control(find_control(), Faults(conflict=0.5, seed=3))
    assert faults

    for _ in range(CALLS):
        caller.call(retrying)

    ended = [record["outcome"] for record in caller.records]
    assert ended.count(Outcome.CONFLICT) == ask_control(find_control(), None).fired[Fault("conflict")] > 10
    assert ended.count(Outcome.COMMITTED) == caller.totals()[0]
    assert {record["marker"] for record in caller.records if record["outcome"] == Outcome.CONFLICT} == {1}
    assert Outcome.CONFLICT in caller.outcomes


@pytest.mark.parametrize("function", [retrying, alone], ids=lambda function: function.__name__)
def test_a_connection_lost_during_commit_leaves_the_outcome_unknown(
    caller: Caller, function: Callable[[Any], object]
) -> None:
    """So acknowledged <= counted <= acknowledged + unknown; each next call has a new connection."""
    ask_control(find_control(), Faults(drop_during=0.4, seed=5))

    for _ in range(CALLS):
        caller.call(function)

    fired = ask_control(find_control(), None).fired[Fault("drop_during")]
    ask_control(find_control(), Faults())
    tally, counted = caller.tally(), caller.totals()[0]
    assert tally.unknown == fired > 5
    assert tally.committed + tally.unknown == CALLS
    assert tally.committed < counted < tally.committed + tally.unknown, "some were applied, some were not"
    assert len(caller.notes) == fired


def test_a_blind_retry_after_an_unknown_outcome_is_found(caller: Caller) -> None:
    """An engine connects again within the call. If the lost COMMIT was applied, the work is done twice."""
    caller.call(retrying)  # connected
    ask_control(find_control(), Faults(drop_after=0.5, seed=1))
    statement = sa.text(ADD % 0)

    def blind(_: Any) -> None:
        engine = caller.engine("postgresql+psycopg://", {})
        while True:
            try:
                with engine.begin() as connection:
                    connection.execute(statement)
            except sa.exc.DBAPIError:
                continue
            return

    first = len(caller.records)
    for _ in range(10):
        caller.call(blind)

    seen = [Outcome(record["outcome"]).name for record in caller.records[first:]]
    assert seen.count("COMMITTED") == 10
    assert seen.count("UNKNOWN") == ask_control(find_control(), None).fired[Fault("drop_after")] > 0
    ask_control(find_control(), Faults())
    assert caller.tally().unknown == 0
    assert caller.totals()[0] == len(caller.records), "more than the calls that were acknowledged"
