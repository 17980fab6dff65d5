"""The pace of opening connections: a token bucket, whose tokens are called slots here.

Aurora DSQL accepts 100 new connections a second, and 1,000 at once after a rest, from all clients of a
cluster together; more are refused with 53400. So each process takes its share of both, less a margin.
"""

from __future__ import annotations

import threading

MARGIN = 0.9
"""Of rate and burst: others connect as well."""
LATENESS_S = 0.1
"""By so much a connection may arrive late and then meet others that are in time; as many as come meanwhile
are kept back of the burst."""
MIN_SHARE = 0.4
"""Of the burst, which is used at any rate."""


class Slots:
    """A bucket that fills with `rate_per_s` slots a second, up to `burst`; it is full at first.

    With level b and rate r, whoever takes a slot at b >= 1 goes at once; otherwise the slot is promised, the
    level goes below zero, and the wait is -b / r: first come, first served.

    No more connections than the burst are under way at any time (`under_way`, held from the slot on until the
    server has answered): were they all held up and then arrived together, the server would still take them,
    and what was lost meanwhile is not made up for.
    """

    def __init__(self, rate_per_s: float, burst: float) -> None:
        self._rate_per_s = rate_per_s
        self._burst = burst
        self._level = burst
        self._at_s: float | None = None
        self._lock = threading.Lock()
        self.under_way = threading.BoundedSemaphore(max(int(burst), 1))

    def take_s(self, now_s: float) -> float:
        """Take the next slot; return the seconds to wait for it."""
        with self._lock:
            self._fill(now_s)
            self._level -= 1
            return max(-self._level / self._rate_per_s, 0.0)

    def empty(self, now_s: float) -> None:
        """Forget what the bucket holds: the server has just said that its own is empty."""
        with self._lock:
            self._fill(now_s)
            self._level = min(self._level, 0.0)

    def _fill(self, now_s: float) -> None:
        passed_s = 0.0 if self._at_s is None else max(now_s - self._at_s, 0.0)
        self._at_s = now_s
        self._level = min(self._level + passed_s * self._rate_per_s, self._burst)


def share_of(rate_per_s: float, burst: float, processes: int) -> Slots:
    """The slots of one of so many processes.

    Every process has one slot at least; where there are more processes than the burst has slots, they may
    exceed it together.
    """
    spare = max(MARGIN * burst - LATENESS_S * rate_per_s, MIN_SHARE * burst)
    return Slots(MARGIN * rate_per_s / processes, max(spare / processes, 1.0))
