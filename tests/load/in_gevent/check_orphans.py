"""A worker whose master has gone ends by itself; one whose master is there does not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from locust.event import EventHook

from hotrow.load import orphans
from hotrow.load.orphans import end_with_master
from tests.load.in_gevent.fakes import until


class Ended(BaseException):
    """In place of the end of this process."""


@pytest.fixture
def codes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The exit codes by which the process would have ended."""
    found: list[int] = []

    def end(code: int) -> None:
        found.append(code)
        raise gevent.GreenletExit

    monkeypatch.setattr(orphans.os, "_exit", end)
    monkeypatch.setattr(orphans, "_CHECK_INTERVAL_S", 0.005)
    return found


def board(*, at_work: bool = True) -> Any:
    closed: list[float] = []
    return SimpleNamespace(worker=1, is_at_work=at_work, close=closed.append, closed=closed)


def runner() -> Any:
    heartbeat = EventHook()
    events = SimpleNamespace(heartbeat_received=heartbeat)
    return SimpleNamespace(environment=SimpleNamespace(events=events))


def test_a_forked_worker_ends_with_its_parent(codes: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Another parent means that the master is gone; the files are closed first."""
    parent = [10]
    monkeypatch.setattr(orphans.os, "getppid", lambda: parent[0])
    own = board()
    end_with_master(runner(), own, forked=True)
    gevent.sleep(0.05)
    before = list(codes)
    parent[0] = 1
    until(lambda: bool(codes), "ended")

    assert (before, codes) == ([], [2])
    assert len(own.closed) == 1


def test_one_elsewhere_ends_without_heartbeats(codes: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """By the monotonic clock, and sooner than by Locust's own rule."""
    now = [100.0]
    monkeypatch.setattr(orphans.time, "monotonic", lambda: now[0])
    its = runner()
    end_with_master(its, board(), forked=False)
    now[0] += orphans.MAX_SILENCE_S - 1
    its.environment.events.heartbeat_received.fire(client_id="a", timestamp=0.0)
    now[0] += orphans.MAX_SILENCE_S - 1
    gevent.sleep(0.05)
    before = list(codes)
    now[0] += 2
    until(lambda: bool(codes), "ended")

    assert (before, codes) == ([], [2])


def test_between_runs_nobody_is_missed(codes: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """A master that draws a report answers no heartbeat for a while; no run is going on then."""
    now = [100.0]
    monkeypatch.setattr(orphans.time, "monotonic", lambda: now[0])
    end_with_master(runner(), board(at_work=False), forked=False)
    now[0] += 60
    gevent.sleep(0.05)

    assert codes == []
