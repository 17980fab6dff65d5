"""Every command of docs/test-your-app.md runs, and an application with a correct retry loop passes."""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING

import psycopg
import pytest
from click.testing import CliRunner
from psycopg.conninfo import make_conninfo

from hotrow.commands.main import main
from hotrow.standin.endpoint.lifecycle import stop_endpoint
from tests.support.commands import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = (ROOT / "docs" / "test-your-app.md").read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def _no_endpoint(dsn: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The shared stand-in, without an endpoint and without AWS settings in the environment."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    assert dsn
    stop_endpoint()
    yield
    stop_endpoint()


def invoke(line: str) -> str:
    """Run a line of the page. `local down` stops only the endpoint, because other tests use the stand-in."""
    words = shlex.split(line, comments=True)
    if not words:
        return ""
    if words[1:] == ["local", "down"]:
        stop_endpoint()
        return ""
    done = CliRunner().invoke(main, words[1:])
    assert (words[0], done.exit_code) == ("hotrow", 0), f"{line}: {done.output}"
    return done.output


@pytest.mark.usefixtures("_no_endpoint")
@pytest.mark.parametrize("block", [len(BLOCKS) - 2, len(BLOCKS) - 1], ids=["in CI", "two regions"])
def test_the_last_blocks_run_on_their_own(block: int) -> None:
    """Each block works alone, from its first line to its last."""
    lines = BLOCKS[block].splitlines()

    assert lines
    for line in lines:
        invoke(line)


@pytest.mark.usefixtures("_no_endpoint")
def test_the_page_runs_from_its_start_and_a_retry_loop_passes(schema: str) -> None:
    """All other blocks run in order. An application runs after `--conflict`; its conflicts are counted."""
    for block in BLOCKS[:-2]:
        outputs = [invoke(line) for line in block.splitlines()]
        if "--conflict" in block:
            retries = application(schema)
        elif block.strip() == "hotrow local faults":
            assert retries > 0
            assert f"fired {retries}" in outputs[0]
    assert "fired" in PAGE
    assert "No faults" in invoke("hotrow local faults")


def application(schema: str) -> int:
    """Make 30 increments, each retried until it is committed; return the number of retries."""
    dsn = json.loads(invoke("hotrow local status --json"))["endpoint"]["dsn"]
    conninfo = make_conninfo(
        dsn, password=invoke("hotrow local token").strip(), options=f"-c search_path={schema}"
    )
    retries = 0
    with psycopg.connect(conninfo) as connection:
        while not committed(connection, "CREATE TABLE tally (id int PRIMARY KEY, v int)"):
            retries += 1
        while not committed(connection, "INSERT INTO tally VALUES (1, 0)"):
            retries += 1
        for _ in range(30):
            while not committed(connection, "UPDATE tally SET v = v + 1"):
                retries += 1
        assert connection.execute("SELECT v FROM tally").fetchone() == (30,)
        connection.rollback()
    return retries


def committed(connection: psycopg.Connection[tuple[object, ...]], statement: str) -> bool:
    """Run a statement as a transaction; return False if it conflicted."""
    try:
        connection.execute(statement.encode())
        connection.commit()
    except psycopg.errors.SerializationFailure:
        connection.rollback()
        return False
    return True
