"""BEGIN alone takes the snapshot when it is sent through the endpoint, and its answer stays what it was."""

from __future__ import annotations

import random
import socket
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict

from hotrow.standin.begin import begins_alone
from hotrow.standin.endpoint.begin_watch import PIPELINE_HIDES, QUERY_HIDES, BeginAnswer
from hotrow.standin.endpoint.latency import LatencyProfile
from hotrow.standin.endpoint.lifecycle import EndpointOptions
from hotrow.standin.endpoint.messages import is_ready
from hotrow.standin.endpoint.wire import build_message, build_startup
from tests.support.faulty import UPDATE, Connection, Faulty, counting, running
from tests.support.wire_fuzz import ADMIN, connect_tls

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REGIONS = EndpointOptions(
    regions=("us-east-1", "us-east-2"), profiles=(LatencyProfile(), LatencyProfile(0.002, 0.005))
)
"""The first region relays bytes, the second follows messages."""
SYNC, FLUSH = build_message(b"S", b""), build_message(b"H", b"")
STATEMENTS = (b"BEGIN", b"begin work;", b"COMMIT", b"SELECT 1", b"SELECT 1/0", b"BEGIN; SELECT 2", b"")


@pytest.fixture(scope="module")
def dsns(dsn: str) -> Iterator[list[str]]:
    """Two regions, so that both ways to relay a connection are there."""
    assert dsn
    with running(REGIONS) as conninfos:
        yield conninfos


@pytest.fixture
def faulty(dsns: list[str], dsn: str, schema: str) -> Iterator[Faulty]:
    with counting(dsns, dsn, schema) as counter:
        yield counter


# Ways to send BEGIN alone. Each returns when the client knows that the transaction has begun.


def simply(connection: Connection) -> None:
    connection.execute(b"BEGIN")


def with_modes(connection: Connection) -> None:
    assert connection.execute(
        b"/* app */ start transaction isolation level repeatable read, read write; -- so"
    ).statusmessage == ("START TRANSACTION")


def unnamed(connection: Connection) -> None:
    """Parse, Bind, Describe, Execute and Sync."""
    answer = connection.pgconn.exec_params(b"BEGIN", None)
    assert answer.command_status == b"BEGIN"


def prepared(connection: Connection) -> None:
    """A named statement, after all others were deallocated."""
    connection.execute(b"DEALLOCATE ALL")
    connection.pgconn.prepare(b"begin", b"BEGIN")
    assert connection.pgconn.exec_prepared(b"begin", None).command_status == b"BEGIN"


def flushed(connection: Connection) -> None:
    """In a pipeline whose Sync comes only after the answer."""
    pgconn = connection.pgconn
    pgconn.enter_pipeline_mode()
    pgconn.send_query_params(b"BEGIN", None)
    pgconn.send_flush_request()
    begun = pgconn.get_result()
    assert begun
    assert begun.command_status == b"BEGIN"
    assert pgconn.get_result() is None
    pgconn.pipeline_sync()
    synced = pgconn.get_result()
    assert synced
    assert synced.status == pq.ExecStatus.PIPELINE_SYNC
    pgconn.exit_pipeline_mode()


def again(connection: Connection) -> None:
    """BEGIN in a transaction is a warning and changes nothing."""
    notices: list[str] = []
    connection.add_notice_handler(lambda notice: notices.append(notice.message_primary or ""))
    connection.execute(b"BEGIN")
    connection.execute(b"BEGIN")
    assert notices == ["there is already a transaction in progress"]


WAYS = [simply, with_modes, unnamed, prepared, flushed, again]


@pytest.mark.parametrize("followed", [False, True])
@pytest.mark.parametrize("region", [0, 1])
@pytest.mark.parametrize("way", WAYS)
def test_what_others_commit_after_begin_is_not_seen(
    faulty: Faulty, way: Callable[[Connection], None], region: int, followed: bool
) -> None:
    """The transaction reads what was there at BEGIN, and its write loses at COMMIT."""
    if followed:
        faulty.set(session_life=3_600)
    with faulty.connect(region) as late, faulty.connect(0) as other:
        way(late)
        other.execute(UPDATE)

        assert late.execute("SELECT v FROM counter").fetchone() == (0,)
        assert late.execute(UPDATE).statusmessage == "UPDATE 1"
        with pytest.raises(psycopg.errors.SerializationFailure, match="OC000"):
            late.execute("COMMIT")
    assert faulty.value() == 1


@pytest.mark.parametrize("region", [0, 1])
def test_a_transaction_that_reads_after_begin_keeps_its_snapshot(faulty: Faulty, region: int) -> None:
    """READ ONLY too, and the next transaction has a new snapshot."""
    with faulty.connect(region) as reader, faulty.connect(0) as other:
        for before in range(3):
            reader.execute(b"BEGIN READ ONLY")
            other.execute(UPDATE)
            assert reader.execute("SELECT v FROM counter").fetchone() == (before,)
            assert reader.execute("COMMIT").statusmessage == "COMMIT"


@pytest.mark.parametrize("region", [0, 1])
def test_a_begin_that_fails_answers_as_before(faulty: Faulty, region: int) -> None:
    """In a failed transaction, and with a mode that Aurora DSQL refuses. The connection goes on."""
    with faulty.connect(region) as connection:
        connection.execute(b"BEGIN")
        for text, sqlstate in (
            (b"SELECT 1/0", "22012"),
            (b"BEGIN", "25P02"),
            (b"START TRANSACTION", "25P02"),
        ):
            with pytest.raises(psycopg.Error) as failed:
                connection.execute(text)
            assert failed.value.sqlstate == sqlstate
        assert connection.execute(b"ROLLBACK").statusmessage == "ROLLBACK"
        with pytest.raises(psycopg.errors.FeatureNotSupported):
            connection.execute(b"BEGIN ISOLATION LEVEL SERIALIZABLE")
        with pytest.raises(psycopg.errors.SyntaxError):
            connection.execute(b"BEGIN WORK WORK")
        assert connection.execute(b"SELECT 2").fetchone() == (2,)


def test_faults_leave_begin_as_it_is(faulty: Faulty) -> None:
    """A transaction under faults has the snapshot of BEGIN, and a BEGIN that fails takes none."""
    with faulty.connect() as connection, faulty.connect() as other:
        for number in range(20):
            faulty.set(unavailable=0.5, delay=0.5, delay_s=0.0001, seed=number)
            try:
                connection.execute(b"BEGIN")
            except psycopg.errors.InternalError_:
                faulty.set()
                assert connection.info.transaction_status == pq.TransactionStatus.IDLE
                continue
            faulty.set()
            other.execute(UPDATE)
            connection.execute(UPDATE)
            with pytest.raises(psycopg.errors.SerializationFailure, match="OC000"):
                connection.execute("COMMIT")
        assert 0 < faulty.value() < 20


def turn(rng: random.Random) -> tuple[bytes, int]:
    """What a client sends before it waits, and how many ReadyForQuery it waits for."""
    statement, name = rng.choice(STATEMENTS), rng.choice((b"", b"s1", b"s2"))
    parse = build_message(b"P", name + b"\0" + statement + b"\0\0\0")
    bind = build_message(b"B", b"\0" + name + b"\0\0\0\0\0\0\0")
    execute = build_message(b"E", b"\0\0\0\0\0")
    pipeline = (build_message(b"C", b"S" + name + b"\0") if name else b"") + parse + bind + execute
    query = build_message(b"Q", statement + b"\0")
    describe = build_message(b"D", b"P\0")
    return rng.choice(
        (
            (query, 1),
            (query, 1),
            (pipeline + SYNC, 1),
            (pipeline + describe + SYNC, 1),
            (bind + execute + SYNC, 1),
            (pipeline + FLUSH + SYNC, 1),
            (pipeline + execute + SYNC, 1),
            (pipeline + SYNC + query, 2),
            (query + query, 2),
            (query + pipeline + SYNC + SYNC, 3),
        )
    )


def converse(client: socket.socket, seed: int) -> list[bytes]:
    """The answers to 40 turns, each sent in one piece or in several."""
    rng = random.Random(seed)  # noqa: S311 - chosen bytes
    answers = []
    for _ in range(40):
        data, ready = turn(rng)
        cut = rng.choice((0, 1, 5, len(data) // 2))
        for part in (data[:cut], data[cut:]):
            if part:
                client.sendall(part)
        answer = b""
        while answer.count(b"Z\0\0\0\5") < ready or not is_ready(answer[-6:]):
            received = client.recv(65_536)
            assert received, answer
            answer += received
        answers.append(answer)
    client.sendall(build_message(b"X", b""))
    return answers


def enter(client: socket.socket, user: dict[str, str], password: bytes = b"") -> None:
    client.sendall(build_startup(user) + password)
    answer = b""
    while not is_ready(answer[-6:]):
        answer += client.recv(65_536)


@pytest.mark.parametrize("region", [0, 1])
@pytest.mark.parametrize("seed", range(12))
def test_answers_are_those_of_the_server_byte_for_byte(
    faulty: Faulty, dsn: str, region: int, seed: int
) -> None:
    """However the client cuts what it sends into turns and pieces."""
    facts, local = conninfo_to_dict(faulty.dsns[region]), conninfo_to_dict(dsn)
    path = f"{local['host']}/.s.PGSQL.{local['port']}"
    with connect_tls(int(str(facts["port"]))) as client, socket.socket(socket.AF_UNIX) as server:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        enter(client, ADMIN, build_message(b"p", str(facts["password"]).encode() + b"\0"))
        server.connect(path)
        enter(server, ADMIN)

        answers = converse(client, seed)

        assert answers == converse(server, seed)
        assert any(b"BEGIN" in answer for answer in answers)


# Pure


def test_only_a_begin_that_is_alone_is_recognised() -> None:
    """Comments and modes belong to it; other statements and other words do not."""
    alone = ("BEGIN", " begin work ;", "--x\nSTART  TRANSACTION READ ONLY, NOT DEFERRABLE", "/*a*/begin/*b*/")
    others = (
        "BEGIN; SELECT 1",
        "beginning",
        "START",
        "BEGIN AND CHAIN",
        "SELECT 1",
        "",
        "/* BEGIN",
        "COMMIT",
    )

    assert [text for text in alone if not begins_alone(text)] == []
    assert [text for text in others if begins_alone(text)] == []


@pytest.mark.parametrize(
    ("hides", "own"),
    [
        (QUERY_HIDES, build_message(b"T", b"\0\0") + build_message(b"C", b"SELECT 0\0")),
        (PIPELINE_HIDES, build_message(b"1", b"") + build_message(b"3", b"")),
    ],
)
def test_an_answer_may_come_in_any_pieces(hides: bytes, own: bytes) -> None:
    """The own messages are taken out, and what follows the answer is passed on."""
    notice = build_message(b"N", b"SWARNING\0\0")
    before = build_message(b"1", b"") + build_message(b"2", b"") + notice + build_message(b"C", b"BEGIN\0")
    ready = build_message(b"Z", b"T")
    after = own + ready
    whole = before + own + notice + ready + after
    for cut in range(len(whole)):
        answer, received = BeginAnswer(hides), b""
        for part in (whole[:cut], whole[cut:]):
            taken = answer.feed(part) if answer else part
            received += taken or b""
            answer = None if taken is not None else answer  # type: ignore[assignment]
        assert received == before + notice + ready + after
