"""The endpoint's process: it is started once, found again and stopped, and never left half started."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from typing import TYPE_CHECKING

import psutil
import psycopg
import pytest
from click.testing import CliRunner

from hotrow.commands.local import local
from hotrow.errors import TargetError, UsageError
from hotrow.standin.endpoint.credentials import make_token
from hotrow.standin.endpoint.folder import EndpointFolder, EndpointState, read_state
from hotrow.standin.endpoint.lifecycle import (
    Endpoint,
    EndpointOptions,
    ensure_endpoint,
    find_endpoints,
    stop_endpoint,
)
from hotrow.standin.server import ensure_up
from tests.support.local_home import end, new_home, python

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ENSURE = "from hotrow.standin.endpoint.lifecycle import ensure_endpoint as e; print(e().port, flush=True)"


@pytest.fixture(scope="module")
def _home() -> Iterator[Path]:
    with new_home() as path:
        yield path


@pytest.fixture
def home(_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home with a running server; no credentials in the environment; no endpoint before and after."""
    monkeypatch.setenv("HOTROW_HOME", str(_home))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    ensure_up()
    yield _home
    stop_endpoint()


def enter(endpoint: Endpoint, token: str) -> bool:
    """Whether the endpoint accepts the token."""
    with psycopg.connect(endpoint.dsn, password=token) as connection:
        return connection.execute("SELECT 1").fetchone() == (1,)


def state_of(endpoint: Endpoint) -> EndpointState:
    state = read_state(EndpointFolder(endpoint.ca.parent))
    assert state
    return state


@pytest.mark.usefixtures("home")
def test_it_is_started_found_and_stopped() -> None:
    """A second call finds the endpoint. Stopping tells whether it ran, and closes its port."""
    first = ensure_endpoint()
    assert first == ensure_endpoint() == find_endpoints()[0]
    assert enter(first, make_token())

    assert stop_endpoint()
    assert find_endpoints() == []
    assert not stop_endpoint()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", first.port), timeout=5)


@pytest.mark.usefixtures("home")
def test_two_starters_at_once_get_the_same() -> None:
    """Simultaneous starters get one process with one port."""
    starters = [python(ENSURE) for _ in range(3)]
    ports = {starter.communicate(timeout=60)[0] for starter in starters}

    assert len(ports) == 1
    assert ports == {f"{ensure_endpoint().port}\n"}


@pytest.mark.usefixtures("home")
def test_it_outlives_its_starter_and_belongs_to_no_terminal() -> None:
    """A Ctrl-C at the starter does not reach the endpoint, and it holds none of the starter's pipes."""
    starter = python(ENSURE, env={**os.environ, "SOME_TOKEN": "secret"}, stderr=subprocess.PIPE)
    port, _ = starter.communicate(timeout=60)  # would hang if the endpoint had kept a pipe
    (endpoint,) = find_endpoints()
    pid = state_of(endpoint).pid

    assert int(port) == endpoint.port
    assert os.getsid(pid) != os.getsid(0)
    assert "SOME_TOKEN" not in psutil.Process(pid).environ()


@pytest.mark.usefixtures("home")
def test_after_a_kill_it_starts_again() -> None:
    """The state of a dead process counts as no endpoint; credentials and certificate are new."""
    first = ensure_endpoint()
    token = make_token()
    end(state_of(first).pid, signal.SIGKILL)
    assert find_endpoints() == []

    second = ensure_endpoint()
    assert enter(second, make_token())
    with pytest.raises(psycopg.OperationalError, match="access denied"):
        enter(second, token)


@pytest.mark.usefixtures("home")
def test_an_endpoint_that_cannot_be_found_ends() -> None:
    """The endpoint ends soon after its state.json is removed."""
    endpoint = ensure_endpoint()
    process = psutil.Process(state_of(endpoint).pid)
    EndpointFolder(endpoint.ca.parent).state.unlink()
    deadline = time.monotonic() + 10
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.usefixtures("home")
def test_a_port_can_be_chosen_if_it_is_free() -> None:
    """A port that is taken gives a one-line error with its number, and no endpoint."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(TargetError, match=rf"in use.*--port {port}"):
            ensure_endpoint(EndpointOptions(port))
        assert find_endpoints() == []
    assert ensure_endpoint(EndpointOptions(port)).port == port
    with pytest.raises(TargetError, match=f"runs on port {port}"):
        ensure_endpoint(EndpointOptions(port + 1))


@pytest.mark.usefixtures("home")
def test_given_credentials_and_region_are_used_and_kept_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """The keys of AWS_ACCESS_KEY_ID are used, so an application's own token is accepted.

    They are not on disk.
    """
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    endpoint = ensure_endpoint()

    assert endpoint.region == "eu-central-1"
    assert enter(endpoint, make_token())
    files = [path for path in endpoint.ca.parent.iterdir() if path.is_file()]
    assert not any("a-secret" in path.read_text() for path in files)
    assert not EndpointFolder(endpoint.ca.parent).credentials.exists()
    assert "a-secret" not in psutil.Process(state_of(endpoint).pid).environ().values()
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(TargetError, match="AWS_SECRET_ACCESS_KEY"):
        make_token()


@pytest.mark.usefixtures("home")
def test_a_token_needs_an_endpoint_and_a_life() -> None:
    """Each error is one line."""
    with pytest.raises(TargetError, match="hotrow local up --endpoint"):
        make_token()
    with pytest.raises(UsageError, match="--expires"):
        make_token(life_s=604_801)


@pytest.mark.usefixtures("home")
def test_the_commands() -> None:
    """`up --endpoint`, `token`, `status` and `down`, as the README has them."""
    runner = CliRunner()
    assert json.loads(runner.invoke(local, ["status", "--json"]).output)["endpoint"] is None
    up = runner.invoke(local, ["up", "--endpoint"])
    facts = json.loads(runner.invoke(local, ["status", "--json"]).output)["endpoint"]
    token = runner.invoke(local, ["token"])
    table = runner.invoke(local, ["status"]).output

    assert (up.exit_code, token.exit_code) == (0, 0)
    assert facts["dsn"] in up.output
    assert facts["dsn"] in table
    with psycopg.connect(facts["dsn"], password=token.output.strip(), sslrootcert=facts["ca"]) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert runner.invoke(local, ["down"]).output.startswith("Stopped the endpoint.\nStopped; ")
    assert isinstance(runner.invoke(local, ["up", "--port", "1"]).exception, UsageError)


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("secret", "warned"),
    [("test", True), ("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", True), ("k3Jd9a0QvX5mT7wLr2Zs", False)],
)
def test_a_secret_key_that_others_may_guess_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, secret: str, warned: bool
) -> None:
    """The warning is one line that does not contain the key."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    result = CliRunner().invoke(local, ["up", "--endpoint"])

    assert (
        result.exit_code,
        "hotrow: warning: AWS_SECRET_ACCESS_KEY is short or well known" in result.stderr,
    ) == (0, warned)
    assert secret not in result.output
