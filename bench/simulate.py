"""How many attempts one core simulates per second, records included. Run `python bench/simulate.py`; 20 s.

CPU time is counted, after a short simulation that compiles the loop. The goal is 500,000.
"""

from __future__ import annotations

import time

from hotrow.attempt.retry import parse_retry
from hotrow.keys.skew import parse_skew
from hotrow.simulation.simulate import simulate
from hotrow.simulation.works import DrawnKeys, ScenarioWorks
from hotrow.simulation.world import Gamma, World
from scenarios import ALL

ATTEMPTS = 1_000_000
SETTINGS = (
    ("hot", 1_000, 1, "full-jitter", 32),
    ("hot", 1_000, 2, "immediate:max=unlimited", 32),
    ("zipf:0.99", 10_000, 2, "full-jitter", 100),
    ("uniform", 10_000_000, 1, "none", 1_000),
    ("uniform", 10_000_000, 1, "none", 10_000),
)


def main() -> None:
    """Print one line per setting."""
    table = parse_skew("hot").table(10)
    consume(World(2, DrawnKeys(table, 1), Gamma(0.007)), 100)
    for skew, keys, drawn, retry, users in SETTINGS:
        works = DrawnKeys(parse_skew(skew).table(keys), drawn)
        show(f"{skew}, {keys:,} keys, {drawn} per transaction, {retry}, {users:,} users", works, retry, users)
    works_of_orders = ScenarioWorks(ALL["orders"](), parse_skew("zipf:0.99").table(10_000))
    show("orders, zipf:0.99, drawn one by one", works_of_orders, "full-jitter", 100, ATTEMPTS // 10)


def show(
    name: str, works: DrawnKeys | ScenarioWorks, retry: str, users: int, attempts: int = ATTEMPTS
) -> None:
    """Simulate, and print attempts per second of CPU."""
    world = World(users, works, Gamma(0.007, 0.25), policy=parse_retry(retry))
    before_s = time.process_time()
    consume(world, attempts)
    print(f"{attempts / (time.process_time() - before_s):12,.0f}/s  {name}", flush=True)


def consume(world: World, attempts: int) -> None:
    """Simulate, and drop the records."""
    for _ in simulate(world, 1, attempts=attempts):
        pass


if __name__ == "__main__":
    main()
