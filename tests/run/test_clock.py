"""The clock of a run, and the offset between the clocks of two processes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from hotrow.attempt.record import ATTEMPT
from hotrow.run.clock import Offset, RunClock, align, estimate, offsets_in

if TYPE_CHECKING:
    from collections.abc import Iterator

HOUR_NS = 3_600_000_000_000


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, int]]:
    """The wall clock and the monotonic clock, for the test to set."""
    readings = {"wall": 1_000, "perf": 50}
    monkeypatch.setattr(time, "time_ns", lambda: readings["wall"])
    monkeypatch.setattr(time, "perf_counter_ns", lambda: readings["perf"])
    return readings


def test_a_step_of_the_wall_clock_does_not_move_it(clocks: dict[str, int]) -> None:
    """After its start it follows the monotonic clock only, and reports the step of the wall clock."""
    clock = RunClock.start()
    clocks["perf"] += 7
    clocks["wall"] += 7 + HOUR_NS

    assert clock.now_ns() == 1_007
    assert clock.late_wall_ms() == 3_600_000


@pytest.mark.parametrize("ahead_ns", [0, 5_000, -HOUR_NS])
def test_the_estimate_is_exact_if_both_ways_take_the_same_time(ahead_ns: int) -> None:
    """Sent at 100, heard 40 later, answered 30 after that, and the answer took 40 again."""
    offset = estimate(3, sent_ns=100, received_ns=140 + ahead_ns, answered_ns=170 + ahead_ns, returned_ns=210)

    assert offset == Offset(3, ahead_ns, 80)


def test_the_true_offset_lies_within_half_the_delay() -> None:
    """The delay may be split over the two directions in any way; seeded."""
    rng = np.random.default_rng(5)
    for there, back, ahead in rng.integers(0, 10_000, (1_000, 3)).tolist():
        offset = estimate(
            0, sent_ns=0, received_ns=there + ahead, answered_ns=there + ahead, returned_ns=there + back
        )
        assert abs(offset.offset_ns - ahead) <= offset.delay_ns / 2 + 1


def test_an_offset_that_may_be_zero_is_not_corrected() -> None:
    """Clocks on one machine differ by less than a message takes, so their times stay unchanged."""
    assert Offset(0, 40, 100).correction_ns == 0
    assert Offset(0, 60, 100).correction_ns == 60


def test_the_events_give_the_quickest_estimate_of_each_worker() -> None:
    """Other events, and slower answers, do not matter."""
    quick, slow, other = Offset(0, 10, 1), Offset(0, 20, 9), Offset(1, 30, 5)
    events = [
        {"event": "begin", "cell": 0},
        {"event": "clock", "offsets": [quick.as_json(), other.as_json()]},
        {"event": "clock", "offsets": [slow.as_json()]},
    ]

    assert offsets_in(events) == {0: quick, 1: other}


def test_attempts_are_put_on_the_master_s_clock() -> None:
    """Only those of the worker whose clock was off, and both of their times."""
    attempts = np.zeros(3, ATTEMPT)
    attempts["worker"] = (0, 1, 1)
    attempts["started"], attempts["scheduled"] = HOUR_NS + 5, HOUR_NS + 4

    align(attempts, {1: Offset(1, HOUR_NS, 100), 0: Offset(0, 3, 100)})

    assert attempts["started"].tolist() == [HOUR_NS + 5, 5, 5]
    assert attempts["scheduled"].tolist() == [HOUR_NS + 4, 4, 4]
