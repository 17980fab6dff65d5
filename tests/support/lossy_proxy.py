"""A proxy in front of a PostgreSQL socket that loses the answers to randomly chosen COMMITs. Seeded.

It reads the client's messages to see which batch executes a COMMIT. Such a batch is lost in one of three
ways. The server never gets it, or the server gets it and its answer is lost, or the client is disconnected
first and the server gets it later. In the third case a client that looks for its transaction too early sees
a wrong result.
"""

from __future__ import annotations

import asyncio
import random
import threading
from collections import Counter
from contextlib import suppress
from enum import Enum
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

_BATCH_ENDS = frozenset(b"SQpX")
"""Types of Sync, Query, password and Terminate. After one of them a client waits for the server or leaves."""
_READY = ord("Z")
_LATEST_S = 0.03


class Loss(Enum):
    """What happens to a COMMIT whose answer the client never gets."""

    BEFORE = "the server never gets it"
    AFTER = "the server has answered it"
    LATE = "the server gets it after the client is gone"


class LossyProxy:
    """A context manager that listens on a PostgreSQL socket in `folder` and relays to the socket `upstream`.

    Each COMMIT is lost with the probability `share`. `lost` counts them.
    """

    def __init__(self, folder: Path, upstream: Path, *, share: float, seed: int) -> None:
        self.lost: Counter[Loss] = Counter()
        self._path = folder / ".s.PGSQL.5432"
        self._upstream = upstream
        self._share = share
        self._coins = random.Random(seed)  # noqa: S311 - faults, not secrets
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        listening = asyncio.start_unix_server(self._serve, str(self._path))
        self._server = asyncio.run_coroutine_threadsafe(listening, self._loop).result(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_unix_connection(str(self._upstream))
        pump = asyncio.create_task(_pump(from_server, writer))
        try:
            await self._relay(reader, writer, from_server, to_server, pump)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # one side has gone
        finally:
            pump.cancel()
            writer.close()
            to_server.close()

    async def _relay(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        from_server: asyncio.StreamReader,
        to_server: asyncio.StreamWriter,
        pump: asyncio.Task[None],
    ) -> None:
        to_server.write(await _first_packet(reader))
        commits: set[bytes] = set()
        while True:
            batch, is_commit = await _batch(reader, commits)
            if is_commit and self._coins.random() < self._share:
                pump.cancel()
                await asyncio.wait([pump])
                await self._lose(batch, writer, from_server, to_server)
                return
            to_server.write(batch)
            await to_server.drain()

    async def _lose(
        self,
        batch: bytes,
        writer: asyncio.StreamWriter,
        from_server: asyncio.StreamReader,
        to_server: asyncio.StreamWriter,
    ) -> None:
        how = self._coins.choice(list(Loss))
        self.lost[how] += 1
        if how is Loss.BEFORE:
            return
        if how is Loss.LATE:
            writer.close()
            await asyncio.sleep(self._coins.random() * _LATEST_S)
        to_server.write(batch)
        while (await _message(from_server))[0] != _READY:
            pass


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def _first_packet(reader: asyncio.StreamReader) -> bytes:
    """The startup packet, the only one without a type byte. No client asks for TLS on a Unix socket."""
    length = await reader.readexactly(4)
    return length + await reader.readexactly(int.from_bytes(length) - 4)


async def _message(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(5)
    return head + await reader.readexactly(int.from_bytes(head[1:]) - 4)


async def _batch(reader: asyncio.StreamReader, commits: set[bytes]) -> tuple[bytes, bool]:
    """The next messages up to one in `_BATCH_ENDS`, and whether they execute a COMMIT.

    `commits` collects the names of prepared COMMIT statements.
    """
    batch, is_commit = b"", False
    while True:
        message = await _message(reader)
        batch += message
        name, _, rest = message[5:].partition(b"\0")
        if message[:1] == b"P" and rest.startswith(b"COMMIT\0"):
            commits.add(name)
        is_commit |= message[:1] == b"B" and rest.partition(b"\0")[0] in commits
        if message[0] in _BATCH_ENDS:
            return batch, is_commit
