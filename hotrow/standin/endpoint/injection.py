"""The faults in force in a running endpoint: when they fire, and how often each has fired."""

from __future__ import annotations

import random
import re
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hotrow.standin.endpoint.faults import COMMIT_FAULTS, Fault, Faults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


_CONFLICT_CODE = b"\0C40001\0"
_CONFLICT = re.compile(rb"E....S(?:ERROR|FATAL)\0V(?:ERROR|FATAL)\0C40001\0", re.DOTALL)
"""The beginning of an ErrorResponse. No text value can look like it."""


class Injection:
    """The faults in force, shared by all connections of an endpoint."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.faults = Faults()
        self.fired: Counter[Fault] = Counter()
        """How often each fault has fired since the faults were set."""
        self.told_conflicts = 0
        """How many 40001 clients were sent since the faults were set, injected or not."""
        self.generation = 0
        """Increases each time the faults are set. Then the connections get new numbers."""
        self._last_number = 0
        self._bucket = Bucket(0, 0, 0)
        self._clock = clock
        self._listeners: dict[Callable[[], None], None] = {}

    def set(self, faults: Faults) -> None:
        """Put these faults in force for all connections, from now on, and count from 0."""
        self.faults = faults
        self.fired.clear()
        self.told_conflicts = 0
        self.generation += 1
        self._last_number = 0
        self._bucket = Bucket(faults.connect_burst, faults.connect_burst, self._clock())
        for listener in list(self._listeners):  # oldest first
            listener()

    def note_answer(self, data: bytes) -> None:
        """Count the conflicts in a chunk that a client is sent. An error is seldom cut into two chunks."""
        if _CONFLICT_CODE in data:  # nearly never
            self.told_conflicts += len(_CONFLICT.findall(data))

    def next_number(self) -> int:
        """The number of a connection: 1 for the first since the faults were set."""
        self._last_number += 1
        return self._last_number

    def admits(self) -> bool:
        """Whether the connect rate lets one more connection start."""
        rate, burst = self.faults.connect_rate, self.faults.connect_burst
        if not rate:
            return True
        self._bucket, admitted = self._bucket.take(rate, burst, self._clock())
        return admitted

    @contextmanager
    def listening(self, listener: Callable[[], None]) -> Iterator[None]:
        """Call `listener` whenever faults are set, until the block ends."""
        self._listeners[listener] = None
        try:
            yield
        finally:
            del self._listeners[listener]


@dataclass(frozen=True, slots=True)
class Bucket:
    """A token bucket that limits the rate of new connections."""

    left: float
    """How many connections may still start, as of `at_s`."""
    burst: float
    at_s: float

    def take(self, rate_per_s: float, burst: float, now_s: float) -> tuple[Bucket, bool]:
        """The bucket after one more connection has asked to start, and whether it may."""
        left = min(self.left + (now_s - self.at_s) * rate_per_s, burst)
        admitted = left >= 1
        return Bucket(left - admitted, burst, now_s), admitted


class Dice:
    """The random draws of one connection.

    The seed, the connection's number and the fault determine each generator.
    """

    def __init__(self, injection: Injection) -> None:
        self._injection = injection
        self._generators: dict[Fault, random.Random] = {}
        self._generation = -1
        self._number = 0

    def renew(self) -> None:
        """Take a new number if the faults have been set since the last one."""
        if self._generation != self._injection.generation:
            self._generation = self._injection.generation
            self._number = self._injection.next_number()
            self._generators.clear()

    def hits(self, fault: Fault) -> bool:
        """Draw whether the fault happens now."""
        probability = self._injection.faults.share(fault)
        return probability > 0 and self._generator(fault).random() < probability

    def coin(self, fault: Fault) -> bool:
        """Toss a coin, for a fault that can happen in two ways."""
        return self._generator(fault).random() < 0.5  # noqa: PLR2004 - a fair coin

    def draw_commit(self) -> Fault | None:
        """The fault that happens to this COMMIT, if any."""
        return next(iter(self.draw_all()), None)

    def draw_all(self) -> list[Fault]:
        """Every fault that is drawn for this COMMIT.

        All are drawn each time, so that none changes the draws of another.
        """
        return [fault for fault in COMMIT_FAULTS if self.hits(fault)]

    def count(self, fault: Fault) -> None:
        """Count that the fault fired."""
        self._injection.fired[fault] += 1

    def _generator(self, fault: Fault) -> random.Random:
        self.renew()
        generator = self._generators.get(fault)
        if generator is None:
            seed = f"{self._injection.faults.seed}/{self._number}/{fault.value}"
            generator = self._generators[fault] = random.Random(seed)  # noqa: S311 - not for secrets
        return generator
