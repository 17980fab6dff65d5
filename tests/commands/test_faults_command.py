"""`hotrow local faults`: its options, its output, and refusals in one line."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING

import psycopg
import pytest
from click.testing import CliRunner, Result

from hotrow.commands.main import main
from hotrow.standin.endpoint.control import choose_socket_path, remove_socket
from tests.support.faulty import simply

if TYPE_CHECKING:
    from pathlib import Path


def command(*options: str) -> Result:
    return CliRunner().invoke(main, ["local", "faults", *options])


def faults(*options: str) -> str:
    """The output of the command, which must succeed."""
    done = command(*options)
    assert (done.exit_code, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.usefixtures("dsns")
def test_faults_that_are_set_are_shown_and_others_are_off() -> None:
    """The output is the same as text and as JSON."""
    shown = " ".join(faults("--conflict", "0.2", "--delay", "0.1:200ms", "--seed", "7").split())
    assert shown == "conflict 0.2 fired 0 delay 0.1:200ms fired 0 seed 7"
    facts = json.loads(faults("--session-life", "2m", "--connect-rate", "5", "--json"))
    assert facts["faults"]["session_life"] == 120
    assert facts["faults"]["connect_burst"] == 5
    assert facts["faults"]["conflict"] == 0
    assert facts == json.loads(faults("--json"))
    assert set(facts["fired"].values()) == {0}
    assert faults("--off") == faults() == "No faults are in force.\n"


def test_it_counts_faults_that_fired(dsns: list[str], schema: str) -> None:
    """Counting begins again when faults are set."""
    faults("--conflict", "1")
    with psycopg.connect(dsns[0], autocommit=True, options=f"-c search_path={schema}") as connection:
        connection.execute("BEGIN")
        with pytest.raises(psycopg.errors.SerializationFailure):
            connection.execute("COMMIT")
    assert "fired 1" in faults()
    assert "fired 0" in faults("--conflict", "0.5")
    faults("--off")


@pytest.mark.usefixtures("dsns")
@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--conflict", "1.5"), "--conflict 1.5: a probability is 0 to 1"),
        (("--drop-during", "-0.1"), "--drop-during -0.1: a probability is 0 to 1"),
        (("--unavailable", "nan"), "--unavailable nan: a probability is 0 to 1"),
        (("--refuse", "often"), "often"),
        (("--delay", "0.1"), "--delay: '' is not a duration"),
        (("--delay", "2:1s"), "--delay 2: a probability is 0 to 1"),
        (("--delay", "much:1s"), "P:DURATION"),
        (("--session-life", "60"), "--session-life"),
        (("--connect-rate", "0"), "--connect-rate"),
        (("--connect-burst", "5"), "--connect-rate"),
        (("--connect-rate", "5", "--connect-burst", "0.5"), "--connect-burst"),
        (("--off", "--conflict", "1"), "--off"),
        (("--seed", "-1"), "--seed"),
    ],
)
def test_a_bad_option_is_one_line_and_changes_nothing(options: tuple[str, ...], text: str) -> None:
    """The exit code is 2, and the faults in force stay."""
    faults("--refuse", "0.5")
    done = command(*options)
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert text in done.stderr
    assert "refuse" in faults()
    faults("--off")


@pytest.mark.usefixtures("home")
def test_no_endpoint_is_one_line() -> None:
    """The line has the command that starts an endpoint."""
    done = command("--conflict", "1")
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert "hotrow local up --endpoint" in done.stderr


def test_the_faults_are_not_kept(dsns: list[str], schema: str) -> None:
    """After `--off` a connection commits."""
    faults("--off")
    with psycopg.connect(dsns[0], autocommit=True, options=f"-c search_path={schema}") as connection:
        connection.execute("CREATE TABLE counter (id int PRIMARY KEY, v int)")
        assert simply(connection) == "COMMIT"


def test_the_control_socket_s_path_is_short_enough_for_a_socket(tmp_path: Path) -> None:
    """If the folder's path is too long, the socket is in a private folder elsewhere, removed at the end."""
    deep = tmp_path / ("x" * 90)
    deep.mkdir()
    path = choose_socket_path(deep)
    assert len(str(path)) < 100
    assert path.parent != deep
    assert path.parent.stat().st_mode & 0o777 == 0o700
    remove_socket(path, deep)
    assert not path.parent.exists()


@pytest.mark.usefixtures("dsns")
def test_it_counts_conflicts_that_nobody_injected(dsns: list[str], schema: str) -> None:
    """Beside those of faults, whether messages are followed or not."""
    faults("--off")
    with ExitStack() as stack:
        one, other = (
            stack.enter_context(psycopg.connect(dsns[0], options=f"-c search_path={schema}")) for _ in "ab"
        )
        one.execute("CREATE TABLE told (n int PRIMARY KEY)")
        one.commit()
        for value, fault in ((1, "--off"), (2, "--delay=1:1ms")):
            if value > 1:
                faults(fault)
            for connection in (one, other):
                connection.execute("INSERT INTO told VALUES (%s)", (value,))
            one.commit()
            with pytest.raises(psycopg.errors.SerializationFailure):
                other.commit()
            assert faults().splitlines()[-1] == "1 conflict told to clients, 0 of them injected"
    faults("--conflict", "1")
    with psycopg.connect(dsns[0]) as connection:
        connection.execute("SELECT 1")
        with pytest.raises(psycopg.errors.SerializationFailure):
            connection.commit()
    assert faults().splitlines()[-1] == "1 conflict told to clients, 1 of them injected"
    facts = json.loads(command("--json").stdout)
    assert facts["told_conflicts"] == facts["fired"]["conflict"] == 1
    faults("--off")
