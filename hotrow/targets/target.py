"""The target that `-H/--host` names: which database, and how to connect to it."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from hotrow.errors import TargetError, UsageError
from hotrow.masking import hide_secrets, one_line, show_name
from hotrow.standin.begin import TAKE_SNAPSHOT, begins_alone, with_snapshot
from hotrow.standin.rewriting.rewrite import rewrite
from hotrow.standin.rewriting.sql_text import prepare
from hotrow.standin.server import ensure_up
from hotrow.targets.dsql.cluster import SCHEME, label, parse_clusters
from hotrow.targets.dsql.connector import CONNECT_TIMEOUT_S, Connector
from hotrow.targets.pooling import ANSWER_DEADLINE_S, explain_pooling, find_pooling
from hotrow.targets.session import BEGIN, OPENING_S, Latency, PostgresSession, Waiting, unchanged
from hotrow.targets.url import KEEPALIVE, refuse_unprintable, split_url
from hotrow.units import format_duration, parse_duration_s

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Opened = TypeVar("Opened")
STATEMENTS_CACHED = 1024
"""Rewritten statements in the cache. A scenario has a handful, and each connection prepares them."""
_ISOLATION = {
    "read-committed": "BEGIN ISOLATION LEVEL READ COMMITTED",
    "repeatable-read": BEGIN,
    "serializable": "BEGIN ISOLATION LEVEL SERIALIZABLE",
}
_PROFILE = {"rtt": "2ms", "commit": "5ms"}
WITH_FIRST, APART = "with-first", "apart"
"""When BEGIN is sent: with the first statement, or in a round trip of its own."""
_LOCAL_DEFAULTS = {**_PROFILE, "rules": "on", "begin": WITH_FIRST}
_LOCAL_OPTIONS = "rtt=2ms, commit=5ms, begin=apart and rules=off"
_PLAIN_DEFAULTS = {**_PROFILE, "isolation": "repeatable-read", "begin": WITH_FIRST}
_DURATION = re.compile(r"[0-9.]{0,12}[a-z]{0,3}", re.ASCII)
"""A value that a message may repeat, because it is not a password."""
_PLAIN_OPTIONS = "rtt=2ms, commit=5ms, begin=apart and isolation=read-committed"
_SECRET_OPTIONS = ("password", "sslpassword")
_SECRET_VARIABLES = ("PGPASSWORD", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID")
RULES_OFF = "-c hotrow.rules=off"
"""The connection option that turns off the stand-in's rules of Aurora DSQL that are not about conflicts."""
_ORDINARY = f"{RULES_OFF} -c hotrow.adopt=off -c deadlock_timeout=1s"
"""The options for ordinary PostgreSQL: ordinary tables, and the default time until deadlock detection."""


@dataclass(frozen=True, slots=True)
class Target:
    """A database to put under load. `conninfo` may contain a password: it is never written anywhere."""

    type: str
    """`local`, `postgresql` (`plain` too) or `dsql`."""
    label: str
    """The name in charts and reports. It contains no secrets."""
    conninfo: str = field(repr=False)
    """Empty on `dsql`, which uses `connectors` instead."""
    isolation: str
    latency: Latency | None
    """Injected latency; None on a target without it."""
    conflicts: str
    """`commit` if conflicts appear at COMMIT, `locks` if the second writer waits for the first."""
    rewrite: Callable[[str], str] = unchanged
    """Applied to every statement before it is sent."""
    regions: tuple[str, ...] = ()
    """The names of the regions over which users are distributed; empty on a target without regions."""
    connectors: tuple[Connector, ...] = ()
    """On `dsql`, how this process connects to each region."""
    embedded: bool = False
    """Whether it is hotrow's own server, which `start` starts: true for `local` and `plain`."""
    begin: str = WITH_FIRST
    """When hotrow's sessions send BEGIN: WITH_FIRST or APART."""

    @property
    def takes_snapshot(self) -> bool:
        """Whether a client must take the snapshot after BEGIN itself: on the stand-in's socket."""
        return self.type == "local"

    def message(self, statement: str) -> str:
        """The text of a simple query for a statement that is sent alone. BEGIN takes the snapshot."""
        text = self.rewrite(statement)
        return with_snapshot(text) if self.takes_snapshot and begins_alone(text) else text

    def connect(
        self,
        waiting: Waiting,
        search_path: str | None = None,
        region: int = 0,
        *,
        answer_deadline_s: float | None = None,
    ) -> PostgresSession:
        """Open a session in the region of this index in `regions`, with `search_path` as the schema.

        Except on `dsql`, the schema is also the session's application name, so that active runs are visible
        on the server. Each later answer may take `answer_deadline_s`; None means no limit.

        Raises:
            psycopg.Error: the server refused, was not reached, or did not answer within `OPENING_S`.
            TargetError: there are no credentials to connect with.
        """
        enter = partial(
            self._enter, waiting=waiting, search_path=search_path, answer_deadline_s=answer_deadline_s
        )
        return self.open(waiting, search_path, region, enter)

    def open(
        self,
        waiting: Waiting,
        name: str | None,
        region: int,
        enter: Callable[[psycopg.Connection[Any]], Opened],
    ) -> Opened:
        """Open a connection, from which `enter` makes what is returned; `name` is its application name.

        Raises:
            psycopg.Error, TargetError: as `connect`, or from `enter`.
        """
        if self.connectors:
            return self.connectors[region].open(waiting, enter)
        return enter(
            psycopg.connect(
                self.conninfo,
                autocommit=True,
                connect_timeout=CONNECT_TIMEOUT_S,
                application_name=name or "hotrow",
            )
        )

    def description(self, server_version: str) -> dict[str, Any]:
        """The entry for this target in run.json, as JSON values without secrets."""
        latency = self.latency
        return {
            "kind": self.type,
            "label": self.label,
            "server_version": server_version,
            "isolation": self.isolation.replace("-", " "),
            "latency": latency and {"rtt_ms": latency.rtt_s * 1e3, "commit_ms": latency.commit_s * 1e3},
            "conflicts": self.conflicts,
            "begin": self.begin,
            "regions": list(self.regions),
            "clusters": [connector.cluster.description() for connector in self.connectors],
        }

    def explain(self, error: Exception, region: int = 0) -> str:
        """Why `connect` failed and what to change, in one line."""
        if self.connectors:
            return self.connectors[region].explain(error)
        return (
            f"cannot connect to {self.label}: {self.error_text(error)}; "
            "check --host and that the server is running"
        )

    def error_text(self, error: Exception) -> str:
        """The text of an error on one line without secrets, and the cause if it is a pooler."""
        text, explanation = one_line(hide_secrets(str(error), secrets_of(self))), explain_pooling(error)
        return f"{text}: {explanation}" if explanation else text

    def begin_run(self, processes: int) -> None:
        """Prepare this process, one of `processes`, for the users of a run.

        Raises:
            TargetError: there are no credentials to connect with.
        """
        prepare()
        for connector in self.connectors:
            connector.begin_run(processes)
            connector.prepare()

    def _enter(
        self,
        connection: psycopg.Connection[Any],
        *,
        waiting: Waiting,
        search_path: str | None,
        answer_deadline_s: float | None,
    ) -> PostgresSession:
        begin = _ISOLATION[self.isolation]
        apart = (begin, TAKE_SNAPSHOT) if self.takes_snapshot else (begin,)
        session = PostgresSession(
            connection,
            self.latency or Latency(),
            waiting,
            begin=begin,
            apart=apart if self.begin == APART else (),
            rewrite=self.rewrite,
            answer_deadline_s=OPENING_S,
        )
        try:
            if search_path is not None:
                session.run(f"SET search_path TO {search_path}")
        except BaseException:
            session.close()
            raise
        session.answer_deadline_s = answer_deadline_s
        return session


def secrets_of(target: Target) -> tuple[str, ...]:
    """Every secret that a message could repeat and that must be hidden."""
    options = conninfo_to_dict(target.conninfo)
    secrets = (*(options.get(name) for name in _SECRET_OPTIONS), *map(os.environ.get, _SECRET_VARIABLES))
    return tuple(str(secret) for secret in secrets if secret)


class Targets:
    """The targets of one process by their `--host`. Users of a target share its tokens and its rate."""

    def __init__(self) -> None:
        self._targets: dict[str, Target] = {}

    def of(self, host: str) -> Target:
        """The target that `host` names.

        Raises:
            UsageError: as from `parse_target`.
        """
        if host not in self._targets:
            self._targets[host] = parse_target(host)
        return self._targets[host]


def parse_target(host: str) -> Target:
    """The target that `--host` names. Nothing is started or opened.

    Raises:
        UsageError: the type of target or an option is unknown. The text contains no password.
    """
    refuse_unprintable(host)
    if host == "local" or host.startswith("local:"):
        return _parse_local(host)
    if host == "plain" or host.startswith("plain:"):
        return _parse_plain(host)
    if host.startswith(("postgresql://", "postgres://")):
        return _parse_postgresql(host)
    if host.startswith(SCHEME):
        return _parse_dsql(host)
    scheme = re.match(r"[a-z]{1,20}(?=://|$)", host)  # anything else may be a password
    raise UsageError(
        f"--host{f' {scheme[0]!r}' if scheme else ''}: unknown target; "
        "use local, local:rtt=2ms,commit=5ms, plain, dsql://… or postgresql://…"
    )


def check_reachable(target: Target, waiting: Waiting) -> str:
    """Connect once to every region and return the server's version.

    Raises:
        TargetError: a region was not reached, or a pooler mixes up sessions; one line with the fix.
    """
    versions = [_server_version(target, waiting, region) for region in range(max(len(target.regions), 1))]
    if target.type == "postgresql" and not target.embedded:
        _refuse_pooling(target, waiting)
    return versions[0]


def pooling_of(target: Target, waiting: Waiting) -> str | None:
    """What a pooler in front of this target makes sessions lose, and the fix; None if they lose nothing.

    Raises:
        psycopg.Error: the test could not be completed.
    """
    return find_pooling(partial(target.connect, waiting, answer_deadline_s=ANSWER_DEADLINE_S))


def _refuse_pooling(target: Target, waiting: Waiting) -> None:
    """Refuse a pooler that makes sessions lose something."""
    with suppress(psycopg.Error):  # the run will meet whatever prevents this test
        pooling = pooling_of(target, waiting)
        if pooling is not None:
            raise TargetError(f"{target.label}: {pooling}")


def _server_version(target: Target, waiting: Waiting, region: int) -> str:
    try:
        session = target.connect(waiting, region=region, answer_deadline_s=OPENING_S)
        try:
            rows = session.execute("SHOW server_version").rows
        finally:
            session.close()
    except psycopg.Error as error:
        raise TargetError(target.explain(error, region)) from None
    if not rows:
        raise TargetError(f"{target.label} does not report its version: check that it is a PostgreSQL server")
    return str(rows[0][0])


def start(target: Target) -> Target:
    """The target with the conninfo of the running server, which is started first for `local` and `plain`."""
    if not target.embedded:
        return target
    return replace(target, conninfo=make_conninfo(ensure_up().dsn, **conninfo_to_dict(target.conninfo)))


def _parse_local(host: str) -> Target:
    options = _options(host, _LOCAL_DEFAULTS, _LOCAL_OPTIONS)
    latency = _parse_latency(options)
    rules = _parse_rules(options["rules"])
    begin = _parse_begin(options["begin"])
    return Target(
        type="local",
        label=f"local ({_profile(latency)}{begin_label(begin)}{'' if rules else ', rules off'})",
        conninfo="" if rules else make_conninfo(options=RULES_OFF),
        isolation="repeatable-read",
        latency=latency,
        conflicts="commit",
        rewrite=lru_cache(STATEMENTS_CACHED)(partial(rewrite, rules=rules)),
        embedded=True,
        begin=begin,
    )


def _parse_plain(host: str) -> Target:
    options = _options(host, _PLAIN_DEFAULTS, _PLAIN_OPTIONS)
    latency = _parse_latency(options)
    isolation = _parse_isolation(options["isolation"])
    begin = _parse_begin(options["begin"])
    isolation_label = "" if isolation == _PLAIN_DEFAULTS["isolation"] else f", {isolation}"
    return Target(
        type="postgresql",
        label=f"plain PostgreSQL ({_profile(latency)}{isolation_label}{begin_label(begin)})",
        conninfo=make_conninfo(options=_ORDINARY),
        isolation=isolation,
        latency=latency,
        conflicts="locks",
        embedded=True,
        begin=begin,
    )


def _options(host: str, defaults: Mapping[str, str], examples: str) -> dict[str, str]:
    """The options after the colon, and the defaults of the others."""
    target_name, _, rest = host.partition(":")
    options = dict(defaults)
    for part in filter(None, rest.split(",")):
        name, separator, value = part.partition("=")
        if name not in defaults or not separator:
            raise UsageError(
                f"--host {target_name}:…: {show_name(name)} is unknown; "
                f"options of {target_name} are {examples}"
            )
        options[name] = value
    return options


def _parse_latency(options: Mapping[str, str]) -> Latency:
    for name in _PROFILE:
        if not _DURATION.fullmatch(options[name]):
            raise UsageError(f"--host: {name}= is not a duration; write a number and a unit, for example 2ms")
    rtt_s, commit_s = (parse_duration_s(options[name], option=f"--host: {name}") for name in _PROFILE)
    return Latency(rtt_s, commit_s)


def _profile(latency: Latency) -> str:
    return f"rtt {format_duration(latency.rtt_s)}, commit {format_duration(latency.commit_s)}"


def _parse_isolation(text: str) -> str:
    if text not in _ISOLATION:
        raise UsageError(f"--host: isolation={show_name(text)} is unknown; use {' or '.join(_ISOLATION)}")
    return text


def _parse_begin(text: str) -> str:
    if text not in {WITH_FIRST, APART}:
        raise UsageError(
            f"--host: begin={show_name(text)} is unknown; use begin={APART} or begin={WITH_FIRST}"
        )
    return text


def begin_label(begin: str) -> str:
    """The part of a target's label that says when BEGIN is sent; empty if with the first statement."""
    return ", begin apart" if begin == APART else ""


def _parse_rules(text: str) -> bool:
    if text not in {"on", "off"}:
        raise UsageError(f"--host: rules={show_name(text)} is unknown; use rules=on or rules=off")
    return text == "on"


def _parse_postgresql(host: str) -> Target:
    options, own_options = split_url(host, ("isolation", "begin", *_PROFILE))
    isolation = _parse_isolation(own_options.pop("isolation", "repeatable-read"))
    begin = _parse_begin(own_options.pop("begin", WITH_FIRST))
    latency = _parse_latency({"rtt": "0", "commit": "0", **own_options}) if own_options else None
    server = options.get("host") or os.environ.get("PGHOST") or "localhost"
    name = f"postgresql {server}, {isolation.replace('-', ' ')}{begin_label(begin)}"
    return Target(
        type="postgresql",
        label=name if latency is None else f"{name}, {_profile(latency)}",
        conninfo=make_conninfo(**{**KEEPALIVE, **options}),
        isolation=isolation,
        latency=latency,
        conflicts="locks",
        begin=begin,
    )


def _parse_dsql(host: str) -> Target:
    clusters = parse_clusters(host)
    begin = _parse_begin(clusters[0].begin)
    return Target(
        type="dsql",
        label=f"{label(clusters)}{begin_label(begin)}",
        conninfo="",
        isolation="repeatable-read",
        latency=None,
        conflicts="commit",
        regions=tuple(cluster.region for cluster in clusters),
        connectors=tuple(map(Connector, clusters)),
        begin=begin,
    )
