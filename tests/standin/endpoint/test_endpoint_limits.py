"""The endpoint's limits: slow clients, too many clients, no stand-in behind it, and a rewriter that fails."""

from __future__ import annotations

import asyncio
import contextlib
import struct
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from hotrow.standin.endpoint.client_stream import MAX_STATEMENT_BYTES
from hotrow.standin.endpoint.folder import HOSTS
from hotrow.standin.endpoint.listener import Listener, listen
from hotrow.standin.endpoint.region_config import Limits, RegionConfig
from hotrow.standin.endpoint.serve import make_tls
from hotrow.standin.endpoint.token import Credentials, TokenScope
from hotrow.standin.endpoint.wire import build_message, build_startup
from hotrow.targets.session import unchanged
from tests.standin.endpoint.test_token import make
from tests.support.wire_fuzz import ADMIN, ASK_TLS, connect, connect_tls, enter, exchange, read_all

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable, Iterator

    from hotrow.standin.endpoint.client_stream import Rewrite

TOKEN_SCOPE = TokenScope(HOSTS, "eu-west-1", Credentials("AKIAEXAMPLE", "secret"))
SOON = Limits(startup_s=0.3)
EMPTY = build_message(b"I", b"")
"""The answer to an empty statement."""


@dataclass
class Running:
    """A listener in a thread of its own."""

    listener: Listener
    port: int

    @property
    def conninfo(self) -> str:
        token = make(credentials=TOKEN_SCOPE.credentials)
        return f"host=localhost port={self.port} dbname=postgres user=admin sslmode=require password={token}"


@pytest.fixture(scope="module")
def tls() -> ssl.SSLContext:
    return make_tls()[0]


@pytest.fixture
def backend(dsn: str) -> Path:
    """The stand-in's socket."""
    return Path(str(conninfo_to_dict(dsn)["host"])) / ".s.PGSQL.5432"


@contextmanager
def serving(
    tls: ssl.SSLContext, backend: Path, limits: Limits = SOON, rewrite: Rewrite = unchanged
) -> Iterator[Running]:
    """Serve until the block ends."""
    loop = asyncio.new_event_loop()
    servers = listen(0)
    box: list[Running] = []
    ready = threading.Event()

    async def serve() -> None:
        listener = Listener(RegionConfig(TOKEN_SCOPE, backend, tls, rewrite, limits))
        box.append(Running(listener, servers[0].getsockname()[1]))
        ready.set()
        with contextlib.suppress(asyncio.CancelledError):
            await listener.serve(servers)

    task = loop.create_task(serve())
    thread = threading.Thread(target=loop.run_until_complete, args=(task,))
    thread.start()
    assert ready.wait(10)
    try:
        yield box[0]
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join(10)
        loop.close()
        for server in servers:
            server.close()
    assert not thread.is_alive()


def after_tls_request(port: int) -> socket.socket:
    client = connect(port)
    client.sendall(ASK_TLS)
    assert client.recv(1) == b"S"
    return client


def half_a_packet(port: int) -> socket.socket:
    client = connect_tls(port)
    client.sendall(build_startup(ADMIN)[:10])
    return client


def before_the_password(port: int) -> socket.socket:
    client = connect_tls(port)
    client.sendall(build_startup(ADMIN))
    return client


@pytest.mark.parametrize(
    "stop_at", [connect, after_tls_request, connect_tls, half_a_packet, before_the_password]
)
def test_a_client_that_stops_while_it_starts_is_closed(
    tls: ssl.SSLContext, backend: Path, stop_at: Callable[[int], socket.socket]
) -> None:
    """The time for the whole login is limited, wherever the client stops.

    Its connection does not stay open.
    """
    with serving(tls, backend) as running:
        start_s = time.monotonic()
        with stop_at(running.port) as client:
            read_all(client)
        assert 0.2 < time.monotonic() - start_s < 5
        _wait_until_empty(running)


def _wait_until_empty(running: Running) -> None:
    deadline = time.monotonic() + 5
    while running.listener.clients:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("stop_at", [connect, after_tls_request, connect_tls, before_the_password])
def test_those_that_start_do_not_keep_the_others_out(
    tls: ssl.SSLContext, backend: Path, stop_at: Callable[[int], socket.socket]
) -> None:
    """If too many clients are starting, the next one gets in at once, and the oldest is closed."""
    with serving(tls, backend, Limits(startup_s=600, starting=2)) as running:
        idle = [stop_at(running.port) for _ in range(2)]
        with psycopg.connect(running.conninfo) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
            read_all(idle[0])  # would wait forever if it were not closed
        for client in idle:
            client.close()


def test_those_that_start_take_no_places_of_those_that_are_in(tls: ssl.SSLContext, backend: Path) -> None:
    """Connections that are starting do not count as clients."""
    with serving(tls, backend, Limits(startup_s=600, connections=1)) as running:
        idle = [connect(running.port) for _ in range(3)]
        with psycopg.connect(running.conninfo) as served:
            assert served.execute("SELECT 1").fetchone() == (1,)
        for client in idle:
            client.close()


def begin_statement(running: Running, size: int) -> socket.socket:
    """A client that has logged in and sends a Query without its last byte."""
    client = enter(running.port, make(credentials=TOKEN_SCOPE.credentials))
    client.sendall(b"Q" + struct.pack("!I", size + 4) + b" " * (size - 1))
    return client


def test_incomplete_statements_of_all_together_are_bounded(tls: ssl.SSLContext, backend: Path) -> None:
    """A client that exceeds the limit gets 53200.

    When a statement ends or is complete, there is room again.
    """
    with serving(tls, backend, Limits(held_bytes=100_000)) as running:
        with begin_statement(running, 60_000) as first, begin_statement(running, 60_000) as second:
            assert b"C53200\0" in read_all(second)
            first.sendall(b"\0")
            assert first.recv(1_000).startswith(EMPTY)
            with begin_statement(running, 60_000), psycopg.connect(running.conninfo) as other:
                assert other.execute("SELECT 1").fetchone() == (1,)
        _wait_until_empty(running)
        with begin_statement(running, 60_000) as again:
            again.sendall(b"\0")
            assert again.recv(1_000).startswith(EMPTY)


def test_a_statement_has_a_size_at_most(tls: ssl.SSLContext, backend: Path) -> None:
    """A statement that is too long is refused after its header."""
    with (
        serving(tls, backend) as running,
        enter(running.port, make(credentials=TOKEN_SCOPE.credentials)) as client,
    ):
        client.sendall(b"Q" + struct.pack("!I", MAX_STATEMENT_BYTES + 1))
        assert b"C54000\0" in read_all(client)


def test_one_connection_too_many_gets_an_error(tls: ssl.SSLContext, backend: Path) -> None:
    """The client gets 53300. When another client ends, there is room again."""
    with serving(tls, backend, Limits(connections=2)) as running:
        with (
            psycopg.connect(running.conninfo),
            psycopg.connect(running.conninfo),
            pytest.raises(psycopg.OperationalError, match="too many clients"),
        ):
            psycopg.connect(running.conninfo)
        _wait_until_empty(running)
        psycopg.connect(running.conninfo).close()


def test_a_stand_in_that_does_not_run_is_named(tls: ssl.SSLContext, tmp_path: Path) -> None:
    """A client with a valid token gets an error with the command that starts the stand-in."""
    with (
        serving(tls, tmp_path / "nothing") as running,
        pytest.raises(psycopg.OperationalError, match="hotrow local up --endpoint"),
    ):
        psycopg.connect(running.conninfo)


def test_the_rewriter_sees_statements_and_only_those(tls: ssl.SSLContext, backend: Path) -> None:
    """The rewriter gets simple and extended statements, but no parameters."""
    seen: list[str] = []

    def rewrite(statement: str) -> str:
        seen.append(statement)
        return statement.replace("before", "after")

    with (
        serving(tls, backend, rewrite=rewrite) as running,
        psycopg.connect(running.conninfo, autocommit=True) as connection,
    ):
        assert connection.execute("SELECT 'before'").fetchone() == ("after",)
        answer = connection.execute("SELECT 'before', %s::text", ("before",)).fetchone()
    assert answer == ("after", "before")
    assert seen == ["SELECT 'before'", "SELECT 'before', $1::text"]


def test_a_rewriter_that_fails_costs_one_connection(
    tls: ssl.SSLContext, backend: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The client gets an error. The log has the position without the statement. Other clients continue."""

    def rewrite(statement: str) -> str:
        if "bad" in statement:
            raise ValueError(statement)
        return statement

    with (
        serving(tls, backend, rewrite=rewrite) as running,
        psycopg.connect(running.conninfo, autocommit=True) as other,
        psycopg.connect(running.conninfo, autocommit=True) as connection,
    ):
        with pytest.raises(psycopg.errors.InternalError_, match="failed at this statement"):
            connection.execute("SELECT 'bad secret'")
        assert other.execute("SELECT 1").fetchone() == (1,)
    log = capfd.readouterr().err
    assert "ValueError in " in log
    assert "secret" not in log


def test_ending_the_listener_ends_its_clients(tls: ssl.SSLContext, backend: Path) -> None:
    """Clients that have logged in and clients that are starting are closed."""
    with serving(tls, backend, Limits()) as running:
        working, starting = psycopg.connect(running.conninfo), connect_tls(running.port)
    with working, pytest.raises(psycopg.OperationalError):
        working.execute("SELECT 1")
    assert exchange(starting, b"") == b""
