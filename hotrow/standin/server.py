"""Starts, stops and describes the stand-in's server: one PostgreSQL that all runs of a user share.

A run calls `ensure_up`. The first caller makes the database and starts the server; the other callers wait
for that and get the same server. The server keeps running when its starter ends, and only `down` stops it.
`ensure_up` works from everything that a killed process or a crashed machine can leave behind.

psycopg is imported inside functions: if it were imported before Locust patches the process, it would block
every user.
"""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

from hotrow.errors import TargetError
from hotrow.standin.account import one_line
from hotrow.standin.lock import hold_lock
from hotrow.standin.paths import make_folders
from hotrow.standin.postmaster import (
    bring_up,
    is_alive,
    recorded_pid,
    refuse_orphan,
    shorten_log,
    stop,
)
from hotrow.standin.site import OWN_NAME, Site, accepts, find_site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LOCK_S = 300
"""How long to wait for another process that starts or stops the server."""


@dataclass(frozen=True, slots=True)
class Server:
    """The stand-in's server at the time of the call."""

    running: bool
    dsn: str
    """A libpq conninfo string for any client. It is valid even if the server does not run yet."""
    data_directory: Path
    server_version: str
    """For example "18.6"."""
    log: Path
    pid: int | None
    """The process id of the postmaster; None if it does not run."""
    fsync: bool | None
    """Whether COMMIT waits for the disk; None if the server does not run or has no connection left."""


def ensure_up(sql: str | None = None, *, fsync: bool | None = None) -> Server:
    """The running server with the stand-in's SQL installed. It is started if it does not run.

    Any number of processes may call this at the same time.

    Args:
        sql: replaces the text of the files in `sql/`: any number of statements that can be run again. They
            run in one transaction, and only if the database does not have exactly this text already.
        fsync: None accepts a running server as it is, and starts a new one with fsync.

    Raises:
        TargetError: there is no usable PostgreSQL or folder, the start failed (the message has the end of
            the server's log), the SQL failed, or the server runs with the other `fsync`.
    """
    site = find_site()
    with _one_line_errors(site):
        make_folders(site.paths, site.account)
        with hold_lock(site.paths.lock, _LOCK_S):
            if not accepts(site):
                bring_up(site, fsync=fsync is not False)
            refuse_orphan(site)
            _refuse_other_fsync(site, fsync)
            shorten_log(site)
            _install(site.own_dsn, _packaged_sql() if sql is None else sql)
            return _inspect(site)


def down() -> bool:
    """Stop the server and wait until it has ended; False if it did not run.

    Raises:
        TargetError: it does not stop.
    """
    return shut_down() is not None


def shut_down() -> int | None:
    """Stop the server as `down` does; how many connections were closed, or None if it did not run."""
    site = find_site()
    if not site.paths.root.exists():
        return None
    with _one_line_errors(site), hold_lock(site.paths.lock, _LOCK_S):
        if not is_alive(site.paths):
            return None
        closed = _count_connections(site)
        stop(site)
        return closed


def status() -> Server:
    """The server as it is now. Nothing is changed, and the lock is not waited for.

    Raises:
        TargetError: there is no usable PostgreSQL.
    """
    return _inspect(find_site())


@contextmanager
def _one_line_errors(site: Site) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = error.filename or site.paths.root
        raise TargetError(
            f"the local server cannot use {where}: {error.strerror or error}; "
            "set HOTROW_HOME to a folder that you can write"
        ) from error


def _refuse_other_fsync(site: Site, wanted: bool | None) -> None:
    setting = None if wanted is None else _ask(site, "SHOW fsync")
    if setting is not None and (setting == "on") != wanted:
        option = "--fsync" if wanted else "--no-fsync"
        raise TargetError(
            f"the local server runs with fsync {setting}: `hotrow local down` first, or leave out {option}"
        )


def _inspect(site: Site) -> Server:
    running = accepts(site)
    fsync = _ask(site, "SHOW fsync") if running else None
    return Server(
        running=running,
        dsn=site.dsn,
        data_directory=site.paths.data,
        server_version=(_ask(site, "SHOW server_version") if running else None) or site.binaries.version,
        log=site.paths.log,
        pid=recorded_pid(site.paths) if running else None,
        fsync=None if fsync is None else fsync == "on",
    )


def _ask(site: Site, query: str) -> str | None:
    """The first word of a query's one value; None if the server has no connection left."""
    import psycopg  # noqa: PLC0415 - see the module's docstring

    try:
        with psycopg.connect(site.own_dsn) as connection:
            row = connection.execute(query.encode()).fetchone()
    except psycopg.Error:
        return None
    return str(row[0]).split(maxsplit=1)[0] if row else None


def _count_connections(site: Site) -> int:
    """How many connections of clients there are. One that hotrow has just closed may still be listed."""
    query = f"""SELECT count(*) FROM pg_stat_activity
                 WHERE backend_type = 'client backend' AND application_name <> '{OWN_NAME}'
                   AND usename IS NOT NULL"""  # noqa: S608 - a constant
    return int(_ask(site, query) or 0) if accepts(site) else 0


def _packaged_sql() -> str:
    folder = resources.files("hotrow.standin").joinpath("sql")
    files = sorted(folder.iterdir(), key=lambda file: file.name)
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


def _install(dsn: str, sql: str) -> None:
    """Run `sql` unless the schema `hotrow` has its hash already. The caller holds the lock.

    The hash is the schema's comment, so dropping the schema also drops the hash.
    """
    import psycopg  # noqa: PLC0415 - see the module's docstring

    comment = f"hotrow sha256:{hashlib.sha256(sql.encode()).hexdigest()}"
    read_comment = "SELECT obj_description(to_regnamespace('hotrow'), 'pg_namespace')"
    try:
        with psycopg.connect(dsn, options="-c hotrow.rules=off") as connection:
            row = connection.execute(read_comment).fetchone()
            if not sql.strip() or (row and row[0] == comment):
                return
            connection.execute("CREATE SCHEMA IF NOT EXISTS hotrow")
            connection.execute(sql.encode())
            connection.execute(f"COMMENT ON SCHEMA hotrow IS '{comment}'".encode())
    except psycopg.Error as error:
        raise TargetError(f"the stand-in's SQL cannot be installed: {one_line(str(error))}") from error
