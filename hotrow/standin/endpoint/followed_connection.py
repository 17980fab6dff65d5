"""The state of a connection that is followed message by message: what its two directions share."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from hotrow.standin.endpoint.latency import LatencyProfile, LatencyTimer

if TYPE_CHECKING:
    from hotrow.standin.endpoint.async_socket import Channel
    from hotrow.standin.endpoint.client_stream import ClientStream
    from hotrow.standin.endpoint.faults import Fault
    from hotrow.standin.endpoint.injection import Dice, Injection

CHUNK_BYTES = 65_536
EditAnswer = Callable[[bytes], bytes]
"""Turns a chunk of the server into what the client gets."""
IDLE, FAILED = b"IE"
"""Two of the three statuses in ReadyForQuery: no transaction, and a failed transaction."""


class ConnectionDropped(Exception):  # noqa: N818 - not an error: a fault that was asked for
    """A fault breaks the connection now."""


class Tracking(Enum):
    """Whether the endpoint knows where the messages of the server begin."""

    LOST = "lost"
    """No message boundary is known, so all bytes pass unchanged."""
    SEEKING = "seeking"
    """The server has been asked for a marker, and the client waits."""
    FOLLOWING = "following"
    """A boundary was found, and every message since then is known."""


@dataclass(slots=True)
class InjectedFault:
    """A fault that was drawn for a statement."""

    fault: Fault
    applied: bool = False
    """True: the server runs the statement and only the answer is replaced.

    False: a failing statement runs instead.
    """
    commit: bool = False
    """Whether the statement is a COMMIT, which ends the transaction in either case."""
    commits_before: int = 0
    """How many answers to earlier COMMITs of the segment have not come yet."""
    fired: bool = False
    withheld: bytes = b""
    """The answer to a write that commits only at Sync."""


@dataclass(slots=True)
class Segment:
    """The messages that the server answers with one ReadyForQuery: a Query, or everything up to a Sync."""

    sent_s: float = 0.0
    injected: InjectedFault | None = None
    commits: int = 0
    """How many COMMITs are in it. Their latency passed before they were sent."""
    silent: bool = False
    """The endpoint's own: the client gets nothing of the answer."""
    shows_ready: bool = True
    """Whether the client gets its ReadyForQuery."""
    startup: bool = False
    executed: bool = False
    """Whether it contains an Execute."""
    begins: bool = False
    """Whether its only Execute so far is a BEGIN, which has not been told yet to take the snapshot."""
    hidden: bytes = b""
    """The types of the messages that answer the statement which takes the snapshot: the next ones after the
    first CommandComplete."""
    began: bool = False
    """Whether that CommandComplete has come."""


@dataclass(slots=True)
class FollowedConnection:
    """One connection between a client and the stand-in's server."""

    client: Channel
    server: Channel
    stream: ClientStream
    dice: Dice
    injection: Injection
    latency: LatencyProfile
    edit_answer: EditAnswer
    tracking: Tracking = Tracking.LOST
    segments: deque[Segment] = field(default_factory=deque)
    """Segments that the server has not answered, oldest first."""
    status: int = IDLE
    """The status in the last ReadyForQuery."""
    in_transaction: bool = False
    """Whether the client is in a transaction after everything that it has sent."""
    transaction_failed: bool = False
    """Whether this transaction is known to have failed: its COMMIT will be answered by ROLLBACK."""
    open_segment: Segment | None = None
    """The segment that waits for its Sync. It is the last of `segments`."""
    client_waits: bool = False
    """Whether everything that the client has sent has been passed on to the server."""
    client_sent_last: bool = False
    """Whether the client has sent anything since the server last did."""
    commit_took_s: float = 0.0
    latency_timer: LatencyTimer = field(default_factory=LatencyTimer)
    client_may_send: asyncio.Event = field(default_factory=asyncio.Event)
    """Set unless a marker is awaited."""
    all_answered: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the server has answered every segment."""
    snapshot_taken: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the server has answered the endpoint's own statement after BEGIN."""
    resting: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when nothing is under way in either direction."""
    idle: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the connection rests and no transaction is open."""

    def note_rest(self) -> None:
        """Set `resting` and `idle` if the connection now rests."""
        if not self.client_waits or self.tracking is Tracking.SEEKING:
            return
        following = self.tracking is Tracking.FOLLOWING
        if following and (self.segments or not self.stream.at_boundary):
            return
        self.resting.set()
        if following and self.status == IDLE:
            self.idle.set()

    def end_rest(self) -> None:
        """Note that the client has sent something."""
        self.client_waits = False
        self.client_sent_last = True
        self.resting.clear()
        self.idle.clear()

    def seek_boundary(self) -> None:
        """Note that a marker is on its way: the connection does not rest, and the client may not send."""
        self.tracking = Tracking.SEEKING
        self.client_may_send.clear()
        self.resting.clear()
        self.idle.clear()

    def lose_track(self) -> None:
        """Stop following until a boundary is found, because the order of answers is no longer certain."""
        self.tracking = Tracking.LOST
        self.segments.clear()
        self.open_segment = None
        self.client_may_send.set()
        self.all_answered.set()
        self.snapshot_taken.set()


def needs_messages(connection: FollowedConnection) -> bool:
    """Whether faults or latency require that the connection is followed message by message."""
    return connection.injection.faults.need_messages or connection.latency.any
