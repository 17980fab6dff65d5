"""What the Contention tab costs: the same load with and without digests and an open page, in turns.

    .venv/bin/python bench/live.py [--pairs 6] [--seconds 8] [--users 8] [--browser] [--host local:rtt=0]

One Locust process with a web page makes all runs, so that both kinds of run meet the same machine. A page is
open during every second run: a client that asks for the figures as the page does, or with `--browser` a real
headless Chromium on the same machine, which then also takes CPU of its own. Printed are the goodput and the
CPU of the load process per attempt of each run, and the ratio of the medians. On a busy machine these ratios
are noise. So the CPU of the tab's own code in the load process is measured too, as a share of one core and
of the process.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCUSTFILE = """
import time
from dataclasses import replace
from flask import request
from locust import events
from hotrow.load import ContentionUser
from hotrow.load.live import routes
from hotrow.load.live.sending import Digests
from hotrow.load.run_maker import RunMaker
from scenarios.counter import Counter

watched = [True]
setup = RunMaker.setup
RunMaker.setup = lambda *given: replace(setup(*given), watched=watched[0])
spent = [0.0]

def timed(function):
    def call(*given, **named):
        began = time.thread_time()
        try:
            return function(*given, **named)
        finally:
            spent[0] += time.thread_time() - began
    return call

Digests.send = timed(Digests.send)  # with a single process this includes what the master does
routes.snapshot = timed(routes.snapshot)

class CounterUser(ContentionUser):
    scenario = Counter()

@events.init.add_listener
def _on_init(environment, **_):
    @environment.web_ui.app.post("/watched")
    def watch():
        watched[0] = request.form["on"] == "1"
        return "ok"

    @environment.web_ui.app.get("/spent")
    def spent_s():
        return {"tab": spent[0], "process": time.process_time()}
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--users", type=int, default=8)
    parser.add_argument("--host", default="local:rtt=0,commit=0")
    parser.add_argument("--browser", action="store_true")
    options = parser.parse_args()
    results: dict[bool, list[dict[str, float]]] = {False: [], True: []}
    with _locust(options.host) as (address, runs):
        for pair in range(options.pairs + 1):
            for watched in (pair % 2 == 0, pair % 2 == 1):
                run = _run(address, runs, options, watched=watched)
                if pair:  # the first pair warms up
                    results[watched].append(run)
                    print(f"{'with' if watched else 'without':8}", _line(run), flush=True)
    for name in ("goodput_per_s", "cpu_us_per_attempt"):
        with_, without = (statistics.median(run[name] for run in results[on]) for on in (True, False))
        print(f"{name}: median with {with_:,.1f}, without {without:,.1f}, ratio {with_ / without:.3f}")
    for name in ("tab_%_of_core", "tab_%_of_process"):
        print(f"{name}: median {statistics.median(run[name] for run in results[True]):.2f}")


def _line(run: dict[str, float]) -> str:
    return "  ".join(f"{name} {value:,.1f}" for name, value in run.items())


def _run(address: str, runs: Path, options: Any, *, watched: bool) -> dict[str, float]:
    known = set(runs.iterdir()) if runs.is_dir() else set()
    _post(f"{address}/watched", on=int(watched))
    with _page(address, options.browser) if watched else ExitStack():
        _post(f"{address}/swarm", user_count=options.users, spawn_rate=options.users)
        time.sleep(2.0)
        before, began = _spent(address), time.monotonic()
        time.sleep(options.seconds)
        after, seconds = _spent(address), time.monotonic() - began
        _post(f"{address}/stop")
    (directory,) = set(runs.iterdir()) - known
    deadline = time.monotonic() + 60
    while not (directory / "summary.json").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    (cell,) = json.loads((directory / "summary.json").read_text())["cells"]
    cpu_s = cell["client"]["own_cores"] * cell["seconds"]
    return {
        "goodput_per_s": cell["goodput_per_s"]["value"],
        "cpu_us_per_attempt": 1e6 * cpu_s / cell["attempts"]["total"],
        "tab_%_of_core": 100 * (after["tab"] - before["tab"]) / seconds,
        "tab_%_of_process": 100 * (after["tab"] - before["tab"]) / (after["process"] - before["process"]),
    }


def _spent(address: str) -> dict[str, float]:
    spent: dict[str, float] = json.loads(urllib.request.urlopen(f"{address}/spent").read())
    return spent


@contextmanager
def _page(address: str, browser: bool) -> Iterator[None]:
    """An open page: a browser, or a thread that asks for the same figures."""
    if browser:
        with _browser(f"{address}/contention/"):
            yield
        return
    ended = threading.Event()

    def poll() -> None:
        known: dict[str, Any] = {}
        count = 0
        while not ended.wait(1.0):
            query = urllib.parse.urlencode({"run": known.get("run", ""), "epoch": 0, "since": count})
            known = json.loads(urllib.request.urlopen(f"{address}/contention/data?{query}").read())
            count = known.get("first", 0) + len(known.get("points", ()))

    thread = threading.Thread(target=poll)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextmanager
def _browser(url: str) -> Iterator[None]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        page = chromium.new_page(viewport={"width": 1280, "height": 900})
        page.goto(url)
        time.sleep(5.0)  # the start of a browser takes seconds of CPU
        yield
        chromium.close()


@contextmanager
def _locust(host: str) -> Iterator[tuple[str, Path]]:
    """A Locust process with a web page in a home of its own: (address, folder of its runs)."""
    with tempfile.TemporaryDirectory(prefix="hb") as folder, socket.socket() as free:
        home = Path(folder, "home")
        home.mkdir()
        Path(folder).chmod(0o755)
        Path(folder, "counter_bench.py").write_text(LOCUSTFILE)
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        words = [
            "-f",
            "counter_bench.py",
            "-H",
            host,
            "--skew",
            "uniform",
            "--keys",
            "1000",
            "--warmup",
            "2s",
            "--no-report",
        ]
        words += ["--web-port", str(port), "--out", "runs"]
        environment = {**os.environ, "HOTROW_HOME": str(home)}
        binaries, quiet = Path(sys.executable).parent, subprocess.DEVNULL
        with subprocess.Popen(
            [str(binaries / "locust"), *words], cwd=folder, env=environment, stdout=quiet, stderr=quiet
        ) as process:
            try:
                _wait_for(f"http://127.0.0.1:{port}/contention/data")
                yield f"http://127.0.0.1:{port}", Path(folder, "runs")
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(60)
                subprocess.run([str(binaries / "hotrow"), "local", "down"], env=environment, check=False)


def _wait_for(url: str) -> None:
    for _ in range(300):
        try:
            urllib.request.urlopen(url).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise SystemExit("locust does not answer")


def _post(url: str, **fields: Any) -> None:
    urllib.request.urlopen(url, data=urllib.parse.urlencode(fields).encode()).close()


if __name__ == "__main__":
    main()
