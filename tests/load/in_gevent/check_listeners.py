"""The replaced parts of Locust: simultaneous stops, exit codes and time."""

from __future__ import annotations

import time
from types import SimpleNamespace

import gevent
import locust.runners
import locust.stats
import pytest
from locust import argument_parser

from hotrow.load import listeners
from hotrow.load.listeners import _serialize_stops
from hotrow.load.locust_exit import LocustExit
from hotrow.load.locust_time import LocustTime


def test_a_second_stop_waits_for_the_first() -> None:
    """Locust checks only whether it has stopped, and would stop every user again during a stop."""
    runner = SimpleNamespace(state="running", stopped=0)

    def stop() -> None:
        if runner.state == "stopped":
            return
        runner.stopped += 1
        gevent.sleep(0.02)
        runner.state = "stopped"

    runner.stop = stop
    _serialize_stops(runner)
    gevent.joinall([gevent.spawn(runner.stop) for _ in range(3)], raise_error=True)

    assert runner.stopped == 1


@pytest.mark.parametrize(
    ("ours", "locusts", "expected"),
    [
        (None, 1, 2),
        (None, -1, 2),
        (None, 0, 0),
        (None, None, None),
        (1, 1, 1),
        (4, 4, 4),
        (2, 1, 2),
        (0, 1, 2),
    ],
)
def test_exit_codes_are_ours(ours: int | None, locusts: int | None, expected: int | None) -> None:
    """Locust's own code 1 would mean that a gate failed. The code that hotrow set passes, and so does 0."""
    locust_exit = LocustExit()
    locust_exit.environment = None if ours is None else SimpleNamespace(process_exit_code=ours)  # type: ignore[assignment]

    with pytest.raises(SystemExit) as ended:
        locust_exit.exit(locusts)

    assert ended.value.code == expected


def test_the_rest_of_sys_is_there() -> None:
    """Locust's modules use its other names as before."""
    assert LocustExit().argv is __import__("sys").argv


def test_a_step_back_does_not_move_locust_s_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise its shape sleeps for as long as the step, and its workers discard messages as old."""
    steady = LocustTime()
    before = steady.time()
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    monkeypatch.setattr(time, "time", lambda: 0.0)

    assert 0 <= steady.time() - before < 60
    assert steady.monotonic is time.monotonic


def test_locust_s_runners_use_it() -> None:
    """Locust uses it for its shape, for message times and for heartbeats."""
    assert isinstance(locust.runners.time, LocustTime)
    assert isinstance(locust.stats.time, LocustTime)


def test_a_visit_of_the_page_leaves_the_signals_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Locust's page makes the parser again at every visit; the handlers of the run must stay."""
    calls: list[str] = []
    monkeypatch.setattr(listeners, "end_while_starting", lambda: calls.append("starting"))
    monkeypatch.setattr(listeners._EXIT, "environment", None)
    argument_parser.get_parser()
    at_the_start = list(calls)
    monkeypatch.setattr(listeners._EXIT, "environment", SimpleNamespace())
    argument_parser.get_parser()

    assert (at_the_start, calls) == (["starting"], ["starting"])
