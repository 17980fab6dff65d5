"""The server's direction of a followed connection."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from types import MappingProxyType

from hotrow.standin.endpoint.faults import Fault
from hotrow.standin.endpoint.messages import (
    MARKED,
    MARKER,
    READY_BYTES,
    Cutter,
    build_error,
    build_query,
    is_poisoned,
    is_ready,
    show_outward,
)
from hotrow.standin.endpoint.talk import CHUNK_BYTES, FAILED, IDLE, Dropped, Segment, Stage, Talk, Verdict
from hotrow.standin.endpoint.wire import build_message

_COMPLETE, _ERROR, _READY, _COPY_IN, _COPY_BOTH = b"CEZGW"
_COMMITTED = build_message(b"C", b"COMMIT\0")
_STATUS = -1
"""Where ReadyForQuery says how the transaction is."""
_ROLLBACK = build_query(b"ROLLBACK")
_ERRORS = MappingProxyType(
    {
        Fault.CONFLICT: build_error("40001", "change conflicts with another transaction (OC000)"),
        Fault.SCHEMA_CONFLICT: build_error("40001", "schema has been updated by another transaction (OC001)"),
        Fault.UNAVAILABLE: build_error("XX000", "server unavailable"),
    }
)


class Answering:
    """Reads the server, decides what the client hears of it, and when."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self._cutter = Cutter(b"CEZGW")
        self._sought = b""
        """What has come since the marker was asked for."""
        self._tail = b""
        self._out: list[bytes] = []
        self.busy = False
        """Whether something is on its way to the client."""

    @property
    def amid(self) -> bool:
        """Whether the client is amid a message, or may be."""
        return self.busy or not self._cutter.at_boundary

    async def run(self) -> None:
        """Relay until the server ends."""
        talk = self._talk
        while data := await self._receive():
            talk.asked = False
            if talk.stage is Stage.MARKING:
                data = self._seek(data)
            if talk.stage is Stage.KNOWN:
                await self._hear(data)
            else:
                await self._pass_on(data)
            talk.note_rest()
        await self._write(self._sought)  # it ended before it came to the marker

    async def _receive(self) -> bytes:
        try:
            return await self._talk.server.receive(CHUNK_BYTES)
        except ConnectionResetError:  # it ended, and did not read all that it was sent
            return b""

    async def ask(self) -> None:
        """Ask the server for a marker; the client must rest meanwhile."""
        talk = self._talk
        talk.stage = Stage.MARKING
        talk.marked.clear()
        self._sought = b""
        with suppress(BrokenPipeError, ConnectionResetError):  # its end is seen by `run`
            await talk.server.write(MARKER)

    async def _pass_on(self, data: bytes) -> None:
        """What is not followed; at rest, begin to follow."""
        talk = self._talk
        await self._write(self._cutter.drain() + data)
        self._tail = (self._tail + data[-READY_BYTES:])[-READY_BYTES:]
        if talk.stage is not Stage.LOST or not is_ready(self._tail):
            return
        if talk.parked and not talk.asked and talk.stream.at_boundary:
            await self.ask()

    def _seek(self, data: bytes) -> bytes:
        """Look for the marker: what came before it is sent as it is, what comes after is followed."""
        talk = self._talk
        sought = self._sought + data
        at = sought.find(MARKED)
        if at < 0:
            keep = max(len(sought) - len(MARKED) + 1, 0)
            self._sought = sought[keep:]
            return sought[:keep]
        self._out.append(sought[:at])
        self._sought = b""
        talk.stage = Stage.KNOWN
        talk.segments.append(Segment(silent=True, shows_ready=False))
        return sought[at + len(MARKED) :]

    async def _hear(self, data: bytes) -> None:
        for kind, piece in self._cutter.feed(data):
            segment = self._talk.segments[0] if self._talk.segments else None
            if self._talk.stage is Stage.LOST or segment is None:
                self._out.append(piece)
            elif kind == _READY:
                await self._finish(segment, piece)
            else:
                self._out.append(self._filter(segment, kind, piece))
            if kind in {_COPY_IN, _COPY_BOTH}:  # Sync is not answered while rows come
                self._talk.lose()
        await self._flush()

    async def _flush(self) -> None:
        data = b"".join(self._out)
        self._out.clear()
        await self._write(data)

    async def _write(self, data: bytes) -> None:
        self.busy = True
        await self._talk.client.write(show_outward(data))
        self.busy = False

    def _filter(self, segment: Segment, kind: int, piece: bytes) -> bytes:
        """What the client hears of a message that is not the last of its segment."""
        verdict = segment.verdict
        if segment.silent:
            return b""
        if verdict is None:
            return piece
        if verdict.late:
            return self._withhold(segment, verdict, kind, piece)
        return self._replace(verdict, kind, piece)

    def _replace(self, verdict: Verdict, kind: int, piece: bytes) -> bytes:
        if kind != _ERROR or not is_poisoned(piece):
            return piece
        verdict.fired = True
        self._talk.dice.count(verdict.fault)
        return _ERRORS[verdict.fault]

    def _withhold(self, segment: Segment, verdict: Verdict, kind: int, piece: bytes) -> bytes:
        """Not the commit's answer; an error shows that there was no commit.

        Raises:
            Dropped: it has committed, and the connection breaks here.
        """
        if kind == _ERROR:
            segment.verdict = None
            return verdict.withheld + piece
        if piece == _COMMITTED and verdict.commit and not verdict.fired:
            verdict.commits_before -= 1
            return self._break_or_blur(verdict) if verdict.commits_before < 0 else piece
        if kind == _COMPLETE and not verdict.commit:
            verdict.withheld += piece
            return b""
        return piece

    def _break_or_blur(self, verdict: Verdict) -> bytes:
        """It has committed; the client must not know."""
        verdict.fired = True
        self._talk.dice.count(verdict.fault)
        if verdict.fault is not Fault.UNAVAILABLE:
            raise Dropped
        return _ERRORS[verdict.fault]

    async def _finish(self, segment: Segment, ready: bytes) -> None:
        """The server is ready: settle the segment, and tell the client when it is time."""
        talk, verdict = self._talk, segment.verdict
        if verdict and verdict.commit and verdict.fired and ready[_STATUS] == FAILED:
            await self._flush()
            talk.segments[0] = Segment(segment.sent_s, commits=segment.commits, silent=True)
            await talk.server.write(_ROLLBACK)
            return
        if verdict and verdict.withheld:
            self._break_or_blur(verdict)
        await self._wait(segment)
        talk.status = ready[_STATUS]
        talk.segments.popleft()
        if segment.shows_ready:
            self._out.append(ready)
        await self._flush()
        if not talk.segments:
            self._settle()

    def _settle(self) -> None:
        """All is answered: what is so is known."""
        talk = self._talk
        talk.open = talk.status != IDLE
        talk.failed = talk.status == FAILED
        talk.settled.set()
        talk.marked.set()

    async def _wait(self, segment: Segment) -> None:
        """Let the latency pass that an answer has."""
        talk = self._talk
        if segment.startup or not segment.shows_ready:
            return
        taken_s = time.monotonic() - segment.sent_s
        if segment.commits:
            talk.commit_took_s = taken_s
        elif talk.profile.rtt_s:
            await talk.pace.fill(talk.profile.rtt_s, taken_s)
        if talk.dice.hits(Fault.DELAY):
            talk.dice.count(Fault.DELAY)
            await asyncio.sleep(talk.injection.faults.delay_s)
