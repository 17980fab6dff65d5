"""Statements are rewritten on their way through the endpoint, however a client sends them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from hotrow.standin.endpoint.credentials import make_token
from hotrow.standin.endpoint.lifecycle import EndpointOptions, ensure_endpoint, stop_endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

UPSERT = (
    "INSERT INTO account VALUES (%s, %s)"
    " ON CONFLICT (id) DO UPDATE SET balance = account.balance + excluded.balance RETURNING balance"
)


@pytest.fixture(scope="module")
def endpoint_dsn(dsn: str) -> Iterator[str]:
    assert dsn
    endpoint = ensure_endpoint()
    yield f"{endpoint.dsn} password='{make_token()}'"
    stop_endpoint()


@pytest.fixture
def connection(endpoint_dsn: str, schema: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(endpoint_dsn, autocommit=True, options=f"-c search_path={schema}") as connection:
        connection.execute("CREATE TABLE account (id bigint PRIMARY KEY, balance bigint)")
        connection.execute("INSERT INTO account VALUES (1, 100), (2, 200)")
        yield connection


@pytest.mark.parametrize("prepare", [False, True])
def test_parameters_and_prepared_statements(connection: psycopg.Connection, prepare: bool) -> None:
    """In the extended protocol, the types of parameters, the tags and the rows are right."""
    for n in (1, 2):
        cursor = connection.execute(
            "SELECT balance FROM account WHERE id = %s FOR UPDATE", (n,), prepare=prepare
        )
        assert (cursor.fetchone(), cursor.statusmessage) == ((100 * n,), "SELECT 1")
    upserted = connection.execute(UPSERT, (1, 5), prepare=prepare)
    assert (upserted.fetchone(), upserted.statusmessage) == ((105,), "INSERT 0 1")
    assert connection.execute(UPSERT, (3, 5), prepare=prepare).fetchone() == (5,)


def test_a_pipeline(connection: psycopg.Connection) -> None:
    """Each statement of a pipeline is rewritten."""
    with connection.pipeline(), connection.transaction():
        locked = connection.execute("SELECT balance FROM account WHERE id = 1 FOR UPDATE")
        upserted = connection.execute(UPSERT, (1, 7))
    assert (locked.fetchone(), upserted.fetchone()) == ((100,), (107,))


def test_several_statements_in_one_text(connection: psycopg.Connection) -> None:
    """In the simple protocol, each statement of a text is rewritten."""
    cursor = connection.execute(
        "BEGIN; SELECT balance FROM account WHERE id = 2 FOR UPDATE;"
        "UPDATE account SET balance = 1 WHERE id = 2; COMMIT"
    )
    tags = [cursor.statusmessage]
    while cursor.nextset():
        tags.append(cursor.statusmessage)
    assert tags == ["BEGIN", "SELECT 1", "UPDATE 1", "COMMIT"]


def test_a_refusal_aborts_the_transaction_and_takes_parameters(connection: psycopg.Connection) -> None:
    """A refusal aborts the transaction as Aurora DSQL's does, in every protocol."""
    with (
        pytest.raises(
            psycopg.errors.FeatureNotSupported, match="unsupported transaction statement: SAVEPOINT"
        ),
        connection.transaction(),
        connection.transaction(),
    ):
        pass
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="locking clauses other than"):
        connection.execute("SELECT 1 FROM account WHERE id = %s FOR SHARE", (1,))
    assert connection.execute("SELECT count(*) FROM account").fetchone() == (2,)


def test_an_index_is_made_and_waited_for(connection: psycopg.Connection) -> None:
    """CREATE INDEX ASYNC returns a job, which is in sys.jobs, and waiting for it reports its completion."""
    (job,) = connection.execute("CREATE INDEX ASYNC ON account (balance)").fetchone() or ("",)

    assert connection.execute("SELECT status FROM sys.jobs WHERE job_id = %s", (job,)).fetchone() == (
        "completed",
    )
    assert connection.execute(f"CALL sys.wait_for_job('{job}')").fetchone() == (True,)
    assert connection.execute(
        "SELECT count(*) FROM pg_index WHERE indrelid = 'account'::regclass"
    ).fetchone() == (2,)


@pytest.mark.usefixtures("endpoint_dsn")
def test_without_rules_what_aurora_dsql_refuses_is_let_through(schema: str) -> None:
    """SAVEPOINT and several DDL statements in one transaction are allowed; conflicts are still detected."""
    stop_endpoint()
    endpoint = ensure_endpoint(EndpointOptions(rules=False))
    try:
        with psycopg.connect(
            endpoint.dsn, password=make_token(), options=f"-c search_path={schema}"
        ) as connection:
            connection.execute("CREATE TABLE one (id int PRIMARY KEY)")
            connection.execute("CREATE TABLE two (id int PRIMARY KEY)")
            with connection.transaction():
                connection.execute("INSERT INTO one SELECT generate_series(1, 3001)")
            assert connection.execute("SELECT count(*) FROM one").fetchone() == (3001,)
    finally:
        stop_endpoint()
        ensure_endpoint()
