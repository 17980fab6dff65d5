"""What a tap records of psycopg clients on each kind of target, against what clients and tables say."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from hotrow.standin.endpoint.control import ask_control
from hotrow.standin.endpoint.faults import Faults
from hotrow.standin.endpoint.running import find_control
from tests.support.dsql_endpoint import offered
from tests.support.tapped import FULL_SPEED, Tapped, outcomes, tapped, transfer_threads

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.usefixtures("dsn")]

SECRET = "literal-that-nobody-keeps"
TARGETS = ("local", "plain", "dsql")


@pytest.fixture
def tap(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Tapped]:
    """A tap to the target that the test names, or to the stand-in, at full speed."""
    kind = getattr(request, "param", "local")
    if kind == "dsql":
        with offered() as offer, tapped(offer.host(), tmp_path) as tap:
            yield tap
    else:
        with tapped(f"{kind}:{FULL_SPEED}", tmp_path) as tap:
            yield tap


@pytest.fixture
def table(tap: Tapped, request: pytest.FixtureRequest) -> str:
    """A table with two rows, made through the tap."""
    name = "tap_plain_counts" if "plain" in request.node.name else "tap_counts"
    with tap.connect(autocommit=True) as connection:
        connection.execute(f"DROP TABLE IF EXISTS {name}")
        connection.execute(f"CREATE TABLE {name} (id int PRIMARY KEY, n int NOT NULL)")
        connection.execute(f"INSERT INTO {name} VALUES (1, 0), (2, 0)")
    return name


def total(tap: Tapped, table: str) -> int:
    with tap.connect(autocommit=True) as connection:
        row = connection.execute(f"SELECT n FROM {table} WHERE id = 1").fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize("tap", TARGETS, indirect=True)
def test_the_ledger_agrees_with_the_table_and_with_the_clients(tap: Tapped, table: str) -> None:
    """Every commit is in the table, and every conflict was told to a client."""
    told = transfer_threads(tap, table, threads=4, each=10)
    count = total(tap, table)

    cell = tap.cell()
    (kind,) = [kind for kind in cell["kinds"] if kind["name"] == f"UPDATE {table}"]

    assert count == told.commits == 40
    assert kind["attempts"]["committed"] == count
    assert kind["attempts"]["conflict"] == told.conflicts
    assert kind["attempts"]["total"] - kind["transactions"]["started"] == told.conflicts
    assert kind["transactions"]["committed"] == kind["transactions"]["started"] == 40
    assert cell["users"] == 4


@pytest.mark.parametrize("tap", ["local", "plain"], indirect=True)
def test_no_value_is_in_any_file(tap: Tapped, table: str) -> None:
    """Neither of a literal, nor of a parameter, nor of an error's text."""
    with tap.connect(autocommit=True) as connection:
        connection.execute(f"SELECT '{SECRET}' FROM {table}")
        connection.execute("SELECT %s::text", (SECRET,))
        for statement in (f"SELECT '{SECRET}'::int", f"SELECT $${SECRET}"):
            with pytest.raises(psycopg.Error):
                connection.execute(statement)
    tap.ended()

    files = [path.read_bytes() for path in tap.directory.iterdir()]

    assert len(files) >= 5
    assert not any(SECRET.encode() in file for file in files)


def test_a_commit_whose_client_is_gone_is_recorded_as_the_server_ended_it(tap: Tapped, table: str) -> None:
    """A killed client closes its socket; the server still answers, and the tap hears it."""
    connection = tap.connect()
    connection.execute(f"UPDATE {table} SET n = 7")
    connection.pgconn.send_query(b"COMMIT")
    while connection.pgconn.flush():
        pass
    connection.pgconn.finish()
    run = tap.run()

    assert outcomes(run)[-1] == "committed"
    assert run.meta["kinds"][run.attempts["kind"][-1]] == f"UPDATE {table}"


@pytest.mark.parametrize("tap", ["dsql"], indirect=True)
@pytest.mark.parametrize(("fault", "outcome"), [("drop_after", "unknown"), ("drop_before", "unknown")])
def test_an_unanswered_commit_is_unknown(tap: Tapped, table: str, fault: str, outcome: str) -> None:
    """Whether the server got it or not: the tap does not guess."""
    ask_control(find_control(), Faults(**{fault: 1.0}))
    connection = tap.connect()
    connection.execute(f"UPDATE {table} SET n = 7")
    with pytest.raises(psycopg.OperationalError):
        connection.commit()
    ask_control(find_control(), Faults())

    assert outcomes(tap.run())[-1] == outcome


def test_a_transaction_that_is_open_when_the_tap_ends_is_left_out(tap: Tapped, table: str) -> None:
    """Nobody knows what its client would have done."""
    connection = tap.connect()
    connection.execute(f"UPDATE {table} SET n = 7")

    assert "UPDATE" not in "".join(tap.run().meta["kinds"])
    with pytest.raises(psycopg.OperationalError):
        connection.commit()


def test_garbage_ends_its_own_connection_only(tap: Tapped, table: str) -> None:
    """Before the login and after it."""
    for garbage in (b"\x00\x00", b"GET / HTTP/1.1\r\n\r\n", bytes(range(256)) * 40):
        with socket.create_connection(("127.0.0.1", tap.port), timeout=10) as client:
            client.sendall(garbage)
    with tap.connect() as connection:
        raw = socket.socket(fileno=psycopg_socket(connection))
        raw.sendall(b"\xff" * 100)
        raw.detach()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")

    assert transfer_threads(tap, table, threads=2, each=2).commits == 4


def psycopg_socket(connection: psycopg.Connection[Any]) -> int:
    return connection.pgconn.socket


@pytest.mark.parametrize("tap", ["plain"], indirect=True)
def test_a_cancel_request_reaches_the_server(tap: Tapped) -> None:
    """Ctrl-C in psql, and timeouts of JDBC."""
    started = threading.Event()

    def cancel() -> None:
        started.wait(10)
        connection.cancel_safe(timeout=10)

    with tap.connect(autocommit=True) as connection:
        connection.execute("SELECT 1")
        thread = threading.Thread(target=cancel)
        thread.start()
        started.set()
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute("SELECT pg_sleep(60)")
        thread.join()


def test_a_pipeline_and_copy_are_followed(tap: Tapped, table: str) -> None:
    """Their messages do not put later ones out of step."""
    with tap.connect() as connection:
        with connection.pipeline(), connection.transaction():
            for key in (1, 2):
                connection.execute(f"UPDATE {table} SET n = n + 1 WHERE id = %s", (key,))
        with connection.transaction(), connection.cursor() as cursor:
            with cursor.copy("COPY (SELECT 1) TO STDOUT") as copy:
                assert len(list(copy)) == 1
            cursor.execute(f"UPDATE {table} SET n = n + 1 WHERE id = 1")
    run = tap.run()

    assert run.meta["kinds"][-2:] == [f"UPDATE {table}", f"COPY, UPDATE {table}"]
    assert outcomes(run)[-2:] == ["committed", "committed"]


def test_many_connections_have_a_number_each_and_give_it_back(tap: Tapped, table: str) -> None:
    """The numbers of users stay below the most connections that were open at once."""
    for _ in range(3):
        connections = [tap.connect(autocommit=True) for _ in range(20)]
        for connection in connections:
            connection.execute(f"SELECT n FROM {table}")
        for connection in connections:
            connection.close()
    run = tap.run()

    assert len(run.attempts) == 63
    assert int(run.attempts["user"].max()) < run.cells[0]["users"] <= 60
