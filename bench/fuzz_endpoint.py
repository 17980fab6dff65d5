"""Sends 100,000 random, truncated and oversized messages to a running endpoint.

From the root of the repository, after `hotrow local up --endpoint`: `python -m bench.fuzz_endpoint`. It fails
where somebody was let in without a token, an answer did not come, or the endpoint grew or became useless.
"""

from __future__ import annotations

import argparse
import random
import sys
import time

import psutil
import psycopg

from hotrow.errors import TargetError
from hotrow.standin.endpoint.control import ask_control
from hotrow.standin.endpoint.faults import Faults
from hotrow.standin.endpoint.lifecycle import Endpoint, find_control, find_endpoint, make_token
from hotrow.standin.endpoint.state import Folder, read_state
from tests.support.wire_fuzz import Fuzz

GROWTH_BYTES_MAX = 20_000_000


def main() -> int:
    """Send messages until the number is reached; return 1 if the memory of the endpoint has grown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    endpoint, process = find()
    generator = random.Random(wanted.seed)  # noqa: S311 - chosen bytes, no secrets
    fuzz = Fuzz(endpoint.port, make_token(life_s=86_400), generator)
    attack(fuzz, wanted.messages // 10)
    settled = process.memory_info().rss
    attack(fuzz, wanted.messages - wanted.messages // 10)
    grown = process.memory_info().rss - settled
    ask_control(find_control(), Faults())  # whatever was injected meanwhile
    with psycopg.connect(endpoint.dsn, password=make_token()) as connection:
        connection.execute("SELECT 1")
    print(
        f"memory {settled / 1e6:.1f} MB, then {grown / 1e6:+.1f} MB; files {process.num_fds()}; still usable"
    )
    return int(grown > GROWTH_BYTES_MAX)


def find() -> tuple[Endpoint, psutil.Process]:
    """The running endpoint and its process."""
    endpoint = find_endpoint()
    state = read_state(Folder(endpoint.ca.parent)) if endpoint else None
    if endpoint is None or state is None:
        raise TargetError("no endpoint runs: start it with `hotrow local up --endpoint`")
    return endpoint, psutil.Process(state.pid)


def attack(fuzz: Fuzz, messages: int) -> None:
    """Send at least this number of messages, and print how long the endpoint took to answer."""
    begun, sent, connections, slowest_s = time.monotonic(), 0, 0, 0.0
    while sent < messages:
        started = time.monotonic()
        sent += fuzz.attack()
        connections += 1
        slowest_s = max(slowest_s, time.monotonic() - started)
    passed_s = time.monotonic() - begun
    print(f"{sent} messages, {connections} connections, {passed_s:.0f} s, slowest {slowest_s * 1000:.0f} ms")


if __name__ == "__main__":
    sys.exit(main())
