"""Runs scripts by pgbench and by hotrow's own interpreter, on tables of one schema each."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from hotrow.errors import Rejected
from hotrow.keys.skew import KeySource, parse_skew
from hotrow.script.finding_scripts import find_any_scenario
from hotrow.standin.binaries import find_binaries
from hotrow.targets.session import BLOCKING
from hotrow.targets.target import parse_target, start

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hotrow.scenario import Scenario

PLAIN = "plain:rtt=0,commit=0"


def find_pgbench() -> str | None:
    """A pgbench of PostgreSQL 17 or newer, which knows all commands; None if there is none."""
    for program in (str(find_binaries().folder / "pgbench"), shutil.which("pgbench")):
        if program is None or not Path(program).is_file():
            continue
        version = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
        if version and int(version.split()[2].split(".")[0]) >= 17:
            return program
    return None


def within(dsn: str, schema: str) -> str:
    """The conninfo with this schema as its search path."""
    options = conninfo_to_dict(dsn).get("options", "")
    return make_conninfo(dsn, options=f"{options} -c search_path={schema}".strip())


def run_pgbench(program: str, dsn: str, *words: str, schema: str) -> subprocess.CompletedProcess[str]:
    """Run pgbench without vacuuming, on the tables of a schema."""
    return subprocess.run(
        [program, "-n", *words, within(dsn, schema)], capture_output=True, text=True, timeout=60, check=False
    )


@contextmanager
def schema_with(dsn: str, statements: Sequence[str]) -> Iterator[str]:
    """A schema in which these statements have been run, on plain tables."""
    name = f"t_{os.urandom(4).hex()}"
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}")
        run_all(dsn, name, statements)
        try:
            yield name
        finally:
            connection.execute(f"DROP SCHEMA {name} CASCADE")


def run_all(dsn: str, schema: str, statements: Sequence[str]) -> None:
    """Run these statements in a schema."""
    with psycopg.connect(within(dsn, schema), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def rows_of(dsn: str, schema: str, *tables: str) -> list[list[tuple[Any, ...]]]:
    """The rows of the tables, each in the same order."""
    with psycopg.connect(within(dsn, schema), autocommit=True) as connection:
        queries = [f"SELECT t::text FROM {table} AS t".encode() for table in tables]  # noqa: S608 - our own names
        return [sorted(connection.execute(query).fetchall()) for query in queries]


def play_script(
    scenario: Scenario, schema: str, executions: int, *, host: str = PLAIN, keys: int = 10
) -> None:
    """Run a script some times on one connection, without retries. An error of the script is raised."""
    session = start(parse_target(host)).connect(BLOCKING, schema)
    source = KeySource(parse_skew("uniform").table(keys), np.random.default_rng(1))
    rng = np.random.default_rng(2)
    try:
        for _ in range(executions):
            work = scenario.draw(source, rng)
            while work is not None:
                session.begin()
                try:
                    scenario.run(session, work)
                    session.commit()
                except Rejected:
                    session.rollback()
                work = scenario.follow()
    finally:
        session.close()


def script_of(text: str, folder: Path, **knobs: object) -> Scenario:
    """The scenario of a script with this text."""
    path = folder / f"s{os.urandom(4).hex()}.sql"
    path.write_text(text)
    return find_any_scenario(str(path), {})(**knobs)


def debugged(program: str, expressions: Sequence[str], folder: Path, *options: str) -> list[int]:
    """The values that pgbench gives to these expressions, in the order of its executions."""
    script = folder / "debugged.sql"
    script.write_text("".join(f"\\set v debug({each})\n" for each in expressions) + "SELECT 1;\n")
    dsn = str(start(parse_target(PLAIN)).conninfo)
    done = run_pgbench(program, dsn, *options, "-f", str(script), schema="public")
    return [int(line.rpartition(" ")[2]) for line in done.stderr.splitlines() if line.startswith("debug(")]
