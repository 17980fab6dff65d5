"""Transfers a second on the stand-in and on plain tables of the same server, in turns.

Run `python bench/standin.py` on a quiet machine. Two-row transfers by pgbench, prepared, 8 clients, on a
server of its own. Prints every round, the medians and their ratio; then one hot row, conflicts tried again.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import subprocess
import tempfile
from pathlib import Path

import psycopg

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


def committed_per_s(pgbench: Path, dsn: str, script: Path, seconds: int, clients: int) -> float:
    """One round of pgbench; conflicts are tried again."""
    words = ["-n", "-M", "prepared", "-c", str(clients), "-j", "2", "-T", str(seconds), "--max-tries=1000"]
    done = subprocess.run([pgbench, *words, "-f", script, dsn], capture_output=True, text=True, check=True)
    return float(re.search(r"tps = ([0-9.]+)", done.stdout)[1])


def measure(
    pgbench: Path, dsn: str, folder: Path, text: str, options: argparse.Namespace
) -> dict[str, list[float]]:
    """Rounds of the plain table and of the stand-in, in turns."""
    rounds: dict[str, list[float]] = {"plain": [], "standin": []}
    for _ in range(options.rounds):
        for table, figures in rounds.items():
            script = folder / f"{table}.sql"
            script.write_text(text.format(table=table, last=KEYS - 1))
            figures.append(committed_per_s(pgbench, dsn, script, options.seconds, options.clients))
    return rounds


def show(title: str, rounds: dict[str, list[float]]) -> None:
    """The rounds, their medians and the ratio."""
    medians = {table: statistics.median(figures) for table, figures in rounds.items()}
    print(title)
    for table, figures in rounds.items():
        shown = " ".join(f"{figure:,.0f}" for figure in figures)
        print(f"  {table:<8} median {medians[table]:8,.0f}/s   rounds {shown}")
    print(f"  ratio    {medians['standin'] / medians['plain']:.3f}")


def main() -> None:
    """Measure on a server in a home of its own, and stop it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--clients", type=int, default=8)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="hb"))
    os.environ["HOTROW_HOME"] = str(folder / "home")
    from hotrow.targets.local.binaries import find_binaries
    from hotrow.targets.local.server import down, ensure_up

    try:
        dsn = ensure_up().dsn
        with psycopg.connect(dsn, autocommit=True) as connection:
            for statement in filter(str.strip, SET_UP.split(";")):
                connection.execute(statement)
        pgbench = find_binaries().folder / "pgbench"
        show("transfers between two of 100,000 rows", measure(pgbench, dsn, folder, TRANSFER, options))
        show("one hot row, conflicts tried again", measure(pgbench, dsn, folder, INCREMENT, options))
    finally:
        down()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
