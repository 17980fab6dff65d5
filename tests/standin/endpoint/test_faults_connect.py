"""Faults while a connection is opened or idle: refusals, rates, tokens, age and delays."""

from __future__ import annotations

import threading
import time

import psycopg
import pytest

from tests.support.faulty import UPDATE, Faulty

LOST = psycopg.OperationalError


def refusal(faulty: Faulty, **options: str) -> str:
    """The error that a client gets when it is not let in."""
    with pytest.raises(psycopg.OperationalError) as caught:
        faulty.connect(**options).close()
    return str(caught.value)


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ("refuse", "FATAL:  Unable to accept connection, waking up cluster, please retry later"),
        ("reject_token", "FATAL:  access denied"),
        ("expire_token", "FATAL:  access denied\nHINT:  Signature expired: 2"),
    ],
)
def test_a_new_connection_is_refused_and_an_old_one_goes_on(faulty: Faulty, fault: str, text: str) -> None:
    """The error is Aurora DSQL's. It has a hint only if a new token would help."""
    with faulty.connect() as old:
        faulty.set(**{fault: 1})
        errors = [refusal(faulty) for _ in range(3)]
        assert all(text in error and ("HINT" in error) == ("HINT" in text) for error in errors)
        assert faulty.fired(fault) == 3
        assert old.execute("SELECT 1").fetchone() == (1,)


def test_a_bad_token_is_denied_whatever_the_faults(faulty: Faulty) -> None:
    """An invalid token is always denied, and a real denial is not counted as a fault."""
    faulty.set(reject_token=0.5, expire_token=0.5)
    assert "access denied" in refusal(faulty, password="nonsense")  # noqa: S106 - none
    assert faulty.fired("reject_token") == faulty.fired("expire_token") == 0


def test_of_twenty_connections_at_once_ten_are_let_in(faulty: Faulty) -> None:
    """With rate 1 and burst 10, the 11th connection and all after it get 53400."""
    faulty.set(connect_rate=0.001, connect_burst=10)
    ready = threading.Barrier(20)
    errors: list[str] = []

    def connect() -> None:
        ready.wait()
        try:
            faulty.connect().close()
            errors.append("")
        except psycopg.OperationalError as error:
            errors.append(str(error))

    threads = [threading.Thread(target=connect) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    refused = [text for text in errors if text]

    assert (len(errors), len(refused)) == (20, 10)
    assert all("FATAL:  Unable to accept connection, rate exceeded." in text for text in refused)
    assert faulty.fired("connect_rate") == 10


def test_an_old_session_is_closed_while_it_is_idle(faulty: Faulty) -> None:
    """A session is closed if it was opened before, has been idle since, and is older than the limit."""
    with faulty.connect() as old:
        faulty.set(session_life=0.001)
        with pytest.raises(LOST):
            _read_until_the_end(old)
    assert faulty.fired("session_life") == 1


def _read_until_the_end(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    for _ in connection.notifies(timeout=20):
        pass
    pytest.fail("the connection was not closed")


def test_a_transaction_outlives_its_session_s_life(faulty: Faulty) -> None:
    """The session is closed after the answer to COMMIT, and the counter has changed."""
    with faulty.connect() as connection, faulty.connect() as other:
        connection.execute("BEGIN")
        other.execute("BEGIN")
        faulty.set(session_life=0.001)
        for _ in range(20):
            connection.execute("SELECT 1")
        connection.execute(UPDATE.encode())
        assert connection.execute("COMMIT").statusmessage == "COMMIT"
        with pytest.raises(LOST):
            _read_until_the_end(connection)
        assert other.execute("SELECT 1").fetchone() == (1,)
        assert (faulty.fired("session_life"), faulty.value()) == (1, 1)


def test_an_answer_comes_later(faulty: Faulty) -> None:
    """Every answer is delayed by at least this much, also on an open connection, and each is counted."""
    with faulty.connect() as connection:
        faulty.set(delay=1, delay_s=0.05)
        begun = time.monotonic()
        for _ in range(4):
            connection.execute("SELECT 1")
        assert time.monotonic() - begun >= 0.2
        assert faulty.fired("delay") == 4
        faulty.set()
        for _ in range(4):
            connection.execute("SELECT 1")
        assert faulty.fired("delay") == 0


def test_faults_can_be_set_and_unset_under_load(faulty: Faulty) -> None:
    """Connections switch a hundred times between being relayed and being followed, and no answer is lost."""
    stop = threading.Event()
    counts = [0] * 4

    def count(place: int) -> None:
        with faulty.connect() as connection:
            while not stop.is_set():
                with connection.pipeline():
                    cursors = [connection.execute("SELECT %s::int", (number,)) for number in range(20)]
                    assert [cursor.fetchone() for cursor in cursors] == [(number,) for number in range(20)]
                counts[place] += connection.execute("SELECT 1").fetchone() == (1,)

    threads = [threading.Thread(target=count, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for number in range(60):
        faulty.set(delay=number % 2 * 0.01, delay_s=0.001)
        faulty.value()
    stop.set()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    assert min(counts) > 10
