"""`hotrow local`: what its commands print, and their exit codes."""

from __future__ import annotations

import json
import subprocess
import sys

import psycopg
import pytest
from click.testing import CliRunner

from hotrow.targets.local.commands import local
from hotrow.targets.local.server import ensure_up, status
from tests.local_home import new_home, value


def test_status_before_the_first_start_makes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """`status --json` of a fresh machine: not running, no dsn, where the data would be; exit code 0."""
    with new_home() as home:
        monkeypatch.setenv("HOTROW_HOME", str(home))
        answer = CliRunner().invoke(local, ["status", "--json"])
        assert not list(home.iterdir())

    assert answer.exit_code == 0
    facts = json.loads(answer.output)
    assert facts["running"] is False
    assert facts["dsn"] is None
    assert facts["data_directory"].startswith(str(home))
    assert list(facts) == ["running", "dsn", "data_directory", "server_version", "endpoint"]


def test_status_of_a_running_server_names_its_dsn(dsn: str) -> None:
    """`status --json` gives a dsn that any client can use; the table shows the same."""
    facts = json.loads(CliRunner().invoke(local, ["status", "--json"]).output)
    table = CliRunner().invoke(local, ["status"]).output

    assert facts["running"] is True
    assert value(facts["dsn"], "SELECT 1") == 1
    assert dsn in table
    assert f"pid             {status().pid}\n" in table


def test_up_prints_the_dsn(dsn: str) -> None:
    """`up` on a running server prints how to connect; exit code 0."""
    answer = CliRunner().invoke(local, ["up"])

    assert answer.exit_code == 0
    assert f"dsn      {dsn}\n" in answer.output


def test_down_says_what_it_did_and_ends_well_either_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """`down` counts the connections that it closes; where nothing runs it says so; exit code 0 both times."""
    with new_home() as home:
        monkeypatch.setenv("HOTROW_HOME", str(home))
        with psycopg.connect(ensure_up().dsn):
            stopped = CliRunner().invoke(local, ["down"])
        again = CliRunner().invoke(local, ["down"])

    assert (stopped.exit_code, stopped.output) == (0, "Stopped; 1 connection closed.\n")
    assert (again.exit_code, again.output) == (0, "It was not running.\n")


@pytest.mark.usefixtures("dsn")
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
