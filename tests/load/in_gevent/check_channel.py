"""The channel between master and workers: messages without the key are dropped."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import gevent
import pytest
import zmq
from locust.rpc import Message, zmqrpc

from hotrow.errors import UsageError
from hotrow.load.channel import Keys, Mode, free_port, keys_for, read_mode, secured

LONG = "a secret that is long enough"


@pytest.fixture
def keys() -> Keys:
    return Keys.from_secret(LONG)


def _client(keys: Keys | None, port: int, name: str, monkeypatch: pytest.MonkeyPatch) -> zmqrpc.Client:
    with monkeypatch.context() as patch:
        if keys is not None:
            patch.setattr(zmqrpc.BaseSocket, "__init__", secured(zmqrpc.BaseSocket.__init__, keys))
        client = zmqrpc.Client("127.0.0.1", port, name)
    client.socket.linger = 0
    return client


def _server(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> zmqrpc.Server:
    with monkeypatch.context() as patch:
        patch.setattr(zmqrpc.BaseSocket, "__init__", secured(zmqrpc.BaseSocket.__init__, keys))
        return zmqrpc.Server("127.0.0.1", 0)


def test_messages_without_the_key_are_dropped(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plain client and one with another key send `client_ready` first; only the worker's arrives."""
    server = _server(keys, monkeypatch)
    strangers = [
        _client(None, server.port, "plain", monkeypatch),
        _client(Keys.new(), server.port, "wrong", monkeypatch),
    ]
    for stranger in strangers:
        with suppress(zmq.ZMQError):  # its connection may already be refused
            stranger.socket.send(Message("client_ready", "2", "stranger").serialize(), zmq.NOBLOCK)
    gevent.sleep(0.3)  # time enough for their messages; the worker's arrives at once
    worker = _client(keys, server.port, "worker", monkeypatch)
    worker.send(Message("client_ready", "2", "worker"))

    received: list[Any] = []
    with gevent.Timeout(20, AssertionError("the worker's message did not arrive")):
        received.append(server.recv_from_client())
    with gevent.Timeout(0.3, exception=False):
        received.append(server.recv_from_client())

    assert [name for name, _ in received] == ["worker"]
    for socket in (server, worker, *strangers):
        socket.close(linger=0)


def test_answers_come_back(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    """The master's answer reaches the worker."""
    server = _server(keys, monkeypatch)
    worker = _client(keys, server.port, "worker", monkeypatch)
    worker.send(Message("client_ready", "2", "worker"))
    with gevent.Timeout(20, AssertionError("nothing arrived")):
        name, _ = server.recv_from_client()
        server.send_to_client(Message("ack", {"index": 0}, name))
        answer = worker.recv()

    assert answer.data == {"index": 0}
    for socket in (server, worker):
        socket.close(linger=0)


def test_keys_follow_from_the_secret() -> None:
    """The same secret gives the same keys on every machine; another secret gives other keys."""
    assert Keys.from_secret(LONG) == Keys.from_secret(LONG)
    assert Keys.from_secret(LONG) != Keys.from_secret(LONG + "!")
    assert zmq.curve_public(Keys.from_secret(LONG).private) == Keys.from_secret(LONG).public


@pytest.mark.parametrize(
    ("words", "variables", "expected"),
    [
        (["-f", "x.py", "--processes", "2"], {}, Mode(forks=True, spreads=False)),
        (["--processes=-1"], {}, Mode(forks=True, spreads=False)),
        (["--processes", "0"], {}, Mode(forks=False, spreads=False)),
        ([], {"LOCUST_PROCESSES": "4"}, Mode(forks=True, spreads=False)),
        (["--worker", "--processes", "2"], {}, Mode(forks=False, spreads=True)),
        (["--master"], {}, Mode(forks=False, spreads=True)),
        ([], {"LOCUST_MODE_WORKER": "1"}, Mode(forks=False, spreads=True)),
        (["-u", "3"], {}, Mode(forks=False, spreads=False)),
    ],
)
def test_mode(words: list[str], variables: dict[str, str], expected: Mode) -> None:
    """The command line is read as Locust reads it; forked workers of a remote master need its secret."""
    assert read_mode(words, variables) == expected


@pytest.mark.parametrize("secret", [None, "", "short"])
def test_processes_that_were_started_one_by_one_need_a_secret(secret: str | None) -> None:
    """The message names the environment variable."""
    with pytest.raises(UsageError, match="HOTROW_SECRET"):
        keys_for(Mode(forks=False, spreads=True), secret)


def test_two_runs_get_two_ports() -> None:
    """A free port that is not Locust's default, because another run may use that one."""
    assert free_port() != 5557
