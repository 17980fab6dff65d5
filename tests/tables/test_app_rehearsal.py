"""The rehearsal of an application: what cannot run is refused in one line, what misleads is a finding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from hotrow.errors import HotrowError, Rejected
from hotrow.scenario import Scenario, Tally
from hotrow.tables.app_rehearsal import CALLS, rehearse_app
from hotrow.tables.own_transactions import handles_conflicts
from hotrow.tables.rehearsal import rehearse
from hotrow.targets.own_connections import noticing
from hotrow.targets.session import BLOCKING
from scenarios import ALL
from tests.support.app_calls import ADD, Counted, add
from tests.support.playing import FULL_SPEED, PLAIN, staged

if TYPE_CHECKING:
    from collections.abc import Callable

    from hotrow.finding import Finding

pytestmark = pytest.mark.usefixtures("hotrow_home")


def rehearsed(function: Callable[[Any], object], host: str = FULL_SPEED) -> tuple[list[Finding], Tally, int]:
    """The findings, the tally, and the increments that are in the table afterwards."""
    with staged(Counted(), keys=3, host=host) as stage:
        found, tally = rehearse_app(
            Counted(function), stage.target, stage.run_schema.schema, BLOCKING, keys=3, seed=1
        )
        return found, tally, stage.observe()["total"]


def block(connection: Any) -> None:
    with connection.transaction():
        add(connection)


def test_what_the_rehearsal_commits_is_in_its_tally() -> None:
    """Nothing is rolled back, so the check gets the number of commits."""
    assert rehearsed(block) == ([], Tally(CALLS, 0, kinds=[]), CALLS)


def test_several_transactions_in_a_call_are_named() -> None:
    """Because counts are those of transactions, not of calls."""

    def twice(connection: Any) -> None:
        block(connection)
        block(connection)

    (finding,), tally, total = rehearsed(twice)

    assert finding.code == "several_transactions"
    assert f"{CALLS} calls of run_app() made {2 * CALLS} transactions" in finding.message
    assert tally.committed == total == 2 * CALLS


def own(dsn: str) -> Callable[[Any], None]:
    def increment(_: Any) -> None:
        with psycopg.connect(dsn) as connection:
            connection.execute("SELECT 1")

    return increment


def test_a_connection_of_its_own_is_refused_or_noticed(dsn: str) -> None:
    """Refused if nothing happens on hotrow's, otherwise a finding."""
    with pytest.raises(HotrowError, match=r"run_app.*connection of its own; use the connection that run_app"):
        rehearsed(own(dsn))

    def both(connection: Any) -> None:
        own(dsn)(connection)
        block(connection)

    (finding,), _, _ = rehearsed(both)
    assert finding.code == "own_connection"


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("UPDATE nothing SET value = 1", 'cannot run counted: run_app(): 42P01 relation "nothing" does not'),
        (ADD, "cannot run counted: run_app(): "),
    ],
)
def test_a_call_that_fails_is_refused_with_its_reason(statement: str, message: str) -> None:
    """With SQLSTATE, message, statement, and the line of the scenario's file."""
    with pytest.raises(HotrowError) as refused:
        rehearsed(lambda connection: connection.execute(statement))

    text = str(refused.value)
    assert text.startswith(message)
    assert "app_calls.py:" in text
    assert "\n" not in text


def test_a_savepoint_is_refused_where_there_is_none() -> None:
    """With a line that says what makes one."""

    def nested(connection: Any) -> None:
        with connection.transaction(), connection.transaction():
            add(connection)

    with pytest.raises(HotrowError, match=r"SAVEPOINT.*a transaction\(\) inside another one is a SAVEPOINT"):
        rehearsed(nested)
    found, tally, total = rehearsed(nested, PLAIN)
    assert (found, tally.committed) == ([], total)


def test_a_rejected_call_is_fine() -> None:
    """It commits nothing."""

    def reject(connection: Any) -> None:
        add(connection)
        raise Rejected

    assert rehearsed(reject) == ([], Tally(0, 0, kinds=[]), 0)


def retry_inside(session: Any) -> None:
    """Retries as an application would."""
    try:
        session.execute("SELECT 1")
    except psycopg.errors.SerializationFailure:
        retry_inside(session)


class Retries(Scenario):
    """An ordinary scenario whose `run` handles conflicts and opens a connection."""

    name = "retries"
    dsn = ""
    tables, seed, draw, observe, check = (
        Counted.tables,
        Counted.seed,
        Counted.draw,
        Counted.observe,
        Counted.check,
    )  # type: ignore[assignment] # of another class

    def run(self, session: Any, work: Any) -> None:
        session.execute("UPDATE counter SET value = value + 1 WHERE id = $1", *work.parameters)
        psycopg.connect(self.dsn).close()
        retry_inside(session)


def test_an_ordinary_scenario_that_retries_by_itself_is_pointed_here(dsn: str) -> None:
    """Both signs are findings, whose advice names AppScenario."""
    Retries.dsn = dsn
    with staged(Retries(), keys=3) as stage:
        found = rehearse(Retries(), stage.target, stage.run_schema.schema, BLOCKING, keys=3, seed=1)

    assert {finding.code for finding in found} == {"own_connection", "own_retries"}
    assert all("AppScenario" in finding.advice for finding in found)
    assert [name for name, kind in ALL.items() if handles_conflicts(kind)] == []


def test_psycopg_is_left_as_it_was(dsn: str) -> None:
    """Outside of a rehearsal nothing is noted."""
    with noticing() as opened:
        psycopg.connect(dsn).close()
    psycopg.connect(dsn).close()

    assert opened == ["psycopg.connect()"]
