"""What the endpoint does not put up with: waiting, crowds, no stand-in behind it, a rewriter that fails."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from hotrow.targets.endpoint.front import Front, Limits, Plan, listen
from hotrow.targets.endpoint.serve import make_tls
from hotrow.targets.endpoint.state import HOSTS
from hotrow.targets.endpoint.token import Cluster, Credentials
from hotrow.targets.endpoint.wire import build_startup
from hotrow.targets.session import unchanged
from tests.test_token import make
from tests.wire_fuzz import ADMIN, ASK_TLS, connect, connect_tls, exchange, read_all

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable, Iterator

    from hotrow.targets.endpoint.wire import Rewrite

CLUSTER = Cluster(HOSTS, "eu-west-1", Credentials("AKIAEXAMPLE", "secret"))
SOON = Limits(startup_s=0.3)


@dataclass
class Running:
    """A front in a thread of its own."""

    front: Front
    port: int

    @property
    def conninfo(self) -> str:
        token = make(credentials=CLUSTER.credentials)
        return f"host=localhost port={self.port} dbname=postgres user=admin sslmode=require password={token}"


@pytest.fixture(scope="module")
def tls() -> ssl.SSLContext:
    return make_tls()[0]


@pytest.fixture
def backend(dsn: str) -> Path:
    """The stand-in's socket."""
    return Path(str(conninfo_to_dict(dsn)["host"])) / ".s.PGSQL.5432"


@contextmanager
def front(
    tls: ssl.SSLContext, backend: Path, limits: Limits = SOON, rewrite: Rewrite = unchanged
) -> Iterator[Running]:
    """Serve until the block ends."""
    loop = asyncio.new_event_loop()
    servers = listen(0)
    box: list[Running] = []
    ready = threading.Event()

    async def serve() -> None:
        served = Front(Plan(CLUSTER, backend, tls, rewrite, limits))
        box.append(Running(served, servers[0].getsockname()[1]))
        ready.set()
        with contextlib.suppress(asyncio.CancelledError):
            await served.serve(servers)

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
    """At whatever point, the time for all of it is limited; nothing of it stays."""
    with front(tls, backend) as running:
        begun = time.monotonic()
        with stop_at(running.port) as client:
            read_all(client)
        assert 0.2 < time.monotonic() - begun < 5
        _wait_until_empty(running)


def _wait_until_empty(running: Running) -> None:
    deadline = time.monotonic() + 5
    while running.front.clients:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_those_that_start_do_not_keep_the_others_out_for_long(tls: ssl.SSLContext, backend: Path) -> None:
    """With all places to start taken, the next client waits for the deadline of the first and gets in."""
    with front(tls, backend, Limits(startup_s=0.3, starting=2)) as running:
        idle = [connect(running.port) for _ in range(4)]
        with psycopg.connect(running.conninfo) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        for client in idle:
            client.close()


def test_one_connection_too_many_is_told_so(tls: ssl.SSLContext, backend: Path) -> None:
    """53300, and there is room again when one ends."""
    with front(tls, backend, Limits(connections=2)) as running:
        with (
            psycopg.connect(running.conninfo),
            psycopg.connect(running.conninfo),
            pytest.raises(psycopg.OperationalError, match="too many clients"),
        ):
            psycopg.connect(running.conninfo)
        _wait_until_empty(running)
        psycopg.connect(running.conninfo).close()


def test_a_stand_in_that_does_not_run_is_named(tls: ssl.SSLContext, tmp_path: Path) -> None:
    """Whoever has a token learns what to start."""
    with (
        front(tls, tmp_path / "nothing") as running,
        pytest.raises(psycopg.OperationalError, match="hotrow local up --endpoint"),
    ):
        psycopg.connect(running.conninfo)


def test_the_rewriter_sees_statements_and_only_those(tls: ssl.SSLContext, backend: Path) -> None:
    """Simple and extended; parameters are not its business."""
    seen: list[str] = []

    def rewrite(statement: str) -> str:
        seen.append(statement)
        return statement.replace("before", "after")

    with (
        front(tls, backend, rewrite=rewrite) as running,
        psycopg.connect(running.conninfo, autocommit=True) as connection,
    ):
        assert connection.execute("SELECT 'before'").fetchone() == ("after",)
        answer = connection.execute("SELECT 'before', %s::text", ("before",)).fetchone()
    assert answer == ("after", "before")
    assert seen == ["SELECT 'before'", "SELECT 'before', $1::text"]


def test_a_rewriter_that_fails_costs_one_connection(
    tls: ssl.SSLContext, backend: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The client is told; the log says where, without the statement; the others go on."""

    def rewrite(statement: str) -> str:
        if "bad" in statement:
            raise ValueError(statement)
        return statement

    with (
        front(tls, backend, rewrite=rewrite) as running,
        psycopg.connect(running.conninfo, autocommit=True) as other,
        psycopg.connect(running.conninfo, autocommit=True) as connection,
    ):
        with pytest.raises(psycopg.errors.InternalError_, match="failed at this statement"):
            connection.execute("SELECT 'bad secret'")
        assert other.execute("SELECT 1").fetchone() == (1,)
    said = capfd.readouterr().err
    assert "ValueError in " in said
    assert "secret" not in said


def test_ending_the_front_ends_its_clients(tls: ssl.SSLContext, backend: Path) -> None:
    """Those that work and those that start."""
    with front(tls, backend, Limits()) as running:
        working, starting = psycopg.connect(running.conninfo), connect_tls(running.port)
    with working, pytest.raises(psycopg.OperationalError):
        working.execute("SELECT 1")
    assert exchange(starting, b"") == b""
