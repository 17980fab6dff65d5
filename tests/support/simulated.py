"""A simulated closed loop of users on a database in which the first committer wins.

It is an oracle for the closed forms: a discrete-event simulation without a clock or a database. Every
attempt becomes an `ATTEMPT` record, as if hotrow had measured it.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hotrow.attempt.record import ATTEMPT, NO_KEY, Flag, Marker, Outcome
from hotrow.attempt.retry import parse_retry
from hotrow.keys.skew import KeySource, parse_skew

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class World:
    """The parameters of a simulation.

    Times are in seconds and gamma distributed; `_cv` is the coefficient of variation.
    """

    users: int
    skew: str = "hot"
    keys: int = 1_000
    keys_per_transaction: int = 1
    window_s: float = 0.007
    window_cv: float = 0.25
    outside_s: float = 0.002
    outside_cv: float = 0.3
    retry: str = "none"
    redraw: bool = False


@dataclass
class _User:
    number: int
    source: KeySource
    transaction: int = 0
    began_s: float = 0.0
    keys: tuple[int, ...] = ()
    failures: int = 0
    backoff_s: float = 0.0
    snapshot_s: float = 0.0


def simulate(world: World, attempts: int, seed: int, cell: int = 0) -> NDArray[np.void]:
    """Simulate `world` for so many attempts. The records are in the order of their ends; times start at 0."""
    rng = np.random.default_rng(seed)
    policy = parse_retry(world.retry)
    windows = _gamma(rng, world.window_s, world.window_cv, attempts + world.users)
    outsides = _gamma(rng, world.outside_s, world.outside_cv, attempts)
    table = parse_skew(world.skew).table(world.keys)
    users = [_User(n, KeySource(table, np.random.default_rng([seed, n]))) for n in range(world.users)]
    heap: list[tuple[float, int]] = []
    numbers = iter(range(attempts + world.users))
    for user in users:
        _start(user, world, next(numbers), user.number * world.window_s / world.users)
        heapq.heappush(heap, (user.snapshot_s + windows.pop(), user.number))
    committed_s: dict[int, float] = {}
    rows: list[tuple[Any, ...]] = []
    for _ in range(attempts):
        now_s, number = heapq.heappop(heap)
        user = users[number]
        lost = any(committed_s.get(key, -1.0) > user.snapshot_s for key in user.keys)
        final = not lost or policy.gives_up(user.failures + 1, now_s - user.began_s)
        rows.append(_record(user, now_s, cell, lost=lost, final=final))
        again_s = now_s + outsides.pop()
        if not lost:
            committed_s.update(dict.fromkeys(user.keys, now_s))
        if final:
            _start(user, world, next(numbers), again_s)
        else:
            user.failures += 1
            user.backoff_s = policy.delay_s(user.failures, rng, user.backoff_s)
            user.snapshot_s = again_s + user.backoff_s
            if world.redraw:
                user.keys = user.source.draw(world.keys_per_transaction)
        heapq.heappush(heap, (user.snapshot_s + windows.pop(), number))
    return np.array(rows, dtype=ATTEMPT)


def conflict_rate(attempts: NDArray[np.void]) -> float:
    """Conflicts per attempt, without the first tenth of the attempts (warm-up)."""
    return float(np.mean(attempts["outcome"][len(attempts) // 10 :] == Outcome.CONFLICT))


def commits_per_s(attempts: NDArray[np.void]) -> float:
    """Commits per second, without the first tenth of the attempts (warm-up)."""
    kept = attempts[len(attempts) // 10 :]
    ends = kept["started"] + kept["body"]
    return float(np.sum(kept["outcome"] == Outcome.COMMITTED) / (ends[-1] - ends[0]) * 1e9)


def _gamma(rng: np.random.Generator, mean: float, cv: float, size: int) -> list[float]:
    if mean == 0 or cv == 0:
        return [mean] * size
    samples: list[float] = rng.gamma(cv**-2, mean * cv**2, size).tolist()
    return samples


def _start(user: _User, world: World, transaction: int, now_s: float) -> None:
    """Begin a new transaction."""
    user.transaction, user.began_s, user.snapshot_s = transaction, now_s, now_s
    user.keys = user.source.draw(world.keys_per_transaction)
    user.failures, user.backoff_s = 0, 0.0


def _record(user: _User, now_s: float, cell: int, *, lost: bool, final: bool) -> tuple[Any, ...]:
    """One record. The conflict window is all body, because BEGIN and COMMIT take no time here."""
    return (
        round(user.began_s * 1e9),
        round(user.snapshot_s * 1e9),
        0.0,
        (now_s - user.snapshot_s) * 1e9,
        0.0,
        user.backoff_s * 1e9,
        0.0,
        user.transaction,
        user.keys[0] if user.keys else NO_KEY,
        user.number,
        0,
        cell,
        user.failures + 1,
        b"40001" if lost else b"",
        Outcome.CONFLICT if lost else Outcome.COMMITTED,
        Marker.OC000 if lost else Marker.NONE,
        Flag.FINAL if final else 0,
        0,
        0,
    )
