"""What the tap costs, and whether it sees what a run sees.

    .venv/bin/python bench/tap.py cost        round trips through the tap beside direct ones, on `plain`
    .venv/bin/python bench/tap.py agreement   one hot row, 10 users, 7 ms: `counter` beside psycopg threads

Rounds of both alternate, so that a change of the machine's load hits both. The stand-in is that of
HOTROW_HOME.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import psycopg

BIN = Path(sys.executable).parent
ROUNDS, ROUND_TRIPS = 20, 500
USERS, SECONDS = 10, 8.0
STATEMENTS: tuple[tuple[str, Any, Any], ...] = (
    ("SELECT, simple protocol", b"SELECT 1", None),
    ("SELECT, one parameter", "SELECT %s::int", (1,)),
)
WINDOW = "local:rtt=1ms,commit=5ms,begin=apart"
"""BEGIN, UPDATE and COMMIT take 1 + 1 + 5 ms, for psycopg as for a scenario that sends BEGIN apart."""


class Tap:
    """`hotrow tap` in a process of its own."""

    def __init__(self, to: str, out: Path) -> None:
        words = [BIN / "hotrow", "tap", "--to", to, "--listen", "127.0.0.1:0", "--out", out, "--no-report"]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline() if self.process.stdout else ""
        self.dsn = f"host=127.0.0.1 user=x dbname=postgres port={line.split('127.0.0.1:')[1].split()[0]}"
        self.out = out

    def cpu_s(self) -> float:
        """The processor time of its process so far."""
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)

    def end(self) -> dict[str, Any]:
        """End it; its summary."""
        self.process.terminate()
        self.process.communicate(timeout=60)
        (path,) = self.out.glob("*/summary.json")
        return dict(json.loads(path.read_text()))


def cost(out: Path) -> None:
    tap = Tap("plain:rtt=0,commit=0", out)
    with ExitStack() as stack:
        direct, through = (
            stack.enter_context(psycopg.connect(dsn, autocommit=True)) for dsn in (server_dsn(), tap.dsn)
        )
        for name, statement, parameters in STATEMENTS:
            times: dict[str, list[float]] = {"direct": [], "tap": []}
            before_s = tap.cpu_s()
            for _ in range(ROUNDS):
                for way, connection in (("direct", direct), ("tap", through)):
                    times[way].append(round_trip_us(connection, statement, parameters))
            bare, tapped = (statistics.median(times[way]) for way in ("direct", "tap"))
            print(
                f"{name:<26} direct {bare:6.1f} us  tap {tapped:6.1f} us  "
                f"+{tapped - bare:5.1f} us  x {tapped / bare:.2f}  "
                f"CPU of the tap {(tap.cpu_s() - before_s) / ROUNDS / ROUND_TRIPS * 1e6:.1f} us"
            )
    tap.end()


def round_trip_us(connection: psycopg.Connection[Any], statement: Any, parameters: Any) -> float:
    began = time.perf_counter()
    for _ in range(ROUND_TRIPS):
        connection.execute(statement, parameters)
    return (time.perf_counter() - began) / ROUND_TRIPS * 1e6


def server_dsn() -> str:
    from hotrow.standin.server import ensure_up

    return str(ensure_up().dsn)


def agreement(out: Path) -> None:
    for number in range(3):
        words = ["hotrow", "sweep", "counter", "--skew", "hot", "--users", str(USERS), "--retry", "immediate"]
        folder = out / f"sweep{number}"
        options = ["--duration", f"{SECONDS:g}s", "--warmup", "0s", "-H", WINDOW, "--no-report"]
        subprocess.run(
            [BIN / words[0], *words[1:], *options, "--out", folder], capture_output=True, check=False
        )
        (path,) = folder.glob("*/summary.json")
        show("counter", json.loads(path.read_text())["cells"][0])
        show("tap", through_tap(out / f"tap{number}"))


def through_tap(out: Path) -> dict[str, Any]:
    tap = Tap(WINDOW, out)
    with psycopg.connect(tap.dsn, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS bench_tap")
        connection.execute("CREATE TABLE bench_tap (id int PRIMARY KEY, n int NOT NULL)")
        connection.execute("INSERT INTO bench_tap VALUES (1, 0)")
    until = time.monotonic() + SECONDS
    threads = [threading.Thread(target=increment, args=(tap.dsn, until)) for _ in range(USERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    cell = tap.end()["cells"][0]
    return next(kind for kind in cell["kinds"] if kind["name"] == "UPDATE bench_tap")


def increment(dsn: str, until: float) -> None:
    with psycopg.connect(dsn) as connection:
        while time.monotonic() < until:
            try:
                with connection.transaction():
                    connection.execute("UPDATE bench_tap SET n = n + 1 WHERE id = 1")
            except psycopg.errors.SerializationFailure:
                pass


def show(name: str, part: dict[str, Any]) -> None:
    rate, attempts = part["conflict_rate"]["value"], part["attempts"]["total"]
    p50_ms = part["attempt_ms"]["p50"]
    print(f"{name:<8} conflict rate {100 * rate:5.1f} %  attempts {attempts}  p50 {p50_ms:.1f} ms")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        {"cost": cost, "agreement": agreement}[sys.argv[1]](Path(folder))
