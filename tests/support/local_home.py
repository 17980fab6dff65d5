"""Separate homes for servers that a test starts, kills and breaks, so that the shared server stays whole."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import psycopg
from psycopg.conninfo import conninfo_to_dict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hotrow.standin.server import Server

AS_ROOT = os.geteuid() == 0
ENSURE_UP = "from hotrow.standin.server import ensure_up; s = ensure_up(); print(s.pid, s.dsn, flush=True)"


@contextmanager
def new_home() -> Iterator[Path]:
    """A directory for HOTROW_HOME with a short path that any account can reach.

    Afterwards its servers are stopped and it is removed.
    """
    path = Path(tempfile.mkdtemp(prefix="hr")).resolve()
    path.chmod(0o755)
    try:
        yield path
    finally:
        for file in path.glob("**/data/postmaster.pid"):
            pid = int(file.read_bytes().split()[0])
            with suppress(psutil.NoSuchProcess):  # raised for a zombie too
                if psutil.Process(pid).cwd() == str(file.parent):
                    end(pid, signal.SIGINT)
        shutil.rmtree(path)


def python(code: str, **options: Any) -> subprocess.Popen[str]:
    """Start a Python interpreter on `code`, with its output in a pipe."""
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, **options)


def value(dsn: str, query: str) -> object:
    """The first value that a query returns; None if it returns no row."""
    with psycopg.connect(dsn) as connection:
        row = connection.execute(query.encode()).fetchone()
    return row[0] if row else None


def socket_of(server: Server) -> Path:
    """The path of a server's socket."""
    return Path(str(conninfo_to_dict(server.dsn)["host"])) / ".s.PGSQL.5432"


def end(pid: int | None, number: signal.Signals = signal.SIGKILL) -> None:
    """Send a signal and wait up to 20 s until the process has ended. A zombie counts as ended."""
    assert pid is not None
    process = psutil.Process(pid)
    until = time.monotonic() + 20
    process.send_signal(number)
    while psutil.pid_exists(pid) and time.monotonic() < until:
        with suppress(psutil.NoSuchProcess):
            if process.status() == psutil.STATUS_ZOMBIE:
                return
        time.sleep(0.01)


def crash(postmaster_pid: int | None) -> None:
    """Kill a postmaster and all its children with SIGKILL.

    The postmaster is suspended first, so that it cannot react to the death of its children.
    """
    postmaster = psutil.Process(postmaster_pid)
    postmaster.suspend()
    for child in postmaster.children():
        end(child.pid)
    end(postmaster.pid)
