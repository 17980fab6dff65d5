"""Schemas that killed runs leave on a target: recognised, listed and removed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import psycopg
import pytest
from click.testing import CliRunner

from hotrow.commands.main import main
from hotrow.tables.leftovers import SURELY_ENDED, RunStatus, find_leftovers, run_status_of
from hotrow.tables.schema_name import new_name, read, this_machine
from hotrow.targets.session import BLOCKING
from hotrow.targets.target import parse_target, start
from tests.support.local_home import value

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = this_machine()
ELSEWHERE = "00000000"
NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
LONG_AGO = NOW - SURELY_ENDED - timedelta(minutes=1)
JUST_NOW = NOW - timedelta(minutes=1)


def name_of(machine: str, pid: int, began: datetime = LONG_AGO, end: str = "abcdef") -> str:
    return f"hotrow_{began:%Y%m%dt%H%M%Sz}_host_{machine}_{pid}_{end}"


@pytest.mark.parametrize(
    ("machine", "began", "process", "sessions", "expected"),
    [
        pytest.param(HERE, LONG_AGO, LONG_AGO, frozenset(), RunStatus.RUNNING, id="its process runs"),
        pytest.param(HERE, LONG_AGO, LONG_AGO, None, RunStatus.RUNNING, id="the same on dsql"),
        pytest.param(HERE, JUST_NOW, None, frozenset(), RunStatus.ENDED, id="its process is gone"),
        pytest.param(HERE, JUST_NOW, None, None, RunStatus.ENDED, id="the same on dsql"),
        pytest.param(
            HERE, LONG_AGO, JUST_NOW, frozenset(), RunStatus.ENDED, id="its id is a younger process's"
        ),
        pytest.param(
            HERE, LONG_AGO, None, "its", RunStatus.RUNNING, id="its process is gone, its workers are not"
        ),
        pytest.param(ELSEWHERE, LONG_AGO, LONG_AGO, frozenset(), RunStatus.ENDED, id="elsewhere, no session"),
        pytest.param(
            ELSEWHERE, JUST_NOW, None, frozenset(), RunStatus.UNKNOWN, id="elsewhere, perhaps connecting"
        ),
        pytest.param(ELSEWHERE, LONG_AGO, None, None, RunStatus.UNKNOWN, id="elsewhere, on dsql"),
        pytest.param(ELSEWHERE, LONG_AGO, None, "its", RunStatus.RUNNING, id="elsewhere, with sessions"),
    ],
)
def test_a_run_that_may_go_on_has_not_ended(
    machine: str,
    began: datetime,
    process: datetime | None,
    sessions: frozenset[str] | str | None,
    expected: RunStatus,
) -> None:
    """A run goes on if its sessions or process are visible. If they cannot be seen, its status is unknown."""
    maker = read(name_of(machine, 12345, began) + "_3")
    assert maker is not None
    known = frozenset({maker.run}) if sessions == "its" else sessions

    assert run_status_of(maker, process, known, NOW) is expected  # type: ignore[arg-type]


@pytest.fixture
def left(dsn: str) -> Iterator[dict[str, str]]:
    """Schemas of four runs in the stand-in, by the status of the run."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    names = {
        "running here": new_name(),
        "killed": name_of(HERE, gone.pid),
        "running elsewhere": name_of(ELSEWHERE, os.getpid(), end="aaaaaa"),
        "unknown": name_of(ELSEWHERE, 1, datetime.now(UTC), end="bbbbbb"),
        "a user's": "hotrow_of_a_user",
    }
    with ExitStack() as stack, psycopg.connect(dsn, autocommit=True) as owner:
        for name in names.values():
            owner.execute(f"CREATE SCHEMA {name}".encode())
            owner.execute(f"CREATE TABLE {name}.t (id int PRIMARY KEY)".encode())
        stack.enter_context(psycopg.connect(dsn, application_name=names["running elsewhere"]))
        yield names
        for name in names.values():
            owner.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE".encode())


def states(names: dict[str, str], host: str) -> dict[str, str]:
    statuses = {
        leftover.maker.schema: leftover.run_status.value
        for leftover in find_leftovers(start(parse_target(host)), BLOCKING)
    }
    return {meaning: statuses[name] for meaning, name in names.items() if name in statuses}


@pytest.mark.parametrize("host", ["local:rtt=0,commit=0", "plain:rtt=0,commit=0"])
def test_leftovers_differ_from_runs_that_go_on(left: dict[str, str], host: str) -> None:
    """For runs of this machine processes count, for others sessions. Other schemas are not listed."""
    assert states(left, host) == {
        "running here": "running",
        "killed": "ended",
        "running elsewhere": "running",
        "unknown": "unknown",
    }


def test_clean_lists_first_and_removes_nothing_unasked(left: dict[str, str]) -> None:
    """Without --yes and without a terminal to confirm, it only prints the list."""
    answer = CliRunner().invoke(main, ["local", "clean"])

    assert answer.exit_code == 0
    assert left["killed"] in answer.output
    assert "add --yes" in answer.output
    assert "killed" in states(left, "local")


def test_clean_removes_what_ended_and_nothing_else(left: dict[str, str], dsn: str) -> None:
    """The schema of the killed run is dropped with its tables. All others stay, including the user's."""
    answer = CliRunner().invoke(main, ["local", "clean", "--yes"])

    assert (answer.exit_code, set(states(left, "local"))) == (
        0,
        {"running here", "running elsewhere", "unknown"},
    )
    assert (
        value(dsn, f"SELECT to_regnamespace('{left[chr(97) + chr(32) + 'user' + chr(39) + 's']}')")
        is not None
    )


def test_clean_with_unknown_spares_those_that_run(left: dict[str, str]) -> None:
    """--unknown removes more, but never the schema of a running run. JSON shows which were removed."""
    answer = CliRunner().invoke(main, ["clean", "-H", "plain:rtt=0,commit=0", "--unknown", "--yes", "--json"])
    listed = {schema["schema"]: schema for schema in json.loads(answer.output)["schemas"]}

    assert answer.exit_code == 0
    assert {meaning: listed[name]["removed"] for meaning, name in left.items() if name in listed} == {
        "running here": False,
        "killed": True,
        "running elsewhere": False,
        "unknown": True,
    }
    assert listed[left["killed"]]["size_bytes"] > 0
    assert listed[left["running here"]]["pid"] == os.getpid()
    assert set(states(left, "local")) == {"running here", "running elsewhere"}


def test_a_schema_that_cannot_be_removed_is_reported(
    left: dict[str, str], monkeypatch: pytest.MonkeyPatch, dsn: str
) -> None:
    """Another user's schema stays. One line has the reason, and the exit code is 2."""
    with psycopg.connect(dsn, autocommit=True) as owner:
        owner.execute("CREATE ROLE hotrow_cleaner LOGIN")
        try:
            monkeypatch.setenv("PGOPTIONS", "-c role=hotrow_cleaner")
            answer = CliRunner().invoke(main, ["clean", "-H", _url(dsn), "--yes"])
        finally:
            owner.execute("DROP ROLE hotrow_cleaner")

    assert answer.exit_code == 2
    assert f"hotrow: cannot remove {left['killed']}: " in answer.stderr
    assert "must be owner" in answer.stderr


def _url(dsn: str) -> str:
    parts = psycopg.conninfo.conninfo_to_dict(dsn)
    return f"postgresql://{parts['user']}@/{parts['dbname']}?host={parts['host']}&port={parts['port']}"


def test_a_session_bears_the_name_of_its_run(dsn: str, schema: str) -> None:
    """Everybody can see on the server which runs go on."""
    session = start(parse_target("local:rtt=0,commit=0")).connect(BLOCKING, schema)
    try:
        names = value(dsn, "SELECT array_agg(application_name) FROM pg_stat_activity")
        assert schema in list(names)  # type: ignore[call-overload]
    finally:
        session.close()
