"""Opening connections to the stand-in's endpoint: TLS, tokens, and which refusals are retried."""

from __future__ import annotations

import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from hotrow.standin.endpoint.control import ask_control
from hotrow.standin.endpoint.faults import Faults
from hotrow.standin.endpoint.running import find_control
from hotrow.standin.endpoint.token import sign
from hotrow.targets.connection import UserConnection
from hotrow.targets.dsql.cluster import ADMIN, Cluster, parse_clusters
from hotrow.targets.dsql.connector import RETRY_FOR_S, Connector, conninfo_of
from hotrow.targets.dsql.refusal import Cause, cause_of
from hotrow.targets.dsql.tokens import Signer
from hotrow.targets.session import BLOCKING, Waiting
from hotrow.targets.target import Targets, parse_target
from tests.support.dsql_endpoint import ACCESS_KEY, REGION, SECRET_KEY, Offer, offered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(scope="module")
def offer(dsn: str) -> Iterator[Offer]:
    """The endpoint, for the tests of this module."""
    assert dsn
    with offered() as offer:
        yield offer


@pytest.fixture
def cluster(offer: Offer) -> Cluster:
    """The endpoint as a cluster."""
    (cluster,) = parse_clusters(offer.host())
    return cluster


class Timer:
    """A clock that moves only when something sleeps."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def waiting(self) -> Waiting:
        return Waiting(ready=BLOCKING.ready, sleep=self.sleep, clock=lambda: self.now_s)

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


def enter(connection: psycopg.Connection[Any]) -> int:
    """A fake factory of sessions: return the backend's process id and close the connection."""
    with connection:
        return connection.info.backend_pid


def expired(cluster: Cluster) -> str:
    """A token that was valid in January 2025."""
    values = {
        "Action": "DbConnectAdmin",
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{ACCESS_KEY}/20250102/{REGION}/dsql/aws4_request",
        "X-Amz-Date": "20250102T030405Z",
        "X-Amz-Expires": "900",
        "X-Amz-SignedHeaders": "host",
    }
    values["X-Amz-Signature"] = sign(cluster.host, values, SECRET_KEY)
    return f"{cluster.host}/?{urlencode(values)}"


# TLS


def test_tls_is_verified_and_begins_at_once(cluster: Cluster) -> None:
    """The conninfo has verify-full, the CA file and direct TLS if libpq supports it, but no password."""
    conninfo = conninfo_to_dict(conninfo_of(cluster, "ca.pem"))

    assert (conninfo["sslmode"], conninfo["sslrootcert"]) == ("verify-full", "ca.pem")
    assert (conninfo.get("sslnegotiation") == "direct") == (psycopg.pq.version() >= 170_000)
    assert "password" not in conninfo
    assert Connector(cluster).open(
        BLOCKING, lambda connection: (connection.pgconn.ssl_in_use, enter(connection))
    )[0]


# Retries


def test_an_expired_token_is_replaced_at_once(cluster: Cluster) -> None:
    """After the server's hint, the next try and later connections use a new token."""
    made = [expired(cluster), Signer()(cluster)]
    connector = Connector(cluster, sign=lambda _: made.pop(0))

    connector.open(Timer().waiting(), enter)
    connector.open(Timer().waiting(), enter)

    assert connector.counts.retries == Counter({Cause.EXPIRED: 1})
    assert (connector.counts.opened, made) == (2, [])


def test_connecting_gives_up_at_the_deadline(cluster: Cluster) -> None:
    """If every token is expired, it tries for 30 s; then one line names the clock and the token's life."""
    timer = Timer()
    connector = Connector(cluster, sign=expired, rng=random.Random(1))  # noqa: S311 - seeded

    with pytest.raises(psycopg.OperationalError) as caught:
        connector.open(timer.waiting(), enter)

    assert RETRY_FOR_S / 2 < timer.now_s <= RETRY_FOR_S
    assert 5 < connector.counts.retries[Cause.EXPIRED] < 100
    assert "clock" in connector.explain(caught.value)
    assert "token_life=" in connector.explain(caught.value)


def test_a_missing_permission_is_reported_at_once(cluster: Cluster) -> None:
    """`access denied` without a hint is not retried. The result is one line."""
    tries: list[Cluster] = []

    def wrong(cluster: Cluster) -> str:
        tries.append(cluster)
        return expired(cluster).replace(REGION, "eu-west-1")

    connector = Connector(cluster, sign=wrong)

    with pytest.raises(psycopg.OperationalError, match="access denied") as caught:
        connector.open(Timer().waiting(), enter)

    assert (len(tries), connector.counts.retries) == (1, Counter())
    assert "dsql:DbConnectAdmin" in connector.explain(caught.value)
    assert "\n" not in connector.explain(caught.value)


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (psycopg.errors.InternalError_, Cause.UNAVAILABLE),
        (psycopg.errors.ConfigurationLimitExceeded, Cause.RATE),
        (psycopg.errors.TooManyConnections, Cause.FULL),
        (psycopg.errors.SerializationFailure, Cause.SCHEMA),
    ],
)
def test_a_first_statement_that_is_refused_is_connecting_too(
    cluster: Cluster, error: type[psycopg.Error], cause: Cause
) -> None:
    """After a pause, the session gets a new connection."""
    failures = [error(), error()]
    timer = Timer()

    def enter_late(connection: psycopg.Connection[Any]) -> int:
        process = enter(connection)
        if failures:
            raise failures.pop()
        return process

    connector = Connector(cluster)
    connector.open(timer.waiting(), enter_late)

    assert connector.counts.retries == Counter({cause: 2})
    assert (connector.counts.opened, timer.now_s > 0) == (1, True)


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("FATAL:  Unable to accept connection, rate exceeded.", Cause.RATE),
        ("FATAL:  sorry, too many clients already", Cause.FULL),
        ("FATAL:  Cluster x is waking up cluster, please retry later", Cause.WAKING),
        ("FATAL:  server unavailable", Cause.UNAVAILABLE),
        ("FATAL:  access denied\nHINT:  Signature expired: 2025 is now earlier than 2026", Cause.EXPIRED),
        ("FATAL:  words that nobody has seen yet", Cause.OTHER),
        ("FATAL:  access denied", None),
        ('FATAL:  role "app" does not exist', None),
        ("connection failed: Connection refused\n\tIs the server running?", None),
        ("connection failed: SSL error: certificate verify failed", None),
    ],
)
def test_only_passing_refusals_are_retried(text: str, cause: Cause | None) -> None:
    """Refusals that may pass by themselves are retried; those that only the user can fix are not."""
    assert cause_of(psycopg.OperationalError(f'connection to server at "h", port 1 failed: {text}')) == cause


def test_a_rate_that_was_exceeded_slows_all_users_of_the_process(cluster: Cluster) -> None:
    """After SQLSTATE 53400 the burst is used up, and further connections follow at the rate."""
    failures = [psycopg.errors.ConfigurationLimitExceeded()]

    def enter_late(connection: psycopg.Connection[Any]) -> int:
        process = enter(connection)
        if failures:
            raise failures.pop()
        return process

    timer = Timer()
    connector = Connector(cluster, rng=random.Random(1))  # noqa: S311 - seeded
    connector.open(timer.waiting(), enter_late)
    after_s = timer.now_s
    for _ in range(9):
        connector.open(timer.waiting(), enter)

    assert timer.now_s - after_s > 5 / cluster.connect_rate_per_s
    assert connector.counts.slot_wait_s > 0


# Faults of the endpoint


@pytest.fixture
def set_faults(offer: Offer) -> Iterator[Callable[..., None]]:
    """A function that sets the endpoint's faults for one test."""
    assert offer

    def put(**values: Any) -> None:
        ask_control(find_control(), Faults(**values))

    yield put
    put()


def test_the_messages_of_a_real_server_are_understood(
    cluster: Cluster, set_faults: Callable[..., None]
) -> None:
    """The messages of a cluster that wakes up and of an expired token are retried without an error."""
    set_faults(refuse=0.5, expire_token=0.5)
    connector = Connector(cluster, rng=random.Random(1))  # noqa: S311 - seeded

    for _ in range(20):
        connector.open(Timer().waiting(), enter)

    assert connector.counts.opened == 20
    assert set(connector.counts.retries) == {Cause.WAKING, Cause.EXPIRED}


@pytest.mark.parametrize(("rate_per_s", "refused"), [(50.0, False), (100_000.0, True)])
def test_the_pace_keeps_below_what_the_server_enforces(
    offer: Offer, set_faults: Callable[..., None], rate_per_s: float, refused: bool
) -> None:
    """The server allows 50 connections per second and a burst of 5.

    With this setting none of 30 connections is refused. With a higher one some are, and connect later.
    """
    set_faults(connect_rate=50.0, connect_burst=5.0)
    (cluster,) = parse_clusters(offer.host(connect_rate=f"{rate_per_s}", connect_burst=f"{rate_per_s / 10}"))
    connector = Connector(cluster)

    with ThreadPoolExecutor(30) as users:
        list(users.map(lambda _: connector.open(BLOCKING, enter), range(30)))

    assert connector.counts.opened == 30
    assert (connector.counts.retries[Cause.RATE] > 0) == refused


def test_no_more_are_under_way_than_the_burst_has(cluster: Cluster) -> None:
    """With four slots, a fifth user waits until one of the four has connected."""
    connector = Connector(replace(cluster, connect_rate_per_s=1e6, connect_burst=10.0))
    all_four = threading.Barrier(4)
    inside: list[int] = []
    most: list[int] = []

    def enter_together(connection: psycopg.Connection[Any]) -> None:
        inside.append(enter(connection))
        most.append(len(inside))
        all_four.wait(timeout=20)
        inside.pop()

    with ThreadPoolExecutor(8) as users:
        list(users.map(lambda _: connector.open(BLOCKING, enter_together), range(8)))

    assert max(most) == 4


# Sessions of users


def test_an_old_session_is_replaced_between_attempts(offer: Offer) -> None:
    """A young session stays. A transaction that has begun is committed on the same connection."""
    timer = Timer()
    target = parse_target(offer.host(session_life="100s"))
    connection = UserConnection(target, "public", timer.waiting())
    first = connection.session()
    timer.now_s += 89
    assert connection.session() is first

    first.begin()
    assert first.execute("SELECT 1").rows == [(1,)]
    timer.now_s += 12
    assert first.commit() == "COMMIT"
    second = connection.session()

    assert (second is first, first.usable, second.usable) == (False, False, True)
    (connector,) = target.connectors
    assert (connector.counts.opened, connector.counts.retired) == (2, 1)
    connection.close()


def test_sessions_do_not_all_expire_at_once(cluster: Cluster) -> None:
    """Their lives are shorter than the limit by up to 10%, evenly distributed."""
    connector = Connector(cluster, rng=random.Random(1))  # noqa: S311 - seeded
    lives_s = [connector.session_life_s() for _ in range(1000)]

    assert 0.9 * cluster.session_life_s <= min(lives_s) < 0.901 * cluster.session_life_s
    assert 0.999 * cluster.session_life_s < max(lives_s) <= cluster.session_life_s


def test_a_target_named_twice_has_one_token() -> None:
    """All users of a process share one token per region and database user."""
    targets = Targets()
    host = "dsql://a.dsql.us-east-1.on.aws"

    assert targets.of(host) is targets.of(host)
    assert targets.of(host) is not targets.of(f"{host}?user=app")


def test_the_run_s_counts_begin_at_zero(offer: Offer) -> None:
    """Connections opened before the run, for its tables, are not counted."""
    (connector,) = parse_target(offer.host()).connectors
    connector.open(BLOCKING, enter)

    connector.begin_run(2)
    connector.open(BLOCKING, enter)

    assert connector.as_json() == {
        "opened": 1,
        "retired": 0,
        "retries": {},
        "slot_wait_s": 0.0,
        "token_s": 0.0,
    }


def test_a_role_connects_with_its_own_kind_of_token(offer: Offer, dsn: str) -> None:
    """If the role exists, `current_user` is the role."""
    with psycopg.connect(dsn, autocommit=True) as owner:
        owner.execute("CREATE ROLE hotrow_app LOGIN")
    try:
        session = parse_target(offer.host(user="hotrow_app")).connect(BLOCKING)
        assert session.execute("SELECT current_user::text").rows == [("hotrow_app",)]
        session.close()
    finally:
        with psycopg.connect(dsn, autocommit=True) as owner:
            owner.execute("DROP ROLE hotrow_app")


def test_a_fresh_token_is_signed_now(cluster: Cluster) -> None:
    """The test of expired tokens would not notice a wrong clock."""
    assert f"X-Amz-Date={datetime.now(UTC):%Y%m%dT%H%M}" in Signer()(cluster)
    assert cluster.user == ADMIN
