"""Figures that others measured or simulated, with the sources in `docs/simulate.md`."""

from __future__ import annotations

import numpy as np
import pytest

from hotrow.attempt.record import Outcome
from hotrow.keys.skew import parse_skew
from hotrow.simulation.simulate import simulate
from hotrow.simulation.works import DrawnKeys, Works
from hotrow.simulation.world import Gamma, World


class Branches:
    """TPC-B: each transaction writes a branch, one of its ten tellers, and an account of its own."""

    def __init__(self, scale: int) -> None:
        self.scale = scale

    def draw(self, count: int, rng: np.random.Generator) -> Works:
        branch = rng.integers(self.scale, size=count)
        teller = self.scale + branch * 10 + rng.integers(10, size=count)
        return Works(np.stack([branch, teller], axis=1), branch, np.zeros(count, np.int64))


def _failed(one: World, attempts: int = 200_000) -> float:
    made = np.concatenate(list(simulate(one, 1, attempts=attempts)))
    return 100 * float(np.mean(made["outcome"][attempts // 10 :] == Outcome.CONFLICT))


def test_one_branch() -> None:
    """98.965 % of the attempts failed at 100 clients on one row (Bowes, 2025). The window does not matter."""
    assert _failed(World(100, Branches(1), Gamma(0.0172, 0.25))) == pytest.approx(98.965, abs=0.5)


def test_a_hundred_branches() -> None:
    """50.215 % failed at 100 clients on 100 branches and 1,000 tellers."""
    assert _failed(World(100, Branches(100), Gamma(0.0671, 0.25))) == pytest.approx(50.215, abs=2.0)


@pytest.mark.parametrize(("users", "transactions", "conflicts"), [(100, 393_828, 4), (1_000, 696_900, 68)])
def test_ten_million_rows(users: int, transactions: int, conflicts: int) -> None:
    """4 and 68 conflicts in a minute: the two numbers differ by no more than Poisson numbers do."""
    table = parse_skew("uniform").table(10**7)
    made = np.concatenate(
        list(simulate(World(users, DrawnKeys(table, 1), Gamma(0.015, 0.25)), 1, attempts=transactions))
    )
    seen = np.count_nonzero(made["outcome"] == Outcome.CONFLICT)
    assert abs(seen - conflicts) <= 3.3 * (np.sqrt(seen) + np.sqrt(conflicts))


@pytest.mark.parametrize("users", [1, 10, 100])
def test_a_hot_counter(users: int) -> None:
    """About 140 commits per second at 1 to 100 clients with a window of 7 ms: within 5 %."""
    one = World(users, DrawnKeys(parse_skew("hot").table(1), 1), Gamma(0.007))
    made = np.concatenate(list(simulate(one, 1, until_s=60.0)))
    assert np.count_nonzero(made["outcome"] == Outcome.COMMITTED) / 60 == pytest.approx(140, rel=0.05)
