"""The channel between master and workers: who does not know the key is not heard and hears nothing."""

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


def test_only_who_knows_the_key_is_heard(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plain client and one with another key send `client_ready` first, and only the worker's arrives."""
    server = _server(keys, monkeypatch)
    strangers = [
        _client(None, server.port, "plain", monkeypatch),
        _client(Keys.new(), server.port, "wrong", monkeypatch),
    ]
    for stranger in strangers:
        with suppress(zmq.ZMQError):  # its connection may be refused by now
            stranger.socket.send(Message("client_ready", "2", "stranger").serialize(), zmq.NOBLOCK)
    gevent.sleep(0.3)  # they have had their time; the worker is heard at once
    worker = _client(keys, server.port, "worker", monkeypatch)
    worker.send(Message("client_ready", "2", "worker"))

    heard: list[Any] = []
    with gevent.Timeout(20, AssertionError("the worker was not heard")):
        heard.append(server.recv_from_client())
    with gevent.Timeout(0.3, exception=False):
        heard.append(server.recv_from_client())

    assert [name for name, _ in heard] == ["worker"]
    for socket in (server, worker, *strangers):
        socket.close(linger=0)


def test_answers_come_back(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the master sends to its worker arrives."""
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
    """The same on every machine, another for another secret, and never the secret itself."""
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
    """As Locust will read the command line; forked workers of a remote master need its secret."""
    assert read_mode(words, variables) == expected


@pytest.mark.parametrize("secret", [None, "", "short"])
def test_processes_that_were_started_one_by_one_need_a_secret(secret: str | None) -> None:
    """One line names the variable."""
    with pytest.raises(UsageError, match="HOTROW_SECRET"):
        keys_for(Mode(forks=False, spreads=True), secret)


def test_two_runs_get_two_ports() -> None:
    """Nobody listens there, and not on the default that another run may have."""
    assert free_port() != 5557
