"""Relays bytes between a client and the stand-in until either side ends.

The messages are not followed, except the answer to BEGIN (begin_watch.py). If faults or latency require
that, message_relay.py takes over.

At most one chunk per direction is in memory: a side is read only after everything that it sent before has
been sent on.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING

from hotrow.standin.endpoint.messages import READY_BYTES, build_ready, is_ready
from hotrow.standin.endpoint.wire import WireError, build_fatal

if TYPE_CHECKING:
    from collections.abc import Callable

    from hotrow.standin.endpoint.client_stream import ClientStream
    from hotrow.standin.endpoint.followed_connection import EditAnswer

_CHUNK_BYTES = 65_536
"""More than a TLS record: no decrypted bytes stay in the TLS object, where a selector cannot see them."""

_NOT_READY = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class ByteRelay:
    """Joins two sockets. `finished` is done when they are to be closed, or handed to a message relay."""

    def __init__(
        self,
        client: socket.socket,
        server: socket.socket,
        stream: ClientStream,
        edit_answer: EditAnswer,
        *,
        quiet: bool = False,
    ) -> None:
        """`stream` is what the client sends, `edit_answer` is applied to every chunk of the server.

        `quiet`: the server has answered everything so far.
        """
        self.finished: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._client = client
        self._stream = stream
        self._edit_chunk = edit_answer
        self._leaves = False
        self._to_server = _Pump(client, server, self._edit, self._end)
        self._to_client = _Pump(server, client, self._edit_answer, self._end)
        self._to_server.half_closes = not isinstance(server, ssl.SSLSocket)
        self._to_server.opposite, self._to_client.opposite = self._to_client, self._to_server
        self._to_client.tail = build_ready() if quiet else b""

    @property
    def quiet(self) -> bool:
        """Whether the server's last message was ReadyForQuery, and the client has sent nothing since."""
        return is_ready(self._to_client.tail)

    def leave(self) -> None:
        """Finish as soon as nothing is on its way, and leave both sockets open."""
        self._leaves = True
        self._to_server.when_sent = self._to_client.when_sent = self._leave
        self._leave()

    def _leave(self) -> None:
        if self.finished.done() or self._to_server.busy or self._to_client.busy:
            return
        if self._stream.begin.answer is not None:
            return
        self._stop()  # now: bytes that are read before `run` continues would be lost
        self.finished.set_result(True)

    def _stop(self) -> None:
        self._stream.begin.start_turn(answered=False)  # whoever reads the stream next follows its messages
        self._to_server.stop()
        self._to_client.stop()

    def _edit(self, data: bytes) -> bytes:
        """What the server gets for the client's bytes."""
        answered = self._to_client.tail
        if answered:
            self._stream.begin.start_turn(answered=is_ready(answered))
        return self._stream.feed(data)

    def _edit_answer(self, data: bytes) -> bytes:
        """What the client gets for the server's bytes."""
        begin = self._stream.begin
        if begin.answer is not None:
            data = begin.take_answer(data)
            if self._leaves:
                asyncio.get_running_loop().call_soon(self._leave)
        return self._edit_chunk(data)

    async def run(self) -> bool:
        """Relay until either side ends (False), or until `leave` has stopped it (True).

        A client that breaks the protocol gets the error before its connection is closed.
        """
        self._to_server.start()
        self._to_client.start()
        try:
            return await self.finished
        except WireError as error:
            self._send_error(error)
            return False
        except Exception:
            self._send_error(WireError("the endpoint failed at this statement", sqlstate="XX000"))
            raise
        finally:
            self._stop()

    def _send_error(self, error: WireError) -> None:
        """Send the error, unless the client has received only a part of another message."""
        if not self._to_client.busy:
            with suppress(OSError):
                self._client.send(build_fatal(error))

    def _end(self, error: Exception | None) -> None:
        if self.finished.done():
            return
        answer = self._stream.begin.answer
        if answer is not None and answer.held and not self._to_client.busy:
            with suppress(OSError):
                self._client.send(answer.held)
        if error is None:
            self.finished.set_result(False)
        else:
            self.finished.set_exception(error)


class _Pump:
    """One direction of a relay."""

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
        self._unsent = b""
        self.tail = b""
        """The last bytes that were read; empty if the other direction has read since."""
        self.opposite = self
        self.half_closes = False
        """Whether the sink may still send when the source has ended."""
        self.when_sent: Callable[[], None] | None = None
        """Called when bytes that had to wait have been sent."""

    @property
    def busy(self) -> bool:
        """Whether bytes that were read have not been sent yet."""
        return bool(self._unsent)

    def start(self) -> None:
        """Begin to read. The first read is immediate: the TLS object may hold bytes that no selector sees."""
        self._loop.add_reader(self._source_file, self._read)
        self._loop.call_soon(self._read)

    def stop(self) -> None:
        """Stop. The sockets may be closed after this."""
        self._loop.remove_reader(self._source_file)
        self._loop.remove_writer(self._sink_file)
        self._end = _ignore

    def _read(self) -> None:
        if self._unsent or self._end is _ignore:
            return
        try:
            data = self._source.recv(_CHUNK_BYTES)
            if not data:
                self._close_sink()
                return
            tail = data[-READY_BYTES:]
            data = self._edit(data)
        except _NOT_READY:
            return
        except OSError:
            self._end(None)
            return
        except Exception as error:  # noqa: BLE001 - a WireError, or a statement that cannot be rewritten
            end, self._end = self._end, _ignore  # the error must be sent before the TLS connection ends
            end(error)
            return
        self.tail = tail
        if data:
            self.opposite.tail = b""
            self._send(data)

    def _close_sink(self) -> None:
        """Pass on that the source has ended.

        PostgreSQL still answers what it has received; a client gets the end.
        """
        self._loop.remove_reader(self._source_file)
        if not self.half_closes:
            self._end(None)
            return
        try:
            self._sink.shutdown(socket.SHUT_WR)
        except OSError:
            self._end(None)

    def _send(self, data: bytes) -> None:
        try:
            sent = self._sink.send(data)
        except _NOT_READY:
            sent = 0
        except OSError:
            self._end(None)
            return
        if sent == len(data) and not self._unsent:  # nearly always
            return
        waited = bool(self._unsent)
        self._unsent = data[sent:] if sent < len(data) else b""
        if bool(self._unsent) != waited:
            self._switch()

    def _switch(self) -> None:
        """Switch from reading to waiting for the sink, or back."""
        if self._unsent:
            self._loop.remove_reader(self._source_file)
            self._loop.add_writer(self._sink_file, self._write)
        else:
            self._loop.remove_writer(self._sink_file)
            self._loop.add_reader(self._source_file, self._read)
            if self.when_sent:
                self.when_sent()

    def _write(self) -> None:
        self._send(self._unsent)


def _ignore(_: Exception | None) -> None:
    """Do nothing: a direction that was stopped reports no end."""
