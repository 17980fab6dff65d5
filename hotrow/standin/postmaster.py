"""The server process: made, started, recognised and stopped. Its callers hold the lock (see server.py).

psycopg is imported where it is used: imported before Locust patches the process, it would block every user.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from hotrow.errors import TargetError
from hotrow.standin.account import (
    Account,
    leave_running,
    one_line,
    run_as,
    server_account,
    write_as,
)
from hotrow.standin.binaries import Binaries, find_binaries, within_reach
from hotrow.standin.places import Places, find_places
from hotrow.standin.settings import FILE_NAME, FSYNC_OFF, admission, settings

_START_S = 120
"""How long a start may take: after a crash it replays up to max_wal_size."""
_STOP_S = 60
_POLL_S = 0.02
_ORPHANS_S = 10
_LOG_BYTES_MAX = 8_000_000
_LOG_BYTES_KEPT = 1_000_000
_NEW_DATA = "data.new-"
_SHELL_READS = '"$`\\\n'
"""What sh does not take literally in double quotes."""


@dataclass(frozen=True, slots=True)
class Site:
    """What all steps share: who runs the server, with which programs, where."""

    account: Account
    binaries: Binaries
    places: Places

    @property
    def dsn(self) -> str:
        """The libpq conninfo string of the server."""
        from psycopg.conninfo import make_conninfo  # noqa: PLC0415 - see the module's text

        host = str(self.places.socket_folder)
        return make_conninfo("", host=host, port=5432, dbname="postgres", user="postgres")


def find_site() -> Site:
    """What this caller's environment leads to; changes nothing.

    Raises:
        TargetError: no usable PostgreSQL, root without an account to run it, or no folder for it.
    """
    account = server_account()
    binaries = find_binaries()
    return Site(account, binaries, find_places(account, binaries.major))


def accepts(site: Site) -> bool:
    """Whether a server answers on the socket, if only that it is full; not while it starts or stops."""
    from psycopg import pq  # noqa: PLC0415 - see the module's text

    return pq.PGconn.ping(f"{site.dsn} connect_timeout=5".encode()) == pq.Ping.OK


def recorded_pid(places: Places) -> int | None:
    """The process id that the data directory names, alive or not."""
    try:
        return int(places.postmaster_file.read_bytes().split(maxsplit=1)[0])
    except (OSError, ValueError, IndexError):
        return None


def is_alive(places: Places) -> bool:
    """Whether the process that the data directory names is a server of this directory: ids are used again."""
    pid = recorded_pid(places)
    try:
        return pid is not None and pid > 0 and _serves(psutil.Process(pid), places)
    except psutil.Error:
        return False


def _serves(process: psutil.Process, places: Places) -> bool:
    try:
        return "postgres" in process.name() and process.cwd() == str(places.data)
    except (psutil.Error, OSError):
        return False


def refuse_orphan(site: Site) -> None:
    """Refuse a server whose programs are gone: no new connection finds the libraries that it needs.

    Raises:
        TargetError: the environment that it was started from was deleted.
    """
    pid = recorded_pid(site.places)
    try:
        program = "" if pid is None else psutil.Process(pid).exe()
    except (psutil.Error, OSError):
        return
    program = program.removesuffix(" (deleted)")
    if program and not Path(program).exists():
        raise TargetError(
            f"the local server runs, but {Path(program).parent}, which it was started from, was deleted: "
            "`hotrow local down`, then try again"
        )


def bring_up(site: Site, *, fsync: bool = True) -> None:
    """Start the server from whatever state it was left in, and wait until it accepts connections.

    One that starts already, for somebody else, keeps that one's `fsync`.

    Raises:
        TargetError: initdb or the start failed; with the end of what they said.
    """
    if not site.places.data.exists():
        _make_database(site)
    if is_alive(site.places):
        if _becomes_ready(site):
            return
        stop(site)
    _clear_remains(site)
    _start(site, fsync=fsync)


def _make_database(site: Site) -> None:
    """Run initdb under a temporary name and rename: the data directory is complete or absent."""
    for leftover in site.places.root.glob(f"{_NEW_DATA}*"):
        # Its initdb may be at work still: what it adds after this is removed by the next time.
        shutil.rmtree(leftover, ignore_errors=True)
    fresh = Path(tempfile.mkdtemp(prefix=_NEW_DATA, dir=site.places.root))
    try:
        if site.account.foreign:
            shutil.chown(fresh, site.account.uid, site.account.gid)
        _initdb(site, fresh)
        fresh.rename(site.places.data)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _initdb(site: Site, folder: Path) -> None:
    _refuse_nameless(site.account)
    _run_initdb(site, "-D", folder, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C")
    configuration = folder / "postgresql.conf"
    text = configuration.read_text(encoding="utf-8")
    write_as(site.account, configuration, f"{text}\ninclude_if_exists = '{FILE_NAME}'\n")


def _refuse_nameless(account: Account) -> None:
    """initdb wants the name of its account.

    Raises:
        TargetError: it has none.
    """  # noqa: D403 - so it is spelled
    try:
        pwd.getpwuid(account.uid)
    except KeyError:
        raise TargetError(
            f"PostgreSQL cannot make a database for user id {account.uid}, which is not in /etc/passwd: "
            "add one, run hotrow as another user, or measure another server with -H postgresql://…"
        ) from None


def _becomes_ready(site: Site) -> bool:
    """Wait for a postmaster that is not ready yet: it recovers, or whoever started it was killed meanwhile.

    False where it ends, takes too long, or is ready without a socket (which somebody has cleaned away).
    """
    until = time.monotonic() + _START_S
    while time.monotonic() < until and is_alive(site.places):
        if accepts(site):
            return True
        if _claims_ready(site.places) and not site.places.socket.exists():
            return False
        time.sleep(0.05)
    return accepts(site)


def _claims_ready(places: Places) -> bool:
    try:
        return places.postmaster_file.read_bytes().split()[-1] == b"ready"
    except (OSError, IndexError):
        return False


def _clear_remains(site: Site) -> None:
    """Remove what a killed postmaster left: its orphans, its socket, and its claim to a process id.

    Another process may have that id by now, and PostgreSQL would take it for the postmaster. The claim is not
    removed but given the id of a process that has ended, so that PostgreSQL's check for surviving backends
    (by shared memory) stays.
    """
    _end_orphans(site.places)
    site.places.socket.unlink(missing_ok=True)
    site.places.socket.with_name(f"{site.places.socket.name}.lock").unlink(missing_ok=True)
    if site.places.postmaster_file.exists():
        script = 'sed "1s/.*/$$/" "$1" > "$1.new" && mv -f "$1.new" "$1"'
        run_as(site.account, ["/bin/sh", "-c", script, "sh", site.places.postmaster_file])


def _end_orphans(places: Places) -> None:
    """End the server's processes that outlived their postmaster, as PostgreSQL itself does after a crash."""
    orphans = [process for process in psutil.process_iter() if _serves(process, places)]
    for number in (signal.SIGQUIT, signal.SIGKILL):
        for orphan in orphans:
            with suppress(psutil.NoSuchProcess):
                orphan.send_signal(number)
        until = time.monotonic() + _ORPHANS_S
        # Not wait_procs: where nobody reaps orphans, as in many containers, they stay as zombies for good.
        while orphans and time.monotonic() < until:
            time.sleep(0.02)
            orphans = [orphan for orphan in orphans if _serves(orphan, places)]


def _start(site: Site, *, fsync: bool) -> None:
    if fsync:
        _make_up_for_fsync(site)
    places, log = site.places, site.places.log
    written = {
        FILE_NAME: settings(places.socket_folder, fsync=fsync),
        **admission(_caller(site.account), site.binaries.major),
    }
    for name, text in written.items():
        write_as(site.account, places.data / name, text)
    logged_before = log.stat().st_size if log.exists() else 0
    started = leave_running(site.account, _reachable(site).program("postgres"), places.data, log)
    until = time.monotonic() + _START_S
    while not accepts(site):
        if not _runs(started) or time.monotonic() > until:
            said = one_line(_log_since(log, logged_before))
            raise TargetError(f"the local server does not start: {said} (log: {log})")
        time.sleep(_POLL_S)


def _caller(account: Account) -> str | None:
    """The name of the caller's account if the server has another one, which other programs may run as too."""
    return pwd.getpwuid(os.geteuid()).pw_name if account.foreign else None


def _runs(pid: int) -> bool:
    """Whether the process is there, and not as a zombie, which it stays if nobody reaps orphans."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _make_up_for_fsync(site: Site) -> None:
    """Put on disk what a server without fsync left in memory: from now on, nothing may be lost."""
    file = site.places.data / FILE_NAME
    if file.exists() and FSYNC_OFF in file.read_text(encoding="utf-8"):
        _run_initdb(site, "--sync-only", "-D", site.places.data)


def _log_since(log: Path, position: int) -> str:
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(position, log.stat().st_size - 4096))
        return file.read().decode(errors="replace")


def stop(site: Site) -> None:
    """Stop fast: open transactions are rolled back. If that hangs, stop as a crash would.

    Raises:
        TargetError: neither ended the server.
    """
    for number in (signal.SIGINT, signal.SIGQUIT):
        pid = recorded_pid(site.places)
        if pid is None or not is_alive(site.places):
            return
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        until = time.monotonic() + _STOP_S
        while is_alive(site.places) and time.monotonic() < until:
            time.sleep(_POLL_S)
    if is_alive(site.places):
        raise TargetError(f"the local server does not stop (log: {site.places.log})")


def _reachable(site: Site) -> Binaries:
    return within_reach(site.binaries, site.account, site.places.home)


def _run_initdb(site: Site, *arguments: str | Path) -> None:
    """Run initdb, which hands its own path to a shell, in double quotes.

    Raises:
        TargetError: it failed, or a shell would not take its path literally.
    """
    program = _reachable(site).program("initdb")
    if any(character in _SHELL_READS for character in str(program)):
        raise TargetError(
            f"initdb cannot be run in {str(program.parent)!r}, because it hands this path to a shell: "
            'install hotrow, or set HOTROW_PG_BIN, in a folder without " $ ` \\ and line breaks in its path'
        )
    status, printed = run_as(site.account, [program, *arguments])
    if status != 0:
        raise TargetError(f"initdb failed: {one_line(printed)}")


def shorten_log(site: Site) -> None:
    """Keep the log's end only, in place: the server goes on appending to the same file."""
    log = site.places.log
    if log.exists() and log.stat().st_size > _LOG_BYTES_MAX:
        script = f'tail -c {_LOG_BYTES_KEPT} "$1" > "$1.new" && cat "$1.new" > "$1"; rm -f "$1.new"'
        run_as(site.account, ["/bin/sh", "-c", script, "sh", log])
