"""`-H/--host`: which database, spelled as one word, and how to connect to it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from hotrow.errors import TargetError, UsageError
from hotrow.targets.dsql.cluster import SCHEME, label, parse_clusters
from hotrow.targets.dsql.opening import CONNECT_TIMEOUT_S, Door
from hotrow.targets.local.rewriting.rewrite import rewrite
from hotrow.targets.local.server import ensure_up
from hotrow.targets.session import BEGIN, Latency, PostgresSession, Waiting, unchanged
from hotrow.units import format_duration, parse_duration_s

if TYPE_CHECKING:
    from collections.abc import Callable

STATEMENTS_CACHED = 1024
"""Rewritten statements kept; a scenario has a handful, each connection prepares them anew."""
_ISOLATION = {
    "repeatable-read": BEGIN,
    "serializable": "BEGIN ISOLATION LEVEL SERIALIZABLE",
}
_LOCAL_DEFAULTS = {"rtt": "2ms", "commit": "5ms", "rules": "on"}
RULES_OFF = "-c hotrow.rules=off"
"""How a connection asks the stand-in to leave out the rules of Aurora DSQL that are not about conflicts."""


@dataclass(frozen=True, slots=True)
class Target:
    """A database to drive. `conninfo` may hold a password: it is never written anywhere."""

    kind: str
    """`local`, `postgresql` or `dsql`."""
    label: str
    """What charts and pages print; free of secrets."""
    conninfo: str
    """Empty on `dsql`, where `doors` take its place."""
    isolation: str
    latency: Latency | None
    """Injected latency; None on a target whose latency is its own."""
    conflicts: str
    """`commit` where conflicts come at COMMIT, `locks` where the second writer waits for the first."""
    rewrite: Callable[[str], str] = unchanged
    """What becomes of a statement on its way to this database."""
    regions: tuple[str, ...] = ()
    """Names of the regions that users are dealt over; none where there is but one place."""
    doors: tuple[Door, ...] = ()
    """On `dsql`, how this process connects to each region."""

    def connect(self, waiting: Waiting, search_path: str | None = None, region: int = 0) -> PostgresSession:
        """Open one session to that of the `regions`; its tables are found in `search_path`.

        Raises:
            psycopg.Error: the server refused or could not be reached.
            TargetError: there are no credentials to connect with.
        """
        enter = partial(self._enter, waiting=waiting, search_path=search_path)
        if self.doors:
            return self.doors[region].open(waiting, enter)
        return enter(
            psycopg.connect(
                self.conninfo, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S, application_name="hotrow"
            )
        )

    def explain(self, error: Exception, region: int = 0) -> str:
        """In one line, why `connect` failed and what to change."""
        if self.doors:
            return self.doors[region].explain(error)
        reason = " ".join(str(error).split())
        return f"cannot connect to {self.label}: {reason}; check --host and that the server runs"

    def begin_run(self, processes: int) -> None:
        """Prepare this process, one of so many, for the users of a run; nothing to do but on `dsql`.

        Raises:
            TargetError: there are no credentials to connect with.
        """
        for door in self.doors:
            door.begin_run(processes)
            door.prepare()

    def _enter(
        self, connection: psycopg.Connection[Any], *, waiting: Waiting, search_path: str | None
    ) -> PostgresSession:
        session = PostgresSession(
            connection,
            self.latency or Latency(),
            waiting,
            begin=_ISOLATION[self.isolation],
            rewrite=self.rewrite,
        )
        try:
            if search_path is not None:
                session.run(f"SET search_path TO {search_path}")
        except BaseException:
            session.close()
            raise
        return session


class Targets:
    """The targets of one process by their spelling: all who name one share its tokens and its pace."""

    def __init__(self) -> None:
        self._known: dict[str, Target] = {}

    def of(self, host: str) -> Target:
        """The target that `host` names. Raises as `parse_target`."""
        if host not in self._known:
            self._known[host] = parse_target(host)
        return self._known[host]


def parse_target(host: str) -> Target:
    """The target that `--host` names. Nothing is started or opened yet.

    Raises:
        UsageError: an unknown kind of target or option.
    """
    if host == "local" or host.startswith("local:"):
        return _parse_local(host)
    if host.startswith(("postgresql://", "postgres://")):
        return _parse_postgresql(host)
    if host.startswith(SCHEME):
        return _parse_dsql(host)
    raise UsageError(
        f"--host {re.split('[:=]', host)[0]!r}…: unknown target; "
        "use local, local:rtt=2ms,commit=5ms, dsql://… or postgresql://…"
    )


def check_reachable(target: Target, waiting: Waiting) -> str:
    """Connect once to every region and return the server's version.

    Raises:
        TargetError: in one line, who could not be reached and what to do.
    """
    versions = [_server_version(target, waiting, region) for region in range(max(len(target.regions), 1))]
    return versions[0]


def _server_version(target: Target, waiting: Waiting, region: int) -> str:
    try:
        session = target.connect(waiting, region=region)
    except psycopg.ProgrammingError:  # its text repeats what it could not read, a password perhaps
        reason = "not a connection URL that libpq can read; percent-encode special characters"
        raise UsageError(f"--host: {reason}") from None
    except psycopg.Error as error:
        raise TargetError(target.explain(error, region)) from None
    version = str(session.execute("SHOW server_version").rows[0][0])
    session.close()
    return version


def start(target: Target) -> Target:
    """The target with its conninfo: for the stand-in, of the server that is now running."""
    if target.kind != "local":
        return target
    return replace(target, conninfo=make_conninfo(ensure_up().dsn, **conninfo_to_dict(target.conninfo)))


def _parse_local(host: str) -> Target:
    options = dict(_LOCAL_DEFAULTS)
    for part in filter(None, host.partition(":")[2].split(",")):
        name, separator, value = part.partition("=")
        if name not in _LOCAL_DEFAULTS or not separator:
            raise UsageError(
                f"--host {host}: {part!r} is unknown; options of local are rtt=2ms, commit=5ms and rules=off"
            )
        options[name] = value
    rtt_s, commit_s = (parse_duration_s(options[name], option="--host") for name in ("rtt", "commit"))
    rules = _parse_rules(host, options["rules"])
    profile = f"rtt {format_duration(rtt_s)}, commit {format_duration(commit_s)}"
    return Target(
        kind="local",
        label=f"local ({profile})" if rules else f"local ({profile}, rules off)",
        conninfo="" if rules else make_conninfo(options=RULES_OFF),
        isolation="repeatable-read",
        latency=Latency(rtt_s, commit_s),
        conflicts="commit",
        rewrite=lru_cache(STATEMENTS_CACHED)(partial(rewrite, rules=rules)),
    )


def _parse_rules(host: str, text: str) -> bool:
    if text not in {"on", "off"}:
        raise UsageError(f"--host {host}: rules={text} is unknown; use rules=on or rules=off")
    return text == "on"


def _parse_postgresql(host: str) -> Target:
    parts = urlsplit(host)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    isolation = query.pop("isolation", "repeatable-read")
    if isolation not in _ISOLATION:
        raise UsageError(f"--host: isolation {isolation!r} is unknown; use {' or '.join(_ISOLATION)}")
    shown = query.get("host") or parts.hostname or "localhost"
    return Target(
        kind="postgresql",
        label=f"postgresql {shown}, {isolation.replace('-', ' ')}",
        conninfo=urlunsplit(parts._replace(query=urlencode(query))),
        isolation=isolation,
        latency=None,
        conflicts="locks",
    )


def _parse_dsql(host: str) -> Target:
    clusters = parse_clusters(host)
    return Target(
        kind="dsql",
        label=label(clusters),
        conninfo="",
        isolation="repeatable-read",
        latency=None,
        conflicts="commit",
        regions=tuple(cluster.region for cluster in clusters),
        doors=tuple(map(Door, clusters)),
    )
