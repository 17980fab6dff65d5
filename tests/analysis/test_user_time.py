"""The users' time by what it went into: it adds up to users times seconds, whatever crosses the edges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from analysis.summarise import summarise
from analysis.user_time import PARTS
from hotrow.attempt.record import Outcome
from tests.support.measured import attempt, cell, run_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

THINK_MS = 7
OUTCOMES = (Outcome.COMMITTED, Outcome.CONFLICT, Outcome.DEADLOCK, Outcome.REJECTED, Outcome.ERROR)


def spent(attempts: list[NDArray[np.void]], users: int = 1, think_ms: float = 0.0) -> dict[str, float]:
    """`user_time_s` of one cell whose measured interval is [0, 1 s)."""
    run = run_of(attempts, cells=[cell(users=users)], think_s=think_ms / 1e3)
    (summary,) = summarise(run)["cells"]
    parts: dict[str, float] = summary["user_time_s"]
    return parts


def part_of(outcome: Outcome, number: int) -> str:
    """The part that an attempt belongs to."""
    if outcome is Outcome.COMMITTED:
        return "first_attempts" if number == 1 else "later_attempts"
    if outcome in {Outcome.CONFLICT, Outcome.DEADLOCK}:
        return "conflicts"
    return "rejected" if outcome is Outcome.REJECTED else "errors"


def life_of(user: int, rng: np.random.Generator) -> tuple[list[NDArray[np.void]], list[str]]:
    """A user's attempts from -300 ms to 1.3 s, and what each whole ms of its time went into."""
    records, diary, transaction = [], [], user * 1_000
    while len(diary) < 1_600:
        transaction, number = transaction + 1, 0
        while True:
            number += 1
            waits: dict[str, int] = {"backoff": int(rng.integers(30)) if number > 1 else 0}
            waits["connecting"] = int(rng.integers(40)) * int(rng.random() < 0.2)
            diary += [name for name, ms in waits.items() for _ in range(ms)]
            outcome = OUTCOMES[rng.choice(5, p=(0.5, 0.3, 0.1, 0.05, 0.05))]
            final = outcome not in {Outcome.CONFLICT, Outcome.DEADLOCK} or number == 4
            body, commit = int(rng.integers(1, 20)), int(rng.integers(1, 10))
            where = {"user": user, "final": final, "number": number, "times_ms": (0.0, body, commit)}
            durations = {"backoff_ms": waits["backoff"], "connect_ms": waits["connecting"]}
            records.append(attempt(transaction, len(diary) - 300, outcome, **where, **durations))
            diary += [part_of(outcome, number)] * (body + commit)
            if final:
                break
        diary += ["think"] * THINK_MS + ["other"] * int(rng.integers(3))
    return records, diary


@pytest.mark.parametrize("seed", range(5))
def test_every_millisecond_is_counted_once(seed: int) -> None:
    """Four users' diaries, ms by ms, give the same seconds: also for what crosses an edge of the interval."""
    lives = [life_of(user, np.random.default_rng([seed, user])) for user in range(4)]

    parts = spent([record for records, _ in lives for record in records], users=4, think_ms=THINK_MS)

    counted = [name for _, diary in lives for name in diary[300:1_300]]
    assert parts == pytest.approx({"total": 4.0, **{name: counted.count(name) / 1e3 for name in PARTS}})
    assert sum(parts[name] for name in PARTS) == pytest.approx(4.0)


def test_an_attempt_across_an_edge_counts_for_its_part_inside() -> None:
    """20 ms before the begin and 30 ms after it; 40 ms before the end and 10 ms after it."""
    attempts = [attempt(1, -20, times_ms=(0, 0, 50)), attempt(2, 960, times_ms=(0, 0, 50))]

    assert spent(attempts)["first_attempts"] == pytest.approx(0.030 + 0.040)


def test_a_backoff_that_the_end_cuts_off_is_backoff() -> None:
    """The attempt after it never began: from the failed attempt to the end of the interval."""
    parts = spent([attempt(1, 100, Outcome.CONFLICT, final=False, times_ms=(0, 0, 50))])

    assert parts["conflicts"] == pytest.approx(0.050)
    assert parts["backoff"] == pytest.approx(0.850)
    assert parts["other"] == pytest.approx(0.100)


def test_a_pause_is_think_time_up_to_the_think_time() -> None:
    """200 ms between two transactions, with 150 ms of think time: 50 ms are something else."""
    attempts = [attempt(1, 0, times_ms=(0, 0, 400)), attempt(2, 600, times_ms=(0, 0, 400))]
    parts = spent(attempts, think_ms=150)

    assert (parts["think"], parts["other"]) == pytest.approx((0.150, 0.050))


def test_users_that_left_during_the_cell_make_the_total_larger() -> None:
    """Two users were busy and one was left at the end: the total is what was spent."""
    attempts = [attempt(user, 0, user=user, times_ms=(0, 0, 900)) for user in (0, 1)]
    parts = spent(attempts, users=1)

    assert parts["total"] == pytest.approx(1.8)
    assert parts["other"] == 0.0


def test_a_cell_without_attempts_is_all_other() -> None:
    """Nothing is known of the time, and it still adds up."""
    parts: dict[str, Any] = spent([])

    assert (parts["total"], parts["other"]) == (1.0, 1.0)
