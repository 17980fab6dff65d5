"""How late the client was: shares of time, stalls, gaps, and advice."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from analysis.client import SAMPLE_EVERY_MS, clock_step, read_client
from analysis.reading import MeasuredInterval, read_run
from analysis.summarise import summarise
from hotrow.run.ledger import append_event, append_health
from tests.support.measured import WALL_NS, cell, run_of, steady_commits
from tests.support.run_files import write_run

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = 5
MS = 1_000_000
INTERVAL = MeasuredInterval(WALL_NS, WALL_NS + SECONDS * 1_000 * MS)


def lines(lags_ms: list[float], *, every_s: float = 1.0, **same: Any) -> list[dict[str, Any]]:
    """The health lines of a worker that samples its loop from the interval's begin with these lags."""
    written: list[dict[str, Any]] = []
    now_ms, since_ms, line_lags = 0.0, 0.0, []
    for lag in lags_ms:
        now_ms += SAMPLE_EVERY_MS + lag
        line_lags.append(lag)
        if now_ms - since_ms >= every_s * 1e3:
            written.append(_line(now_ms, now_ms - since_ms, line_lags, same))
            since_ms, line_lags = now_ms, []
    if line_lags:
        written.append(_line(now_ms, now_ms - since_ms, line_lags, same))
    return written


def _line(now_ms: float, covers_ms: float, lags: list[float], same: dict[str, Any]) -> dict[str, Any]:
    known = {"cpu": 0.2, "machine_cpu": 0.3, "cores": 2, "late_wall_ms": 0.0}
    covered = {"wall_ns": WALL_NS + round(now_ms * MS), "cell": 0, "seconds": covers_ms / 1e3}
    return {**covered, "lag_ms": max(lags), "lags_ms": lags, **known, **same}


def quiet(seconds: float = SECONDS + 1.0, lag_ms: float = 0.1) -> list[float]:
    return [lag_ms] * round(seconds * 1e3 / (SAMPLE_EVERY_MS + lag_ms))


def warnings_of(*workers: list[dict[str, Any]], users: int = 1) -> tuple[dict[str, Any], bool]:
    """The warnings of a cell by code, and whether it is usable."""
    run = run_of(steady_commits(1_000, SECONDS), cells=[cell(users=users)], window_ms=(0.0, SECONDS * 1e3))
    (summarised,) = summarise(replace(run, health=dict(enumerate(workers))))["cells"]
    return {warning["code"]: warning for warning in summarised["warnings"]}, summarised["usable"]


def test_a_quiet_client_is_fine() -> None:
    """Lags of 0.1 ms are no warning."""
    assert warnings_of(lines(quiet())) == ({}, True)


def test_one_short_hiccup_is_fine() -> None:
    """With 50 ms in 5 s, the loop is more than 10 ms late for less than 1 % of the time."""
    assert warnings_of(lines([*quiet(2), 50.0, *quiet(4)])) == ({}, True)


@pytest.mark.parametrize("stalls_ms", [[5_000.0], [900.0, 900.0], [200.0]])
def test_stalls_spoil_a_cell(stalls_ms: list[float]) -> None:
    """Time counts, not the number of samples. The warning has the time of the stall."""
    lags = [lag for stall in stalls_ms for lag in (*quiet(0.5), stall)]

    warnings, usable = warnings_of(lines([*lags, *quiet(5)]), lines(quiet()))

    assert usable is False
    assert set(warnings) == {"client_stalled"}
    until = min(0.5 + stalls_ms[0] / 1e3, SECONDS)
    assert f"worker 0 from 0.5 s to {until:.1f} s" in warnings["client_stalled"]["message"]


def test_a_stall_is_placed_where_it_was_if_its_line_came_first() -> None:
    """After a SIGSTOP the line may be written before the sample ends; then the next line has the lag."""
    before, after = lines(quiet(1.0)), lines(quiet(1.0))
    stopped = {**before[-1], "wall_ns": WALL_NS + 4_000 * MS, "seconds": 3.0, "lags_ms": []}
    late = [{**line, "wall_ns": line["wall_ns"] + 4_000 * MS} for line in after]
    late[0]["lags_ms"] = [2_990.0, *late[0]["lags_ms"][1:]]

    (stall,) = read_client({0: [*before, stopped, *late]}, 0, INTERVAL)["stalls"]

    assert (stall["begin_s"], stall["end_s"]) == (pytest.approx(1.0, abs=0.05), pytest.approx(4.0, abs=0.05))


def test_a_gap_in_the_lines_is_a_stall() -> None:
    """A worker that is stopped until the end writes no line; other workers' lines do not cover its time."""
    warnings, usable = warnings_of(lines(quiet()), lines(quiet(2.0)))

    assert usable is False
    assert "worker 1 from 2.0 s to 5.0 s" in warnings["client_stalled"]["message"]


def test_the_last_line_may_be_on_its_way() -> None:
    """A gap of one period at the end is no stall, nor is the time before a worker's first line."""
    late_starter = [line for line in lines(quiet()) if line["wall_ns"] > WALL_NS + 2_000 * MS]

    assert warnings_of(lines(quiet(4.2)), late_starter) == ({}, True)


def test_lateness_is_that_of_a_random_moment() -> None:
    """The p99 agrees with events due at random moments, each late until its sample ends."""
    rng = np.random.default_rng(3)
    lags = rng.gamma(0.3, 8.0, 2_000).tolist()
    client = read_client({0: lines(lags)}, 0, INTERVAL)
    ends = np.cumsum(np.array(lags) + SAMPLE_EVERY_MS)
    due = rng.uniform(0.0, SECONDS * 1e3, 400_000)
    place = np.searchsorted(ends, due)
    late = np.where(due > ends[place] - np.array(lags)[place], ends[place] - due, 0.0)

    assert client["lag_ms_p99"] == pytest.approx(np.quantile(late, 0.99), rel=0.03)


def test_a_loop_that_is_always_late_is_saturated() -> None:
    """It is not a stall, because no single time stands out."""
    warnings, usable = warnings_of(lines(quiet(lag_ms=30.0)))

    assert (set(warnings), usable) == ({"client_saturated"}, False)


@pytest.mark.parametrize(
    ("load", "users", "helps", "not_said"),
    [
        ({"machine_cpu": 1.0, "cpu": 0.1}, 1, "Other processes", "fewer users"),
        ({"machine_cpu": 0.95, "cpu": 0.95}, 1, "more workers (--processes)", "fewer users"),
        ({"machine_cpu": 0.5, "cpu": 0.95}, 8, "fewer users", "Other processes"),
        ({"machine_cpu": 0.2, "cpu": 0.1}, 8, "another machine", "users"),
        ({"machine_cpu": 1.0, "cpu": 0.85}, 1, "Other processes", "fewer users"),
    ],
)
def test_the_advice_follows_from_what_was_measured(
    load: dict[str, float], users: int, helps: str, not_said: str
) -> None:
    """No advice of fewer users if there is one, nor of more processes if others use the machine."""
    warning = warnings_of(lines(quiet(lag_ms=30.0), **load), users=users)[0]["client_saturated"]

    if load["machine_cpu"] != 0.95:
        assert helps in warning["advice"]
    assert not_said not in warning["advice"]
    assert "30 ms" in warning["message"]
    assert "of the machine's 2 cores the client used" in warning["message"]


def test_old_lines_are_judged_as_before() -> None:
    """They have only the worst lag of each second."""
    warnings, usable = warnings_of(
        [
            {"wall_ns": WALL_NS + (n + 1) * 1_000 * MS - 1, "cell": 0, "cpu": 0.3, "lag_ms": 30.0}
            for n in range(5)
        ]
    )

    assert (set(warnings), usable) == ({"client_saturated"}, False)


def test_lines_are_on_the_master_s_clock(tmp_path: Path) -> None:
    """A worker's clock is an hour behind. Without its offset its lines would be a gap."""
    directory = write_run(tmp_path)
    (directory / "health-0.jsonl").unlink()
    hour_ns = 3_600_000_000_000
    for line in lines(quiet(1.0)):
        append_health(directory, 0, {**line, "wall_ns": line["wall_ns"] - hour_ns})
    offset = {"worker": 0, "offset_ns": -hour_ns, "delay_ns": 1_000_000}
    health = read_run(directory).health

    append_event(directory, {"event": "clock", "offsets": [offset]})

    (line, *_), (aligned, *_) = health[0], read_run(directory).health[0]
    assert aligned["wall_ns"] - line["wall_ns"] == hour_ns
    assert (
        read_client(read_run(directory).health, 0, MeasuredInterval(WALL_NS, WALL_NS + 1_000 * MS))["stalls"]
        == []
    )


def test_a_step_of_the_wall_clock_is_a_warning_and_spoils_nothing() -> None:
    """The clock steps an hour forward; the figures come from the monotonic clock."""
    worker = lines(quiet())
    for line in worker[2:]:
        line["late_wall_ms"] = 3_600_000.0
    run = run_of(steady_commits(1_000, SECONDS), window_ms=(0.0, SECONDS * 1e3))
    summary = summarise(replace(run, health={0: worker}))

    (warning,) = summary["warnings"]
    assert warning["code"] == "clock_stepped"
    assert "moved by +3,600.0 s at 08:53:23 UTC" in warning["message"]
    assert summary["cells"][0]["usable"] is True


def test_a_slewed_clock_is_no_warning() -> None:
    """Some milliseconds are no warning, nor are lines without the field."""
    slewed = [{**line, "late_wall_ms": 20.0 * n} for n, line in enumerate(lines(quiet()))]
    run = run_of(steady_commits(1_000, SECONDS), window_ms=(0.0, SECONDS * 1e3))

    assert summarise(replace(run, health={0: slewed}))["warnings"] == []
    assert clock_step({0: [{"wall_ns": 1}, {"wall_ns": 2}]}) is None
