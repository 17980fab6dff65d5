"""Compares scripts with pgbench, and with the same scenario in Python, in turns.

Run `python bench/scripts.py` on a quiet machine; `--quick` only shows that it works. First it measures the
client's processor time per transaction: `counter`, and the same as a script. Then pgbench and hotrow run
`tpcb-like` on one database, through a proxy that adds 5 ms in each direction, so that neither client is the
bottleneck: transactions per second, conflicts per attempt, and transactions that gave up.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg
from psycopg.conninfo import make_conninfo

from hotrow.attempt.loop import Client, run_transaction
from hotrow.attempt.retry import parse_retry
from hotrow.keys.skew import KeySource, parse_skew
from hotrow.script.finding_scripts import find_any_scenario
from hotrow.standin.binaries import find_binaries
from hotrow.standin.server import down, ensure_up
from hotrow.tables.run_schema import RunSchema
from hotrow.targets.connection import UserConnection
from hotrow.targets.session import BLOCKING
from hotrow.targets.target import parse_target, start
from scenarios import ALL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hotrow.scenario import Scenario

KEYS = 1000
SCRIPT = f"""\\set id random(0, {KEYS - 1})
\\set shard random(0, 0)
BEGIN;
UPDATE counter SET value = value + 1 WHERE id = :id AND shard = :shard;
COMMIT;
"""
SETUP = f"""CREATE TABLE counter (id bigint, shard bigint, value bigint NOT NULL, PRIMARY KEY (id, shard));
INSERT INTO counter SELECT id, 0, 0 FROM generate_series(0, {KEYS - 1}) AS id;
"""
DELAY_S = 0.005
MAX_TRIES = 3


@contextmanager
def own_server() -> Iterator[tuple[Path, str]]:
    """A folder and the dsn of a server in it. Both are removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="hb"))
    folder.chmod(0o755)  # as root, the server runs as another account
    os.environ["HOTROW_HOME"] = str(folder / "home")
    try:
        yield folder, ensure_up().dsn
    finally:
        down()
        shutil.rmtree(folder, ignore_errors=True)


def make_client(scenario: Scenario, connection: UserConnection) -> Client:
    """A user of a scenario, whose records go nowhere."""
    table = parse_skew("uniform").table(KEYS)
    rng = np.random.default_rng(1)
    return Client(
        scenario=scenario,
        keys=KeySource(table, rng),
        rng=rng,
        policy=parse_retry("none"),
        redraw=False,
        connections=connection,
        record=lambda **_: None,
        hottest=table.hottest,
        clock_ns=time.perf_counter_ns,
        pause=lambda _: True,
    )


def cpu_us(client: Client, transactions: int) -> float:
    """This process's processor time per transaction."""
    before = time.process_time()
    for number in range(transactions):
        run_transaction(client, number)
    return (time.process_time() - before) / transactions * 1e6


def compare_cpu(folder: Path, rounds: int, transactions: int) -> None:
    """Scenario and script in turns, on tables of the same definition."""
    script = folder / "counter.sql"
    script.write_text(SCRIPT)
    script.with_suffix(".setup.sql").write_text(SETUP)
    target = start(parse_target("plain:rtt=0,commit=0"))
    sides = {"scenario": ALL["counter"](), "script": find_any_scenario(str(script), {})(key="id")}
    clients: dict[str, Client] = {}
    for name, scenario in sides.items():
        tables = RunSchema(target, f"bench_{name}", scenario, BLOCKING)
        tables.build(KEYS)
        clients[name] = make_client(scenario, UserConnection(target, tables.schema, BLOCKING))
        cpu_us(clients[name], 200)
    figures = [
        {name: cpu_us(client, transactions) for name, client in clients.items()} for _ in range(rounds)
    ]
    print("processor time of the client per transaction, in microseconds")
    for each in figures:
        print("  " + ", ".join(f"{name} {value:.0f}" for name, value in each.items()))
    medians = {name: statistics.median(each[name] for each in figures) for name in sides}
    print(
        f"  medians {medians['scenario']:.0f}, {medians['script']:.0f}; ratio "
        f"{medians['script'] / medians['scenario']:.2f}"
    )


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass everything on, DELAY_S later."""
    loop = asyncio.get_running_loop()
    while data := await reader.read(65_536):
        loop.call_later(DELAY_S, writer.write, data)
    loop.call_later(DELAY_S, writer.close)


async def _serve(listener: socket.socket, path: str) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_unix_connection(path)
        await asyncio.gather(_pump(reader, server_writer), _pump(server_reader, writer))

    server = await asyncio.start_server(connected, sock=listener)
    await server.serve_forever()


@contextmanager
def delayed(path: str) -> Iterator[int]:
    """The port of a proxy that delays everything on its way to a socket."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        process = multiprocessing.get_context("fork").Process(
            target=lambda: asyncio.run(_serve(listener, path)), daemon=True
        )
        process.start()
        try:
            yield listener.getsockname()[1]
        finally:
            process.terminate()
            process.join()


def by_pgbench(pgbench: Path, dsn: str, users: int, seconds: int) -> dict[str, float]:
    """The figures of one round of pgbench."""
    words = [pgbench, "-n", "-c", str(users), "-j", "1", "-M", "prepared", "-T", str(seconds)]
    isolation = {"PGOPTIONS": "-c default_transaction_isolation=repeatable\\ read"}
    done = subprocess.run(
        [*words, f"--max-tries={MAX_TRIES}", dsn],
        env={**os.environ, **isolation},
        capture_output=True,
        text=True,
        check=True,
    )
    patterns = {
        "tps": r"tps = ([\d.]+)",
        "done": r"actually processed: (\d+)",
        "failed": r"failed transactions: (\d+)",
        "retries": r"number of retries: (\d+)",
    }
    found = {
        name: float(match[1]) if (match := re.search(pattern, done.stdout)) else 0.0
        for name, pattern in patterns.items()
    }
    conflicts = found["retries"] + found["failed"]
    ended = found["done"] + found["failed"]
    return {
        "tps": found["tps"],
        "conflicts per attempt": conflicts / (ended + found["retries"]),
        "gave up": found["failed"] / ended,
    }


def by_hotrow(folder: Path, host: str, scale: int, users: int, seconds: int) -> dict[str, float]:
    """The figures of one cell of a sweep."""
    out = Path(tempfile.mkdtemp(dir=folder))
    words = ["sweep", "tpcb-like", "--schema", "public", "--scale", str(scale), "--skew", "uniform"]
    words += ["--users", str(users), "--duration", f"{seconds}s", "--retry", f"immediate:max={MAX_TRIES - 1}"]
    subprocess.run(
        [Path(sys.executable).parent / "hotrow", *words, "-H", host, "--no-report", "--out", out],
        capture_output=True,
        check=False,
    )
    (path,) = out.glob("*/summary.json")
    cell: dict[str, Any] = json.loads(path.read_text())["cells"][0]
    return {
        "tps": cell["goodput_per_s"]["value"],
        "conflicts per attempt": cell["attempts"]["conflict"] / cell["attempts"]["total"],
        "gave up": cell["give_up_rate"]["value"],
    }


def compare_pgbench(folder: Path, dsn: str, options: argparse.Namespace) -> None:
    """Run pgbench and hotrow in turns on the tables that `pgbench -i` makes."""
    pgbench = find_binaries().folder / "pgbench"
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE DATABASE bench TEMPLATE template0")
    bench = make_conninfo(dsn, dbname="bench")
    subprocess.run([pgbench, "-i", "-q", "-s", str(options.scale), bench], capture_output=True, check=True)
    path = str(Path(psycopg.conninfo.conninfo_to_dict(dsn)["host"]) / ".s.PGSQL.5432")
    with delayed(path) as port:
        route = f"postgresql://postgres@127.0.0.1:{port}/bench"
        figures = [
            {
                "pgbench": by_pgbench(pgbench, route, options.users, options.seconds),
                "hotrow": by_hotrow(
                    folder, f"{route}?begin=apart", options.scale, options.users, options.seconds
                ),
            }
            for _ in range(options.rounds)
        ]
    print(f"tpcb-like, scale {options.scale}, {options.users} clients, at most {MAX_TRIES} tries")
    for figure in figures[0]["pgbench"]:
        sides = {side: [each[side][figure] for each in figures] for side in ("pgbench", "hotrow")}
        medians = {side: statistics.median(values) for side, values in sides.items()}
        for side, values in sides.items():
            print(f"  {figure}, {side}: {', '.join(f'{value:.3f}' for value in values)}")
        ratio = medians["hotrow"] / medians["pgbench"] if medians["pgbench"] else float("nan")
        print(f"  medians {medians['pgbench']:.3f} and {medians['hotrow']:.3f}, ratio {ratio:.3f}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--users", type=int, default=8)
    parser.add_argument("--scale", type=int, default=4)
    parser.add_argument("--transactions", type=int, default=3000)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds, options.scale, options.transactions = 1, 2, 1, 200
    return options


def main() -> None:
    """Measure and print."""
    options = _options()
    with own_server() as (folder, dsn):
        compare_cpu(folder, options.rounds, options.transactions)
        compare_pgbench(folder, dsn, options)


if __name__ == "__main__":
    main()
