"""The client's direction of a followed connection."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import TYPE_CHECKING

from hotrow.standin.endpoint.faults import Fault
from hotrow.standin.endpoint.messages import (
    FLUSH,
    OTHER,
    POISON_EXECUTE,
    POISON_QUERY,
    SYNC,
    Cutter,
    build_query,
    read_name,
)
from hotrow.standin.endpoint.statements import Meaning
from hotrow.standin.endpoint.talk import CHUNK_BYTES, Dropped, Segment, Stage, Talk, Verdict
from hotrow.standin.endpoint.wire import NAME_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import Callable

    from hotrow.standin.endpoint.statements import Spoken

_QUERY, _PARSE, _BIND, _EXECUTE, _SYNC, _CALL = b"QPBESF"
_KINDS = b"QPBESFDC"
_DROPS = frozenset({Fault.DROP_BEFORE, Fault.DROP_DURING, Fault.DROP_AFTER})
_PORTALS_MAX = 4_096
_SETTLED_S_MAX = 60
"""A client that breaks the protocol's order may never be answered: then its faults are given up, not it."""


class Asking:
    """Reads the client, decides what happens to what it sends, and sends it on."""

    def __init__(self, talk: Talk, read_text: Callable[[bytes], tuple[Spoken, ...]]) -> None:
        self._talk = talk
        self._read_text = read_text
        self._cutter = Cutter(_KINDS, b"QP")
        self._out: list[bytes] = []
        self._portals: dict[bytes, Meaning] = {}
        self._skipping = False
        """Whether an error has been decided: the client's messages up to Sync count for nothing."""

    async def run(self) -> None:
        """Relay until the client ends."""
        talk = self._talk
        while True:
            talk.parked = True
            talk.note_rest()
            data = await talk.client.receive(CHUNK_BYTES)
            talk.end_rest()
            if not data:
                talk.server.socket.shutdown(socket.SHUT_WR)  # it still answers what it has
                return
            await talk.marked.wait()
            for kind, piece in self._cut(data):
                await self._say(kind, piece)
            await self._flush()

    def _cut(self, data: bytes) -> list[tuple[int, bytes]]:
        lost = self._talk.stage is Stage.LOST
        self._talk.stream.noting = lost
        fresh = self._talk.stream.feed(data)
        return [(OTHER, self._cutter.drain() + fresh)] if lost else self._cutter.feed(fresh)

    async def _flush(self) -> None:
        data = b"".join(self._out)
        self._out.clear()
        await self._talk.server.write(data)

    async def _say(self, kind: int, piece: bytes) -> None:
        """One message of the client."""
        if self._talk.stage is Stage.LOST:
            self._skipping = False
            self._out.append(piece)
        elif kind == _SYNC:
            self._skipping = False
            await self._close_segment(piece)
        elif self._skipping:
            pass
        elif kind in {_QUERY, _CALL}:
            await self._ask_simply(kind, piece)
        elif kind == OTHER:
            self._out.append(piece)
        else:
            await self._prepare(kind, piece)

    async def _ask_simply(self, kind: int, piece: bytes) -> None:
        if self._talk.current:  # after an error it would be skipped, and never be answered
            self._talk.lose()
            self._out.append(piece)
        elif kind == _QUERY:
            await self._close_segment(build_query(await self._query(piece[5:-1])))
        else:
            await self._close_segment(piece)

    def _segment(self) -> Segment:
        """The one that is not yet closed."""
        talk = self._talk
        if talk.current is None:
            talk.current = Segment(time.monotonic())
            talk.segments.append(talk.current)
            talk.settled.clear()
        return talk.current

    async def _close_segment(self, piece: bytes) -> None:
        """Send what the server answers with ReadyForQuery; with a fault in it, wait for that."""
        segment = self._segment()
        segment.sent_s = time.monotonic()
        self._talk.current = None
        self._out.append(piece)
        if segment.verdict:
            await self._flush()
            await self._await_settled()

    async def _await_settled(self) -> None:
        try:
            async with asyncio.timeout(_SETTLED_S_MAX):
                await self._talk.settled.wait()
        except TimeoutError:
            self._talk.lose()

    # Statements

    async def _query(self, text: bytes) -> bytes:
        """What goes on in place of a simple query's text."""
        segment, spoken = self._segment(), self._read_text(text)
        alone = len(spoken) == 1
        for one in spoken:
            if self._commits_now(one.meaning, alone=alone):
                verdict = segment.verdict = await self._draw_commit(one.meaning)
                if verdict:
                    return text[: one.end] if verdict.late else text[: one.start] + POISON_QUERY
            self._follow(one.meaning)
        if self._fails_now({one.meaning for one in spoken}):
            segment.verdict = Verdict(Fault.UNAVAILABLE)
            return POISON_QUERY
        return text

    async def _prepare(self, kind: int, piece: bytes) -> None:
        """A message of the extended protocol."""
        segment = self._segment()
        if kind == _EXECUTE:
            await self._execute(segment, piece)
            return
        if kind == _PARSE:
            self._talk.stream.note_parse(piece[5:])
        elif kind == _BIND:
            self._bind(piece)
        self._out.append(piece)

    def _bind(self, piece: bytes) -> None:
        portal = read_name(piece)
        statement = None if portal is None else read_name(piece, 6 + len(portal))
        if portal is None or statement is None or len(self._portals) > _PORTALS_MAX:
            self._portals.clear()
            return
        if len(portal) > NAME_BYTES_MAX:
            return
        meaning = self._talk.stream.meanings.get(statement)
        if meaning is None:
            self._portals.pop(portal, None)
        else:
            self._portals[portal] = meaning

    async def _execute(self, segment: Segment, piece: bytes) -> None:
        meaning = self._portals.get(read_name(piece) or b"")
        first, segment.executed = not segment.executed, True
        if self._commits_now(meaning, alone=first):
            segment.verdict = await self._draw_commit(meaning)
        elif self._fails_now({meaning}):
            segment.verdict = Verdict(Fault.UNAVAILABLE)
        verdict = segment.verdict
        self._follow(meaning)
        self._skipping = verdict is not None
        self._out.append(piece if verdict is None or verdict.late else POISON_EXECUTE)
        if verdict and verdict.late and verdict.commit:
            self._out.append(FLUSH)  # the client's own is skipped
        elif verdict and verdict.late:
            await self._sync_now(segment)

    async def _sync_now(self, segment: Segment) -> None:
        """A write commits at Sync: ours, since the client's may wait for the answer that it is not to get."""
        segment.shows_ready = False
        await self._close_segment(SYNC)
        self._segment()  # for the client's own Sync

    def _commits_now(self, meaning: Meaning | None, *, alone: bool) -> bool:
        """COMMIT of a transaction, or a write outside of any."""
        if meaning is Meaning.COMMIT:
            return self._talk.open and not self._talk.failed
        return meaning is Meaning.WRITE and alone and not self._talk.open

    def _fails_now(self, meanings: set[Meaning | None]) -> bool:
        """Draw whether the service is unavailable for what neither commits nor rolls back."""
        ends = meanings & {Meaning.COMMIT, Meaning.ROLLBACK}
        return not ends and self._talk.dice.hits(Fault.UNAVAILABLE)

    def _follow(self, meaning: Meaning | None) -> None:
        talk = self._talk
        if meaning is Meaning.BEGIN:
            talk.open = True
        elif meaning in {Meaning.COMMIT, Meaning.ROLLBACK}:
            self._segment().commits += meaning is Meaning.COMMIT and not talk.failed
            talk.open = talk.failed = False

    async def _draw_commit(self, meaning: Meaning | None) -> Verdict | None:
        """Decide what happens to a commit; its latency comes before it is sent.

        Raises:
            Dropped: the connection breaks before the server gets it.
        """
        talk, segment = self._talk, self._segment()
        if talk.profile.commit_s:
            await self._flush()
            await talk.pace.fill(talk.profile.commit_s, talk.commit_took_s)
        fault = talk.dice.draw_commit()
        if fault is None:
            return None
        is_commit = meaning is Meaning.COMMIT
        late = self._is_late(fault, is_commit=is_commit)
        if fault in _DROPS and not late:
            await self._flush()
            talk.dice.count(fault)
            raise Dropped
        return Verdict(fault, late=late, commit=is_commit, commits_before=segment.commits)

    def _is_late(self, fault: Fault, *, is_commit: bool) -> bool:
        """Whether the server gets it; of an unavailable service only where COMMIT says so itself."""
        if fault is Fault.DROP_DURING or (fault is Fault.UNAVAILABLE and is_commit):
            return self._talk.dice.coin(fault)
        return fault is Fault.DROP_AFTER
