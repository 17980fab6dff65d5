"""The rehearsal: it finds scenarios whose `run` writes other rows than their `draw` declares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hotrow.errors import HotrowError, TargetError, UsageError
from hotrow.scenario import AppScenario, Work
from hotrow.scenario.declarations import RehearsedWork, Touch, compare, works_of, writes_what_it_draws
from hotrow.tables.app_rehearsal import rehearse_app
from hotrow.tables.rehearsal import Observer, rehearse
from hotrow.tables.returning import primary_keys
from hotrow.targets.session import BLOCKING
from scenarios import ALL
from tests.support import liars
from tests.support.playing import FULL_SPEED, staged

if TYPE_CHECKING:
    import numpy as np

    from hotrow.finding import Finding
    from hotrow.scenario import Keys, Scenario

KEYS = 100
HOSTS = [FULL_SPEED, "plain:rtt=0,commit=0"]

pytestmark = pytest.mark.usefixtures("hotrow_home")


def findings_of(scenario: Scenario, host: str = FULL_SPEED) -> list[Finding]:
    """The findings of a rehearsal of this scenario on new tables."""
    with staged(scenario, KEYS, host) as stage:
        where = (stage.target, stage.run_schema.schema, BLOCKING)
        if isinstance(scenario, AppScenario):
            return rehearse_app(scenario, *where, keys=KEYS, seed=1)[0]
        return rehearse(scenario, *where, keys=KEYS, seed=1)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("host", HOSTS)
def test_a_built_in_scenario_does_what_it_says(name: str, host: str) -> None:
    """There is no false alarm."""
    assert findings_of(ALL[name](), host) == []


@pytest.mark.parametrize(
    "turned", [{"balance": "row", "ids": "sequential"}, {"for_update": "on"}, {"guard": "read"}]
)
def test_a_built_in_scenario_does_so_with_other_knobs(turned: dict[str, str]) -> None:
    """There is no false alarm with these knobs either."""
    kinds = [kind for kind in ALL.values() if set(turned) <= set(kind().knobs)]

    assert kinds
    assert [findings_of(kind(**turned)) for kind in kinds] == [[]] * len(kinds)


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize(
    ("scenario", "row", "statement"),
    [
        (liars.Audits(), "audit(1, 1)", "UPDATE audit"),
        (liars.Locks(), "audit(1, 1)", "SELECT total"),
        (liars.Upserts(), "audit(2, 2)", "INSERT INTO audit"),
    ],
)
def test_a_row_that_no_draw_declares_is_named(
    scenario: Scenario, row: str, statement: str, host: str
) -> None:
    """The message has the number of transactions that touch the row, and the statement."""
    (finding,) = findings_of(scenario, host)

    assert finding.code == "writes_undeclared"
    assert f"mine writes {row} in 24 of 24 rehearsed transactions: {statement}" in finding.message
    assert finding.advice


def test_a_change_by_a_work_that_declares_nothing_is_named() -> None:
    """The transactions of such a scenario share a row without declaring it."""
    (finding,) = findings_of(liars.Silent())

    assert finding.code == "writes_undeclared"
    assert "UPDATE item" in finding.message


@pytest.mark.parametrize(("inserted", "findings"), [(False, 1), (True, 0)])
def test_such_a_change_needs_no_other_transaction(inserted: bool, findings: int) -> None:
    """A transaction that declares nothing may change a row that it has inserted itself, but no other row."""
    touches = [Touch("item", ("1",), "UPDATE item", False)]
    if inserted:
        touches.insert(0, Touch("item", ("1",), "INSERT INTO item", True))

    assert len(compare("mine", [RehearsedWork(frozenset(), tuple(touches))])) == findings


def test_a_declared_write_that_is_not_made_is_named() -> None:
    """The message has the declared and the actual writes."""
    (finding,) = findings_of(liars.Idle())

    assert finding.code == "writes_not_made"
    assert "1 rows but declared 2 keys; fewer in 24 of 24" in finding.message


@pytest.mark.parametrize("scenario", [liars.Honest(), liars.Appends()])
def test_what_is_honest_is_left_alone(scenario: Scenario) -> None:
    """This includes rows with new ids."""
    assert findings_of(scenario) == []


def test_the_rehearsal_leaves_no_row_changed() -> None:
    """Every transaction is rolled back."""
    with staged(liars.Audits(), KEYS) as stage:
        rehearse(stage.scenario, stage.target, stage.run_schema.schema, BLOCKING, keys=KEYS, seed=1)
        sums = "SELECT (SELECT sum(value) FROM item)::bigint, (SELECT sum(total) FROM audit)::bigint"

        assert stage.sql(sums).rows == [(0, 0)]


def test_the_rehearsal_shows_its_progress() -> None:
    """A user who waits sees the method and the last or current statement."""
    seen = []

    class Looks(liars.Honest):
        def draw(self, keys: Keys, rng: np.random.Generator) -> Work:
            seen.append(observer.doing)
            return super().draw(keys, rng)

    with staged(Looks(), KEYS) as stage, stage.session() as session:
        observer = Observer(session, primary_keys(stage.scenario.tables()))
        for work in observer.drawing(works_of(stage.scenario, KEYS, seed=1, how_many=1)):
            observer.start()
            seen.append(observer.doing)
            stage.scenario.run(observer, work)
            seen.append(observer.doing)
        session.rollback()

    assert seen[:2] == [", in draw()", ", in run()"]
    assert seen[2].startswith(", in run(), after UPDATE item SET")


def test_the_scenario_sees_its_own_columns_only() -> None:
    """The key columns that the rehearsal adds are removed from the result. The row count is unchanged."""
    scenario = liars.Honest()
    with staged(scenario, KEYS) as stage, stage.session() as session:
        observer = Observer(session, primary_keys(scenario.tables()))
        observer.start()
        plain = observer.execute("UPDATE item SET value = 5 WHERE id < $1", 3)
        returning = observer.execute("UPDATE item i SET value = 6 WHERE id = $1 RETURNING i.value", 2)
        locking = observer.execute("SELECT value FROM item WHERE id = $1 FOR UPDATE", 1)
        session.rollback()

    assert (list(plain.rows), plain.count) == ([], 3)
    assert (list(returning.rows), returning.count) == ([(6,)], 1)
    assert list(locking.rows) == [(5,)]
    assert [touch.row for touch in observer.touches][-2:] == ["item(2)", "item(1)"]


@pytest.mark.parametrize(
    ("scenario", "kind", "message"),
    [
        (
            liars.Mistyped(),
            TargetError,
            'cannot run mine: UndefinedTable: relation "itme" does not exist: UPDATE itme',
        ),
        (
            liars.Mapped(),
            TargetError,
            "cannot run mine: ProgrammingError: a parameter is a dict: pass json.dumps",
        ),
        (liars.Broken(), UsageError, "cannot run mine: run(): KeyError: 'colour' (.*liars.py, line "),
        (liars.Undrawable(), UsageError, "cannot run mine: draw(): ZeroDivisionError: no (.*liars.py, line "),
    ],
)
def test_a_transaction_that_cannot_run_is_refused(
    scenario: Scenario, kind: type[HotrowError], message: str
) -> None:
    """The error is one line with the cause and the location."""
    with pytest.raises(kind) as refused:
        findings_of(scenario)

    start, _, end = message.partition(".*")
    assert str(refused.value).startswith(start)
    assert end in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("drawn", "message"),
    [
        (Work((), writes=(KEYS,)), "from 0 to 99"),
        (Work((), writes=(-1,)), "from 0 to 99"),
        (Work((), writes=(1.0,)), "whole number"),  # type: ignore[arg-type]
        (Work((), writes=(3, 3)), "3 twice"),
        (Work((), writes=7), "tuple of key ids"),  # type: ignore[arg-type]
        (Work((), writes=(1,), kind=1), "kind is 1"),
        (Work((), writes=("1",)), "whole number"),  # type: ignore[arg-type]
        (Work((), writes=(1,), kind=-1), "kind is -1"),
        (Work((), writes=(1,), kind=0.0), "kind is 0.0"),  # type: ignore[arg-type]
        (Work("abc", writes=(1,)), "parameters is a str; return a tuple"),  # type: ignore[arg-type]
        (Work(iter([1]), writes=(1,)), "parameters is a list_iterator"),  # type: ignore[arg-type]
        (None, "returned a NoneType"),
    ],
)
def test_an_impossible_work_is_refused(drawn: Any, message: str) -> None:
    """Its keys or its kind do not exist, a key is repeated, or a value has the wrong type."""

    class Draws(liars.Honest):
        def draw(self, *_: Any) -> Any:
            return drawn

    with pytest.raises(UsageError, match=message):
        writes_what_it_draws(Draws(), KEYS, seed=1)


@pytest.mark.parametrize(
    ("scenario", "expected"), [(liars.Honest(), True), (liars.Idle(), True), (liars.Silent(), False)]
)
def test_the_closed_form_wants_every_drawn_key_declared(scenario: Scenario, expected: bool) -> None:
    """Every transaction has as many writes as drawn keys."""
    assert writes_what_it_draws(scenario, KEYS, seed=1) is expected


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("CREATE TABLE a (id bigint PRIMARY KEY, b text)", {"a": ["id"]}),
        ('CREATE TABLE "A" (x int, "Y" int, CONSTRAINT k PRIMARY KEY (x, "Y"))', {"A": ["x", '"Y"']}),
        ("CREATE TABLE IF NOT EXISTS s.a (n numeric(3, 1), id uuid DEFAULT f() PRIMARY KEY)", {"a": ["id"]}),
        ("CREATE TABLE a (b text)", {}),
        ("CREATE UNIQUE INDEX ASYNC i ON a (b)", {}),
    ],
)
def test_primary_keys_are_read_from_the_tables_texts(table: str, expected: dict[str, list[str]]) -> None:
    """The key may have one or several columns, quoted or not."""
    assert primary_keys([table]) == expected
