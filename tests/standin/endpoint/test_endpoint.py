"""The endpoint from a client's view: logins, refusals, and data that pass unchanged."""

from __future__ import annotations

import random
import shutil
import ssl
import struct
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import psutil
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from hotrow.standin.endpoint.credentials import make_token
from hotrow.standin.endpoint.folder import EndpointFolder, read_credentials, read_state
from hotrow.standin.endpoint.lifecycle import Endpoint, ensure_endpoint, stop_endpoint
from hotrow.standin.endpoint.token import sign
from hotrow.standin.endpoint.wire import build_message, build_startup
from tests.support.wire_fuzz import (
    ADMIN,
    WELCOME,
    Fuzz,
    connect,
    connect_tls,
    enter,
    exchange,
    read_all,
    trusting,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def endpoint(dsn: str) -> Iterator[Endpoint]:
    """An endpoint of the shared stand-in that made its own credentials."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION"):
            patch.delenv(name, raising=False)
        assert dsn
        yield ensure_endpoint()
        stop_endpoint()


@pytest.fixture(scope="module")
def token(endpoint: Endpoint) -> str:
    """A valid token."""
    assert endpoint.region == "us-east-1"
    return make_token()


@pytest.fixture
def good(endpoint: Endpoint, token: str) -> str:
    """A conninfo with a valid token."""
    return make_conninfo(endpoint.dsn, password=token)


def refusal(conninfo: str, **changes: Any) -> str:
    """The error that a client gets when it is not let in."""
    with pytest.raises(psycopg.OperationalError) as caught:
        psycopg.connect(conninfo, **changes).close()
    return str(caught.value)


# Clients


def test_a_client_works_simple_extended_and_in_a_pipeline(good: str) -> None:
    """Queries with and without parameters, prepared queries and pipelines return the right values."""
    with psycopg.connect(good, autocommit=True) as connection:
        assert connection.execute("SELECT 1; SELECT 'é'").fetchone() == (1,)
        for number in range(10):  # psycopg prepares it from the sixth execution on
            assert connection.execute("SELECT %s::int + 1", (number,)).fetchone() == (number + 1,)
        with connection.pipeline():
            cursors = [connection.execute("SELECT %s::int", (number,)) for number in range(500)]
            assert [cursor.fetchone() for cursor in cursors] == [(number,) for number in range(500)]


def test_big_values_and_copy_pass_both_ways(good: str, schema: str) -> None:
    """Ten megabytes in a parameter, a statement, a result and a COPY."""
    big = "é" * 5_000_000
    with psycopg.connect(good, autocommit=True) as connection:
        assert connection.execute("SELECT length(%s::text), %s::text", (big, big)).fetchone() == (
            5_000_000,
            big,
        )
        assert connection.execute(f"SELECT length('{big}')".encode()).fetchone() == (5_000_000,)
        connection.execute(f"CREATE TABLE {schema}.lines (id int PRIMARY KEY, line text)".encode())
        with connection.cursor().copy(f"COPY {schema}.lines FROM STDIN".encode()) as copy:
            for number in range(100):
                copy.write(f"{number}\t{'x' * 100_000}\n")
        with connection.cursor().copy(f"COPY (TABLE {schema}.lines) TO STDOUT".encode()) as copy:
            assert sum(len(part) for part in copy) == 100 * 100_002 + 190


@pytest.mark.parametrize(
    "changes",
    [{"sslnegotiation": "direct"}, {"host": "127.0.0.1"}, {"sslmode": "require"}, {"gssencmode": "prefer"}],
)
def test_the_ways_of_connecting(good: str, changes: dict[str, str]) -> None:
    """TLS from the first byte, by address, unverified, and after asking for GSS."""
    with psycopg.connect(good, **changes) as connection:  # type: ignore[arg-type]  # libpq's parameters
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_what_a_client_sets_at_startup_holds(good: str) -> None:
    """application_name, client_encoding, and settings among the options."""
    options = {"application_name": "shop", "client_encoding": "latin1", "options": "-c search_path=a,b"}
    with psycopg.connect(good, **options) as connection:  # type: ignore[arg-type]  # libpq's parameters
        for name, expected in (
            ("application_name", "shop"),
            ("client_encoding", "LATIN1"),
            ("search_path", "a,b"),
        ):
            assert connection.execute(f"SHOW {name}".encode()).fetchone() == (expected,)
        assert connection.execute("SELECT ascii('é')").fetchone() == (233,)


def test_errors_arrive_with_their_code_and_the_session_goes_on(good: str) -> None:
    """The client gets PostgreSQL's own error."""
    with psycopg.connect(good, autocommit=True) as connection:
        with pytest.raises(psycopg.errors.DivisionByZero):
            connection.execute("SELECT 1/0")
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_the_second_committer_loses_through_the_endpoint_too(good: str, dsn: str, schema: str) -> None:
    """The second client gets the conflict at COMMIT, with DSQL's marker."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f"CREATE TABLE {schema}.t (id int PRIMARY KEY, v int)".encode())
        connection.execute(f"SET search_path = {schema}".encode())
        connection.execute("INSERT INTO t VALUES (1, 0)")
    good = make_conninfo(good, options=f"-c search_path={schema}")
    update = "UPDATE t SET v = v + 1 WHERE id = 1"
    with psycopg.connect(good) as first, psycopg.connect(good) as second:
        assert [first.execute(update).rowcount, second.execute(update).rowcount] == [1, 1]
        first.commit()
        with pytest.raises(psycopg.errors.SerializationFailure, match="OC000"):
            second.commit()


def test_psql_works(endpoint: Endpoint, token: str) -> None:
    """The psql on PATH works, if it supports TLS (the wheel's does not)."""
    program = shutil.which("psql")
    if program is None:
        pytest.skip("no psql on PATH")
    command = [program, "-XAtc", "SELECT 6 * 7", endpoint.dsn]
    completed = subprocess.run(
        command, env={"PGPASSWORD": token}, capture_output=True, text=True, check=False
    )
    if "SSL support is not compiled in" in completed.stderr:
        pytest.skip(f"{program} cannot do TLS")

    assert (completed.stdout, completed.stderr) == ("42\n", "")


def test_a_reader_that_does_not_read_stops_the_server_not_the_memory(endpoint: Endpoint, token: str) -> None:
    """A result of 200 MB waits in PostgreSQL; then it all arrives."""
    process = psutil.Process(_pid(endpoint))
    before = process.memory_info().rss
    statement = b"SELECT repeat('x', 1000000) FROM generate_series(1, 200)\0"
    with connect_tls(endpoint.port) as client:
        client.sendall(build_startup({**ADMIN, "application_name": "sleepy"}) + _password(token))
        client.sendall(build_message(b"Q", statement))
        with psycopg.connect(make_conninfo(endpoint.dsn, password=token), autocommit=True) as other:
            _until(
                other,
                "SELECT wait_event = 'ClientWrite' FROM pg_stat_activity WHERE application_name = 'sleepy'",
            )
        assert process.memory_info().rss - before < 20_000_000
        client.sendall(build_message(b"X", b""))
        assert len(read_all(client)) > 200_000_000


def _until(connection: psycopg.Connection[Any], query: str) -> None:
    deadline = time.monotonic() + 20
    while connection.execute(query.encode()).fetchone() != (True,):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _pid(endpoint: Endpoint) -> int:
    state = read_state(EndpointFolder(endpoint.ca.parent))
    assert state
    return state.pid


def _password(token: str) -> bytes:
    return build_message(b"p", token.encode() + b"\0")


# Tokens


@pytest.mark.parametrize("password", ["nonsense", " ", "x" * 9_000, "x" * 100_000])
def test_no_token_no_access(endpoint: Endpoint, password: str) -> None:
    """A wrong or oversized password is refused without a hint."""
    error = refusal(endpoint.dsn, password=password)
    assert "HINT" not in error
    assert "FATAL:  access denied" in error or len(password) > 10_000


def test_a_changed_token_or_one_for_another_user_is_refused(endpoint: Endpoint, token: str) -> None:
    """A token with another last digit, or for another user, is refused."""
    last = "0" if token[-1] != "0" else "1"
    for user, password in (("admin", token[:-1] + last), ("app", token), ("admin", make_token("app"))):
        error = refusal(endpoint.dsn, user=user, password=password)
        assert "FATAL:  access denied" in error
        assert "HINT" not in error


def test_a_token_for_another_host_is_refused(endpoint: Endpoint) -> None:
    """The token is refused although its key is right."""
    keys = read_credentials(EndpointFolder(endpoint.ca.parent))
    session = boto3.Session(keys.access_key, keys.secret_key)
    client: Any = session.client("dsql", region_name=endpoint.region)
    other = client.generate_db_connect_admin_auth_token(Hostname="abc.dsql.us-east-1.on.aws")

    assert "FATAL:  access denied" in refusal(endpoint.dsn, password=other)


def test_an_expired_token_gets_the_hint(endpoint: Endpoint) -> None:
    """A client can tell that a new token would help."""
    keys = read_credentials(EndpointFolder(endpoint.ca.parent))
    values = {
        "Action": "DbConnectAdmin",
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{keys.access_key}/20250102/{endpoint.region}/dsql/aws4_request",
        "X-Amz-Date": "20250102T030405Z",
        "X-Amz-Expires": "900",
        "X-Amz-SignedHeaders": "host",
    }
    values["X-Amz-Signature"] = sign("localhost", values, keys.secret_key)
    query = "&".join(f"{name}={text.replace('/', '%2F')}" for name, text in values.items())
    error = refusal(endpoint.dsn, password=f"localhost/?{query}")

    assert "FATAL:  access denied\nHINT:  Signature expired: 20250102T030405Z is now earlier than 2" in error
    assert datetime.now(UTC).strftime("%Y%m%dT") in error


def test_the_stand_in_s_superuser_is_nobody_s(endpoint: Endpoint) -> None:
    """A DbConnect token does not make a client `postgres`; another role must exist."""
    assert "access denied" in refusal(endpoint.dsn, user="postgres", password=make_token("postgres"))
    unknown = refusal(endpoint.dsn, user="app", password=make_token("app"))
    assert "FATAL:  access denied\nHINT:  The user is no role" in unknown


def test_there_is_one_database_and_no_replication(good: str) -> None:
    """DSQL has only the database `postgres`."""
    assert 'database "shop" does not exist' in refusal(good, dbname="shop")
    assert "replication is not supported" in refusal(good, replication="database")


# TLS


def test_without_tls_there_is_an_error_and_an_end(good: str, endpoint: Endpoint) -> None:
    """For libpq and on the wire: FATAL 08P01 before any password is asked for."""
    assert "FATAL:  SSL is mandatory\nHINT:  Set sslmode" in refusal(good, sslmode="disable")
    answer = exchange(connect(endpoint.port), build_startup(ADMIN))
    assert answer.startswith(b"E")
    assert b"C08P01\0" in answer


def test_verify_full_means_something(good: str, endpoint: Endpoint) -> None:
    """The client notices another authority, or a name that is not in the certificate."""
    assert "certificate verify failed" in refusal(good, sslrootcert="system")
    assert "does not match host name" in refusal(good, host="elsewhere", hostaddr="127.0.0.1")
    assert endpoint.ca.read_text().count("BEGIN CERTIFICATE") == 1


def test_direct_tls_needs_the_protocol_s_name(endpoint: Endpoint) -> None:
    """As in PostgreSQL, a direct TLS client without ALPN `postgresql` is refused."""
    context = trusting(alpn=False)
    with context.wrap_socket(connect(endpoint.port), server_hostname="localhost") as client:
        assert b"ALPN" in exchange(client, build_startup(ADMIN))


def test_old_tls_is_refused(endpoint: Endpoint) -> None:
    """TLS 1.2 is the minimum."""
    context = trusting()
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        connect_tls(endpoint.port, context)


def test_a_second_tls_request_and_gss_are_declined_and_cancel_is_ignored(endpoint: Endpoint) -> None:
    """The answer is N; a cancel request gets no answer."""
    with connect(endpoint.port) as client:
        client.sendall(struct.pack("!IHH", 8, 1234, 5680))
        assert client.recv(1) == b"N"
    with connect_tls(endpoint.port) as secured:
        secured.sendall(struct.pack("!IHH", 8, 1234, 5679))
        assert secured.recv(1) == b"N"
    assert exchange(connect(endpoint.port), struct.pack("!IHHII", 16, 1234, 5678, 1, 2)) == b""


def test_a_newer_protocol_is_talked_down(endpoint: Endpoint, token: str) -> None:
    """A client that asks for 3.2 or for extensions gets 3.0 and is let in."""
    packet = bytearray(build_startup({**ADMIN, "_pq_.colours": "on"}))
    packet[4:8] = b"\x00\x03\x00\x02"
    with connect_tls(endpoint.port) as client:
        client.sendall(bytes(packet) + _password(token) + build_message(b"X", b""))
        answer = read_all(client)

    assert answer.startswith(build_message(b"v", b"\0\3\0\0\0\0\0\1_pq_.colours\0"))
    assert WELCOME in answer


# Malformed input


@pytest.mark.parametrize("data", [b"!\0\0\0\4", b"Q\0\0\0\3", b"d\xff\xff\xff\xff", b"p\0\0\0\6x\0"])
def test_a_logged_in_client_that_breaks_the_protocol_gets_an_error(
    endpoint: Endpoint, token: str, data: bytes
) -> None:
    """The client gets FATAL 08P01, and then the connection ends."""
    assert b"C08P01\0" in exchange(enter(endpoint.port, token), data)


@pytest.mark.parametrize("seed", range(4))
def test_garbage_gets_an_error_or_an_end_and_nobody_in(endpoint: Endpoint, token: str, seed: int) -> None:
    """Random, truncated and oversized messages at every stage; bench/fuzz_endpoint.py sends 100,000."""
    process = psutil.Process(_pid(endpoint))
    fuzz = Fuzz(endpoint.port, token, random.Random(seed))  # noqa: S311 - chosen bytes, no secrets
    for _ in range(100):
        fuzz.attack()
    settled = process.memory_info().rss
    for _ in range(100):
        fuzz.attack()

    assert process.memory_info().rss - settled < 10_000_000
    with psycopg.connect(make_conninfo(endpoint.dsn, password=token)) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_no_token_and_no_key_is_left_anywhere(endpoint: Endpoint, token: str) -> None:
    """No secret is in the log, state.json, the command line or the environment.

    Only the owner can read the key's file.
    """
    folder = EndpointFolder(endpoint.ca.parent)
    keys = read_credentials(folder)
    process = psutil.Process(_pid(endpoint))
    texts = [
        path.read_text() for path in folder.path.iterdir() if path.is_file() and path != folder.credentials
    ]
    texts += [" ".join(process.cmdline()), " ".join(process.environ().values()), endpoint.dsn]

    assert not any(
        secret in text for text in texts for secret in (keys.secret_key, token.partition("Signature=")[2])
    )
    assert folder.credentials.stat().st_mode & 0o777 == 0o600
    assert folder.path.stat().st_mode & 0o777 == 0o700
    assert Path(endpoint.ca) == folder.ca
