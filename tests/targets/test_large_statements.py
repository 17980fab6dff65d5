"""Statements and parameters that are too large for the buffers of a socket."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from hotrow.probe.sessions import AnswerType, playground
from hotrow.targets.session import BLOCKING
from hotrow.targets.target import Target, parse_target, start
from tests.support.fake_server import READY, Talk, answers, error, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hotrow.targets.session import PostgresSession

LARGE = 20_000_000
"""In bytes. The socket buffers on both sides together hold about one million."""
ANSWER_DEADLINE_S = 60.0


@pytest.fixture
def target(dsn: str) -> Target:
    """The stand-in without injected latency."""
    assert dsn
    return start(parse_target("local:rtt=0,commit=0"))


@pytest.fixture
def session(target: Target) -> Iterator[PostgresSession]:
    """A session with time limits, so that a hang fails the test."""
    session = target.connect(BLOCKING, answer_deadline_s=ANSWER_DEADLINE_S)
    yield session
    session.close()


def test_a_large_parameter(session: PostgresSession) -> None:
    """It arrives complete and comes back, also inside a transaction."""
    text = "x" * LARGE

    session.begin()
    assert session.execute("SELECT length($1::text), $1::text", text).rows == [(LARGE, text)]
    assert session.commit() == "COMMIT"


def test_a_large_statement(session: PostgresSession) -> None:
    """It is sent as a prepared statement, and in the way that a run creates its tables."""
    statement = f"SELECT length('{'x' * LARGE}')"

    assert session.execute(statement).rows == [(LARGE,)]
    assert session.run(statement).rows == [(LARGE,)]


def test_a_large_statement_of_a_probe(target: Target) -> None:
    """A probe sends a large statement completely within its deadline."""
    with playground(target, (), ("a",), ANSWER_DEADLINE_S) as sessions:
        answer = sessions["a"].answer(f"SELECT length('{'x' * LARGE}')")

    assert (answer.type, answer.text) == (AnswerType.ROWS, str(LARGE))


def chatter(talk: Talk) -> None:
    """A server that reads the first bytes of a statement, sends a large answer, and then reads on."""
    talk.greet()
    notice = error("01000", "n" * 8000, "NOTICE", kind=b"N")
    while True:
        start = talk.take(1)
        talk.send(*[notice] * 2500)
        size = int.from_bytes(talk.take(4), "big") - 4
        messages = [(start, talk.take(size))]
        talk.send(READY if start == b"S" else answers([*messages, *talk.until_sync()]))


def test_a_server_that_talks_while_it_is_written_to() -> None:
    """The client reads while it sends the parameter, so neither side waits for the other forever."""
    with serving(chatter) as url:
        session = parse_target(url).connect(BLOCKING, answer_deadline_s=ANSWER_DEADLINE_S)

        assert session.execute("SELECT $1", "x" * LARGE).rows == [("1",)]
        session.close()


UNDER_GEVENT = """
import sys
import hotrow.load
import gevent
from hotrow.load.gevent_waiting import COOPERATIVE
from hotrow.targets.target import Target, parse_target

ticks = 0
def tick():
    global ticks
    while True:
        gevent.sleep(0.001)
        ticks += 1
gevent.spawn(tick)
session = parse_target(sys.argv[1]).connect(COOPERATIVE, answer_deadline_s=60.0)
before = ticks
(row,) = session.execute("SELECT $1::text", "x" * 20_000_000).rows
print(len(row[0]), ticks > before)
"""


@pytest.mark.parametrize("talks", [False, True])
def test_under_gevent(dsn: str, talks: bool) -> None:
    """The same holds for a user of a run. Other users continue in the meantime."""
    with serving(chatter) as url:
        where = url if talks else parse_url(dsn)
        done = subprocess.run(
            [sys.executable, "-c", UNDER_GEVENT, where],
            capture_output=True,
            text=True,
            timeout=2 * ANSWER_DEADLINE_S,
            check=False,
        )

    assert (done.stdout.split(), done.returncode) == ([str(1 if talks else LARGE), "True"], 0), done.stderr


def parse_url(dsn: str) -> str:
    """The stand-in's conninfo as a postgresql:// URL."""
    from urllib.parse import urlencode  # noqa: PLC0415

    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415

    return f"postgresql://?{urlencode(conninfo_to_dict(dsn))}"
