"""The queries of `hotrow doctor`, in the same sessions as a run, each answer within a deadline."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict

from hotrow.errors import TargetError
from hotrow.probe.sessions import playground
from hotrow.targets.dsql.aws import open_session
from hotrow.targets.dsql.cluster import find_authorities, label
from hotrow.targets.session import BLOCKING
from hotrow.targets.target import pooling_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    from hotrow.targets.session import PostgresSession
    from hotrow.targets.target import Target

    Answered = TypeVar("Answered")

ANSWER_DEADLINE_S = 30.0
"""A server that has not answered by then is taken to be silent."""
SETUP_DEADLINE_S = 30.0
_WARM_UPS = 5
"""Not measured: the first statements are prepared, and may fail with OC001."""
_MAX_CONFLICTS = 20
_TABLE = "CREATE TABLE hotrow_doctor (id bigint PRIMARY KEY, value bigint)"
_ROW = "INSERT INTO hotrow_doctor VALUES (1, 0)"
_WRITE = "UPDATE hotrow_doctor SET value = value + 1 WHERE id = 1"
_CLOCK_SAMPLES = 9
_SOCKET_FOLDERS = ("/var/run/postgresql", "/tmp")  # noqa: S108 - libpq's defaults
_VERIFIED = frozenset({"verify-ca", "verify-full"})


class NotShownError(TargetError):
    """The server refuses this query; the text is its SQLSTATE."""


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Host and port of a server, and the TLS options for it."""

    host: str
    """A name or an address; for a Unix socket, its folder."""
    port: int
    sslmode: str
    """One of libpq's modes, such as `verify-full`."""
    sslrootcert: str
    """A file of certificate authorities, `system`, or empty if none was named."""

    @property
    def is_socket(self) -> bool:
        """Whether it is a Unix socket."""
        return self.host.startswith(("/", "@"))

    @property
    def text(self) -> str:
        """Host and port, or the path of the socket."""
        return self.socket_path if self.is_socket else f"{self.host}, port {self.port}"

    @property
    def socket_path(self) -> str:
        """The path of the Unix socket."""
        return f"{self.host}/.s.PGSQL.{self.port}"

    @property
    def verifies(self) -> bool:
        """Whether the certificate is checked."""
        return self.sslmode in _VERIFIED


@dataclass(frozen=True, slots=True)
class SignedToken:
    """Facts about a token that was signed. The token itself is not included."""

    sign_ms: float
    life_s: int
    region: str
    credentials_source: str
    """Where boto3 found the credentials, in its terms: `env`, `iam-role`, …"""


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """The server's clock minus this machine's. The error is at most half the round trip."""

    offset_s: float
    error_s: float


@dataclass(frozen=True, slots=True)
class ConnectionCount:
    """The number of open connections that the server shows, and its limit."""

    open: int
    limit: int


class Examination:
    """The examination of one target, with a session that is opened once and closed at the end."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._session: PostgresSession | None = None

    def server(self) -> ServerAddress:
        """The address of the target's server."""
        return _server_of(self.target)

    def identity(self) -> str:
        """The user and the region of the token; empty on a target that uses no tokens."""
        if not self.target.connectors:
            return ""
        cluster = self.target.connectors[0].cluster
        return f"{cluster.user}, token for {cluster.region}"

    def sign_token(self) -> SignedToken:
        """Sign the token that the session will use.

        Raises:
            TargetError: there are no credentials, or signing failed.
        """
        connector = self.target.connectors[0]
        began_s = time.perf_counter()
        connector.prepare()
        sign_ms = (time.perf_counter() - began_s) * 1e3
        return SignedToken(
            sign_ms, connector.cluster.token_life_s, connector.cluster.region, _credentials_source()
        )

    def open(self) -> float:
        """Open the session for all later queries; return the time that it took in ms.

        Raises:
            psycopg.Error: the server refused, or was not reached.
        """
        began_s = time.perf_counter()
        self._session = _connect(self.target)
        return (time.perf_counter() - began_s) * 1e3

    def close(self) -> None:
        """Close the session."""
        if self._session is not None:
            self._session.close()
            self._session = None

    @property
    def session(self) -> PostgresSession:
        """The open session.

        Raises:
            TargetError: it was never opened.
        """
        if self._session is None:
            raise TargetError("there is no session")
        return self._session

    def value(self, sql: str) -> str:
        """The result of a query that returns one value."""
        return _retry_conflicts(lambda: str(self.session.execute(sql).rows[0][0]))

    def isolation(self) -> str:
        """The isolation level of a transaction that is begun as in a run."""
        return _retry_conflicts(self._query_isolation)

    def round_trips_ms(self, max_samples: int, time_limit_s: float) -> list[float]:
        """Durations of `SELECT 1` in ms: at least one, at most `max_samples`, fewer if time runs out."""
        return _sample(lambda: _select_ms(self.session), max_samples, time_limit_s)

    def commits_ms(self, max_samples: int, time_limit_s: float) -> list[float]:
        """Durations of COMMIT after a one-row update in ms, as many as `round_trips_ms` takes.

        The table is in a temporary schema, which is dropped afterwards.

        Raises:
            TargetError: the schema cannot be created, or COMMIT does not commit.
        """
        with self._table() as session:
            return _sample(lambda: _commit_ms(session), max_samples, time_limit_s)

    def clock_offset(self) -> ClockOffset:
        """The offset of the server's clock: of several samples, the one with the shortest round trip."""
        samples = [self._query_clock() for _ in range(_CLOCK_SAMPLES)]
        return min(samples, key=lambda sample: sample.error_s)

    def pooling_problem(self) -> str | None:
        """What a pooler in front of the server makes a session lose; None if sessions keep everything."""
        return _retry_conflicts(lambda: pooling_of(self.target, BLOCKING))

    def connection_count(self) -> ConnectionCount:
        """The client connections in pg_stat_activity, and the server's `max_connections`.

        Raises:
            NotShownError: the server does not show its connections.
        """
        query = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
        try:
            return ConnectionCount(int(self.value(query)), int(self.value("SHOW max_connections")))
        except psycopg.Error as error:
            if error.sqlstate is None:
                raise
            raise NotShownError(error.sqlstate) from None

    def use_permissions(self) -> None:
        """Create a schema and a table, insert a row, update it, and drop both.

        Raises:
            TargetError: one of these statements was refused.
        """
        with self._table() as session:
            _commit_ms(session)

    @contextmanager
    def _table(self) -> Iterator[PostgresSession]:
        """A session as in a run, with a new table of one row; table and schema are dropped afterwards."""
        with playground(self.target, (_TABLE, _ROW), ("a",), SETUP_DEADLINE_S) as sessions:
            schema = sessions["a"].answer("SELECT current_schema()").text
            session = _connect(self.target, schema)
            try:
                yield session
            finally:
                session.close()

    def _query_isolation(self) -> str:
        self.session.begin()
        try:
            return str(self.session.execute("SHOW transaction_isolation").rows[0][0])
        finally:
            self.session.rollback()

    def _query_clock(self) -> ClockOffset:
        before_s = time.time()
        server_s = float(self.value("SELECT extract(epoch FROM clock_timestamp())"))
        after_s = time.time()
        return ClockOffset(server_s - (before_s + after_s) / 2, (after_s - before_s) / 2)


def regions_of(target: Target) -> tuple[Target, ...]:
    """One target per region; the target itself if it has one region or none."""
    if len(target.connectors) < 2:  # noqa: PLR2004 - one region
        return (target,)
    return tuple(
        replace(
            target,
            label=label((connector.cluster,)),
            connectors=(connector,),
            regions=(connector.cluster.region,),
        )
        for connector in target.connectors
    )


def _retry_conflicts(query: Callable[[], Answered]) -> Answered:
    """Run the query, again after OC001: the schema has changed because other checks create tables."""
    for _ in range(_MAX_CONFLICTS):
        with suppress(psycopg.errors.SerializationFailure):
            return query()
    return query()


def _sample(measure_ms: Callable[[], float], max_samples: int, time_limit_s: float) -> list[float]:
    """The samples that fit into the time limit, at least one, after some that are not counted."""
    for _ in range(_WARM_UPS):
        measure_ms()
    samples_ms: list[float] = []
    ends_s = time.perf_counter() + time_limit_s
    while len(samples_ms) < max_samples and (not samples_ms or time.perf_counter() < ends_s):
        samples_ms.append(measure_ms())
    return samples_ms


def _select_ms(session: PostgresSession) -> float:
    began_s = time.perf_counter()
    session.execute("SELECT 1")
    return (time.perf_counter() - began_s) * 1e3


def _connect(target: Target, search_path: str | None = None) -> PostgresSession:
    return target.connect(BLOCKING, search_path, answer_deadline_s=ANSWER_DEADLINE_S)


def _commit_ms(session: PostgresSession) -> float:
    """Update the row and commit; return the duration of COMMIT. Tried again after OC001."""
    for _ in range(_MAX_CONFLICTS):
        try:
            session.begin()
            session.execute(_WRITE)
            began_s = time.perf_counter()
            tag = session.commit()
            commit_ms = (time.perf_counter() - began_s) * 1e3
        except psycopg.errors.SerializationFailure:
            with suppress(psycopg.Error):
                session.rollback()
            continue
        if tag != "COMMIT":
            raise TargetError(f"COMMIT of a one-row update returned {tag}")
        return commit_ms
    raise TargetError(
        f"an update in a table that no other session uses conflicted {_MAX_CONFLICTS} times in a row"
    )


def _server_of(target: Target) -> ServerAddress:
    if target.connectors:
        cluster = target.connectors[0].cluster
        authorities = cluster.sslrootcert or find_authorities(os.environ)
        return ServerAddress(cluster.host, cluster.port, "verify-full", authorities)
    options = {**_defaults(), **conninfo_to_dict(target.conninfo)}
    return ServerAddress(
        host=_first(options.get("host")) or next(filter(os.path.isdir, _SOCKET_FOLDERS), _SOCKET_FOLDERS[-1]),
        port=int(_first(options.get("port")) or 5432),
        sslmode=str(options.get("sslmode") or "prefer"),
        sslrootcert=str(options.get("sslrootcert") or ""),
    )


def _first(value: Any) -> str:
    """The first of several hosts or ports, separated by commas. libpq tries them in turn."""
    return str(value or "").partition(",")[0]


def _defaults() -> dict[str, Any]:
    """The defaults of libpq, including PGHOST, PGSSLMODE and the other variables."""
    return {
        option.keyword.decode(): option.val.decode() for option in pq.Conninfo.get_defaults() if option.val
    }


def _credentials_source() -> str:
    credentials = open_session().get_credentials()
    return str(credentials.method) if credentials else ""
