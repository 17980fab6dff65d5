"""A server that stands still: the warning has the time in which no attempt ended."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from analysis.summarise import summarise
from hotrow.attempt.record import Outcome
from hotrow.keys.skew import parse_skew
from tests.analysis.test_client import lines, quiet
from tests.support.measured import attempt, cell, run_of
from tests.support.simulated import World, simulate

if TYPE_CHECKING:
    from analysis.reading import Run

SECONDS = 30.0


def _cell_of(run: Run) -> dict[str, Any]:
    (summarised,) = summarise(run)["cells"]
    return summarised


def _attempts(stop_s: float = 0.0, length_s: float = 10.0, users: int = 4) -> list[Any]:
    """Users that commit every 10 ms; an attempt that is under way at `stop_s` takes `length_s` longer."""
    records = []
    for user in range(users):
        now_ms, number = user * 2.5, 0
        while now_ms < SECONDS * 1e3:
            stopped = stop_s and now_ms < stop_s * 1e3 <= now_ms + 10.0
            took = 10.0 + (length_s * 1e3 if stopped else 0.0)
            records.append(
                attempt(user * 100_000 + number, now_ms, user=user, times_ms=(0.0, took - 5.0, 5.0))
            )
            now_ms, number = now_ms + took, number + 1
    return records


def _run(attempts: list[Any], **changes: Any) -> Run:
    return run_of(attempts, cells=[cell(users=4)], window_ms=(0.0, SECONDS * 1e3), **changes)


def test_a_server_that_stood_still_is_a_warning() -> None:
    """The warning has begin and end; the cell stays usable, because the target caused the gap."""
    summarised = _cell_of(_run(_attempts(stop_s=8.0)))

    (gap,) = summarised["silences"]
    assert (gap["begin_s"], gap["end_s"]) == (pytest.approx(8.0, abs=0.02), pytest.approx(18.0, abs=0.02))
    (warning,) = [warning for warning in summarised["warnings"] if warning["code"] == "stalled"]
    assert "no attempt ended from 8.0 s to 18.0 s" in warning["message"]
    assert summarised["usable"] is True


def test_a_server_that_stands_still_takes_no_row() -> None:
    """The winner's 10 s do not count as time for which the row was taken."""
    hottest = int(parse_skew("hot").table(100).key_of([0])[0])
    attempts = _attempts(stop_s=8.0, users=1)
    for record in attempts:
        record["key"] = hottest
    run = run_of(attempts, cells=[cell(skew="hot")], window_ms=(0.0, SECONDS * 1e3))
    for record in attempts:
        record["body"] /= 2
    half = run_of(attempts, cells=[cell(skew="hot")], window_ms=(0.0, SECONDS * 1e3))

    assert _cell_of(run)["limit"]["hottest_row_busy"] == pytest.approx(1.0, abs=0.01)
    assert _cell_of(half)["limit"]["hottest_row_busy"] == pytest.approx(0.75, abs=0.01)
    assert _cell_of(half)["predicted"]["conflict_rate"] is None


def test_a_server_that_never_came_back_is_a_warning() -> None:
    """The gap lasts until the end of the interval."""
    (gap,) = _cell_of(_run(_attempts(stop_s=20.0, length_s=60.0)))["silences"]

    assert gap["end_s"] == SECONDS


def test_a_client_that_stood_still_is_not_the_server() -> None:
    """The client's stall is a warning, and the server gets none."""
    stopped = lines([*quiet(8.0), 10_000.0, *quiet(13.0)])
    summarised = _cell_of(replace(_run(_attempts(stop_s=8.0)), health={0: stopped}))

    assert summarised["silences"] == []
    assert "client_stalled" in {warning["code"] for warning in summarised["warnings"]}


def test_a_steady_load_has_no_silence() -> None:
    """Neither has a hot row with backoff, nor users with a long think time."""
    assert _cell_of(_run(_attempts()))["silences"] == []
    hot = simulate(World(users=16, retry="full-jitter:base=10ms,cap=1s,max=10"), 4_000, seed=1)
    hot["scheduled"] += 1_760_000_000_000_000_000
    hot["started"] += 1_760_000_000_000_000_000
    assert _cell_of(run_of(hot, cells=[cell(users=16, skew="hot")]))["silences"] == []


def test_users_who_think_in_step_are_no_silence() -> None:
    """32 users that all begin within 50 ms, every 5 s."""
    starts = [5_000.0 * turn + user for turn in range(6) for user in range(32)]
    attempts = [attempt(n, start, user=n % 32) for n, start in enumerate(starts)]

    assert _cell_of(_run(attempts, think_s=5.0))["silences"] == []


def test_no_attempt_no_silence() -> None:
    """Without attempts nothing is known."""
    assert _cell_of(_run([]))["silences"] == []


def test_few_rare_attempts_are_no_silence() -> None:
    """One user makes an attempt about every 3 s, at random times."""
    rng = np.random.default_rng(5)
    starts = np.cumsum(rng.exponential(1_000.0, 25))
    attempts = [attempt(n, float(start), Outcome.COMMITTED) for n, start in enumerate(starts)]

    assert _cell_of(_run(attempts))["silences"] == []
