"""A worker ends by itself when its master is gone, and only then."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from locust.event import EventHook

from hotrow.load import orphans
from hotrow.load.orphans import end_with_master
from tests.load.in_gevent.fakes import until


@pytest.fixture
def codes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The exit codes with which the process would have ended."""
    exit_codes: list[int] = []

    def end(code: int) -> None:
        exit_codes.append(code)
        raise gevent.GreenletExit

    monkeypatch.setattr(orphans.os, "_exit", end)
    monkeypatch.setattr(orphans, "_CHECK_INTERVAL_S", 0.005)
    return exit_codes


def board(*, at_work: bool = True) -> Any:
    closed: list[float] = []
    return SimpleNamespace(worker=1, is_at_work=at_work, close=closed.append, closed=closed)


def runner() -> Any:
    heartbeat = EventHook()
    events = SimpleNamespace(heartbeat_received=heartbeat)
    return SimpleNamespace(environment=SimpleNamespace(events=events))


def test_a_forked_worker_ends_with_its_parent(codes: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """The parent process changes when the master is gone; the worker closes its files before it ends."""
    parent = [10]
    monkeypatch.setattr(orphans.os, "getppid", lambda: parent[0])
    worker_board = board()
    end_with_master(runner(), worker_board, forked=True)
    gevent.sleep(0.05)
    before = list(codes)
    parent[0] = 1
    until(lambda: bool(codes), "ended")

    assert (before, codes) == ([], [2])
    assert len(worker_board.closed) == 1


def test_a_remote_worker_ends_without_heartbeats(codes: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """It measures the silence by the monotonic clock, and ends sooner than by Locust's rule."""
    now = [100.0]
    monkeypatch.setattr(orphans.time, "monotonic", lambda: now[0])
    its_runner = runner()
    end_with_master(its_runner, board(), forked=False)
    now[0] += orphans.MAX_SILENCE_S - 1
    its_runner.environment.events.heartbeat_received.fire(client_id="a", timestamp=0.0)
    now[0] += orphans.MAX_SILENCE_S - 1
    gevent.sleep(0.05)
    before = list(codes)
    now[0] += 2
    until(lambda: bool(codes), "ended")

    assert (before, codes) == ([], [2])


def test_between_runs_a_master_may_be_silent(codes: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """A master that draws a report answers no heartbeats for a while, but then no run is going on."""
    now = [100.0]
    monkeypatch.setattr(orphans.time, "monotonic", lambda: now[0])
    end_with_master(runner(), board(at_work=False), forked=False)
    now[0] += 60
    gevent.sleep(0.05)

    assert codes == []
