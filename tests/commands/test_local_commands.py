"""`hotrow local`: the output and the exit codes of its commands."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from click.testing import CliRunner

from hotrow.commands.local import local
from hotrow.errors import TargetError
from hotrow.standin import data_directory
from hotrow.standin.server import down, ensure_up, status
from tests.support.local_home import new_home, value

if TYPE_CHECKING:
    from hotrow.standin.account import Account

pytestmark = pytest.mark.server


def test_status_before_the_first_start_makes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """`status --json` on a fresh machine: not running, no dsn, the future data directory, exit code 0."""
    with new_home() as home:
        monkeypatch.setenv("HOTROW_HOME", str(home))
        answer = CliRunner().invoke(local, ["status", "--json"])
        assert not list(home.iterdir())

    assert answer.exit_code == 0
    facts = json.loads(answer.output)
    assert facts["running"] is False
    assert facts["dsn"] is None
    assert facts["data_directory"].startswith(str(home))
    names = ["running", "dsn", "data_directory", "server_version", "fsync", "endpoint", "endpoints"]
    assert list(facts) == [*names, "told_conflicts"]


def test_status_of_a_running_server_names_its_dsn(dsn: str) -> None:
    """`status --json` gives a dsn that any client can use; the table shows the same."""
    facts = json.loads(CliRunner().invoke(local, ["status", "--json"]).output)
    table = CliRunner().invoke(local, ["status"]).output

    assert facts["running"] is True
    assert facts["fsync"] is True
    assert value(facts["dsn"], "SELECT 1") == 1
    assert dsn in table
    assert f"pid             {status().pid}\n" in table


def test_up_prints_the_dsn(dsn: str) -> None:
    """`up` on a running server prints the dsn and exits with 0."""
    answer = CliRunner().invoke(local, ["up"])

    assert answer.exit_code == 0
    assert f"dsn      {dsn}\n" in answer.output


def test_up_without_fsync_says_so_and_holds_until_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next `up` has the same server and warning; `up --fsync` is refused in one line."""
    with new_home() as home:
        monkeypatch.setenv("HOTROW_HOME", str(home))
        first = CliRunner().invoke(local, ["up", "--no-fsync"])
        again = CliRunner().invoke(local, ["up"])
        other = CliRunner().invoke(local, ["up", "--fsync"])
        facts = json.loads(CliRunner().invoke(local, ["status", "--json"]).output)
        shown = value(facts["dsn"], "SHOW fsync")

    assert (first.exit_code, again.exit_code) == (0, 0)
    assert "fsync is off: a crash" in first.output
    assert "fsync is off: a crash" in again.output
    assert isinstance(other.exception, TargetError)
    assert str(other.exception) == (
        "the local server runs with fsync off: `hotrow local down` first, or leave out --fsync"
    )
    assert (facts["fsync"], shown) == (False, "off")


def test_a_start_after_one_without_fsync_puts_the_data_on_disk_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The next start has fsync again and begins with `initdb --sync-only`, or old data could be lost."""
    programs: list[list[str]] = []
    real = data_directory.run_as

    def noting(account: Account, command: list[str | Path]) -> tuple[int, str]:
        programs.append([Path(command[0]).name, *map(str, command[1:])])
        return real(account, command)

    with new_home() as home:
        monkeypatch.setenv("HOTROW_HOME", str(home))
        ensure_up(fsync=False)
        down()
        monkeypatch.setattr(data_directory, "run_as", noting)
        server = ensure_up()
        down()
        ensure_up()

    assert server.fsync is True
    assert [words[:2] for words in programs if words[0] == "initdb"] == [["initdb", "--sync-only"]]


def test_down_reports_its_result_and_exits_with_0(monkeypatch: pytest.MonkeyPatch) -> None:
    """`down` counts the connections that it closes, or reports that no server was running."""
    with new_home() as home:
        monkeypatch.setenv("HOTROW_HOME", str(home))
        with psycopg.connect(ensure_up().dsn):
            stopped = CliRunner().invoke(local, ["down"])
        again = CliRunner().invoke(local, ["down"])

    assert (stopped.exit_code, stopped.output) == (0, "Stopped; 1 connection closed.\n")
    assert (again.exit_code, again.output) == (0, "It was not running.\n")


@pytest.mark.usefixtures("dsn")
def test_psql_passes_its_arguments_and_exit_code_on() -> None:
    """Options go to psql unchanged, and its exit code comes back."""
    command = "from hotrow.commands.local import local; local()"
    argv = [sys.executable, "-c", command, "psql"]
    fine = subprocess.run([*argv, "-Atc", "SELECT 6 * 7"], capture_output=True, text=True, check=False)
    wrong = subprocess.run([*argv, "-c", "nonsense"], capture_output=True, text=True, check=False)

    assert (fine.returncode, fine.stdout) == (0, "42\n")
    assert wrong.returncode == 1


@pytest.mark.parametrize("command", sorted(local.commands))
def test_every_command_has_help_with_an_example(command: str) -> None:
    """`--help` shows an example of the command."""
    answer = CliRunner().invoke(local, [command, "--help"])

    assert answer.exit_code == 0
    assert f"Example:\n    hotrow local {command}" in answer.output
    assert "\\b" not in answer.output
