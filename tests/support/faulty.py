"""An endpoint with faults set by the test, and the ways in which a client can commit."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from hotrow.standin.endpoint.control import FaultReport, ask_control
from hotrow.standin.endpoint.credentials import make_token
from hotrow.standin.endpoint.faults import Fault, Faults
from hotrow.standin.endpoint.lifecycle import EndpointOptions, ensure_endpoint, find_endpoints, stop_endpoint
from hotrow.standin.endpoint.running import find_control
from hotrow.targets.session import BLOCKING, Latency, PostgresSession

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Connection = psycopg.Connection[Any]
UPDATE = "UPDATE counter SET v = v + 1 WHERE id = 1"


@dataclass(frozen=True)
class Faulty:
    """A running endpoint, a counter in the test's schema, and a connection that bypasses the endpoint."""

    dsns: list[str]
    """The conninfo of each region, including the token."""
    socket: str
    """The conninfo of the stand-in itself."""

    def connect(self, region: int = 0, **options: Any) -> Connection:
        """A connection in autocommit mode, so that the test sends BEGIN and COMMIT itself."""
        # After an error in a pipeline, psycopg treats a statement as prepared although its Parse was skipped.
        options = {"prepare_threshold": 1_000_000, **options}
        return psycopg.connect(self.dsns[region], autocommit=True, **options)

    def set(self, **values: Any) -> FaultReport:
        """Put faults in force."""
        return ask_control(find_control(), Faults(**values))

    def fired(self, fault: str) -> int:
        """How often this fault has fired since the faults were last set."""
        return ask_control(find_control(), None).fired[Fault(fault)]

    def value(self) -> int:
        """The counter's value, read from the stand-in directly."""
        with psycopg.connect(self.socket) as connection:
            row = connection.execute("SELECT v FROM counter WHERE id = 1").fetchone()
        assert row
        return int(row[0])


@contextmanager
def running(options: EndpointOptions | None = None) -> Iterator[list[str]]:
    """An endpoint of the shared stand-in; yields the conninfos of its regions."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION"):
            patch.delenv(name, raising=False)
        stop_endpoint()
        ensure_endpoint(options)
        endpoints = find_endpoints()
        yield [make_conninfo(one.dsn, password=make_token(region=one.region)) for one in endpoints]
        stop_endpoint()


@contextmanager
def counting(dsns: list[str], dsn: str, schema: str) -> Iterator[Faulty]:
    """A counter at 0, with no faults in force before and after the test."""
    options = f"-c search_path={schema}"
    faulty = Faulty(
        [make_conninfo(region, options=options) for region in dsns], make_conninfo(dsn, options=options)
    )
    with psycopg.connect(faulty.socket, autocommit=True) as connection:
        connection.execute("CREATE TABLE counter (id int PRIMARY KEY, v int)")
        connection.execute("INSERT INTO counter VALUES (1, 0)")
    faulty.set()
    yield faulty
    faulty.set()


# Ways to commit an increment


def simply(connection: Connection) -> str:
    """Simple queries."""
    for statement in ("BEGIN", UPDATE):
        connection.execute(statement.encode())
    return _tag(connection.execute("COMMIT"))


def in_one_text(connection: Connection) -> str:
    """One simple query with all statements, COMMIT last."""
    return _tag(connection.execute(f"/* app; */ BEGIN; {UPDATE}; -- really; \n commit work".encode()))


def prepared(connection: Connection) -> str:
    """Prepared statements, one at a time."""
    connection.execute("BEGIN", prepare=True)
    connection.execute(UPDATE.encode(), prepare=True)
    return _tag(connection.execute("END", prepare=True))


def in_a_pipeline(connection: Connection) -> str:
    """All statements in one pipeline. If COMMIT fails, the statement after it must not count."""
    with connection.pipeline():
        connection.execute("BEGIN")
        connection.execute(UPDATE.encode())
        done = connection.execute("COMMIT")
        connection.execute("SELECT 1")
    return _tag(done)


def by_the_driver(connection: Connection) -> str:
    """The driver's own BEGIN and COMMIT."""
    with connection.transaction():
        connection.execute(UPDATE.encode())
    return "COMMIT"


def by_hotrow(connection: Connection) -> str:
    """A session of hotrow: everything prepared, in libpq's pipeline mode."""
    connection.execute("DEALLOCATE ALL")  # a session numbers its prepared statements from 0
    session = PostgresSession(connection, Latency(), BLOCKING)
    try:
        session.begin()
        session.execute(UPDATE)
        return session.commit()
    finally:
        if not connection.closed:
            connection.pgconn.exit_pipeline_mode()


def _tag(cursor: psycopg.Cursor[Any]) -> str:
    while cursor.nextset():
        pass
    return cursor.statusmessage or ""


WAYS: list[Callable[[Connection], str]] = [
    simply,
    in_one_text,
    prepared,
    in_a_pipeline,
    by_the_driver,
    by_hotrow,
]
