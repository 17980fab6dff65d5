"""Poolers that give each transaction another server connection: found before a run, and explained in it."""

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
    """The prepared statements that are run."""
    return [body.split(b"\0")[1] for kind, body in messages if kind == b"B"]


def losing_statements(sqlstate: str) -> Callable[[Talk], None]:
    """Like PgBouncer 1.18 in transaction mode: a statement exists only on the connection that prepared it."""

    def behave(talk: Talk) -> None:
        talk.greet()
        run: set[bytes] = set()
        while True:
            messages = talk.until_sync()
            lost = [name for name in names(messages) if name and name in run]
            run.update(names(messages))
            said = f'prepared statement "{lost[0].decode()}" does not exist' if lost else ""
            talk.send(error(sqlstate, said) + READY if lost else answers(messages))

    return behave


def losing_settings() -> Callable[[Talk], None]:
    """As PgBouncer with max_prepared_statements: every answer may come from another server connection."""
    places = count()

    def behave(talk: Talk) -> None:
        talk.greet()
        while True:
            talk.send(answers(talk.until_sync(), str(next(places)).encode()))

    return behave


def serial(talk: Talk) -> None:
    """Answers all, and refuses to open a transaction."""
    talk.greet()
    while True:
        messages = talk.until_sync()
        begins = any(kind == b"P" and b"BEGIN" in body for kind, body in messages)
        talk.send(error("08P01", "not allowed in this mode") + READY if begins else answers(messages))


def one_line(error: Exception) -> str:
    """Its text."""
    assert str(error).isprintable()
    return str(error)


@pytest.mark.parametrize(
    ("behave", "said"),
    [
        (losing_statements("26000"), LOST_STATEMENTS),
        (losing_statements("42P05"), LOST_STATEMENTS),
        (losing_settings(), LOST_SETTINGS),
    ],
)
def test_it_is_found_before_a_run(behave: Callable[[Talk], None], said: str) -> None:
    """The target is refused, with what to change."""
    with serving(behave) as url, pytest.raises(TargetError) as caught:
        check_reachable(parse_target(url), BLOCKING)

    assert one_line(caught.value) == f"postgresql 127.0.0.1, repeatable read: {said}"


def test_what_cannot_be_told_is_not_refused() -> None:
    """Another error of the check is not about poolers. The run will meet it when it matters."""
    with serving(serial) as url:
        target = parse_target(url)
        with pytest.raises(psycopg.Error, match="not allowed in this mode"):
            pooling_of(target, BLOCKING)

        assert check_reachable(target, BLOCKING) == "1"


@pytest.fixture
def direct(dsn: str) -> Target:
    """A server without a pooler."""
    assert dsn
    return start(parse_target("plain:rtt=0,commit=0"))


def test_a_direct_server_keeps_both(direct: Target) -> None:
    """And the check leaves nothing behind."""
    assert pooling_of(direct, BLOCKING) is None


def test_no_two_sessions_use_one_name(direct: Target) -> None:
    """Otherwise a pooler may make a session run what another has prepared, without an error."""
    sessions = [direct.connect(BLOCKING) for _ in range(2)]
    own = "SELECT name FROM pg_prepared_statements"
    prepared = {session.execute(own).rows[0][0] for session in sessions}
    for session in sessions:
        session.close()

    assert len(prepared) == 2


def test_a_lost_statement_is_explained_wherever_it_is_met(direct: Target) -> None:
    """The server's words, and what they mean."""
    session = direct.connect(BLOCKING)
    session.execute("SELECT 1")
    session.run("DEALLOCATE ALL")
    with pytest.raises(psycopg.Error) as caught:
        session.execute("SELECT 1")
    session.close()

    assert direct.error_text(caught.value).endswith(f" does not exist: {LOST_STATEMENTS}")
    assert explain_pooling(psycopg.errors.UndefinedTable("no")) is None
    assert explain_pooling(ValueError("no")) is None


def test_doctor_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A check of its own. The tables that other checks want are never made here."""
    monkeypatch.setattr("hotrow.doctor.sessions.SETUP_DEADLINE_S", 0.1)
    monkeypatch.setattr("hotrow.probe.sessions.SETUP_DEADLINE_S", 0.1)
    with serving(losing_statements("26000")) as url:
        done = CliRunner().invoke(main, ["doctor", "-H", url])

    assert done.exit_code == 1
    assert "pooling" in done.stdout
    assert "session mode" in " ".join(done.stdout.split())
