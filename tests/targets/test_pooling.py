"""Poolers that give each transaction another server connection: found before a run, explained during it."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import psycopg
import pytest
from click.testing import CliRunner

from hotrow.commands.main import main
from hotrow.errors import TargetError
from hotrow.targets.pooling import LOST_SETTINGS, LOST_STATEMENTS, explain_pooling
from hotrow.targets.session import BLOCKING
from hotrow.targets.target import Target, check_reachable, parse_target, pooling_of, start
from tests.support.fake_server import READY, Talk, answers, error, serving

if TYPE_CHECKING:
    from collections.abc import Callable


def names(messages: list[tuple[bytes, bytes]]) -> list[bytes]:
    """The names of the prepared statements that these messages run."""
    return [body.split(b"\0")[1] for kind, body in messages if kind == b"B"]


def losing_statements(sqlstate: str) -> Callable[[Talk], None]:
    """A server like PgBouncer 1.18 in transaction mode: prepared statements are lost with the connection."""

    def behave(talk: Talk) -> None:
        talk.greet()
        run: set[bytes] = set()
        while True:
            messages = talk.until_sync()
            lost = [name for name in names(messages) if name and name in run]
            run.update(names(messages))
            text = f'prepared statement "{lost[0].decode()}" does not exist' if lost else ""
            talk.send(error(sqlstate, text) + READY if lost else answers(messages))

    return behave


def losing_settings() -> Callable[[Talk], None]:
    """A server like PgBouncer with max_prepared_statements: every answer is from another connection."""
    numbers = count()

    def behave(talk: Talk) -> None:
        talk.greet()
        while True:
            talk.send(answers(talk.until_sync(), str(next(numbers)).encode()))

    return behave


def serial(talk: Talk) -> None:
    """A server that answers everything but refuses to open a transaction."""
    talk.greet()
    while True:
        messages = talk.until_sync()
        begins = any(kind == b"P" and b"BEGIN" in body for kind, body in messages)
        talk.send(error("08P01", "not allowed in this mode") + READY if begins else answers(messages))


def one_line(error: Exception) -> str:
    """The text of an error."""
    assert str(error).isprintable()
    return str(error)


@pytest.mark.parametrize(
    ("behave", "message"),
    [
        (losing_statements("26000"), LOST_STATEMENTS),
        (losing_statements("42P05"), LOST_STATEMENTS),
        (losing_settings(), LOST_SETTINGS),
    ],
)
def test_a_pooler_is_found_before_a_run(behave: Callable[[Talk], None], message: str) -> None:
    """The target is refused, and the message says what to change."""
    with serving(behave) as url, pytest.raises(TargetError) as caught:
        check_reachable(parse_target(url), BLOCKING)

    assert one_line(caught.value) == f"postgresql 127.0.0.1, repeatable read: {message}"


def test_a_target_is_not_refused_if_the_check_itself_fails() -> None:
    """Another error of the check is not about poolers. The run will meet the error if it matters."""
    with serving(serial) as url:
        target = parse_target(url)
        with pytest.raises(psycopg.Error, match="not allowed in this mode"):
            pooling_of(target, BLOCKING)

        assert check_reachable(target, BLOCKING) == "1"


@pytest.fixture
def direct(dsn: str) -> Target:
    """A target without a pooler."""
    assert dsn
    return start(parse_target("plain:rtt=0,commit=0"))


def test_a_direct_server_keeps_statements_and_settings(direct: Target) -> None:
    """No pooler is reported."""
    assert pooling_of(direct, BLOCKING) is None


def test_no_two_sessions_use_one_name(direct: Target) -> None:
    """Otherwise, behind a pooler, a session could run a statement that another one has prepared."""
    sessions = [direct.connect(BLOCKING) for _ in range(2)]
    query = "SELECT name FROM pg_prepared_statements"
    prepared = {session.execute(query).rows[0][0] for session in sessions}
    for session in sessions:
        session.close()

    assert len(prepared) == 2


def test_a_lost_statement_is_explained_wherever_it_is_met(direct: Target) -> None:
    """The text has the server's message and its explanation. Other errors are not explained."""
    session = direct.connect(BLOCKING)
    session.execute("SELECT 1")
    session.run("DEALLOCATE ALL")
    with pytest.raises(psycopg.Error) as caught:
        session.execute("SELECT 1")
    session.close()

    assert direct.error_text(caught.value).endswith(f" does not exist: {LOST_STATEMENTS}")
    assert explain_pooling(psycopg.errors.UndefinedTable("no")) is None
    assert explain_pooling(ValueError("no")) is None


def test_doctor_names_the_pooler(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has a separate check. The fake server never creates the tables that other checks need."""
    monkeypatch.setattr("hotrow.doctor.sessions.SETUP_DEADLINE_S", 0.1)
    monkeypatch.setattr("hotrow.probe.sessions.SETUP_DEADLINE_S", 0.1)
    with serving(losing_statements("26000")) as url:
        done = CliRunner().invoke(main, ["doctor", "-H", url])

    assert done.exit_code == 1
    assert "pooling" in done.stdout
    assert "session mode" in " ".join(done.stdout.split())
