"""Faults at COMMIT: the answer to the client, and the data in the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.pq import TransactionStatus

from tests.support.faulty import UPDATE, WAYS, Connection, Faulty, simply

if TYPE_CHECKING:
    from collections.abc import Callable

    Way = Callable[[Connection], str]

LOST = (psycopg.OperationalError,)


def usable(connection: Connection) -> bool:
    """Whether a session can continue after an error."""
    return connection.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("fault", "marker"), [("conflict", "OC000"), ("schema_conflict", "OC001")])
def test_a_conflict_is_reported_at_commit_and_nothing_is_kept(
    faulty: Faulty, way: Way, fault: str, marker: str
) -> None:
    """The client gets 40001 with the marker.

    No transaction is left, and the connection can commit without the fault.
    """
    with faulty.connect() as connection:
        faulty.set(**{fault: 1})
        for _ in range(3):
            with pytest.raises(psycopg.errors.SerializationFailure, match=marker):
                way(connection)
            assert connection.info.transaction_status == TransactionStatus.IDLE
        assert usable(connection)
        assert (faulty.fired(fault), faulty.value()) == (3, 0)

        faulty.set()
        assert way(connection) == "COMMIT"
    assert faulty.value() == 1


@pytest.mark.parametrize("way", WAYS)
def test_a_connection_that_breaks_before_commit_has_not_committed(faulty: Faulty, way: Way) -> None:
    """The client loses the connection, and the counter has not changed."""
    faulty.set(drop_before=1)
    with faulty.connect() as connection, pytest.raises(LOST):
        way(connection)
    assert connection.broken
    assert (faulty.fired("drop_before"), faulty.value()) == (1, 0)


@pytest.mark.parametrize("way", WAYS)
def test_a_connection_that_breaks_after_commit_has_committed(faulty: Faulty, way: Way) -> None:
    """The client loses the connection, and the counter has changed."""
    with faulty.connect() as connection:
        faulty.set(drop_after=1)
        with pytest.raises(LOST):
            way(connection)
    assert connection.broken
    assert (faulty.fired("drop_after"), faulty.value()) == (1, 1)


@pytest.mark.parametrize("way", WAYS)
def test_an_unavailable_server_leaves_the_outcome_of_commit_to_a_coin(faulty: Faulty, way: Way) -> None:
    """COMMIT gets XX000 and the connection continues. Some transactions are applied, others are not."""
    acknowledged, unavailable = 0, 0
    with faulty.connect() as connection:
        faulty.set(unavailable=0.25, seed=4)
        for _ in range(60):
            try:
                acknowledged += way(connection) == "COMMIT"
            except psycopg.errors.InternalError_:
                unavailable += 1
                connection.execute("ROLLBACK")
    assert faulty.fired("unavailable") == unavailable
    assert acknowledged < faulty.value() < acknowledged + unavailable


def test_every_acknowledged_commit_is_there_and_the_rest_is_unknown(faulty: Faulty) -> None:
    """200 increments, during whose COMMIT half of the connections break."""
    acknowledged, unknown = 0, 0
    faulty.set(drop_during=0.5, seed=1)
    for _ in range(200):
        with faulty.connect() as connection:
            try:
                simply(connection)
                acknowledged += 1
            except LOST:
                unknown += 1
    assert acknowledged + unknown == 200
    assert faulty.fired("drop_during") == unknown
    assert acknowledged < faulty.value() < acknowledged + unknown


def pipeline(connection: Connection, *statements: str) -> None:
    """Send all statements before an answer is read."""
    with connection.pipeline():
        for statement in statements:
            connection.execute(statement.encode())


def outcomes(faulty: Faulty, seed: int) -> list[bool]:
    """Which of 40 commits on each of two connections conflict."""
    faulty.set(conflict=0.3, seed=seed)
    conflicts: list[bool] = []
    for _ in range(2):
        with faulty.connect() as connection:
            for _ in range(40):
                try:
                    simply(connection)
                    conflicts.append(False)
                except psycopg.errors.SerializationFailure:
                    conflicts.append(True)
    assert sum(conflicts) == faulty.fired("conflict")
    return conflicts


def test_the_same_seed_gives_the_same_faults(faulty: Faulty) -> None:
    """A connection's number and the seed determine its faults: another number or seed gives other faults."""
    first = outcomes(faulty, 1)

    assert first == outcomes(faulty, 1)
    assert first != outcomes(faulty, 2)
    assert first[:40] != first[40:]
    assert 10 < sum(first) < 40


def test_a_transaction_that_is_open_when_faults_are_set_gets_them(faulty: Faulty) -> None:
    """Faults apply at once to a connection that was not followed before, even to a prepared COMMIT."""
    with faulty.connect() as open_one, faulty.connect() as prepared_one:
        prepared_one.execute("BEGIN")
        prepared_one.execute("COMMIT", prepare=True)
        for connection in (open_one, prepared_one):
            connection.execute("BEGIN")
            connection.execute(UPDATE.encode())
        faulty.set(conflict=1)
        with pytest.raises(psycopg.errors.SerializationFailure):
            open_one.execute("COMMIT")
        with pytest.raises(psycopg.errors.SerializationFailure):
            prepared_one.execute("COMMIT", prepare=True)
        assert (faulty.fired("conflict"), faulty.value()) == (2, 0)


def test_a_write_outside_of_a_transaction_conflicts_too(faulty: Faulty) -> None:
    """The statement itself conflicts, simple or with parameters.

    A read does not, and in a transaction COMMIT does.
    """
    with faulty.connect() as connection:
        faulty.set(conflict=1)
        for parameters in ((), (1,)):
            text = UPDATE.replace("1 WHERE", "%s WHERE") if parameters else UPDATE
            with pytest.raises(psycopg.errors.SerializationFailure, match="OC000"):
                connection.execute(text.encode(), parameters or None)
            assert usable(connection)
        connection.execute("BEGIN")
        assert connection.execute(UPDATE.encode()).rowcount == 1
        connection.execute("ROLLBACK")
    assert (faulty.fired("conflict"), faulty.value()) == (2, 0)


@pytest.mark.parametrize("parameters", [(), (1,)])
def test_a_write_outside_of_a_transaction_may_be_lost_after_it_committed(
    faulty: Faulty, parameters: tuple[int, ...]
) -> None:
    """The connection breaks, and the counter has changed."""
    text = UPDATE.replace("1 WHERE", "%s WHERE") if parameters else UPDATE
    faulty.set(drop_after=1)
    with faulty.connect() as connection, pytest.raises(LOST):
        connection.execute(text.encode(), parameters or None)
    assert (faulty.fired("drop_after"), faulty.value()) == (1, 1)


def test_an_unavailable_server_fails_a_statement_and_its_transaction(faulty: Faulty) -> None:
    """The statement gets XX000. In a transaction, 25P02 follows until ROLLBACK."""
    with faulty.connect() as connection:
        connection.execute("BEGIN")
        faulty.set(unavailable=1)
        for text, parameters in (("SELECT 1", None), ("SELECT %s", (1,))):
            with pytest.raises(psycopg.errors.InternalError_, match="server unavailable"):
                connection.execute(text.encode(), parameters)
            assert connection.info.transaction_status == TransactionStatus.INERROR
            connection.execute("ROLLBACK")
            with pytest.raises(psycopg.errors.InternalError_, match="server unavailable"):
                connection.execute(text.encode(), parameters)
            assert connection.info.transaction_status == TransactionStatus.IDLE
            faulty.set()
            connection.execute("BEGIN")
            faulty.set(unavailable=1)
        connection.execute("ROLLBACK")


def test_commit_of_a_failed_transaction_answers_rollback_whatever_the_faults(faulty: Faulty) -> None:
    """The answer is PostgreSQL's, and no fault is counted."""
    with faulty.connect() as connection:
        faulty.set(conflict=1, drop_after=1)
        connection.execute("BEGIN")
        with pytest.raises(psycopg.errors.DivisionByZero):
            connection.execute("SELECT 1/0")
        assert connection.execute("COMMIT").statusmessage == "ROLLBACK"
    assert faulty.fired("conflict") == faulty.fired("drop_after") == 0


def test_a_pipeline_that_fails_before_its_commit_says_why(faulty: Faulty) -> None:
    """The client gets the real error, and no fault is counted."""
    with faulty.connect() as connection:
        faulty.set(conflict=1)
        with pytest.raises(psycopg.errors.DivisionByZero):
            pipeline(connection, "BEGIN", "SELECT 1/0", "COMMIT")
        assert connection.info.transaction_status == TransactionStatus.INERROR
        connection.execute("ROLLBACK")
        assert usable(connection)
    assert faulty.fired("conflict") == 0


def test_two_transactions_in_one_pipeline_are_two_commits(faulty: Faulty) -> None:
    """The first commits, the second breaks after it has committed."""
    faulty.set(drop_after=0.5, seed=_seed_of([False, True]))
    with faulty.connect() as connection, pytest.raises(LOST):
        pipeline(connection, *("BEGIN", UPDATE, "COMMIT") * 2)
    assert (faulty.fired("drop_after"), faulty.value()) == (1, 2)


def _seed_of(expected: list[bool]) -> int:
    """A seed whose first connection draws this for drop_after at one half."""
    from hotrow.standin.endpoint.faults import Fault, Faults  # noqa: PLC0415 - only here
    from hotrow.standin.endpoint.injection import Dice, Injection  # noqa: PLC0415 - the same

    def draws(seed: int) -> list[bool]:
        injection = Injection()
        injection.set(Faults(drop_after=0.5, seed=seed))
        dice = Dice(injection)
        return [dice.hits(Fault.DROP_AFTER) for _ in expected]

    return next(seed for seed in range(100) if draws(seed) == expected)


def test_copy_and_big_results_pass_while_faults_are_in_force(faulty: Faulty) -> None:
    """COPY passes in both directions. It is not followed, but the COMMIT after it gets its fault."""
    with faulty.connect() as connection:
        faulty.set(conflict=1)
        connection.execute("BEGIN")
        with connection.cursor().copy("COPY counter FROM STDIN") as copy:
            for number in range(2, 2_000):
                copy.write(f"{number}\t{number}\n")
        big = connection.execute("SELECT repeat('x', 100000) FROM generate_series(1, 100)").fetchall()
        assert sum(len(row[0]) for row in big) == 10_000_000
        with pytest.raises(psycopg.errors.SerializationFailure):
            connection.execute("COMMIT")
        assert connection.execute("SELECT count(*) FROM counter").fetchone() == (1,)
