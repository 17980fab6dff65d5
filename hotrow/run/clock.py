"""The clock of a run: wall-clock times without steps, and the offset between the clocks of two processes.

Each process reads the wall clock once, when its part of the run begins. From then on it adds the time of the
monotonic clock, so a step of the wall clock changes no figure. The clocks of two processes can still differ,
because the wall clock stepped between their readings or because they are on different machines. The offset
is estimated from the times of a message and its answer (D. L. Mills, RFC 5905, section 8):

    offset = ((received - sent) + (answered - returned)) / 2
    delay = (returned - sent) - (answered - received)

`sent` and `returned` are readings of the master's clock, `received` and `answered` of the worker's. The true
offset lies within delay / 2 of the estimate.
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
    """Readings of the wall clock and of the monotonic clock at the same instant, both in ns."""

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
        """By how many ms the wall clock is ahead of this clock; changes only if the wall clock steps."""
        return (time.time_ns() - self.now_ns()) / _NS_PER_MS


@dataclass(frozen=True, slots=True)
class Offset:
    """By how much a worker's clock is ahead of the master's; the true value is within `delay_ns` / 2."""

    worker: int
    offset_ns: int
    delay_ns: int

    @property
    def correction_ns(self) -> int:
        """What to subtract from the worker's times; 0 if the true offset may be 0."""
        return self.offset_ns if abs(self.offset_ns) > self.delay_ns / 2 else 0

    def as_json(self) -> dict[str, int]:
        """The offset as in events.jsonl."""
        return asdict(self)


def estimate(worker: int, *, sent_ns: int, received_ns: int, answered_ns: int, returned_ns: int) -> Offset:
    """The offset of a worker's clock, from one message to it and its answer."""
    offset_ns = ((received_ns - sent_ns) + (answered_ns - returned_ns)) // 2
    return Offset(worker, offset_ns, max(0, (returned_ns - sent_ns) - (answered_ns - received_ns)))


def offsets_in(events: Iterable[Mapping[str, Any]]) -> dict[int, Offset]:
    """The best offset of each worker: the one with the shortest delay."""
    offsets = [
        Offset(fields["worker"], fields["offset_ns"], fields["delay_ns"])
        for event in events
        if event.get("event") == "clock"
        for fields in event["offsets"]
    ]
    # Later entries of a dict win: the shortest delay comes last.
    return {offset.worker: offset for offset in sorted(offsets, key=lambda one: one.delay_ns, reverse=True)}


def align(attempts: NDArray[np.void], offsets: Mapping[int, Offset]) -> None:
    """Convert the times of each worker's attempts to the master's clock, in place."""
    for offset in offsets.values():
        if offset.correction_ns:
            of_worker = attempts["worker"] == offset.worker
            for name in ("scheduled", "started"):
                attempts[name][of_worker] -= offset.correction_ns


def align_health(
    health: Mapping[int, Sequence[Mapping[str, Any]]], offsets: Mapping[int, Offset]
) -> dict[int, list[Mapping[str, Any]]]:
    """The health lines of each worker, with times of the master's clock."""
    corrections = {worker: offset.correction_ns for worker, offset in offsets.items()}
    return {
        worker: [{**line, "wall_ns": line["wall_ns"] - corrections.get(worker, 0)} for line in lines]
        for worker, lines in health.items()
    }
