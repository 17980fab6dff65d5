"""Markers, the order of the tests, and the stand-in: one real embedded server per process that runs tests.

Every test has one of three markers: `unit` (starts no server and no command), `server` and `browser`. A test
that uses one of the fixtures below gets `server`, and so does one whose module starts our own commands. A
test that starts a server in another way, or drives a browser, says so itself. All others are unit tests.
While one of them runs, no PostgreSQL can be found, so a test with the wrong marker fails.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.support import commands
from tests.support.local_home import new_home
from tests.support.ordering import make_scheduler, rank

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from tests.support.faulty import Faulty

SERVER_FIXTURES = {"hotrow_home", "home", "scratch"}
"""Each needs a server; `dsn` and the fixtures that depend on it use `hotrow_home`."""
NOWHERE = "/dev/null/unit-tests-start-no-server"
"""The HOTROW_HOME and HOTROW_PG_BIN of a unit test; nothing exists at this path."""
PG_BIN = os.environ.get("HOTROW_PG_BIN")
HOME = pytest.StashKey[str]()
"""The home of this process's stand-in, as soon as a test has used it."""

os.environ.pop("GITHUB_ACTIONS", None)  # or every run of a test would annotate the job that runs the tests
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # hundreds of commands would compile the same modules again

for number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(number) is signal.SIG_IGN:
        # In a shell's background, or under nohup: the commands that tests start would ignore it as well.
        signal.signal(number, signal.default_int_handler if number is signal.SIGINT else signal.SIG_DFL)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give every test its marker, and begin with the slowest tests."""
    for item in items:
        if SERVER_FIXTURES & set(getattr(item, "fixturenames", ())) or _starts_commands(item):
            item.add_marker(pytest.mark.server)
        elif not any(item.get_closest_marker(name) for name in ("server", "browser")):
            item.add_marker(pytest.mark.unit)
    items.sort(key=lambda item: rank(item.nodeid))


def _starts_commands(item: pytest.Item) -> bool:
    """Whether the module of a test imports what starts our commands."""
    names = vars(getattr(item, "module", None) or object).values()
    return any(value is commands.run or value is commands.start for value in names)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Before the fixtures of a unit test are made, hide every server and PostgreSQL."""
    _allow_servers(item.config, allowed=item.get_closest_marker("unit") is None)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """After a unit test: the fixtures of a module or of the whole process may have servers to stop.

    After any other test the environment is that of its fixtures, which need it to stop what they started.
    """
    if item.get_closest_marker("unit"):
        _allow_servers(item.config, allowed=True)


def _allow_servers(config: pytest.Config, *, allowed: bool) -> None:
    _set("HOTROW_PG_BIN", PG_BIN if allowed else NOWHERE)
    _set("HOTROW_HOME", config.stash.get(HOME, NOWHERE) if allowed else NOWHERE)


def _set(variable: str, text: str | None) -> None:
    if text is None:
        os.environ.pop(variable, None)
    else:
        os.environ[variable] = text


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """The workers of `-n auto`: one more than there are cores, because many tests wait for injected latency.

    Unit tests wait for nothing.
    """
    return (os.cpu_count() or 1) + (config.option.markexpr != "unit")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """The scheduler that assigns tests to workers."""
    return make_scheduler(config, log)


@pytest.fixture(scope="session")
def hotrow_home(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A HOTROW_HOME that this process and its commands share. Its path is short because of the socket."""
    home = Path(tempfile.mkdtemp(prefix="hr"))
    home.chmod(0o755)
    request.config.stash[HOME] = os.environ["HOTROW_HOME"] = str(home)
    yield home
    from hotrow.standin.server import down  # noqa: PLC0415 - psycopg only after the home is set

    _allow_servers(request.config, allowed=True)  # a fixture of the last test may have put others back
    down()
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def dsn(hotrow_home: Path) -> str:
    """The conninfo of the running stand-in."""
    assert hotrow_home.is_dir()
    from hotrow.standin.server import ensure_up  # noqa: PLC0415 - the same

    return str(ensure_up().dsn)


@pytest.fixture
def schema(dsn: str) -> Iterator[str]:
    """An empty schema for one test. It belongs to the endpoint's `admin`, and a superuser may use it too."""
    name = f"t_{os.urandom(4).hex()}"
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name} AUTHORIZATION admin")
        yield name
        connection.execute(f"DROP SCHEMA {name} CASCADE")


@pytest.fixture(scope="module")
def dsns(dsn: str) -> Iterator[list[str]]:
    """A running endpoint of the stand-in: the conninfo of each region, with its token."""
    from tests.support.faulty import running  # noqa: PLC0415 - the same

    assert dsn
    with running() as endpoint_dsns:
        yield endpoint_dsns


@pytest.fixture
def faulty(dsns: list[str], dsn: str, schema: str) -> Iterator[Faulty]:
    """The same endpoint, whose faults the test sets, and a counter table."""
    from tests.support.faulty import counting  # noqa: PLC0415 - the same

    with counting(dsns, dsn, schema) as made:
        yield made


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A HOTROW_HOME of one test."""
    with new_home() as path:
        monkeypatch.setenv("HOTROW_HOME", str(path))
        yield path


@pytest.fixture(scope="module")
def _scratch_home() -> Iterator[Path]:
    with new_home() as path:
        yield path


@pytest.fixture
def scratch(_scratch_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home for tests that begin with `ensure_up`. It may have files of earlier tests."""
    monkeypatch.setenv("HOTROW_HOME", str(_scratch_home))
    return _scratch_home
