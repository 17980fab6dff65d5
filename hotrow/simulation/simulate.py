"""Simulates a world, and gives its attempts as the records that a run writes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from hotrow.attempt.record import ATTEMPT, MAX_ATTEMPT, NO_KEY, Flag, Marker, Outcome
from hotrow.attempt.retry import TOKEN, formula
from hotrow.simulation.engine import ATTEMPT as MADE
from hotrow.simulation.engine import NO_ROW, SLOTS, UNLIMITED, Commits, Draws, Rules, Users, advance

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from hotrow.simulation.engine import Integers
    from hotrow.simulation.world import World

CHUNK = 100_000
"""How many attempts are simulated at a time: 30 MB."""


def simulate(
    world: World, seed: int, *, attempts: int | None = None, until_s: float = math.inf
) -> Iterator[NDArray[np.void]]:
    """Simulate so many attempts, or all that end before `until_s`; yield them in the order of their ends.

    The records are those of `hotrow.attempt.record`, a piece of them at a time. Times are in ns since the
    start of the simulation. The conflict window of an attempt is its `body`; BEGIN and COMMIT take no time of
    their own. Users start one after another within one mean window. Equal seeds give equal attempts.

    Raises:
        UsageError: the scenario's `draw` failed.
    """
    rng = np.random.default_rng(seed)
    rules = _rules(world, until_s)
    commits = Commits(np.full(SLOTS, NO_ROW), np.full(SLOTS, -np.inf))
    users = _start(world, rules.capacity, rng)
    left = attempts
    while left is None or left > 0:
        size = CHUNK if left is None else min(CHUNK, left)
        works = world.works.draw(size, rng)
        width = max(works.rows.shape[1], users.rows.shape[1])
        users = users._replace(rows=_widen(users.rows, width))
        draws = Draws(
            window_s=world.window.draw(size, rng),
            outside_s=world.outside.draw(size, rng),
            think_s=np.full(size, world.think_s),
            jitter=rng.random(size),
            rows=_widen(works.rows, width),
            hottest=works.hottest,
            kind=works.kind,
        )
        made = np.empty(size, dtype=MADE)
        count = advance(users, commits, rules, draws, made)
        yield _records(made[:count])
        left = None if left is None else left - count
        if count < size:
            return


def _rules(world: World, until_s: float) -> Rules:
    policy = world.policy
    shape = formula(policy.name)
    return Rules(
        base_s=policy.base_s,
        cap_s=policy.cap_s,
        growth=shape.growth,
        low=shape.low,
        high=shape.high,
        from_previous=shape.from_previous,
        max_retries=UNLIMITED if policy.max_retries is None else policy.max_retries,
        within_s=np.inf if policy.within_s is None else policy.within_s,
        deposit=0 if policy.ratio is None else round(policy.ratio * TOKEN),
        capacity=0 if policy.burst is None else policy.burst * TOKEN,
        redraw=world.redraw,
        until_s=until_s,
    )


def _start(world: World, capacity: int, rng: np.random.Generator) -> Users:
    """Users with their first works and full budgets, at the begin of their first transactions."""
    size = world.users
    works = world.works.draw(size, rng)
    windows_s = world.window.draw(size, rng)
    began_s = np.arange(size) * windows_s.mean() / size
    end_s = began_s + windows_s
    return Users(
        heap=np.argsort(end_s, kind="stable"),
        end_s=end_s,
        snapshot_s=began_s.copy(),
        began_s=began_s,
        backoff_s=np.zeros(size),
        failures=np.zeros(size, np.int64),
        transaction=np.arange(size),
        balance=np.full(size, capacity),
        rows=works.rows,
        hottest=works.hottest,
        kind=works.kind,
    )


def _widen(rows: Integers, width: int) -> Integers:
    """The rows of transactions, with room for so many rows per transaction."""
    return np.pad(rows, ((0, 0), (0, width - rows.shape[1])), constant_values=NO_ROW)


def _records(made: NDArray[np.void]) -> NDArray[np.void]:
    records = np.zeros(len(made), dtype=ATTEMPT)
    records["scheduled"] = np.rint(made["began_s"] * 1e9)
    records["started"] = np.rint(made["snapshot_s"] * 1e9)
    records["body"] = made["window_s"] * 1e9
    records["backoff"] = made["backoff_s"] * 1e9
    records["transaction"] = made["transaction"]
    records["key"] = np.where(made["hottest"] == NO_ROW, NO_KEY, made["hottest"])
    records["user"] = made["user"]
    records["attempt"] = np.minimum(made["number"], MAX_ATTEMPT)
    records["sqlstate"] = np.where(made["lost"], b"40001", b"")
    records["outcome"] = np.where(made["lost"], Outcome.CONFLICT, Outcome.COMMITTED)
    records["marker"] = np.where(made["lost"], Marker.OC000, Marker.NONE)
    records["flags"] = made["final"] * Flag.FINAL
    records["kind"] = made["kind"]
    return records
