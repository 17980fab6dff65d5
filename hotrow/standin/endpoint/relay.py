"""Relays bytes between a client and the stand-in until one of them ends.

What passes is not followed; where faults or latency need that, conduct.py takes over.

At most one chunk a direction is in memory: a side is read from only when all that it sent is on its way.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING

from hotrow.standin.endpoint.messages import READY_BYTES, build_ready, is_ready, show_outward
from hotrow.standin.endpoint.wire import WireError, build_fatal

if TYPE_CHECKING:
    from collections.abc import Callable

_CHUNK_BYTES = 65_536
"""More than a TLS record: nothing that was decrypted is left behind, where no selector would see it."""

_LATER = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Relay:
    """Two sockets, joined; `finished` is done when they are to be closed, or left to another relay."""

    def __init__(
        self,
        client: socket.socket,
        server: socket.socket,
        edit: Callable[[bytes], bytes],
        *,
        quiet: bool = False,
    ) -> None:
        """`quiet` says that the server has answered everything so far."""
        self.finished: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._client = client
        self._to_server = _Pump(client, server, edit, self._end)
        self._to_client = _Pump(server, client, show_outward, self._end)
        self._to_server.opposite, self._to_client.opposite = self._to_client, self._to_server
        self._to_client.tail = build_ready() if quiet else b""

    @property
    def quiet(self) -> bool:
        """Whether the server was ready when it last spoke, and the client has not spoken since."""
        return is_ready(self._to_client.tail)

    def leave(self) -> None:
        """Finish as soon as nothing is on its way, without an end of either side."""
        self._to_server.when_sent = self._to_client.when_sent = self._leave
        self._leave()

    def _leave(self) -> None:
        if self.finished.done() or self._to_server.busy or self._to_client.busy:
            return
        self._stop()  # now: what they read before `run` goes on would be lost
        self.finished.set_result(True)

    def _stop(self) -> None:
        self._to_server.stop()
        self._to_client.stop()

    async def run(self) -> bool:
        """Relay until either side ends; a client that breaks the protocol is told so.

        True where it was left, and both sides go on.
        """
        self._to_server.start()
        self._to_client.start()
        try:
            return await self.finished
        except WireError as error:
            self._tell(error)
            return False
        except Exception:
            self._tell(WireError("the endpoint failed at this statement", sqlstate="XX000"))
            raise
        finally:
            self._stop()

    def _tell(self, error: WireError) -> None:
        """Say it if that is possible now: amid another message it would not be understood."""
        if not self._to_client.busy:
            with suppress(OSError):
                self._client.send(build_fatal(error))

    def _end(self, error: Exception | None) -> None:
        if self.finished.done():
            return
        if error is None:
            self.finished.set_result(False)
        else:
            self.finished.set_exception(error)


class _Pump:
    """One direction."""

    def __init__(
        self,
        source: socket.socket,
        sink: socket.socket,
        edit: Callable[[bytes], bytes],
        end: Callable[[Exception | None], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._source, self._source_file = source, source.fileno()
        self._sink, self._sink_file = sink, sink.fileno()
        self._edit = edit
        self._end = end
        self._rest = b""
        self.tail = b""
        """The last bytes that were read, unless the other direction has read since."""
        self.opposite = self
        self.when_sent: Callable[[], None] | None = None
        """Called when everything that had to wait has been sent."""

    @property
    def busy(self) -> bool:
        """Whether something that was read is not yet sent."""
        return bool(self._rest)

    def start(self) -> None:
        """Begin; TLS may hold bytes already that no selector sees, hence the call."""
        self._loop.add_reader(self._source_file, self._read)
        self._loop.call_soon(self._read)

    def stop(self) -> None:
        """Stop; the sockets may be closed after this."""
        self._loop.remove_reader(self._source_file)
        self._loop.remove_writer(self._sink_file)
        self._end = _ignore

    def _read(self) -> None:
        if self._rest or self._end is _ignore:
            return
        try:
            data = self._source.recv(_CHUNK_BYTES)
            if not data:
                self._close_sink()
                return
            self.tail, self.opposite.tail = data[-READY_BYTES:], b""
            data = self._edit(data)
        except _LATER:
            return
        except OSError:
            self._end(None)
            return
        except Exception as error:  # noqa: BLE001 - a WireError, or a statement that cannot be rewritten
            end, self._end = self._end, _ignore  # after an end TLS could not say why any more
            end(error)
            return
        if data:
            self._send(data)

    def _close_sink(self) -> None:
        """The source has ended: PostgreSQL still answers what it has, a client is told by the end."""
        self._loop.remove_reader(self._source_file)
        if isinstance(self._sink, ssl.SSLSocket):
            self._end(None)
            return
        try:
            self._sink.shutdown(socket.SHUT_WR)
        except OSError:
            self._end(None)

    def _send(self, data: bytes) -> None:
        try:
            sent = self._sink.send(data)
        except _LATER:
            sent = 0
        except OSError:
            self._end(None)
            return
        if sent == len(data) and not self._rest:  # nearly always
            return
        waited = bool(self._rest)
        self._rest = data[sent:] if sent < len(data) else b""
        if bool(self._rest) != waited:
            self._turn()

    def _turn(self) -> None:
        """From reading to waiting for the sink, or back."""
        if self._rest:
            self._loop.remove_reader(self._source_file)
            self._loop.add_writer(self._sink_file, self._write)
        else:
            self._loop.remove_writer(self._sink_file)
            self._loop.add_reader(self._source_file, self._read)
            if self.when_sent:
                self.when_sent()

    def _write(self) -> None:
        self._send(self._rest)


def _ignore(_: Exception | None) -> None:
    """What the end of a stopped direction means."""
