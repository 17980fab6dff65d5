"""Measures transfers per second on plain tables, on the stand-in's socket and through its endpoint, in turns.

Run `python bench/standin.py` on a quiet machine; `--quick` only shows that it works. pgbench runs two-row
transfers as prepared statements with 8 clients, on a server of the benchmark's own. The output has every
round, the medians and their ratios. Then follows one hot row, whose conflicts are tried again. `--soak 30`
then keeps the stand-in under load for 30 minutes and shows whether it slows down or grows. The endpoint
needs a pgbench with TLS, on PATH or in /usr/lib/postgresql.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from hotrow.standin.binaries import find_binaries
from hotrow.standin.endpoint.credentials import make_token
from hotrow.standin.endpoint.lifecycle import ensure_endpoint, stop_endpoint
from hotrow.standin.server import down, ensure_up

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KEYS = 100_000
SET_UP = f"""
    SET hotrow.adopt TO off;
    CREATE SCHEMA bench;
    CREATE TABLE bench.plain (id bigint PRIMARY KEY, balance bigint NOT NULL) WITH (fillfactor = 50);
    CREATE TABLE bench.standin (id bigint PRIMARY KEY, balance bigint NOT NULL);
    INSERT INTO bench.plain SELECT id, 1000 FROM generate_series(0, {KEYS} - 1) AS id;
    INSERT INTO bench.standin SELECT id, 1000 FROM generate_series(0, {KEYS} - 1) AS id;
    SELECT hotrow.adopt('bench.standin');
"""
TRANSFER = """\\set source random(0, {last})
\\set destination random(0, {last})
BEGIN;
UPDATE bench.{table} SET balance = balance - 1 WHERE id = :source;
UPDATE bench.{table} SET balance = balance + 1 WHERE id = :destination;
COMMIT;
"""
INCREMENT = "UPDATE bench.{table} SET balance = balance + 1 WHERE id = 0;\n"
SIZES = r"""
    SELECT coalesce(sum(pg_total_relation_size(oid)), 0), pg_database_size(current_database())
      FROM pg_class WHERE relname LIKE '%\_\_writes' AND relkind = 'r'
"""
MIN_SOAK_MINUTES = 3
"""The first minute warms up, and the second is compared with the last."""


@dataclass(frozen=True, slots=True)
class Route:
    """A way to reach a table. Each line of the result is for one route."""

    name: str
    table: str
    dsn: str
    password: Callable[[], str] = str


@dataclass(frozen=True, slots=True)
class Bench:
    """What all rounds have in common."""

    pgbench: Path
    folder: Path
    options: argparse.Namespace

    def command(self, route: Route, text: str, seconds: int, *more: str) -> list[str | Path]:
        """A command of pgbench that tries every conflict again until its time is over."""
        script = self.folder / f"{route.name}.sql"
        script.write_text(text.format(table=route.table, last=KEYS - 1))
        load = ["-n", "-M", "prepared", "-c", str(self.options.clients), "-j", "2", "--max-tries=0"]
        return [self.pgbench, *load, "-T", str(seconds), *more, "-f", script, route.dsn]


@dataclass(frozen=True, slots=True)
class Round:
    """The figures that pgbench prints for one round."""

    committed_per_s: float
    attempts_per_commit: float
    failed: int


def run_round(bench: Bench, route: Route, text: str) -> Round:
    """Run one round."""
    completed = subprocess.run(
        bench.command(route, text, bench.options.seconds),
        env={**os.environ, "PGPASSWORD": route.password()},
        capture_output=True,
        text=True,
        check=True,
    )
    processed, failed, retries = (
        int(match[1]) if (match := re.search(rf"{line}: (\d+)", completed.stdout)) else 0
        for line in ("transactions actually processed", "failed transactions", "total number of retries")
    )
    attempts = processed + failed + retries
    per_s = float(re.search(r"tps = ([0-9.]+)", completed.stdout)[1])
    return Round(per_s, attempts / max(processed, 1), failed)


def measure(bench: Bench, routes: list[Route], text: str) -> dict[str, list[Round]]:
    """The rounds of every route, measured in turns."""
    rounds: dict[str, list[Round]] = {route.name: [] for route in routes}
    for _ in range(bench.options.rounds):
        for route in routes:
            rounds[route.name].append(run_round(bench, route, text))
    return rounds


def show(title: str, rounds: dict[str, list[Round]]) -> None:
    """Print medians, their ratios to plain tables and to the socket, attempts per commit, and the rounds."""
    medians = {
        name: statistics.median(entry.committed_per_s for entry in row) for name, row in rounds.items()
    }
    print(f"{title}\n           committed/s  /plain  /socket  attempts/commit  failed  rounds")
    for name, row in rounds.items():
        attempts = statistics.median(entry.attempts_per_commit for entry in row)
        failed = sum(entry.failed for entry in row)
        print(
            f"  {name:<9}{medians[name]:11,.0f}{medians[name] / medians['plain']:8.3f}"
            f"{medians[name] / medians['socket']:9.3f}{attempts:17.2f}{failed:8}  ",
            " ".join(f"{entry.committed_per_s:,.0f}" for entry in row),
            flush=True,
        )


def soak(bench: Bench, route: Route, minutes: int, minute_s: int) -> None:
    """Put the stand-in under constant load; print commits per second of every minute, and sizes on disk."""
    command = bench.command(route, TRANSFER, minutes * minute_s + 1, "-P", str(minute_s))
    per_minute: list[float] = []
    print(
        f"soak: transfers by the socket for {minutes} x {minute_s} s\n  {'at the start':<13}{_sizes(route)}"
    )
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr or ():
            if not (match := re.match(r"progress: .*?([0-9.]+) tps.*?(\d+) failed", line)):
                continue
            per_minute.append(float(match[1]))
            shown = len(per_minute) in {2, minutes}
            print(f"  minute {len(per_minute):<6}{_sizes(route) if shown else ' ' * 44}", end="")
            print(f"{per_minute[-1]:9,.0f}/s  {match[2]} failed", flush=True)
    if process.returncode or len(per_minute) < MIN_SOAK_MINUTES:
        raise SystemExit(f"pgbench ended with {process.returncode} after {len(per_minute)} minutes")
    print(f"  last minute / second minute {per_minute[-1] / per_minute[1]:.3f}")


def _sizes(route: Route) -> str:
    with psycopg.connect(route.dsn) as connection:
        writes, database = connection.execute(SIZES).fetchone() or (0, 0)
    return f"write sets {int(writes) / 1e6:8.2f} MB  database {database / 1e6:7.1f} MB"


def find_pgbench(fallback: Path, folder: Path, dsn: str) -> tuple[Path, bool]:
    """A pgbench with TLS, and True; if there is none, `fallback`, and False."""
    script = folder / "one.sql"
    script.write_text("SELECT 1;\n")
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/pgbench"), reverse=True)
    for program in (*installed, *filter(None, [shutil.which("pgbench")]), fallback):
        # A libpq without TLS refuses sslmode=require; one with TLS ignores it on a socket.
        words = [program, "-n", "-t", "1", "-f", script, f"{dsn} sslmode=require"]
        if subprocess.run(words, capture_output=True, check=False).returncode == 0:
            return Path(program), True
    return fallback, False


@contextmanager
def own_server() -> Iterator[tuple[Path, str]]:
    """A folder and the dsn of a stand-in in it, with the tables. Both are removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="hb"))
    folder.chmod(0o755)  # as root, the server runs as another account
    os.environ["HOTROW_HOME"] = str(folder / "home")
    try:
        dsn = ensure_up().dsn
        with psycopg.connect(dsn, autocommit=True) as connection:
            for statement in filter(str.strip, SET_UP.split(";")):
                connection.execute(statement.encode())
        yield folder, dsn
    finally:
        stop_endpoint()
        down()
        shutil.rmtree(folder, ignore_errors=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--soak", type=int, default=0, metavar="MINUTES", help="3 or more; 0 is none")
    parser.add_argument("--quick", action="store_true", help="one round of 2 s; a minute of the soak is 5 s")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds = 1, 2
    if 0 < options.soak < MIN_SOAK_MINUTES:
        parser.error(f"--soak {options.soak}: pass {MIN_SOAK_MINUTES} minutes or more")
    return options


def main() -> None:
    """Measure on a server of the benchmark's own, and stop it."""
    options = _options()
    with own_server() as (folder, dsn):
        pgbench, has_tls = find_pgbench(find_binaries().folder / "pgbench", folder, dsn)
        bench = Bench(pgbench, folder, options)
        routes = [Route("plain", "plain", dsn), Route("socket", "standin", dsn)]
        print(f"pgbench: {pgbench}")
        if has_tls:
            through = Route("endpoint", "standin", ensure_endpoint().dsn, make_token)
            show(f"transfers between two of {KEYS:,} rows", measure(bench, [*routes, through], TRANSFER))
        else:
            print("no pgbench with TLS on PATH or in /usr/lib/postgresql: the endpoint is left out")
            show(f"transfers between two of {KEYS:,} rows", measure(bench, routes, TRANSFER))
        show("one hot row, conflicts tried again", measure(bench, routes, INCREMENT))
        if options.soak:
            soak(bench, routes[1], options.soak, 5 if options.quick else 60)


if __name__ == "__main__":
    main()
