"""The rate limit for new connections: a token bucket, whose tokens are called slots here.

From all clients of a cluster together, Aurora DSQL accepts 100 new connections per second, and 1,000 at once
after a pause. It refuses more with 53400. So each process takes its share of both, minus a margin.
"""

from __future__ import annotations

import threading

MARGIN = 0.9
"""The share of rate and burst that hotrow uses, because other clients connect as well."""
LATENESS_S = 0.1
"""A connection may arrive this late, together with later ones that are in time. The burst is reduced by the
number of connections in this time."""
MIN_SHARE = 0.4
"""The share of the burst that is always used."""


class Slots:
    """A bucket that fills with `rate_per_s` slots per second, up to `burst`. It is full at first.

    Let b be the level and r the rate. At b >= 1 a slot is free and costs no wait. Otherwise the slot is
    reserved, the level becomes negative, and the wait is -b / r: first come, first served.

    At most `burst` connections are being opened at any time (`under_way` is held from the slot until the
    server has answered). If all were delayed and arrived together, the server would still accept them.
    """

    def __init__(self, rate_per_s: float, burst: float) -> None:
        self._rate_per_s = rate_per_s
        self._burst = burst
        self._level = burst
        self._at_s: float | None = None
        self._lock = threading.Lock()
        self.under_way = threading.BoundedSemaphore(max(int(burst), 1))

    def take_s(self, now_s: float) -> float:
        """Take the next slot and return the seconds to wait for it."""
        with self._lock:
            self._fill(now_s)
            self._level -= 1
            return max(-self._level / self._rate_per_s, 0.0)

    def empty(self, now_s: float) -> None:
        """Empty the bucket: the server has just reported that its own is empty."""
        with self._lock:
            self._fill(now_s)
            self._level = min(self._level, 0.0)

    def _fill(self, now_s: float) -> None:
        passed_s = 0.0 if self._at_s is None else max(now_s - self._at_s, 0.0)
        self._at_s = now_s
        self._level = min(self._level + passed_s * self._rate_per_s, self._burst)


def share_of(rate_per_s: float, burst: float, processes: int) -> Slots:
    """The slots of one of several processes.

    Every process has at least one slot. More processes than the burst has slots may exceed it together.
    """
    spare = max(MARGIN * burst - LATENESS_S * rate_per_s, MIN_SHARE * burst)
    return Slots(MARGIN * rate_per_s / processes, max(spare / processes, 1.0))
