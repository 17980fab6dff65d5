"""The life cycle of the stand-in's server: one embedded PostgreSQL, shared by every run of this user.

`ensure_up` is what a run calls. Whoever calls it first makes the database and starts the server; everybody
else waits for that and gets the same one. It goes on running when its starter ends, and is stopped by `down`
only. Every state that a killed process or machine can leave behind is a state that `ensure_up` starts from.

psycopg is imported where it is used: imported before Locust patches the process, it would block every user.
"""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

import filelock

from hotrow.errors import TargetError
from hotrow.standin.account import one_line
from hotrow.standin.places import make_places
from hotrow.standin.postmaster import (
    Site,
    accepts,
    bring_up,
    find_site,
    is_alive,
    recorded_pid,
    refuse_orphan,
    shorten_log,
    stop,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LOCK_S = 300
"""How long to wait for another process that is starting or stopping the server."""


@dataclass(frozen=True, slots=True)
class Server:
    """The stand-in's server as it was found."""

    running: bool
    dsn: str
    """A libpq conninfo string for any client: where it listens, or will listen once it runs."""
    data_directory: Path
    server_version: str
    """Such as "18.6"."""
    log: Path
    pid: int | None
    """Process id of the postmaster; None where it does not run."""
    fsync: bool | None
    """Whether COMMIT waits for the disk; None where it does not run or is full."""


def ensure_up(sql: str | None = None, *, fsync: bool | None = None) -> Server:
    """The running server, started if need be, with the stand-in's SQL in it.

    `sql` replaces the text of the files in `sql/`: any number of statements, safe to run again. It runs in
    one transaction, and only where the database does not have this very text already. Any number of
    processes may call this at once. `fsync` None takes a running server as it is, and starts one with fsync.

    Raises:
        TargetError: no usable PostgreSQL, no usable folder, a start that failed (with the end of the server's
            log), SQL that failed, or a server that runs with the other `fsync`.
    """
    site = find_site()
    with _one_line_errors(site):
        make_places(site.places, site.account)
        with _locked(site):
            if not accepts(site):
                bring_up(site, fsync=fsync is not False)
            refuse_orphan(site)
            _refuse_other_fsync(site, fsync)
            shorten_log(site)
            _install(site.dsn, _packaged_sql() if sql is None else sql)
            return _inspect(site)


def down() -> bool:
    """Stop the server and wait until it has ended; False where it did not run.

    Raises:
        TargetError: it does not stop.
    """
    return shut_down() is not None


def shut_down() -> int | None:
    """Stop the server as `down` does; how many connections that closed, None where it did not run."""
    site = find_site()
    if not site.places.root.exists():
        return None
    with _one_line_errors(site), _locked(site):
        if not is_alive(site.places):
            return None
        closed = _count_connections(site)
        stop(site)
        return closed


def status() -> Server:
    """The server as it is now; changes nothing and waits for nobody.

    Raises:
        TargetError: no usable PostgreSQL.
    """
    return _inspect(find_site())


@contextmanager
def _one_line_errors(site: Site) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = error.filename or site.places.root
        raise TargetError(
            f"the local server cannot use {where}: {error.strerror or error}; "
            "set HOTROW_HOME to a folder that you can write"
        ) from error


@contextmanager
def _locked(site: Site) -> Iterator[None]:
    try:
        with filelock.FileLock(site.places.lock, timeout=_LOCK_S):
            yield
    except filelock.Timeout as error:
        raise TargetError(
            f"another process has held {site.places.lock} for {_LOCK_S} s: end it, then try again"
        ) from error


def _refuse_other_fsync(site: Site, wanted: bool | None) -> None:
    found = None if wanted is None else _ask(site, "SHOW fsync")
    if found is not None and (found == "on") != wanted:
        option = "--fsync" if wanted else "--no-fsync"
        raise TargetError(
            f"the local server runs with fsync {found}: `hotrow local down` first, or leave out {option}"
        )


def _inspect(site: Site) -> Server:
    running = accepts(site)
    fsync = _ask(site, "SHOW fsync") if running else None
    return Server(
        running=running,
        dsn=site.dsn,
        data_directory=site.places.data,
        server_version=(_ask(site, "SHOW server_version") if running else None) or site.binaries.version,
        log=site.places.log,
        pid=recorded_pid(site.places) if running else None,
        fsync=None if fsync is None else fsync == "on",
    )


def _ask(site: Site, query: str) -> str | None:
    """One value as text, its first word; None where the server has no connection to spare."""
    import psycopg  # noqa: PLC0415 - see the module's text

    try:
        with psycopg.connect(site.dsn, connect_timeout=5) as connection:
            row = connection.execute(query.encode()).fetchone()
    except psycopg.Error:
        return None
    return str(row[0]).split(maxsplit=1)[0] if row else None


def _count_connections(site: Site) -> int:
    query = """SELECT count(*) FROM pg_stat_activity
                WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"""
    return int(_ask(site, query) or 0) if accepts(site) else 0


def _packaged_sql() -> str:
    folder = resources.files("hotrow.standin").joinpath("sql")
    files = sorted(folder.iterdir(), key=lambda file: file.name)
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


def _install(dsn: str, sql: str) -> None:
    """Run `sql` unless the schema `hotrow` carries its hash already. Called under the lock.

    The hash is the schema's comment: who drops the schema drops the hash with it.
    """
    import psycopg  # noqa: PLC0415 - see the module's text

    mark = f"hotrow sha256:{hashlib.sha256(sql.encode()).hexdigest()}"
    find_mark = "SELECT obj_description(to_regnamespace('hotrow'), 'pg_namespace')"
    try:
        with psycopg.connect(dsn, connect_timeout=10, options="-c hotrow.rules=off") as connection:
            row = connection.execute(find_mark).fetchone()
            if not sql.strip() or (row and row[0] == mark):
                return
            connection.execute("CREATE SCHEMA IF NOT EXISTS hotrow")
            connection.execute(sql.encode())
            connection.execute(f"COMMENT ON SCHEMA hotrow IS '{mark}'".encode())
    except psycopg.Error as error:
        raise TargetError(f"the stand-in's SQL cannot be installed: {one_line(str(error))}") from error
