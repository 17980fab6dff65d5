"""Sends 100,000 random, truncated and oversized messages to a running endpoint.

From the root of the repository, after `hotrow local up --endpoint`: `python -m bench.fuzz_endpoint`. It fails
if a client got in without a token, if an answer did not come, or if the endpoint grew or stopped serving.
"""

from __future__ import annotations

import argparse
import random
import sys
import time

import psutil
import psycopg

from hotrow.standin.endpoint.control import ask_control
from hotrow.standin.endpoint.credentials import make_token
from hotrow.standin.endpoint.faults import Faults
from hotrow.standin.endpoint.lifecycle import Endpoint, find_endpoints
from hotrow.standin.endpoint.running import find_control, find_folder, require_running
from tests.support.wire_fuzz import Fuzz

MAX_GROWTH_BYTES = 20_000_000


def main() -> int:
    """Send the messages; return 1 if the endpoint's memory grew by more than 20 MB after the first tenth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    endpoint, process = find()
    generator = random.Random(options.seed)  # noqa: S311 - random bytes, no secrets
    fuzz = Fuzz(endpoint.port, make_token(life_s=86_400), generator)
    attack(fuzz, options.messages // 10)
    settled_bytes = process.memory_info().rss
    attack(fuzz, options.messages - options.messages // 10)
    growth_bytes = process.memory_info().rss - settled_bytes
    ask_control(find_control(), Faults())  # the messages may have set faults
    with psycopg.connect(endpoint.dsn, password=make_token()) as connection:
        connection.execute("SELECT 1")
    print(
        f"memory {settled_bytes / 1e6:.1f} MB, then {growth_bytes / 1e6:+.1f} MB; "
        f"files {process.num_fds()}; still usable"
    )
    return int(growth_bytes > MAX_GROWTH_BYTES)


def find() -> tuple[Endpoint, psutil.Process]:
    """The running endpoint and its process."""
    state = require_running(find_folder())
    return find_endpoints()[0], psutil.Process(state.pid)


def attack(fuzz: Fuzz, messages: int) -> None:
    """Send at least this many messages, and print how long the endpoint took to answer."""
    start_s, sent, connections, slowest_s = time.monotonic(), 0, 0, 0.0
    while sent < messages:
        attack_start_s = time.monotonic()
        sent += fuzz.attack()
        connections += 1
        slowest_s = max(slowest_s, time.monotonic() - attack_start_s)
    passed_s = time.monotonic() - start_s
    print(f"{sent} messages, {connections} connections, {passed_s:.0f} s, slowest {slowest_s * 1000:.0f} ms")


if __name__ == "__main__":
    sys.exit(main())
