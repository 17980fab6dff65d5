"""The target `plain`, and latency on any PostgreSQL: ordinary tables with row locks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from psycopg.conninfo import conninfo_to_dict

from hotrow.errors import UsageError
from hotrow.tables.run_schema import RunSchema
from hotrow.targets.session import BLOCKING, Latency
from hotrow.targets.target import Target, check_reachable, parse_target, start
from hotrow.targets.url import KEEPALIVE
from scenarios.counter import Counter
from tests.support.local_home import value

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SCHEMA = "hotrow_plain_test"
LATENCIES = {
    "plain": Latency(0.002, 0.005),
    "plain:rtt=0,commit=1ms": Latency(0.0, 0.001),
    "postgresql://h/x?rtt=2ms&commit=5ms": Latency(0.002, 0.005),
    "postgresql://h/x?commit=5ms": Latency(0.0, 0.005),
    "postgresql://h/x": None,
}


class Indexed(Counter):
    """A counter with a second index, in Aurora DSQL's syntax."""

    def tables(self) -> Sequence[str]:
        return [*super().tables(), "CREATE INDEX ASYNC by_value ON counter (value)"]


@pytest.fixture
def target(dsn: str) -> Target:
    """The embedded server without the stand-in's extension and without latency."""
    assert dsn
    return start(parse_target("plain:rtt=0,commit=0"))


@pytest.fixture
def staged(target: Target) -> Iterator[RunSchema]:
    """The scenario's tables on the target, created as for a run."""
    run_schema = RunSchema(target, SCHEMA, Indexed(), BLOCKING)
    run_schema.build(5)
    yield run_schema
    run_schema.drop()


@pytest.mark.usefixtures("staged")
def test_its_tables_are_ordinary_ones(dsn: str) -> None:
    """Each is a table, not a view over a write set. Its index is an ordinary index."""
    of_schema = f"relnamespace = '{SCHEMA}'::regnamespace"
    kinds = "SELECT string_agg(concat(relname, ' ', relkind), ',' ORDER BY relname) FROM pg_class"

    assert value(dsn, f"{kinds} WHERE {of_schema}") == "by_value i,counter r,counter_pkey i"


@pytest.mark.usefixtures("dsn")
def test_the_second_writer_waits_and_conflicts(target: Target, staged: RunSchema) -> None:
    """The UPDATE waits for a row lock that is not released. On the stand-in there is no such lock."""
    first, second = (target.connect(BLOCKING, staged.schema) for _ in range(2))
    second.run("SET lock_timeout TO '50ms'")
    for session in (first, second):
        session.begin()
    write = "UPDATE counter SET value = value + 1 WHERE id = 1"
    first.execute(write)

    with pytest.raises(Exception, match="lock timeout"):
        second.execute(write)

    assert first.commit() == "COMMIT"
    first.close()
    second.close()


def test_it_finds_deadlocks_as_postgresql_does_by_default(target: Target) -> None:
    """The deadlock timeout is PostgreSQL's default, not the 10 ms that the stand-in uses to apply writes."""
    session = target.connect(BLOCKING)

    assert session.execute("SHOW deadlock_timeout").rows == [("1s",)]
    session.close()


@pytest.mark.parametrize(
    ("host", "level"),
    [
        ("plain", "repeatable read"),
        ("plain:isolation=serializable", "serializable"),
        ("plain:isolation=read-committed", "read committed"),
    ],
)
@pytest.mark.usefixtures("dsn")
def test_isolation(host: str, level: str) -> None:
    """Transactions run at the isolation level that the target names."""
    session = start(parse_target(f"{host}{',' if ':' in host else ':'}rtt=0")).connect(BLOCKING)
    session.begin()

    assert session.execute("SHOW transaction_isolation").rows == [(level,)]
    session.close()


@pytest.mark.parametrize("host", LATENCIES)
def test_latency(host: str) -> None:
    """Latency defaults to the profile on `plain`, and to none on an existing server."""
    assert parse_target(host).latency == LATENCIES[host]


def test_the_latency_options_do_not_reach_libpq() -> None:
    """The rest of the URL is passed on unchanged, including plus signs and spaces."""
    target = parse_target("postgresql://u@h/x?rtt=1ms&application_name=a%20b+c&isolation=serializable")

    assert conninfo_to_dict(target.conninfo) == {
        **KEEPALIVE,
        "user": "u",
        "host": "h",
        "dbname": "x",
        "application_name": "a b+c",
    }


def test_a_url_without_a_host(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Libpq chooses the host, from PGHOST if it is set."""
    place = conninfo_to_dict(dsn)
    monkeypatch.setenv("PGHOST", str(place["host"]))
    monkeypatch.setenv("PGUSER", str(place["user"]))

    assert check_reachable(parse_target(f"postgresql:///{place['dbname']}"), BLOCKING)


@pytest.mark.parametrize(
    ("host", "names"),
    [
        ("plain:rules=off", ["'rules'", "options of plain", "isolation=read-committed"]),
        ("plain:isolation=chaos", ["'chaos'", "read-committed or repeatable-read or serializable"]),
        ("plain:rtt=2", ["no unit"]),
        ("postgresql://h/x?rtt=2", ["no unit"]),
        ("mysql", ["local", "plain", "postgresql://"]),
    ],
)
def test_refused(host: str, names: list[str]) -> None:
    """A meaningless option is refused in one line that says what is allowed."""
    with pytest.raises(UsageError) as refusal:
        parse_target(host)

    assert [name for name in names if name not in str(refusal.value)] == []
