"""Servers that fall silent or send nonsense: one line, after a bounded time."""

from __future__ import annotations

import random
import subprocess
import sys
from typing import TYPE_CHECKING

import psycopg
import pytest
from click.testing import CliRunner

from hotrow.commands.main import main
from hotrow.errors import HotrowError, TargetError
from hotrow.tables.run_schema import RunSchema
from hotrow.targets.session import BLOCKING
from hotrow.targets.target import check_reachable, parse_target
from scenarios.counter import Counter
from tests.support.fake_server import READY, Talk, answers, error, message, parameter, serving

if TYPE_CHECKING:
    from collections.abc import Callable

ANSWER_DEADLINE_S = 0.3
TIMEOUT_S = 60
GARBLED = 150
pytestmark = pytest.mark.server  # a server that says little or nothing; the tests wait for it


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short time limits for the tests."""
    for name in (
        "targets.target.OPENING_S",
        "tables.run_schema.TABLES_S",
        "tables.rehearsal.TABLES_S",
        "doctor.sessions.ANSWER_DEADLINE_S",
        "doctor.sessions.SETUP_DEADLINE_S",
        "probe.sessions.SETUP_DEADLINE_S",
    ):
        monkeypatch.setattr(f"hotrow.{name}", ANSWER_DEADLINE_S)
    monkeypatch.setattr("hotrow.doctor.network.TIMEOUT_S", ANSWER_DEADLINE_S)
    monkeypatch.setattr("hotrow.targets.target.CONNECT_TIMEOUT_S", 2)  # psycopg's least


def mute(talk: Talk) -> None:
    """A server that accepts connections and does not answer."""
    talk.stay_silent()


def polite(talk: Talk) -> None:
    """A server that lets clients in and then does not answer."""
    talk.greet()
    talk.stay_silent()


def answering(statements: int) -> Callable[[Talk], None]:
    """A server that answers the first `statements` exchanges of each connection and no more."""

    def behave(talk: Talk) -> None:
        talk.greet()
        for _ in range(statements):
            talk.send(answers(talk.until_sync()))
        talk.stay_silent()

    return behave


def empty(talk: Talk) -> None:
    """A server that answers a simple query only with its end, and any other statement without a row."""
    talk.greet()
    while True:
        kind, _ = talk.message()
        reply = {b"P": message(b"1"), b"B": message(b"2"), b"D": message(b"n"), b"E": message(b"C", b"SET\0")}
        talk.send(reply.get(kind, READY))


def one_line(refusal: HotrowError) -> str:
    """The text of an error, which must be one line."""
    assert str(refusal).isprintable()
    return str(refusal)


@pytest.mark.parametrize("behave", [mute, polite, answering(1)])
def test_a_silent_server_is_not_reachable(behave: Callable[[Talk], None]) -> None:
    """It answers nothing at all, no statement, or not the last statement of the check."""
    with serving(behave) as url, pytest.raises(TargetError) as caught:
        check_reachable(parse_target(url), BLOCKING)

    assert "time" in one_line(caught.value)


def test_a_server_without_a_version() -> None:
    """The server is not PostgreSQL."""
    with serving(empty) as url, pytest.raises(TargetError) as caught:
        check_reachable(parse_target(url), BLOCKING)

    assert "version" in one_line(caught.value)


@pytest.mark.parametrize("behave", [mute, polite, answering(1), empty])
@pytest.mark.parametrize("command", ["doctor", "probe"])
def test_a_command_ends_with_one_line(command: str, behave: Callable[[Talk], None]) -> None:
    """The exit code is 2."""
    with serving(behave) as url:
        done = CliRunner().invoke(main, [command, "-H", url])

    assert (done.exit_code, done.stderr.count("\n")) == (2, 1), done.output
    assert done.stderr.startswith("hotrow: ")


def test_a_server_that_falls_silent_during_the_probes() -> None:
    """The first statement without an answer ends the probes. The line names that statement."""

    def behave(talk: Talk) -> None:
        talk.greet()
        while True:  # until the first simple query, which has no Sync
            talk.send(answers(talk.until_sync(), b"17"))

    with serving(behave) as url:
        done = CliRunner().invoke(main, ["probe", "-H", url])

    assert (done.exit_code, done.stderr.count("\n")) == (2, 1), done.output
    assert "did not answer: CREATE SCHEMA" in done.stderr


@pytest.mark.parametrize("exchanges", [0, 1])
def test_tables_on_a_silent_server(exchanges: int) -> None:
    """Creating, filling or reading the tables ends with one line."""
    with serving(answering(exchanges)) as url:
        run_schema = RunSchema(parse_target(url), "run_1", Counter(), BLOCKING)
        for work in (lambda: run_schema.build(10), lambda: run_schema.observe(Counter()), run_schema.drop):
            with pytest.raises(TargetError) as caught:
                work()
            assert "time" in one_line(caught.value)


def test_a_session_without_an_answer_is_lost() -> None:
    """The outcome of the statement is unknown, so the connection is closed."""
    with serving(answering(1)) as url:
        session = parse_target(url).connect(BLOCKING, "anywhere", answer_deadline_s=ANSWER_DEADLINE_S)
        with pytest.raises(psycopg.errors.ConnectionTimeout) as caught:
            session.execute("SELECT 1")

        assert session.describe(caught.value).lost
        assert not session.usable


@pytest.mark.parametrize("leaves", [True, False])
@pytest.mark.parametrize("sqlstate", ["40001", "57P01"])
def test_an_error_is_believed_though_the_connection_breaks_after_it(sqlstate: str, leaves: bool) -> None:
    """The error is the statement's result, even if the server then leaves or falls silent."""

    def behave(talk: Talk) -> None:
        talk.greet()
        talk.send(answers(talk.until_sync()))  # SET search_path
        talk.send(answers(talk.until_sync()))  # the statement, prepared
        talk.until_sync()
        talk.send(error(sqlstate, "no", "FATAL"))
        if not leaves:
            talk.stay_silent()

    with serving(behave) as url:
        session = parse_target(url).connect(BLOCKING, "anywhere", answer_deadline_s=ANSWER_DEADLINE_S)
        with pytest.raises(psycopg.Error) as caught:
            session.execute("SELECT 1")

        failure = session.describe(caught.value)
        assert (failure.sqlstate, failure.lost) == (sqlstate, True)
        session.close()


UNDER_GEVENT = """
import sys
import hotrow.load
from hotrow.load.gevent_waiting import COOPERATIVE
from hotrow.targets import target
target.OPENING_S, target.CONNECT_TIMEOUT_S = 0.3, 2
try:
    target.check_reachable(target.parse_target(sys.argv[1]), COOPERATIVE)
except target.TargetError as error:
    print(error)
"""


def test_under_gevent() -> None:
    """The same holds under gevent, where a run checks its target."""
    with serving(polite) as url:
        done = subprocess.run(
            [sys.executable, "-c", UNDER_GEVENT, url],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )

    assert (done.stdout.count("\n"), done.stderr) == (1, "")
    assert "time" in done.stdout


def garbage(rng: random.Random) -> bytes:
    """Random bytes, another protocol, or well-formed messages that make no sense."""
    kinds = [bytes([rng.choice(b"RSKZETDC12nGH")]) for _ in range(6)]
    known = [message(kind, rng.randbytes(rng.randint(0, 40))) for kind in kinds]
    return rng.choice(
        [
            rng.randbytes(rng.choice([1, 5, 5000])),
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            b"".join(known),
            b"".join(known) + READY,
            READY * 3,
            error("\xff\xfe", "\x1b[31m" + "\udcff".encode("utf-8", "surrogateescape").decode("latin1"))
            + READY,
            parameter("client_encoding", "KLINGON") + READY,
        ]
    )


def test_nonsense_is_reported_in_one_line() -> None:
    """It may come at once, after the TLS request, or instead of an answer."""
    rng = random.Random(4)  # noqa: S311 - seeded, for a test
    stage = [0]

    def behave(talk: Talk) -> None:
        if stage[0] == 1:
            talk.take(8)
            talk.send(rng.choice([b"N", b"S"]))
        elif stage[0] > 1:
            talk.greet()
            messages = talk.until_sync()
            if stage[0] == 3:
                talk.send(answers(messages))
                talk.until_sync()
        talk.send(garbage(rng))

    with serving(behave) as url:
        target = parse_target(url)
        for number in range(GARBLED):
            stage[0] = number % 4
            with pytest.raises(HotrowError) as caught:
                check_reachable(target, BLOCKING)
            assert one_line(caught.value)
