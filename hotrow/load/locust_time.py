"""Locust's own timing, on a clock that never steps.

Locust subtracts readings of the wall clock. After a step back its shape sleeps for as long as the step, and
its workers discard messages as older than the last ones. After a step forward they miss heartbeats.
"""

from __future__ import annotations

import time
from types import ModuleType
from typing import Any

import locust.main
import locust.runners
import locust.stats

from hotrow.run.clock import RunClock

_NS_PER_S = 1e9


class LocustTime(ModuleType):
    """Replaces the `time` module in Locust's modules: `time()` reads the wall clock only once."""

    def __init__(self) -> None:
        super().__init__("time")
        self._clock = RunClock.start()

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)

    def time(self) -> float:
        """Seconds since 1970 (UTC), as if the wall clock had not stepped since the start."""
        return self._clock.now_ns() / _NS_PER_S


def take_over() -> None:
    """Replace `time` in the modules of Locust that measure time."""
    locust_time = LocustTime()
    for module in (locust.runners, locust.stats, locust.main):
        module.time = locust_time  # type: ignore[attr-defined]
