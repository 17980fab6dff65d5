"""The protocol under faults: a followed connection answers as any other does, whatever the client sends."""

from __future__ import annotations

import random

import psycopg
import pytest
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict

from hotrow.standin.endpoint.messages import is_ready
from hotrow.standin.endpoint.wire import build_message, build_startup
from tests.support.faulty import UPDATE, Connection, Faulty
from tests.support.wire_fuzz import ADMIN, connect_tls, read_all

STATEMENTS = (b"BEGIN", b"COMMIT", b"ROLLBACK", b"SELECT 1", b"SELECT 1/0", b"END", b"nonsense", b"")
TEXTS = (*STATEMENTS, b"BEGIN; SELECT 2; COMMIT", b"SELECT 3; COMMIT; SELECT 4", b"COMMIT; BEGIN; SELECT 5")
SYNC = build_message(b"S", b"")


def talk(rng: random.Random) -> bytes:
    """Messages that a client might send up to a Sync, in the right order or not."""
    names = (b"", b"s1", b"s2")
    portals = (b"", b"p")
    parts = []
    for _ in range(rng.randrange(5, 60)):
        name, portal = rng.choice(names), rng.choice(portals)
        parts.append(
            rng.choice(
                (
                    build_message(b"Q", rng.choice(TEXTS) + b"\0"),
                    build_message(b"P", name + b"\0" + rng.choice(STATEMENTS) + b"\0\0\0"),
                    build_message(b"B", portal + b"\0" + name + b"\0\0\0\0\0\0\0"),
                    build_message(b"E", portal + b"\0\0\0\0\0"),
                    build_message(b"D", b"S" + name + b"\0"),
                    build_message(b"C", b"S" + name + b"\0"),
                    build_message(b"H", b""),
                    SYNC,
                    SYNC,
                    _all_of(rng.choice(STATEMENTS)) + SYNC,
                    b"".join(_all_of(message) for message in (b"BEGIN", b"SELECT 6", b"COMMIT")) + SYNC,
                )
            )
        )
    return b"".join(parts) + SYNC


def _all_of(statement: bytes) -> bytes:
    """Parse, Bind and Execute without names."""
    return (
        build_message(b"P", b"\0" + statement + b"\0\0\0")
        + build_message(b"B", b"\0\0\0\0\0\0\0\0")
        + build_message(b"E", b"\0\0\0\0\0")
    )


def answers(faulty: Faulty, data: bytes) -> list[bytes]:
    """The messages that come back, without those of the startup."""
    facts = conninfo_to_dict(faulty.dsns[0])
    with connect_tls(int(str(facts["port"]))) as client:
        client.sendall(build_startup(ADMIN) + build_message(b"p", str(facts["password"]).encode() + b"\0"))
        answer = b""
        while not is_ready(answer[-6:]):
            answer += client.recv(65_536)
        client.sendall(data + build_message(b"X", b""))
        answer = read_all(client)
    messages, position = [], 0
    while position < len(answer):
        end = position + 1 + int.from_bytes(answer[position + 1 : position + 5])
        if answer[position : position + 1] not in {b"S", b"K"}:
            messages.append(answer[position:end])
        position = end
    return messages


@pytest.mark.parametrize("seed", range(25))
def test_a_followed_connection_answers_as_any_other(faulty: Faulty, seed: int) -> None:
    """The answers are the same byte for byte, whatever the client sends.

    The endpoint's own messages do not reach it.
    """
    data = talk(random.Random(seed))  # noqa: S311 - chosen bytes
    plain = answers(faulty, data)
    faulty.set(session_life=3_600)

    followed = answers(faulty, data)
    assert [message[:1] for message in followed if message[:1] == b"Z"] == [
        message[:1] for message in plain if message[:1] == b"Z"
    ]
    assert followed == plain


@pytest.mark.parametrize("seed", range(25))
def test_with_faults_there_is_an_answer_for_every_request_or_an_end(faulty: Faulty, seed: int) -> None:
    """Nothing hangs, and none of the endpoint's own messages comes through."""
    data = talk(random.Random(seed))  # noqa: S311 - chosen bytes
    requests = len([message for message in answers(faulty, data) if message[:1] == b"Z"])
    faulty.set(conflict=0.3, unavailable=0.3, schema_conflict=0.2, seed=seed)
    messages = answers(faulty, data)
    assert len([message for message in messages if message[:1] == b"Z"]) >= min(requests, 1)
    assert not any(b"hotrow fault" in message for message in messages)
    faulty.set(drop_before=0.2, drop_during=0.3, drop_after=0.3, seed=seed)
    assert not any(b"hotrow fault" in message for message in answers(faulty, data))


def begin_in_a_pipeline(connection: Connection) -> pq.abc.PGconn:
    pgconn = connection.pgconn
    pgconn.enter_pipeline_mode()
    for text in ("BEGIN", UPDATE):
        pgconn.send_query_params(text.encode(), None)
    pgconn.pipeline_sync()
    for _ in range(2):
        assert pgconn.get_result()
        assert pgconn.get_result() is None
    synced = pgconn.get_result()
    assert synced
    assert synced.status == pq.ExecStatus.PIPELINE_SYNC
    return pgconn


@pytest.mark.parametrize(("fault", "sqlstate"), [("conflict", b"40001"), ("unavailable", b"XX000")])
@pytest.mark.parametrize("seed", range(4))
def test_a_client_that_waits_for_the_answer_before_it_sends_sync_gets_it(
    faulty: Faulty, fault: str, sqlstate: bytes, seed: int
) -> None:
    """Flush replaces Sync. The messages up to Sync are skipped, and then no transaction is left."""
    with faulty.connect() as connection:
        pgconn = begin_in_a_pipeline(connection)
        faulty.set(**{fault: 1}, seed=seed)
        pgconn.send_query_params(b"COMMIT", None)
        pgconn.send_flush_request()
        failed = pgconn.get_result()
        assert failed
        assert failed.error_field(pq.DiagnosticField.SQLSTATE) == sqlstate
        assert pgconn.get_result() is None
        pgconn.send_query_params(UPDATE.encode(), None)
        pgconn.pipeline_sync()
        skipped = pgconn.get_result()
        assert skipped
        assert skipped.status == pq.ExecStatus.PIPELINE_ABORTED
        assert pgconn.get_result() is None
        assert pgconn.get_result()
        assert pgconn.transaction_status == pq.TransactionStatus.IDLE
        assert faulty.fired(fault) == 1
    assert faulty.value() == 0 or fault == "unavailable"


@pytest.mark.parametrize("text", ["COMMIT", UPDATE])
def test_a_lost_answer_does_not_wait_for_sync(faulty: Faulty, text: str) -> None:
    """A COMMIT or a lone write with Flush is committed, and the connection breaks."""
    with faulty.connect() as connection:
        if text == "COMMIT":
            pgconn = begin_in_a_pipeline(connection)
        else:
            pgconn = connection.pgconn
            pgconn.enter_pipeline_mode()
        faulty.set(drop_after=1)
        pgconn.send_query_params(text.encode(), None)
        pgconn.send_flush_request()
        while (result := pgconn.get_result()) and result.status != pq.ExecStatus.FATAL_ERROR:
            assert result.status != pq.ExecStatus.COMMAND_OK
        assert pgconn.status == pq.ConnStatus.BAD
    assert (faulty.fired("drop_after"), faulty.value()) == (1, 1)


def test_a_prepared_statement_survives_its_fault(faulty: Faulty) -> None:
    """Only the execution fails. The client's prepared statements stay."""
    with faulty.connect() as connection:
        connection.execute("SELECT %s::int", (1,), prepare=True)
        faulty.set(unavailable=1)
        with pytest.raises(psycopg.errors.InternalError_):
            connection.execute("SELECT %s::int", (2,), prepare=True)
        faulty.set()
        assert connection.execute("SELECT %s::int", (3,), prepare=True).fetchone() == (3,)
