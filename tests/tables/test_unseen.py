"""The rehearsal reports what it cannot see: rejected kinds, unclear statements, random numbers in run()."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from hotrow.errors import Rejected
from hotrow.scenario import Work
from hotrow.scenario.declarations import works_of
from hotrow.tables.rehearsal import rehearse
from hotrow.tables.unseen import calls_any, reacting, routines
from hotrow.targets.session import BLOCKING, PostgresSession
from tests.support import liars
from tests.support.playing import FULL_SPEED, PLAIN, staged

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hotrow.scenario import Keys, Scenario, Session
    from hotrow.scenario.declarations import Finding

pytestmark = pytest.mark.usefixtures("hotrow_home")

COUNTED = "CREATE FUNCTION counted(bigint) RETURNS bigint LANGUAGE sql AS 'SELECT $1'"


def findings_of(scenario: Scenario, host: str = PLAIN) -> list[Finding]:
    """The findings of a rehearsal of this scenario on new tables."""
    with staged(scenario, 100, host) as stage:
        return rehearse(scenario, stage.target, stage.run_schema.schema, BLOCKING, keys=100, seed=1)


class Sends(liars.Honest):
    """Sends another statement after its update, and has these tables in addition."""

    def __init__(self, sql: str, *tables: str) -> None:
        super().__init__()
        self.sql, self.more = sql, tables

    def tables(self) -> Sequence[str]:
        return [*super().tables(), *self.more]

    def run(self, session: Session, work: Work) -> None:
        super().run(session, work)
        session.execute(self.sql)


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("MERGE INTO audit USING item ON place = id WHEN MATCHED THEN UPDATE SET total = 1", ()),
        ("WITH one AS (UPDATE audit SET total = 1 RETURNING 1) SELECT * FROM one", ()),
        ("SELECT total INTO TEMP copied FROM audit", ()),
        ("SELECT total FROM audit JOIN item ON place = id FOR UPDATE", ()),
        ("SELECT 1 WHERE EXISTS (SELECT total FROM audit FOR UPDATE)", ()),
        ("DO $$ BEGIN UPDATE audit SET total = 1; END $$", ()),
        ("LOCK TABLE audit IN SHARE ROW EXCLUSIVE MODE", ()),
        ("TRUNCATE audit", ()),
        ("UPDATE hidden SET x = 1", ("CREATE TABLE hidden (x int)",)),
        ("UPDATE later SET x = 1", ("CREATE TABLE later (x int)", "ALTER TABLE later ADD PRIMARY KEY (x)")),
        ("UPDATE seen SET value = 1", ("CREATE VIEW seen AS SELECT * FROM item",)),
        ("SELECT counted(1)", (COUNTED,)),
        ("UPDATE audit SET total = counted(total) WHERE place = 2", (COUNTED,)),
        ("SELECT pg_advisory_xact_lock(1)", ()),
        ("SELECT * FROM audit AS a, LATERAL (SELECT pg_try_advisory_xact_lock(1)) AS b", ()),
    ],
)
def test_a_statement_that_cannot_be_followed_is_named(sql: str, tables: tuple[str, ...]) -> None:
    """There is one finding, although each transaction sends the statement."""
    (finding,) = findings_of(Sends(sql, *tables))

    assert finding.code == "not_rehearsed"
    assert f"mine: the rows that this writes or locks are unknown: {sql[:60]}" in finding.message
    assert "other statements" not in finding.message


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM audit",
        "WITH one AS (SELECT 1) SELECT * FROM one",
        "VALUES (1)",
        "TABLE audit",
        "(SELECT 1) UNION (SELECT 2)",
        "SAVEPOINT a",
        "SET LOCAL statement_timeout = 0",
        "SHOW search_path",
        "SELECT upper('insert into audit')",
    ],
)
def test_a_statement_that_only_reads_is_not(sql: str) -> None:
    """There is no false alarm."""
    assert findings_of(Sends(sql)) == []


def test_a_table_of_another_schema_is_not_taken_for_ours() -> None:
    """Their rows would be mixed up, so no key is reported as undeclared."""
    other = (
        "DROP SCHEMA IF EXISTS elsewhere CASCADE",
        "CREATE SCHEMA elsewhere",
        "CREATE TABLE elsewhere.item (id bigint PRIMARY KEY, value bigint)",
        "INSERT INTO elsewhere.item VALUES (1, 1)",
    )
    try:
        written = findings_of(Sends("UPDATE elsewhere.item SET value = 2 WHERE id = 1", *other))
        locked = findings_of(Sends("SELECT value FROM elsewhere.item WHERE id = 1 FOR UPDATE", *other))
    finally:
        with staged(liars.Honest(), 1, PLAIN) as stage:
            stage.sql("DROP SCHEMA elsewhere CASCADE")

    assert [finding.code for finding in (*written, *locked)] == ["not_rehearsed"] * 2


@pytest.mark.parametrize(
    ("statement", "hides"),
    [
        ("CREATE TRIGGER a AFTER INSERT ON item EXECUTE FUNCTION f()", True),
        ("create or replace trigger a before update on item execute function f()", True),
        ("CREATE CONSTRAINT TRIGGER a AFTER INSERT ON item EXECUTE FUNCTION f()", True),
        ("CREATE RULE a AS ON UPDATE TO item DO ALSO NOTHING", True),
        ("CREATE TABLE a (b bigint REFERENCES item (id) ON DELETE CASCADE)", True),
        ("ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES item ON UPDATE SET NULL", True),
        ("CREATE TABLE a (b bigint REFERENCES item (id) ON DELETE RESTRICT)", False),
        ("CREATE TABLE trigger (rule bigint)", False),
        ("INSERT INTO a VALUES ('CREATE TRIGGER')", False),
    ],
)
def test_what_reacts_to_a_change_is_found(statement: str, hides: bool) -> None:
    """It is found among the statements that create the tables."""
    assert reacting([statement]) == ([statement] if hides else [])


def test_what_reacts_to_a_change_is_named() -> None:
    """The message also has the number of other statements that cannot be followed."""
    table = "CREATE TABLE part (item bigint REFERENCES item ON DELETE CASCADE, id bigint PRIMARY KEY)"

    (finding,) = findings_of(Sends("TRUNCATE audit", table))

    assert f"{table[:60]}" in finding.message
    assert finding.message.endswith(" and 1 other statements")


def test_functions_are_known_by_name() -> None:
    """The name may have a schema and quotes. A table's name before a parenthesis is not a call."""
    names = routines([COUNTED, 'CREATE OR REPLACE PROCEDURE s."Mine"() AS $$ $$', "CREATE TABLE t (a int)"])

    assert names == {"counted", "Mine"}
    assert calls_any("SELECT s.counted (1)", names)
    assert calls_any('CALL "Mine"()', names)
    assert not calls_any("SELECT counted, 'counted(1)' FROM t (a)", names)


class TwoKinds(liars.Honest):
    """A scenario of two kinds, one of which is rare and always rejected."""

    kinds = ("order", "refund")
    rare = 50

    def __init__(self) -> None:
        super().__init__()
        self.drawn = 0

    def draw(self, keys: Keys, rng: np.random.Generator) -> Work:
        del rng
        self.drawn += 1
        return Work(keys.draw(1), writes=(), kind=int(self.drawn % self.rare == 0))

    def run(self, session: Session, work: Work) -> None:
        del session
        if work.kind:
            raise Rejected("no refunds")


def test_a_kind_that_was_always_rejected_is_named() -> None:
    """It is named although the other kind was not rejected and it is too rare to be among the first."""
    (finding,) = findings_of(TwoKinds(), FULL_SPEED)

    assert finding.code == "not_rehearsed"
    assert "each of the 3 rehearsed transactions of kind refund was rejected" in finding.message


def test_a_scenario_that_always_rejects_is_named() -> None:
    """This also holds for a scenario without kinds."""
    (finding,) = findings_of(liars.Refuses(), FULL_SPEED)

    assert "mine: each of the 24 rehearsed transactions was rejected" in finding.message


def test_a_kind_that_is_never_drawn_is_not_waited_for() -> None:
    """A knob may have turned the kind off."""
    scenario = TwoKinds()
    scenario.rare = 10**9  # type: ignore[misc]

    assert len(list(works_of(scenario, 100, seed=1, how_many=24))) == 24
    assert scenario.drawn < 2000


@pytest.mark.parametrize("method", ["draw", "run"])
@pytest.mark.parametrize("generator", [random.random, np.random.random])
def test_a_global_random_generator_is_named(method: str, generator: Callable[[], float]) -> None:
    """Its use in draw() makes a run unrepeatable, and in run() a retry."""
    honest = getattr(liars.Honest, method)

    def lucky(*arguments: Any) -> Any:
        generator()
        return honest(*arguments)

    (finding,) = findings_of(type("Lucky", (liars.Honest,), {method: lucky})(), FULL_SPEED)

    assert finding.code == "own_chance"
    assert (
        f"mine: {method}() takes random numbers from Python's or numpy's global generator" in finding.message
    )


def test_random_numbers_of_other_users_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other users may run, and draw random numbers, while a statement waits for its answer."""
    execute = PostgresSession.execute

    def busy(session: PostgresSession, *arguments: Any) -> Any:
        random.random()  # noqa: S311 - for a test
        return execute(session, *arguments)

    monkeypatch.setattr(PostgresSession, "execute", busy)

    assert findings_of(liars.Honest(), FULL_SPEED) == []
