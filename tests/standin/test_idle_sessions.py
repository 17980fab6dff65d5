"""A session that was idle while another one changed the schema gets OC001 once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def pair(dsn: str, schema: str) -> Iterator[tuple[psycopg.Connection[Any], psycopg.Connection[Any]]]:
    """A session that has used a table and is idle, and another one."""
    options = f"-c search_path={schema}"
    with (
        psycopg.connect(dsn, autocommit=True, options=options) as idle,
        psycopg.connect(dsn, autocommit=True, options=options) as other,
    ):
        other.execute("CREATE TABLE account (id bigint PRIMARY KEY, balance bigint)")
        other.execute("INSERT INTO account VALUES (1, 100)")
        assert balance(idle) == [(100,)]
        assert balance(other) == [(100,)]
        yield idle, other


def balance(connection: psycopg.Connection[Any]) -> list[Any]:
    """The rows of a statement that is planned anew."""
    return connection.execute("SELECT balance FROM account", prepare=False).fetchall()


def refused(connection: psycopg.Connection[Any]) -> str:
    """The message of the error that the statement gets."""
    with pytest.raises(psycopg.errors.SerializationFailure) as caught:
        balance(connection)
    return str(caught.value.diag.message_primary)


def test_the_first_statement_after_a_change_gets_oc001_once(
    pair: tuple[psycopg.Connection[Any], psycopg.Connection[Any]],
) -> None:
    """Also where it only reads. The session that made the change gets none, nor does a new one."""
    idle, other = pair
    other.execute("GRANT SELECT ON account TO PUBLIC")
    other.execute("CREATE TABLE more (id bigint PRIMARY KEY)")

    assert balance(other) == [(100,)]
    assert refused(idle).endswith("(OC001)")
    assert [balance(idle), balance(idle)] == [[(100,)], [(100,)]]


def test_a_transaction_that_got_oc001_is_tried_again_with_success(
    pair: tuple[psycopg.Connection[Any], psycopg.Connection[Any]],
) -> None:
    """ROLLBACK does not make the session forget, and notes do not gather."""
    idle, other = pair
    for number in range(3):
        other.execute("GRANT SELECT ON account TO PUBLIC")
        with pytest.raises(psycopg.errors.SerializationFailure, match="OC001"), idle.transaction():
            idle.execute("UPDATE account SET balance = 1")
        with idle.transaction():
            idle.execute("UPDATE account SET balance = 2")
            raise psycopg.Rollback
        with idle.transaction():
            idle.execute("UPDATE account SET balance = %s", (number,))
        assert balance(idle) == [(number,)]
    (notes,) = idle.execute("SELECT count(*) FROM pg_prepared_statements").fetchone() or (0,)
    assert notes == 1


def test_an_open_transaction_gets_it_once_too(
    pair: tuple[psycopg.Connection[Any], psycopg.Connection[Any]],
) -> None:
    """The retry is a transaction that began after the change."""
    idle, other = pair
    idle.execute("BEGIN")
    assert balance(idle) == [(100,)]
    other.execute("GRANT SELECT ON account TO PUBLIC")
    assert refused(idle).endswith("(OC001)")
    idle.execute("ROLLBACK")
    assert balance(idle) == [(100,)]


def test_a_change_that_was_rolled_back_is_none(
    pair: tuple[psycopg.Connection[Any], psycopg.Connection[Any]],
) -> None:
    """Nobody gets OC001."""
    idle, other = pair
    with other.transaction():
        other.execute("GRANT SELECT ON account TO PUBLIC")
        raise psycopg.Rollback
    assert [balance(idle), balance(other)] == [[(100,)], [(100,)]]
