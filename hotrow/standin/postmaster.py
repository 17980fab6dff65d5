"""Starts, finds and stops the server process. The callers hold the lock (see server.py)."""

from __future__ import annotations

import os
import pwd
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from hotrow.errors import TargetError
from hotrow.standin.account import Account, leave_running, one_line, run_as, write_as
from hotrow.standin.data_directory import make_database, sync_to_disk
from hotrow.standin.settings import FILE_NAME, admission, settings
from hotrow.standin.site import Site, accepts

if TYPE_CHECKING:
    from hotrow.standin.paths import Paths

_START_S = 120
"""How long a start may take: after a crash, the server replays up to max_wal_size."""
_STOP_S = 60
_POLL_S = 0.02
_ORPHANS_S = 10
_MAX_LOG_BYTES = 8_000_000
_LOG_BYTES_KEPT = 1_000_000


def recorded_pid(paths: Paths) -> int | None:
    """The process id that the data directory names, alive or not."""
    try:
        return int(paths.postmaster_file.read_bytes().split(maxsplit=1)[0])
    except (OSError, ValueError, IndexError):
        return None


def is_alive(paths: Paths) -> bool:
    """Whether the process that the data directory names is this directory's server.

    Process ids are used again.
    """
    pid = recorded_pid(paths)
    try:
        return pid is not None and pid > 0 and _serves(psutil.Process(pid), paths)
    except psutil.Error:
        return False


def _serves(process: psutil.Process, paths: Paths) -> bool:
    try:
        return "postgres" in process.name() and process.cwd() == str(paths.data)
    except (psutil.Error, OSError):
        return False


def refuse_orphan(site: Site) -> None:
    """Refuse a server whose programs were deleted: new connections do not find the libraries that they need.

    Raises:
        TargetError: the folder that the server was started from was deleted.
    """
    pid = recorded_pid(site.paths)
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
    """Start the server, whatever an earlier one left behind, and wait until it accepts connections.

    If another process is starting the server already, the server keeps the `fsync` of that process.

    Raises:
        TargetError: initdb or the start failed. The message has the end of their output.
    """
    if not site.paths.data.exists():
        make_database(site)
    if is_alive(site.paths):
        if _becomes_ready(site):
            return
        stop(site)
    _clear_leftovers(site)
    _start(site, fsync=fsync)


def _becomes_ready(site: Site) -> bool:
    """Wait for a postmaster that is not ready yet: it recovers from a crash, or its starter was killed.

    False if it ends, takes too long, or is ready but its socket was removed.
    """
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and is_alive(site.paths):
        if accepts(site):
            return True
        if _reports_ready(site.paths) and not site.paths.socket.exists():
            return False
        time.sleep(0.05)
    return accepts(site)


def _reports_ready(paths: Paths) -> bool:
    try:
        return paths.postmaster_file.read_bytes().split()[-1] == b"ready"
    except (OSError, IndexError):
        return False


def _clear_leftovers(site: Site) -> None:
    """Remove what a killed postmaster left: its processes, its socket, and its id in postmaster.pid.

    Another process may have that id now, and PostgreSQL would take that process for the postmaster. The file
    is kept with the id of a process that has ended, because PostgreSQL needs it to check for surviving
    backends (by shared memory).
    """
    _end_orphans(site.paths)
    site.paths.socket.unlink(missing_ok=True)
    site.paths.socket.with_name(f"{site.paths.socket.name}.lock").unlink(missing_ok=True)
    if site.paths.postmaster_file.exists():
        script = 'sed "1s/.*/$$/" "$1" > "$1.new" && mv -f "$1.new" "$1"'
        run_as(site.account, ["/bin/sh", "-c", script, "sh", site.paths.postmaster_file])


def _end_orphans(paths: Paths) -> None:
    """End the server's processes that outlived their postmaster, as PostgreSQL itself does after a crash."""
    orphans = [process for process in psutil.process_iter() if _serves(process, paths)]
    for signal_number in (signal.SIGQUIT, signal.SIGKILL):
        for orphan in orphans:
            with suppress(psutil.NoSuchProcess):
                orphan.send_signal(signal_number)
        deadline = time.monotonic() + _ORPHANS_S
        # Not wait_procs: if nobody reaps orphans, as in many containers, they stay zombies for ever.
        while orphans and time.monotonic() < deadline:
            time.sleep(0.02)
            orphans = [orphan for orphan in orphans if _serves(orphan, paths)]


def _start(site: Site, *, fsync: bool) -> None:
    if fsync:
        sync_to_disk(site)
    paths, log = site.paths, site.paths.log
    files = {
        FILE_NAME: settings(paths.socket_folder, fsync=fsync),
        **admission(_caller(site.account), site.binaries.major),
    }
    for name, text in files.items():
        write_as(site.account, paths.data / name, text)
    log_bytes = log.stat().st_size if log.exists() else 0
    pid = leave_running(site.account, site.usable_binaries.program("postgres"), paths.data, log)
    deadline = time.monotonic() + _START_S
    while not accepts(site):
        if not _runs(pid) or time.monotonic() > deadline:
            reason = one_line(_log_since(log, log_bytes))
            raise TargetError(f"the local server does not start: {reason} (log: {log})")
        time.sleep(_POLL_S)


def _caller(account: Account) -> str | None:
    """The name of the caller's account if the server runs as another one, which others may use too."""
    return pwd.getpwuid(os.geteuid()).pw_name if account.foreign else None


def _runs(pid: int) -> bool:
    """Whether the process runs. A zombie does not count; it stays one if nobody reaps orphans."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _log_since(log: Path, position: int) -> str:
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(position, log.stat().st_size - 4096))
        return file.read().decode(errors="replace")


def stop(site: Site) -> None:
    """Stop the server in fast mode: open transactions are rolled back.

    If that hangs, stop it immediately, as a crash does.

    Raises:
        TargetError: the server still runs.
    """
    for signal_number in (signal.SIGINT, signal.SIGQUIT):
        pid = recorded_pid(site.paths)
        if pid is None or not is_alive(site.paths):
            return
        with suppress(ProcessLookupError):
            os.kill(pid, signal_number)
        deadline = time.monotonic() + _STOP_S
        while is_alive(site.paths) and time.monotonic() < deadline:
            time.sleep(_POLL_S)
    if is_alive(site.paths):
        raise TargetError(f"the local server does not stop (log: {site.paths.log})")


def shorten_log(site: Site) -> None:
    """Keep only the end of a long log.

    The file stays the same, because the server continues to append to it.
    """
    log = site.paths.log
    if log.exists() and log.stat().st_size > _MAX_LOG_BYTES:
        script = f'tail -c {_LOG_BYTES_KEPT} "$1" > "$1.new" && cat "$1.new" > "$1"; rm -f "$1.new"'
        run_as(site.account, ["/bin/sh", "-c", script, "sh", log])
