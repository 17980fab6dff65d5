"""Whole sweeps of scripts on the stand-in, on plain tables and through the endpoint, with their checks."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.support.commands import exit_code, only_run, run, summary_of
from tests.support.dsql_endpoint import host_of
from tests.support.schemas import schemas_of_runs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("hotrow_home")

QUICK = ["--users", "3", "--duration", "1s", "--warmup", "100ms", "--no-report"]
FILES = {
    "move.sql": r"""
\set src random(1, 20)
\set dst random(1, 20)
BEGIN;
SELECT balance AS had FROM account WHERE id = :src \gset
\set amount least(:had, 5)
UPDATE account SET balance = balance - :amount WHERE id = :src;
UPDATE account SET balance = balance + :amount WHERE id = :dst;
END;
\startpipeline
UPDATE moved SET n = n + 1 WHERE id = :src;
SELECT ':src';
\endpipeline
""",
    "move.setup.sql": """
CREATE TABLE account (id int PRIMARY KEY, balance bigint NOT NULL);
INSERT INTO account SELECT id, 100 FROM generate_series(1, 20) AS id;
CREATE TABLE moved (id int PRIMARY KEY, n bigint NOT NULL);
INSERT INTO moved SELECT id, 0 FROM generate_series(1, :keys) AS id;
""",
    "move.check.sql": """
-- nobody is overdrawn
SELECT id, balance FROM account WHERE balance < 0;
-- money stays
-- before
SELECT sum(balance)::bigint FROM account;
-- money stays twenty times over
-- before
SELECT 20 * sum(balance)::bigint FROM account;
-- after
SELECT sum(balance)::bigint * 20 FROM account;
-- moves are counted
-- once per move:11
SELECT sum(n)::bigint FROM moved;
""",
}
WORDS = ["move.sql", "--key", "src+dst", "--keys", "20", "--skew", "hot"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the script and its files."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.fixture(params=["local:rtt=1ms,commit=2ms", "plain:rtt=0,commit=0", "dsql"])
def host(request: pytest.FixtureRequest, dsn: str) -> Iterator[str]:
    """Each sort of target."""
    assert dsn
    with host_of(request.param) as text:
        yield text


def events_of(directory: Path, name: str) -> list[dict[str, Any]]:
    events = [json.loads(line) for line in (directory / "events.jsonl").read_text().splitlines()]
    return [event for event in events if event["event"] == name]


def test_a_script_runs_on_every_target(folder: Path, host: str, dsn: str) -> None:
    """Its checks hold, its transactions are kinds, and its schema is gone afterwards."""
    before = schemas_of_runs(dsn)
    done = run("hotrow", "sweep", *WORDS, *QUICK, "-H", host, cwd=folder)

    assert exit_code(done) == 0, done.stderr
    directory = only_run(folder / "results")
    (verdict,) = events_of(directory, "verdict")
    assert [(check["name"], check["valid"]) for check in verdict["checks"]] == [
        ("nobody is overdrawn", True),
        ("money stays", True),
        ("money stays twenty times over", True),
        ("moves are counted", True),
    ]
    (cell,) = summary_of(directory)["cells"]
    kinds = {kind["kind"]: kind["transactions"] for kind in cell["kinds"]}
    assert set(kinds) == {0, 1}  # move:4 and move:11
    assert 0 < kinds[1]["started"] <= kinds[0]["committed"] + 3
    assert not json.loads((directory / "run.json").read_text())["cells"][0]["closed_form"]
    (rehearsal,) = events_of(directory, "rehearsal")
    assert {finding["code"] for finding in rehearsal["findings"]} == {"statement_transactions"}
    assert schemas_of_runs(dsn) == before


def test_a_check_that_fails_is_a_violation(folder: Path) -> None:
    """Exit code 3; rows of a check are shown with their columns."""
    (folder / "move.check.sql").write_text(
        "-- few moves\nSELECT id, n AS moves, n FROM moved WHERE n > 3 ORDER BY id;\n"
        "-- nothing moves\n-- before\nTABLE moved;"
    )

    done = run("hotrow", "sweep", *WORDS, *QUICK, "-H", "plain:rtt=0,commit=0", cwd=folder)

    assert done.returncode == 3, done.stderr
    (verdict,) = events_of(only_run(folder / "results"), "verdict")
    few, nothing = verdict["checks"]
    assert (few["valid"], set(few["first"])) == (False, {"id", "moves", "n"})
    assert (nothing["valid"], set(nothing["first"])) == (False, {"before", "after"})


def test_an_existing_schema_is_used_and_kept(folder: Path, dsn: str) -> None:
    """Nothing is created in it, and what the run changed stays."""
    schema = f"mine_{os.urandom(4).hex()}"
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
        connection.execute(f"SET search_path TO {schema}")
        for statement in FILES["move.setup.sql"].replace(":keys", "20").split(";")[:-1]:
            connection.execute(statement)
        try:
            done = run("hotrow", "sweep", *WORDS, *QUICK, "--schema", schema, "-H", "local:rtt=0", cwd=folder)
            ((moves,),) = connection.execute("SELECT sum(n) FROM moved").fetchall()
        finally:
            connection.execute(f"DROP SCHEMA {schema} CASCADE")

    assert exit_code(done) == 0, done.stderr
    (verdict,) = events_of(only_run(folder / "results"), "verdict")
    assert all(check["valid"] for check in verdict["checks"])
    assert moves > 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--schema", "nowhere_at_all"], "--schema nowhere_at_all: there is no schema of this name"),
        (["--schema", "public", "--receipts"], "--receipts: needs a table of its own"),
        (["--schema", "Public; DROP"], "--schema Public; DROP: must be the name of a schema"),
        (["--keys", "21"], "src has 20 values, fewer than --keys 21"),
        (["--keys", "1"], "--keys 1"),
        (["--define", "a"], "--define a: must be NAME=VALUE"),
        (["--nothing", "1"], "--nothing: neither an option of sweep nor a knob of move"),
    ],
)
def test_what_cannot_run_is_refused_in_one_line(folder: Path, words: list[str], message: str) -> None:
    """Exit code 2, and nothing starts."""
    done = run("hotrow", "sweep", *WORDS, *QUICK, *words, "-H", "plain:rtt=0,commit=0", cwd=folder)

    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("hotrow: ")]
    assert message in line
    assert not (folder / "results").exists() or not list((folder / "results").glob("*/summary.json"))


def test_a_simulation_of_several_transactions_is_refused(folder: Path) -> None:
    """What follows depends on what was read. A script with one transaction can be simulated."""
    (folder / "one.sql").write_text("\\set id random(1, 10)\nUPDATE t SET n = 1 WHERE id = :id;")
    words = ["--key", "id", "--keys", "10", "--duration", "1s", "--users", "2", "--no-report"]

    refused = run("hotrow", "simulate", "move.sql", cwd=folder)
    simulated = run("hotrow", "simulate", "one.sql", *words, cwd=folder)

    assert (refused.returncode, "has several transactions" in refused.stderr) == (2, True)
    assert exit_code(simulated) == 0, simulated.stderr


def test_a_script_without_tables_is_refused(folder: Path) -> None:
    """The message says what to write."""
    (folder / "move.setup.sql").unlink()

    done = run("hotrow", "sweep", *WORDS, *QUICK, cwd=folder)

    assert done.returncode == 2
    assert "which tables? write the statements that make them into move.setup.sql" in done.stderr


def test_built_in_scripts_run_together(tmp_path: Path, dsn: str) -> None:
    """Weights deal them out, and their checks hold."""
    assert dsn
    words = ["tpcb-like@1,select-only@3", "--key", "aid", "--keys", "1000", "--skew", "uniform"]

    done = run("hotrow", "sweep", *words, *QUICK, "-H", "plain:rtt=0,commit=0", cwd=tmp_path)

    assert exit_code(done) == 0, done.stderr
    directory = only_run(tmp_path / "results")
    (verdict,) = events_of(directory, "verdict")
    assert [check["valid"] for check in verdict["checks"]] == [True, True]
    (cell,) = summary_of(directory)["cells"]
    assert {kind["kind"] for kind in cell["kinds"]} == {0, 1}


def test_without_a_key_one_skew_is_measured(folder: Path) -> None:
    """The others would be the same cell again. The report says that no key was named."""
    words = ["move.sql", *QUICK, "-H", "plain:rtt=0,commit=0"]

    done = run("hotrow", "sweep", *words, cwd=folder)

    assert exit_code(done) == 0, done.stderr
    directory = only_run(folder / "results")
    assert [cell["skew"] for cell in summary_of(directory)["cells"]] == ["uniform"]
    (rehearsal,) = events_of(directory, "rehearsal")
    assert "no_key_named" in {finding["code"] for finding in rehearsal["findings"]}
