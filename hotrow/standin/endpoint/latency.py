"""The latency that the endpoint adds, so that a local server answers as a distant region would."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

MAX_AHEAD_S = 0.002
"""At most this much oversleeping is made up for.

A longer one has another cause than the timer's resolution.
"""


@dataclass(frozen=True, slots=True)
class LatencyProfile:
    """Latency of one region: the total duration of a round trip and of a COMMIT, in seconds."""

    rtt_s: float = 0.0
    commit_s: float = 0.0

    @property
    def any(self) -> bool:
        """Whether the profile adds any latency."""
        return self.rtt_s > 0 or self.commit_s > 0


class LatencyTimer:
    """Sleeps so that latencies are right on average, whatever the resolution of the system's timer is."""

    def __init__(self) -> None:
        self._ahead_s = 0.0
        """How much longer earlier sleeps took than they should have."""

    async def wait(self, nominal_s: float, elapsed_s: float) -> None:
        """Sleep for the rest of a nominal latency, less the time that earlier sleeps took too long."""
        left_s = max(nominal_s - elapsed_s, 0.0)
        sleep_s = max(left_s - self._ahead_s, 0.0)
        slept_s = 0.0
        if sleep_s > 0:
            before_s = time.monotonic()
            await asyncio.sleep(sleep_s)
            slept_s = time.monotonic() - before_s
        self._ahead_s = min(self._ahead_s + slept_s - left_s, MAX_AHEAD_S)
