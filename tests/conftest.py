"""One real embedded server for the whole run, in a home of its own, stopped at the end."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.support.local_home import new_home

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.faulty import Faulty


for number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(number) is signal.SIG_IGN:
        # In a shell's background, or under nohup: the commands that tests start would ignore it as well.
        signal.signal(number, signal.default_int_handler if number is signal.SIGINT else signal.SIG_DFL)


@pytest.fixture(scope="session")
def hotrow_home() -> Iterator[Path]:
    """A HOTROW_HOME that this run and its commands share; short, because a socket's path must be."""
    home = Path(tempfile.mkdtemp(prefix="hr"))
    home.chmod(0o755)
    os.environ["HOTROW_HOME"] = str(home)
    yield home
    from hotrow.standin.server import down  # noqa: PLC0415 - psycopg only after the home is set

    down()
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def dsn(hotrow_home: Path) -> str:
    """The conninfo of the running stand-in."""
    from hotrow.standin.server import ensure_up  # noqa: PLC0415 - the same

    return str(ensure_up().dsn)


@pytest.fixture
def schema(dsn: str) -> Iterator[str]:
    """An empty schema for one test, of the endpoint's `admin`: a superuser may use it too."""
    name = f"t_{os.urandom(4).hex()}"
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name} AUTHORIZATION admin")
        yield name
        connection.execute(f"DROP SCHEMA {name} CASCADE")


@pytest.fixture(scope="module")
def dsns(dsn: str) -> Iterator[list[str]]:
    """The stand-in's endpoint, running: the conninfo of each region, its token included."""
    from tests.support.faulty import running  # noqa: PLC0415 - the same

    assert dsn
    with running() as found:
        yield found


@pytest.fixture
def faulty(dsns: list[str], dsn: str, schema: str) -> Iterator[Faulty]:
    """That endpoint, its faults for the test to set, and a counter to commit to."""
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
    """A home for tests that begin with `ensure_up`: from what one leaves behind, the next can start."""
    monkeypatch.setenv("HOTROW_HOME", str(_scratch_home))
    return _scratch_home
