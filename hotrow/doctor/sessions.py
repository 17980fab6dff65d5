"""What `hotrow doctor` asks of a server: in the sessions of a run, each answer within a deadline."""

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

ANSWER_S = 30.0
"""An answer that takes longer never comes."""
SETUP_DEADLINE_S = 30.0
_WARM_UPS = 5
"""The first statements prepare, and may meet OC001."""
_CONFLICTS_MOST = 20
_TABLE = "CREATE TABLE hotrow_doctor (id bigint PRIMARY KEY, value bigint)"
_ROW = "INSERT INTO hotrow_doctor VALUES (1, 0)"
_WRITE = "UPDATE hotrow_doctor SET value = value + 1 WHERE id = 1"
_CLOCK_SAMPLES = 9
_SOCKET_FOLDERS = ("/var/run/postgresql", "/tmp")  # noqa: S108 - where libpq looks by default
_VERIFIED = frozenset({"verify-ca", "verify-full"})


class NotShownError(TargetError):
    """The server does not answer this question; the text is its SQLSTATE."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server listens, and how its TLS is asked for."""

    host: str
    """A name or an address; for a Unix socket its folder."""
    port: int
    sslmode: str
    """libpq's word."""
    sslrootcert: str
    """A file of certificate authorities, `system`, or empty where none was named."""

    @property
    def is_socket(self) -> bool:
        """Whether it is a Unix socket."""
        return self.host.startswith(("/", "@"))

    @property
    def address(self) -> str:
        """Host and port, or the socket."""
        return self.socket_path if self.is_socket else f"{self.host}, port {self.port}"

    @property
    def socket_path(self) -> str:
        """The socket's file."""
        return f"{self.host}/.s.PGSQL.{self.port}"

    @property
    def verifies(self) -> bool:
        """Whether the certificate is checked."""
        return self.sslmode in _VERIFIED


@dataclass(frozen=True, slots=True)
class Signed:
    """A token that could be made; the token itself is not here."""

    took_ms: float
    life_s: int
    region: str
    found_in: str
    """Where boto3 found the credentials, in its words: `env`, `iam-role`, …"""


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """The server's clock less ours, and how wrong that can be: half the round trip."""

    offset_s: float
    within_s: float


@dataclass(frozen=True, slots=True)
class InUse:
    """Connections that the server shows, and how many it accepts."""

    connections: int
    most: int


class Examination:
    """One target under examination: a session that is opened once, and closed at the end."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._session: PostgresSession | None = None

    def place(self) -> Place:
        """Where the target's server is."""
        return _place_of(self.target)

    def whose(self) -> str:
        """As whom a session is opened; empty where the conninfo says it."""
        if not self.target.doors:
            return ""
        cluster = self.target.doors[0].cluster
        return f"{cluster.user}, token for {cluster.region}"

    def sign(self) -> Signed:
        """Make the token that the session will use.

        Raises:
            TargetError: there are no credentials, or they cannot sign.
        """
        door = self.target.doors[0]
        began_s = time.perf_counter()
        door.prepare()
        took_ms = (time.perf_counter() - began_s) * 1e3
        return Signed(took_ms, door.cluster.token_life_s, door.cluster.region, _credentials_source())

    def open(self) -> float:
        """Open the session that all later questions use; the time that took in ms.

        Raises:
            psycopg.Error: refused, or not reached.
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
        """The one value of a query."""
        return _settled(lambda: str(self.session.execute(sql).rows[0][0]))

    def isolation(self) -> str:
        """The isolation level of a transaction as a run begins it."""
        return _settled(self._ask_isolation)

    def round_trips_ms(self, most: int, within_s: float) -> list[float]:
        """How long `SELECT 1` takes, so many times or as often as the time allows, but once at least."""
        for _ in range(_WARM_UPS):
            self.session.execute("SELECT 1")
        taken: list[float] = []
        ends_s = time.perf_counter() + within_s
        while len(taken) < most and (not taken or time.perf_counter() < ends_s):
            began_s = time.perf_counter()
            self.session.execute("SELECT 1")
            taken.append((time.perf_counter() - began_s) * 1e3)
        return taken

    def commits_ms(self, most: int, within_s: float) -> list[float]:
        """How long COMMIT of a one-row update takes, as above; in a schema of its own, which is gone after.

        Raises:
            TargetError: the schema cannot be made, or COMMIT does not commit.
        """
        with self._table() as session:
            taken: list[float] = []
            for _ in range(_WARM_UPS):
                _commit_ms(session)
            ends_s = time.perf_counter() + within_s
            while len(taken) < most and (not taken or time.perf_counter() < ends_s):
                taken.append(_commit_ms(session))
            return taken

    def clock_offset(self) -> ClockOffset:
        """The server's clock against ours: of several askings, the one with the shortest round trip."""
        return min((self._ask_clock() for _ in range(_CLOCK_SAMPLES)), key=lambda each: each.within_s)

    def pooling(self) -> str | None:
        """What a pooler in front of the server loses of a session; None if there is no such pooler."""
        return _settled(lambda: pooling_of(self.target, BLOCKING))

    def in_use(self) -> InUse:
        """Client connections by pg_stat_activity, and the server's own limit.

        Raises:
            NotShownError: the server does not show them.
        """
        query = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
        try:
            return InUse(int(self.value(query)), int(self.value("SHOW max_connections")))
        except psycopg.Error as error:
            if error.sqlstate is None:
                raise
            raise NotShownError(error.sqlstate) from None

    def try_rights(self) -> None:
        """Create a schema and a table, insert, update, and drop both, each answer read.

        Raises:
            TargetError: one of them was refused.
        """
        with self._table() as session:
            _commit_ms(session)

    @contextmanager
    def _table(self) -> Iterator[PostgresSession]:
        """A session of a run over a fresh table with one row; all of it is gone afterwards."""
        with playground(self.target, (_TABLE, _ROW), ("a",), SETUP_DEADLINE_S) as sessions:
            schema = sessions["a"].answer("SELECT current_schema()").text
            session = _connect(self.target, schema)
            try:
                yield session
            finally:
                session.close()

    def _ask_isolation(self) -> str:
        self.session.begin()
        try:
            return str(self.session.execute("SHOW transaction_isolation").rows[0][0])
        finally:
            self.session.rollback()

    def _ask_clock(self) -> ClockOffset:
        before_s = time.time()
        server_s = float(self.value("SELECT extract(epoch FROM clock_timestamp())"))
        after_s = time.time()
        return ClockOffset(server_s - (before_s + after_s) / 2, (after_s - before_s) / 2)


def regions_of(target: Target) -> tuple[Target, ...]:
    """The target once for each of its regions; itself where it has one."""
    if len(target.doors) < 2:  # noqa: PLR2004 - one region
        return (target,)
    return tuple(
        replace(target, label=label((door.cluster,)), doors=(door,), regions=(door.cluster.region,))
        for door in target.doors
    )


def _settled(ask: Callable[[], Answered]) -> Answered:
    """Ask, and again where the answer is that the schema has changed: our own tables were made meanwhile."""
    for _ in range(_CONFLICTS_MOST):
        with suppress(psycopg.errors.SerializationFailure):
            return ask()
    return ask()


def _connect(target: Target, search_path: str | None = None) -> PostgresSession:
    return target.connect(BLOCKING, search_path, patience_s=ANSWER_S)


def _commit_ms(session: PostgresSession) -> float:
    """Update the row and commit; how long COMMIT took. Again where the schema's change is yet to be told."""
    for _ in range(_CONFLICTS_MOST):
        try:
            session.begin()
            session.execute(_WRITE)
            began_s = time.perf_counter()
            tag = session.commit()
            took_ms = (time.perf_counter() - began_s) * 1e3
        except psycopg.errors.SerializationFailure:
            with suppress(psycopg.Error):
                session.rollback()
            continue
        if tag != "COMMIT":
            raise TargetError(f"COMMIT of a one-row update answers {tag}")
        return took_ms
    raise TargetError(f"an update that nobody else makes conflicted {_CONFLICTS_MOST} times in a row")


def _place_of(target: Target) -> Place:
    if target.doors:
        cluster = target.doors[0].cluster
        authorities = cluster.sslrootcert or find_authorities(os.environ)
        return Place(cluster.host, cluster.port, "verify-full", authorities)
    options = {**_defaults(), **conninfo_to_dict(target.conninfo)}
    return Place(
        host=_first(options.get("host")) or next(filter(os.path.isdir, _SOCKET_FOLDERS), _SOCKET_FOLDERS[-1]),
        port=int(_first(options.get("port")) or 5432),
        sslmode=str(options.get("sslmode") or "prefer"),
        sslrootcert=str(options.get("sslrootcert") or ""),
    )


def _first(value: Any) -> str:
    """Of several hosts or ports by commas, which libpq tries in turn, the first."""
    return str(value or "").partition(",")[0]


def _defaults() -> dict[str, Any]:
    """What libpq takes by default, PGHOST, PGSSLMODE and the like among them."""
    return {
        option.keyword.decode(): option.val.decode() for option in pq.Conninfo.get_defaults() if option.val
    }


def _credentials_source() -> str:
    found = open_session().get_credentials()
    return str(found.method) if found else ""
