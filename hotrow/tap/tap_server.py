"""The tap's server: accepts clients without TLS and password, logs in for them, and relays and records."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from hotrow.errors import TargetError
from hotrow.standin.endpoint import wire
from hotrow.standin.endpoint.accepting import Acceptor
from hotrow.standin.endpoint.client_stream import cached_if_short
from hotrow.standin.endpoint.injection import Dice, Injection
from hotrow.standin.endpoint.joining import Joiner, Translation
from hotrow.standin.endpoint.login import LoginEnded
from hotrow.standin.endpoint.region_config import Limits
from hotrow.standin.endpoint.statements import find_statements
from hotrow.standin.endpoint.wire import Request, WireError
from hotrow.tap.connection_watch import ConnectionWatch
from hotrow.tap.server_login import ServerLogin, ServerRefusal
from hotrow.tap.watched_socket import WatchedSocket

if TYPE_CHECKING:
    from hotrow.standin.endpoint.async_socket import Channel
    from hotrow.standin.endpoint.latency import LatencyProfile
    from hotrow.tap.recorder import Recorder

_BACKLOG = 1024
_MAX_FIRST_PACKETS = 4
_ANSWER_S = 2.0
"""How long the tap waits for the answer to a COMMIT whose client is gone."""
_CHUNK_BYTES = 65_536
MAX_CONNECTIONS = 10_000


def listen(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        TargetError: the address cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    server = socket.socket(family, socket.SOCK_STREAM)
    try:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((host, port))
        server.listen(_BACKLOG)
    except OSError as error:
        server.close()
        raise TargetError(f"--listen {host}:{port}: {error.strerror or error}; choose another port") from None
    server.setblocking(False)
    return server


def is_loopback(host: str) -> bool:
    """Whether only programs of this machine can reach an address."""
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


class TapServer:
    """Serves clients until it is cancelled."""

    def __init__(
        self, login: ServerLogin, translation: Translation, latency: LatencyProfile, recorder: Recorder
    ) -> None:
        limits = Limits(connections=MAX_CONNECTIONS)
        injection = Injection()
        self._login = login
        self._recorder = recorder
        self._dice = Dice(injection)
        self._acceptor = Acceptor(limits, self._attend)
        self._joiner = Joiner(translation, injection, latency, held_bytes=limits.held_bytes)
        self._find_statements = cached_if_short(find_statements)
        self._watches: set[ConnectionWatch] = set()
        self._startup_s = limits.startup_s
        self.ending = False
        """Whether the tap ends its clients itself."""

    @property
    def under_way(self) -> bool:
        """Whether a client waits for the answer to a COMMIT, or is in a transaction."""
        return any(watch.in_transaction for watch in self._watches)

    async def serve(self, server: socket.socket) -> None:
        """Accept clients. A cancellation ends all of them."""
        await self._acceptor.serve([server])

    async def _attend(self, client: Channel) -> None:
        """Serve one client from its first byte to its last."""
        try:
            async with asyncio.timeout(self._startup_s):
                server = await self._let_in(client)
        except ServerRefusal as refusal:
            await client.write(refusal.message)
            raise LoginEnded from refusal
        except WireError as error:
            await client.write(wire.build_fatal(error))
            raise LoginEnded from error
        with closing(server):
            await client.write(wire.AUTHENTICATED)
            self._acceptor.let_in()
            await self._record(client, server)

    async def _record(self, client: Channel, server: Channel) -> None:
        """Relay a client that is logged in, and watch what passes."""
        watch = ConnectionWatch(self._recorder, self._find_statements)
        self._watches.add(watch)
        watched = client.socket = WatchedSocket.around(client.socket)
        watched.watch = watch
        try:
            await self._joiner.join(client, server, self._dice)
        finally:
            try:
                if watch.commit_is_in_flight and not self.ending:
                    await self._hear_out(server, watch)
            finally:
                watched.watch = None
                watch.end(cut_off=self.ending)
                self._watches.discard(watch)

    @staticmethod
    async def _hear_out(server: Channel, watch: ConnectionWatch) -> None:
        """Read the server's answer to a COMMIT whose client is gone, so that the record says how it ended."""
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(_ANSWER_S):
                while watch.commit_is_in_flight:
                    data = await server.receive(_CHUNK_BYTES)
                    if not data:
                        return
                    watch.server_sent(data)

    async def _let_in(self, client: Channel) -> Channel:
        """The server's side of a client's connection, after the client's first packets."""
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for _ in range(_MAX_FIRST_PACKETS):
            prefix = await client.read(4)
            body = await client.read(wire.startup_bytes(prefix))
            packet = wire.parse_first(body)
            if packet.request is Request.CANCEL:
                await self._login.cancel(prefix + body)
                raise LoginEnded
            if packet.request is Request.STARTUP:
                if packet.minor or packet.extensions:
                    await client.write(wire.build_negotiation(packet.extensions))
                if not self._acceptor.has_room():
                    raise WireError("sorry, too many clients already", sqlstate="53300")
                return await self._login.open(packet.parameters)
            await client.write(b"N")  # no TLS: the tap and its clients are on one machine
        raise WireError("too many requests before the startup packet")
