"""The faults in force in a running endpoint: who draws, what has fired, and who must hear of a change."""

from __future__ import annotations

import random
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hotrow.standin.endpoint.faults import COMMIT_FAULTS, Fault, Faults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Injection:
    """One for all connections of an endpoint."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.faults = Faults()
        self.fired: Counter[Fault] = Counter()
        """Since the faults were set."""
        self.generation = 0
        """Goes up when they are set: then connections are numbered anew."""
        self._numbers = 0
        self._bucket = Bucket(0, 0, 0)
        self._clock = clock
        self._listeners: dict[Callable[[], None], None] = {}

    def set(self, faults: Faults) -> None:
        """Put these in force for all connections, from now on, and count from 0."""
        self.faults = faults
        self.fired.clear()
        self.generation += 1
        self._numbers = 0
        self._bucket = Bucket(faults.connect_burst, faults.connect_burst, self._clock())
        for listener in list(self._listeners):  # in the order of their ages
            listener()

    def next_number(self) -> int:
        """The number of a connection: 1 for the first since the faults were set."""
        self._numbers += 1
        return self._numbers

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
    """A token bucket: so many may still start, as of an instant."""

    left: float
    burst: float
    at_s: float

    def take(self, rate_per_s: float, burst: float, now_s: float) -> tuple[Bucket, bool]:
        """The bucket afterwards, and whether there was one to take."""
        left = min(self.left + (now_s - self.at_s) * rate_per_s, burst)
        admitted = left >= 1
        return Bucket(left - admitted, burst, now_s), admitted


class Dice:
    """What one connection draws: for each fault from a generator of seed, connection and fault."""

    def __init__(self, injection: Injection) -> None:
        self._injection = injection
        self._generators: dict[Fault, random.Random] = {}
        self._generation = -1
        self._number = 0

    def renew(self) -> None:
        """Take a number where the faults have been set since the last one."""
        if self._generation != self._injection.generation:
            self._generation = self._injection.generation
            self._number = self._injection.next_number()
            self._generators.clear()

    def hits(self, fault: Fault) -> bool:
        """Whether the fault is to happen now."""
        share = self._injection.faults.share(fault)
        return share > 0 and self._generator(fault).random() < share

    def coin(self, fault: Fault) -> bool:
        """One of two, for a fault that has two ways to happen."""
        return self._generator(fault).random() < 0.5  # noqa: PLR2004 - a fair coin

    def draw_commit(self) -> Fault | None:
        """What is to happen to this COMMIT."""
        return next(iter(self.draw_all()), None)

    def draw_all(self) -> list[Fault]:
        """Every fault that would happen to it: all draw, so that none shifts another."""
        return [fault for fault in COMMIT_FAULTS if self.hits(fault)]

    def count(self, fault: Fault) -> None:
        """Note that it fired."""
        self._injection.fired[fault] += 1

    def _generator(self, fault: Fault) -> random.Random:
        self.renew()
        found = self._generators.get(fault)
        if found is None:
            seed = f"{self._injection.faults.seed}/{self._number}/{fault.value}"
            found = self._generators[fault] = random.Random(seed)  # noqa: S311 - chance, no secret
        return found
