"""A run's schema under Aurora DSQL's rules: one statement per transaction, asynchronous indexes, OC001."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from hotrow.errors import TargetError
from hotrow.tables.run_schema import RunSchema
from hotrow.targets.session import BLOCKING, PostgresSession, Waiting
from hotrow.targets.target import Target, parse_target
from scenarios.counter import Counter
from tests.support.dsql_endpoint import offered
from tests.support.local_home import value

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hotrow.scenario import Result

KEYS = 7000
SCHEMA = "hotrow_stage_test"
HASTE = Waiting(ready=BLOCKING.ready, sleep=lambda _: None)


class Indexed(Counter):
    """A counter with a second index."""

    def tables(self) -> Sequence[str]:
        return [*super().tables(), "CREATE INDEX ASYNC by_value ON counter (value)"]


@pytest.fixture(scope="module")
def target(dsn: str) -> Iterator[Target]:
    """The stand-in's endpoint, which enforces the rules."""
    assert dsn
    with offered() as offer:
        yield parse_target(offer.host())


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """All statements sent to create and fill tables, in order."""
    statements: list[str] = []
    run = PostgresSession.run

    def noting(session: PostgresSession, sql: str) -> Result:
        statements.append(sql)
        return run(session, sql)

    monkeypatch.setattr(PostgresSession, "run", noting)
    return statements


def schemas(dsn: str) -> object:
    """The number of schemas of this test."""
    return value(dsn, f"SELECT count(*) FROM pg_namespace WHERE nspname = '{SCHEMA}'")  # noqa: S608 - ours


def test_tables_are_built_read_and_dropped(target: Target, dsn: str, statements: list[str]) -> None:
    """DSQL's limit splits 7,000 rows into three statements. The build waits for the job of the index."""
    run_schema = RunSchema(target, SCHEMA, Indexed(), BLOCKING)

    run_schema.build(KEYS)
    state = run_schema.observe(Indexed())
    run_schema.drop()

    assert state == {"total": 0}
    assert schemas(dsn) == 0
    assert len([sql for sql in statements if sql.startswith("INSERT")]) == 3
    index = next(number for number, sql in enumerate(statements) if "ASYNC" in sql)
    assert statements[index + 1].startswith("CALL sys.wait_for_job('")


def test_a_schema_that_just_changed_is_waited_out(
    target: Target, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OC001 may occur at any statement of DDL, seed, check or drop. The statement is then sent again."""
    refused: set[str] = set()
    run, execute = PostgresSession.run, PostgresSession.execute

    def refuse_first(sql: str) -> None:
        if sql not in refused:
            refused.add(sql)
            raise psycopg.errors.SerializationFailure(
                "schema has been updated by another transaction (OC001)"
            )

    def late_run(session: PostgresSession, sql: str) -> Result:
        if not sql.startswith("SET"):
            refuse_first(sql)
        return run(session, sql)

    def late_execute(session: PostgresSession, sql: str, *parameters: object) -> Result:
        refuse_first(sql)
        return execute(session, sql, *parameters)

    monkeypatch.setattr(PostgresSession, "run", late_run)
    monkeypatch.setattr(PostgresSession, "execute", late_execute)
    run_schema = RunSchema(target, SCHEMA, Counter(), HASTE)

    run_schema.build(KEYS)
    assert run_schema.observe(Counter()) == {"total": 0}
    run_schema.drop()

    assert len(refused) == 7  # schema, table, three seeds, the check's query, the drop
    assert schemas(dsn) == 0


def test_what_is_wrong_is_said_in_one_line(target: Target, dsn: str) -> None:
    """Errors other than conflicts are not retried."""

    class Wrong(Counter):
        def seed(self, keys: int) -> Sequence[str]:
            del keys
            return ["INSERT INTO counter SELECT id, 0, 0 FROM generate_series(0, 3000) AS id"]

    run_schema = RunSchema(target, SCHEMA, Wrong(), HASTE)

    with pytest.raises(TargetError, match="transaction row limit exceeded") as caught:
        run_schema.build(KEYS)

    assert str(caught.value).startswith("cannot set up the tables of counter: ")
    assert "\n" not in str(caught.value)
    run_schema.drop()
    assert schemas(dsn) == 0


@pytest.mark.parametrize(("progress", "shown"), [(True, True), (False, False)])
def test_a_bar_shows_the_filling_where_it_is_wanted(
    target: Target,
    progress: bool,
    shown: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The bar is on standard error and only on a terminal, which the environment variable simulates."""
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    run_schema = RunSchema(target, SCHEMA, Counter(), BLOCKING)

    run_schema.build(KEYS, progress=progress)
    run_schema.drop()

    output = capsys.readouterr()
    assert ("filling the tables" in output.err, output.out) == (shown, "")
