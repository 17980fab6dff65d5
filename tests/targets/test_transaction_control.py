"""A scenario's run() must not begin or end its transaction: this is refused before any load."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from hotrow.attempt.record import Outcome
from hotrow.errors import HotrowError, Rejected
from hotrow.tables.rehearsal import rehearse
from hotrow.targets.session import BLOCKING
from hotrow.targets.transaction_control import controls_transaction
from tests.support import liars
from tests.support.playing import FULL_SPEED, staged

if TYPE_CHECKING:
    from collections.abc import Callable

    from hotrow.scenario import Session, Work

pytestmark = pytest.mark.usefixtures("hotrow_home")

HOSTS = [FULL_SPEED, "plain:rtt=0,commit=0"]
CONTROL = [
    "COMMIT",
    "commit work;",
    "END",
    "end transaction",
    "ABORT",
    "ROLLBACK; ",
    "rollback work",
    "ROLLBACK AND CHAIN",
    "COMMIT AND CHAIN",
    "COMMIT PREPARED 'x'",
    "BEGIN",
    "start  transaction read only",
    "PREPARE TRANSACTION 'x'",
    "SET TRANSACTION ISOLATION LEVEL READ COMMITTED",
    "set local transaction isolation level serializable",
    "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED",
    "; COMMIT",
    "-- done\nCOMMIT",
    "/* all /* is */ done */ COMMIT -- now",
    "UPDATE item SET value = 0; COMMIT",
]
HARMLESS = [
    "UPDATE item SET value = CASE WHEN value > 1 THEN 1 ELSE 0 END",
    "SELECT 'COMMIT'",
    'SELECT "commit" FROM item',
    "SAVEPOINT a",
    "ROLLBACK TO SAVEPOINT a",
    "rollback work to a",
    "RELEASE a",
    "SET LOCAL statement_timeout = 0",
    "SELECT 1 -- COMMIT",
    "PREPARE a AS SELECT 1",
    "SELECT 'never ended",
    "",
]


@pytest.mark.parametrize("sql", CONTROL)
def test_what_begins_or_ends_a_transaction_is_recognised(sql: str) -> None:
    """It is recognised in any spelling, whatever stands before it."""
    assert controls_transaction(sql)


@pytest.mark.parametrize("sql", HARMLESS)
def test_what_only_looks_like_it_is_let_through(sql: str) -> None:
    """Such words are allowed in strings, names and comments, and savepoints are allowed too."""
    assert not controls_transaction(sql)


class Runs(liars.Honest):
    """Calls the function `does` after its update."""

    def __init__(self, does: Callable[[Session], Any]) -> None:
        super().__init__()
        self.does = does

    def run(self, session: Session, work: Work) -> None:
        super().run(session, work)
        self.does(session)


@pytest.mark.parametrize("host", HOSTS)
def test_such_a_statement_is_refused_before_any_load(host: str) -> None:
    """The message is one line with the statement. Nothing is written."""
    scenario = Runs(lambda session: session.execute("/* done */ COMMIT"))
    with staged(scenario, 10, host) as stage:
        with pytest.raises(HotrowError, match=r"^cannot run mine: .*leave this out: /\* done \*/ COMMIT"):
            rehearse(scenario, stage.target, stage.run_schema.schema, BLOCKING, keys=10, seed=1)

        assert stage.sql("SELECT sum(value)::bigint FROM item").rows == [(0,)]


@pytest.mark.parametrize("name", ["commit", "rollback", "run", "begin"])
def test_a_scenario_cannot_use_the_session_s_transaction_control(name: str) -> None:
    """The message says to use `execute()` instead."""
    scenario = Runs(lambda session: getattr(session, name)())
    with (
        staged(scenario, 10) as stage,
        pytest.raises(HotrowError, match=rf"run\(\): AttributeError: session.{name}: use execute\(\)"),
    ):
        rehearse(scenario, stage.target, stage.run_schema.schema, BLOCKING, keys=10, seed=1)


@pytest.mark.parametrize(
    "block", ["DO $$ BEGIN COMMIT; END $$", "DO $$ BEGIN ROLLBACK; END $$", "CALL ends()"]
)
def test_a_procedure_that_commits_fails_by_itself(block: str) -> None:
    """PostgreSQL refuses this in an open transaction; the line names it. Aurora DSQL has no such block."""
    scenario = Runs(lambda session: session.execute(block))
    with staged(scenario, 10, "plain:rtt=0,commit=0") as stage:
        stage.sql("CREATE PROCEDURE ends() LANGUAGE plpgsql AS $$ BEGIN COMMIT; END $$")
        with pytest.raises(HotrowError) as refused:
            rehearse(scenario, stage.target, stage.run_schema.schema, BLOCKING, keys=10, seed=1)

    assert "cannot run mine: " in str(refused.value)
    assert block in str(refused.value)


def swallow(session: Session, sql: str, error: type[Exception] = psycopg.Error) -> None:
    with suppress(error):
        session.execute(sql)


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize(
    ("does", "outcome"),
    [
        (lambda session: session.execute("COMMIT"), Outcome.ERROR),
        (lambda session: session.execute("ROLLBACK"), Outcome.ERROR),
        (lambda session: swallow(session, "COMMIT"), Outcome.COMMITTED),
        (lambda session: session.rollback(), Outcome.UNKNOWN),
        (lambda session: session.commit(), Outcome.UNKNOWN),
    ],
)
def test_in_a_run_it_is_not_sent_or_not_counted(
    does: Callable[[Session], Any], outcome: Outcome, host: str
) -> None:
    """All acknowledged commits are in the database, and all others there have an unknown outcome."""
    with staged(Runs(does), 10, host) as stage:
        played = stage.play(3)
        ((total,),) = stage.sql("SELECT sum(value)::bigint FROM item").rows

    assert played.finals == {(0, outcome): 3}
    committed, unknown = played.tally().committed, played.tally().unknown
    assert committed <= total <= committed + unknown


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("sql", ["UPDATE nowhere SET x = 1", "SELECT 1 / (SELECT 0)"])
@pytest.mark.parametrize("first", [False, True])
def test_an_error_that_run_caught_is_an_error(sql: str, host: str, first: bool) -> None:
    """This holds in load and rehearsal, also for the first statement, which fails before BEGIN is sent."""

    class Catches(Runs):
        def run(self, session: Session, work: Work) -> None:
            if first:
                swallow(session, sql)
            super().run(session, work)

    scenario = Catches(lambda session: swallow(session, sql))
    with staged(scenario, 10, host) as stage:
        played = stage.play(2)
        total = stage.sql("SELECT sum(value)::bigint FROM item").rows
        with pytest.raises(
            HotrowError, match=rf"cannot run mine: (UndefinedTable|DivisionByZero): .*: {re.escape(sql)}"
        ):
            rehearse(scenario, stage.target, stage.run_schema.schema, BLOCKING, keys=10, seed=1)

    assert (played.finals, total) == ({(0, Outcome.ERROR): 2}, [(0,)])


def test_an_error_undone_by_a_savepoint_does_not_count() -> None:
    """PostgreSQL continues as if the error had not happened, and so does the transaction."""

    def undo(session: Session) -> None:
        session.execute("SAVEPOINT before")
        swallow(session, "SELECT 1 / (SELECT 0)")
        session.execute("ROLLBACK TO SAVEPOINT before")

    scenario = Runs(undo)
    with staged(scenario, 10, "plain:rtt=0,commit=0") as stage:
        assert rehearse(scenario, stage.target, stage.run_schema.schema, BLOCKING, keys=10, seed=1) == []
        assert stage.play(2).finals == {(0, Outcome.COMMITTED): 2}


@pytest.mark.parametrize("host", HOSTS)
def test_a_business_rule_may_reject_because_of_an_error(host: str) -> None:
    """A scenario may reject a transaction after a database error such as a duplicate key."""

    def refuse(session: Session) -> None:
        try:
            session.execute("INSERT INTO item SELECT * FROM item WHERE id = 1")
        except psycopg.Error as error:
            raise Rejected("there already") from error

    with staged(Runs(refuse), 10, host) as stage:
        assert stage.play(2).finals == {(0, Outcome.REJECTED): 2}
