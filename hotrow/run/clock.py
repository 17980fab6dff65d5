"""The clock of a run: wall-clock times that never step, and how far the clocks of two processes differ.

Each process reads the wall clock once, when its part of the run begins. From then on it adds what the
monotonic clock says, so a step of the wall clock changes no figure. The clocks of two processes may still
differ, because the wall clock stepped between their readings or because they are on different machines. The
difference is estimated from the times of a message and its answer (D. L. Mills, RFC 5905, section 8):

    offset = ((heard - sent) + (told - got)) / 2        delay = (got - sent) - (told - heard)

`sent` and `got` are readings of the asker's clock, `heard` and `told` of the other one. The true difference
lies within delay / 2 of the offset.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

_NS_PER_MS = 1e6


@dataclass(frozen=True, slots=True)
class RunClock:
    """A reading of the wall clock and of the monotonic clock at one instant; both in ns."""

    wall_ns: int
    perf_ns: int

    @classmethod
    def start(cls) -> RunClock:
        """Read both clocks now."""
        return cls(time.time_ns(), time.perf_counter_ns())

    def now_ns(self) -> int:
        """Nanoseconds since 1970 (UTC), as if the wall clock had not stepped since the start."""
        return self.wall_ns + time.perf_counter_ns() - self.perf_ns

    def late_wall_ms(self) -> float:
        """How far the wall clock is ahead of this clock, in ms; it jumps only if the wall clock steps."""
        return (time.time_ns() - self.now_ns()) / _NS_PER_MS


@dataclass(frozen=True, slots=True)
class Offset:
    """How far a worker's clock is ahead of the master's; the truth lies within `delay_ns` / 2 of it."""

    worker: int
    offset_ns: int
    delay_ns: int

    @property
    def certain_ns(self) -> int:
        """What to subtract from the worker's times: nothing if the offset may as well be 0."""
        return self.offset_ns if abs(self.offset_ns) > self.delay_ns / 2 else 0

    def as_json(self) -> dict[str, int]:
        """As in events.jsonl."""
        return asdict(self)


def estimate(worker: int, *, sent_ns: int, heard_ns: int, told_ns: int, got_ns: int) -> Offset:
    """The offset of a worker's clock, by one message to it and its answer."""
    offset_ns = ((heard_ns - sent_ns) + (told_ns - got_ns)) // 2
    return Offset(worker, offset_ns, max(0, (got_ns - sent_ns) - (told_ns - heard_ns)))


def offsets_in(events: Iterable[Mapping[str, Any]]) -> dict[int, Offset]:
    """The best offset of each worker: the one with the shortest delay."""
    measured = [
        Offset(each["worker"], each["offset_ns"], each["delay_ns"])
        for event in events
        if event.get("event") == "clock"
        for each in event["offsets"]
    ]
    return {each.worker: each for each in sorted(measured, key=lambda each: each.delay_ns, reverse=True)}


def align(attempts: NDArray[np.void], offsets: Mapping[int, Offset]) -> None:
    """Put the times of each worker's attempts on the master's clock, in place."""
    for offset in offsets.values():
        if offset.certain_ns:
            own = attempts["worker"] == offset.worker
            for name in ("scheduled", "started"):
                attempts[name][own] -= offset.certain_ns


def align_health(
    health: Mapping[int, Sequence[Mapping[str, Any]]], offsets: Mapping[int, Offset]
) -> dict[int, list[Mapping[str, Any]]]:
    """The health lines of each worker with their times on the master's clock."""
    shifts = {worker: offset.certain_ns for worker, offset in offsets.items()}
    return {
        worker: [{**line, "wall_ns": line["wall_ns"] - shifts.get(worker, 0)} for line in lines]
        for worker, lines in health.items()
    }
