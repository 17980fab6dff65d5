"""Relays a connection message by message, so that faults and latency can fall where they belong.

Used only while that is needed; all else is relay.py's. Both directions are tasks: `Asking` reads the client,
`Answering` the server, and `Talk` is what they know of each other. How a fault is made:

- **conflict, schema_conflict, unavailable** (not applied): the statement is replaced by one that PostgreSQL
  refuses, whose error is replaced in turn. So the server itself skips what has to be skipped and says which
  state that left. After a COMMIT a hidden ROLLBACK ends the transaction, as a COMMIT that failed would have.
- **unavailable** (applied), **drop_after** and half of **drop_during**: the server gets it, and its answer
  is replaced, or the connection closed, once it says that it has committed.
- Until a segment with a fault is settled, nothing more of the client goes on.

A connection that was not followed from its start is first asked for a boundary: see `messages.MARKER`.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from hotrow.standin.endpoint.answering import Answering
from hotrow.standin.endpoint.asking import Asking
from hotrow.standin.endpoint.faults import Fault
from hotrow.standin.endpoint.talk import Dropped, Segment, Stage, Talk
from hotrow.standin.endpoint.wire import WireError, build_fatal

if TYPE_CHECKING:
    from collections.abc import Callable

    from hotrow.standin.endpoint.statements import Spoken

_BUSY_S = 0.005


class Conduct:
    """One connection, as long as it is followed."""

    def __init__(self, talk: Talk, read_text: Callable[[bytes], tuple[Spoken, ...]], born_s: float) -> None:
        """`born_s` is when the connection began, on the monotonic clock."""
        self._talk = talk
        self._born_s = born_s
        self._asking = Asking(talk, read_text)
        self._answering = Answering(talk)
        self._changed = asyncio.Event()

    @property
    def quiet(self) -> bool:
        """Whether it was left at a boundary."""
        return self._talk.stage is Stage.KNOWN

    async def run(self, *, fresh: bool, quiet: bool) -> bool:
        """Relay until either side ends (False), or until that need not be followed any more (True).

        A fresh connection has only just been asked to start; a quiet one is known to be at a boundary.

        Raises:
            Dropped: a fault ends the connection.
        """
        with self._talk.injection.listening(self._change):
            await self._find_boundary(fresh=fresh, quiet=quiet)
            try:
                return await self._relay()
            except (Dropped, OSError):
                raise
            except WireError as error:
                await self._tell(error)
                return False
            except Exception:
                await self._tell(WireError("the endpoint failed at this statement", sqlstate="XX000"))
                raise
            finally:
                self._talk.stream.noting = True

    async def _find_boundary(self, *, fresh: bool, quiet: bool) -> None:
        talk = self._talk
        talk.marked.set()
        talk.settled.set()
        if fresh:
            talk.stage = Stage.KNOWN
            talk.segments.append(Segment(startup=True))
            talk.settled.clear()
        elif quiet:
            await self._answering.ask()

    async def _relay(self) -> bool:
        asking = asyncio.create_task(self._asking.run())
        answering = asyncio.create_task(self._answering.run())
        watching = asyncio.create_task(self._watch())
        try:
            while not answering.done():
                going = {task for task in (asking, answering, watching) if not task.done()}
                await asyncio.wait(going, return_when=asyncio.FIRST_COMPLETED)
                if asking.done():
                    asking.result()
                if watching.done() and not answering.done():
                    return watching.result()
            answering.result()
            return False
        finally:
            for task in (asking, answering, watching):
                task.cancel()
            await asyncio.gather(asking, answering, watching, return_exceptions=True)

    async def _watch(self) -> bool:
        """True when the relay may leave this connection to the plain one.

        Raises:
            Dropped: its life is over.
        """
        talk = self._talk
        while True:
            self._changed.clear()
            life_s = talk.injection.faults.session_life
            if not needs_messages(talk):
                await self._first(talk.resting)
                if self._safe(talk.resting) and not needs_messages(talk):
                    return True
            elif life_s and await self._sleeps(self._born_s + life_s - time.monotonic()):
                await self._first(talk.idle)
                if self._safe(talk.idle) and not self._changed.is_set():
                    talk.dice.count(Fault.SESSION_LIFE)
                    raise Dropped
            else:
                await self._changed.wait()
            if self._answering.busy:
                await asyncio.sleep(_BUSY_S)

    def _safe(self, event: asyncio.Event) -> bool:
        """Whether that still holds, and nothing is on its way to the client."""
        return event.is_set() and not self._answering.busy

    async def _sleeps(self, seconds: float) -> bool:
        """Sleep for so long; False where the faults changed meanwhile."""
        with suppress(TimeoutError):
            async with asyncio.timeout(max(seconds, 0)):
                await self._changed.wait()
        return not self._changed.is_set()

    async def _first(self, event: asyncio.Event) -> None:
        """Until the event, or until the faults change."""
        tasks = [asyncio.create_task(each.wait()) for each in (event, self._changed)]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

    def _change(self) -> None:
        self._talk.dice.renew()
        self._changed.set()

    async def _tell(self, error: WireError) -> None:
        """Say it if that is possible now: amid another message it would not be understood."""
        if not self._answering.amid:
            with suppress(OSError):
                await self._talk.client.write(build_fatal(error))


def needs_messages(talk: Talk) -> bool:
    """Whether its connection has to be followed."""
    return talk.injection.faults.need_messages or talk.profile.any
