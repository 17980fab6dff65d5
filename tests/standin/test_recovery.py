"""The server after a crash: whatever the crash left, the next start gives one working server."""

from __future__ import annotations

import os
import select
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Barrier

import psutil
import psycopg
import pytest

from hotrow.errors import TargetError
from hotrow.standin.account import server_account
from hotrow.standin.binaries import Binaries, find_binaries
from hotrow.standin.server import down, ensure_up, status
from tests.support.local_home import AS_ROOT, ENSURE_UP, crash, end, python, socket_of, value


def test_an_interrupted_initdb_leaves_no_trace(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A starter that is killed during initdb leaves an incomplete data directory.

    The next start makes a complete one.
    """
    real = find_binaries()
    fake = _bin_with_slow_initdb(home, real)
    monkeypatch.setenv("HOTROW_PG_BIN", str(fake))
    starter = python(ENSURE_UP)
    initdb_pid = _pid_of_initdb(home)
    starter.kill()
    starter.communicate()
    half = list(home.glob("local/*/data.new-*"))
    assert len(half) == 1
    os.kill(initdb_pid, signal.SIGKILL)

    monkeypatch.setenv("HOTROW_PG_BIN", str(real.folder))
    assert value(ensure_up().dsn, "SELECT 1") == 1
    assert not list(home.glob("local/*/data.new-*"))


def test_a_start_that_is_interrupted_is_one_line(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGTERM during initdb: exit code 4, the reason, and no incomplete data directory."""
    monkeypatch.setenv("HOTROW_PG_BIN", str(_bin_with_slow_initdb(home, find_binaries())))
    starter = python(
        "from hotrow.commands.main import main; main(['local', 'up'], prog_name='hotrow')",
        stderr=subprocess.PIPE,
    )
    initdb = psutil.Process(_pid_of_initdb(home))
    starter.send_signal(signal.SIGTERM)
    _, stderr = starter.communicate(timeout=60)

    assert (starter.returncode, stderr) == (4, "hotrow: interrupted by SIGTERM\n")
    assert not list(home.glob("local/*/data*"))
    assert not initdb.is_running() or initdb.status() == psutil.STATUS_ZOMBIE


def _pid_of_initdb(home: Path) -> int:
    """The process id that the slow initdb writes into its FIFO. Fails if there is none after a minute."""
    descriptor = os.open(home / "started", os.O_RDONLY | os.O_NONBLOCK)  # does not wait for a writer
    try:
        poller = select.poll()
        poller.register(descriptor, select.POLLHUP)
        assert poller.poll(60_000), "initdb was not started"  # returns once the writer has closed it
        return int(os.read(descriptor, 100))
    finally:
        os.close(descriptor)


def _bin_with_slow_initdb(home: Path, real: Binaries) -> Path:
    """A bin folder whose initdb makes an incomplete data directory, writes its process id, and never ends."""
    folder = home / "bin"
    folder.mkdir()
    os.mkfifo(home / "started")
    (home / "started").chmod(0o666)
    for name in ("postgres",):
        (folder / name).symlink_to(real.program(name))
    initdb = folder / "initdb"
    initdb.write_text(f'#!/bin/sh\necho 18 > "$2/PG_VERSION"\necho $$ > {home}/started\nexec sleep 600\n')
    initdb.chmod(0o755)
    return folder


@pytest.mark.usefixtures("scratch")
def test_a_killed_postmaster_is_replaced_and_nothing_acknowledged_is_lost() -> None:
    """After kill -9, `status` reports that the server does not run.

    The next start recovers every committed row.
    """
    server = ensure_up()
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept (answer int PRIMARY KEY)")
        connection.execute("INSERT INTO kept VALUES (42)")
    end(server.pid)
    assert not status().running

    again = ensure_up()
    assert again.pid != server.pid
    assert value(again.dsn, "SELECT answer FROM kept") == 42


WRITERS = 4
COMMITS_BEFORE_CRASH = 50
NOTED_AND_COUNTED = """SELECT (SELECT count(*) FROM note WHERE writer = counter.writer), n
                         FROM counter ORDER BY writer"""


@pytest.mark.usefixtures("scratch")
def test_no_acknowledged_commit_is_lost_or_half_applied_when_all_processes_are_killed() -> None:
    """Each commit wrote to two adopted tables. Both have every acknowledged commit, and at most one more."""
    server = ensure_up()
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE counter (writer int PRIMARY KEY, n int NOT NULL)")
        connection.execute("CREATE TABLE note (writer int, n int, PRIMARY KEY (writer, n))")
        connection.execute("INSERT INTO counter SELECT generate_series(1, %s), 0", [WRITERS])
    warm = Barrier(WRITERS + 1)

    with ThreadPoolExecutor(WRITERS) as pool:
        writers = [
            pool.submit(_write_until_it_breaks, server.dsn, index + 1, warm) for index in range(WRITERS)
        ]
        warm.wait(timeout=60)
        crash(server.pid)
    acknowledged = [writer.result() for writer in writers]

    with psycopg.connect(ensure_up().dsn) as connection:
        rows = connection.execute(NOTED_AND_COUNTED).fetchall()
        assert min(acknowledged) >= COMMITS_BEFORE_CRASH
        assert [notes - n for notes, n in rows] == [0] * WRITERS
        assert all(n - count in {0, 1} for (_, n), count in zip(rows, acknowledged, strict=True))
        assert connection.execute("UPDATE counter SET n = n + 1").rowcount == WRITERS


def _write_until_it_breaks(dsn: str, writer: int, warm: Barrier) -> int:
    """Commit to both tables until the server ends; the number of acknowledged COMMITs."""
    acknowledged = 0
    with suppress(psycopg.OperationalError), psycopg.connect(dsn) as connection:
        while True:
            connection.execute("UPDATE counter SET n = n + 1 WHERE writer = %s", [writer])
            connection.execute("INSERT INTO note VALUES (%s, %s)", [writer, acknowledged + 1])
            connection.commit()
            acknowledged += 1
            if acknowledged == COMMITS_BEFORE_CRASH:
                warm.wait(timeout=60)
    return acknowledged


@pytest.mark.usefixtures("scratch")
def test_a_stale_pid_file_that_names_a_living_process_is_seen_through() -> None:
    """The killed postmaster's process id belongs to another process now, which is left alone."""
    server = ensure_up()
    end(server.pid)
    bystander = subprocess.Popen(["sleep", "600"], user=server_account().uid if AS_ROOT else None)
    for file in (server.data_directory / "postmaster.pid", Path(f"{socket_of(server)}.lock")):
        file.write_text(file.read_text().replace(str(server.pid), str(bystander.pid), 1))

    assert not status().running
    assert not down()
    assert value(ensure_up().dsn, "SELECT 1") == 1
    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()


@pytest.mark.usefixtures("scratch")
def test_a_server_whose_socket_was_cleaned_away_is_restarted() -> None:
    """Cleaners of temporary folders remove sockets. A server that nobody can reach is replaced."""
    server = ensure_up()
    socket_of(server).unlink()
    again = ensure_up()

    assert again.pid != server.pid
    assert value(again.dsn, "SELECT 1") == 1


@pytest.mark.usefixtures("home")
def test_a_start_that_fails_quotes_the_log_in_one_line() -> None:
    """The error is one line with the reason and the log's path."""
    server = ensure_up()
    assert down()
    with (server.data_directory / "postgresql.auto.conf").open("a") as file:
        file.write("no_such_setting = 1\n")

    with pytest.raises(TargetError, match="no_such_setting") as caught:
        ensure_up()
    assert "\n" not in str(caught.value)
    assert str(server.log) in str(caught.value)
    assert not status().running
