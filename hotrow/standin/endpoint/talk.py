"""What the two directions of a followed connection know of each other."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hotrow.standin.endpoint.async_socket import Channel
    from hotrow.standin.endpoint.faults import Fault
    from hotrow.standin.endpoint.injection import Dice, Injection
    from hotrow.standin.endpoint.wire import ClientStream

CHUNK_BYTES = 65_536
AHEAD_S_MAX = 0.002
"""A sleep that ended later than this was no matter of the timer's grain, and is not made up for."""
IDLE, FAILED = b"IE"
"""Two of ReadyForQuery's three: no transaction, and a failed one."""


class Dropped(Exception):  # noqa: N818 - not an error: a fault that was asked for
    """The connection is to break now."""


class Stage(Enum):
    """How well a connection is known."""

    LOST = "lost"
    """No boundary is known; bytes pass."""
    MARKING = "marking"
    """The server has been asked for a marker; the client waits."""
    KNOWN = "known"


@dataclass(frozen=True, slots=True)
class Profile:
    """Latency of a region: seconds a round trip takes in all, and COMMIT."""

    rtt_s: float = 0.0
    commit_s: float = 0.0

    @property
    def any(self) -> bool:
        """Whether there is any."""
        return self.rtt_s > 0 or self.commit_s > 0


@dataclass(slots=True)
class Verdict:
    """What is to happen to a statement."""

    fault: Fault
    late: bool = False
    """The server does it, only its answer is not heard; otherwise it is replaced by what fails."""
    commit: bool = False
    """COMMIT: the transaction ends with it, one way or the other."""
    commits_before: int = 0
    """How many answers to COMMIT in the segment are not yet this one's."""
    fired: bool = False
    withheld: bytes = b""
    """The answer of a write that commits at Sync only."""


@dataclass(slots=True)
class Segment:
    """What the server answers with one ReadyForQuery: a Query, or everything up to a Sync."""

    sent_s: float = 0.0
    verdict: Verdict | None = None
    commits: int = 0
    """How many COMMITs are in it; their latency came before them."""
    silent: bool = False
    """Ours: the client hears nothing of it."""
    shows_ready: bool = True
    """Whether the client hears its ReadyForQuery."""
    startup: bool = False
    executed: bool = False
    """Whether it has an Execute."""


class Pace:
    """How long to wait so that a nominal latency comes out right on average, whatever the timer's grain."""

    def __init__(self) -> None:
        self._ahead_s = 0.0

    async def fill(self, nominal_s: float, taken_s: float) -> None:
        """Sleep for what is left, less what earlier sleeps were late by."""
        left_s = max(nominal_s - taken_s, 0.0)
        asked_s = max(left_s - self._ahead_s, 0.0)
        slept_s = 0.0
        if asked_s > 0:
            before_s = time.monotonic()
            await asyncio.sleep(asked_s)
            slept_s = time.monotonic() - before_s
        self._ahead_s = min(self._ahead_s + slept_s - left_s, AHEAD_S_MAX)


@dataclass(slots=True)
class Talk:
    """One connection."""

    client: Channel
    server: Channel
    stream: ClientStream
    dice: Dice
    injection: Injection
    profile: Profile
    stage: Stage = Stage.LOST
    segments: deque[Segment] = field(default_factory=deque)
    """Those that the server has not answered, the oldest first."""
    status: int = IDLE
    """Of the last ReadyForQuery."""
    open: bool = False
    """Whether the client is in a transaction, after all that it has sent."""
    failed: bool = False
    """Whether it is known that this transaction has failed: its COMMIT will be answered by ROLLBACK."""
    current: Segment | None = None
    """The one that waits for its Sync; the last of `segments`."""
    parked: bool = False
    """Whether the client has nothing under way to the server."""
    asked: bool = False
    """Whether the client has sent anything since the server last did."""
    commit_took_s: float = 0.0
    pace: Pace = field(default_factory=Pace)
    marked: asyncio.Event = field(default_factory=asyncio.Event)
    """The client may speak: no marker is awaited."""
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    """Everything is answered."""
    resting: asyncio.Event = field(default_factory=asyncio.Event)
    """Nothing is under way in either direction."""
    idle: asyncio.Event = field(default_factory=asyncio.Event)
    """The same, and no transaction is open."""

    def note_rest(self) -> None:
        """Find out whether the connection rests."""
        if not self.parked or self.stage is Stage.MARKING:
            return
        known = self.stage is Stage.KNOWN
        if known and (self.segments or not self.stream.at_boundary):
            return
        self.resting.set()
        if known and self.status == IDLE:
            self.idle.set()

    def end_rest(self) -> None:
        """The client has spoken."""
        self.parked = False
        self.asked = True
        self.resting.clear()
        self.idle.clear()

    def lose(self) -> None:
        """The order of answers is not certain any more: no faults until the next boundary is found."""
        self.stage = Stage.LOST
        self.segments.clear()
        self.current = None
        self.marked.set()
        self.settled.set()
