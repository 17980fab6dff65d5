"""The server of the endpoint: TLS, startup, the token as password; then it relays to the stand-in's socket.

Nobody reaches the stand-in before the token is verified. Everything a client may keep open, send or make the
endpoint keep is bounded: see `Limits`.

The endpoint's name is `localhost` (and 127.0.0.1): the only one that every client resolves without DNS and
that a certificate can name for `verify-full`. Tokens are signed for that name.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import sys
import time
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from hotrow.standin.endpoint import wire
from hotrow.standin.endpoint.async_socket import Channel
from hotrow.standin.endpoint.conduct import Conduct, needs_messages
from hotrow.standin.endpoint.faults import Fault
from hotrow.standin.endpoint.injection import Dice, Injection
from hotrow.standin.endpoint.relay import Relay
from hotrow.standin.endpoint.statements import read_text
from hotrow.standin.endpoint.talk import Dropped, Profile, Talk
from hotrow.standin.endpoint.token import Cluster, Denied, expired, verify
from hotrow.standin.endpoint.wire import Ask, FirstPacket, WireError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

DATABASE = "postgres"
SUPERUSER = "postgres"
_PASSWORD_BYTES_MAX = 10_000
_TLS_HANDSHAKE = b"\x16"
_ALPN = "postgresql"
_BACKLOG = 1024
_CONVERSATION_MAX = 4
"""First packets of one client: GSS request, TLS request and startup, with one to spare."""
_ERRORS_LOGGED_MAX = 100
_EXPIRED_S = 1_800
"""How old a token is said to be that is expired on request, twice its life."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the endpoint allows."""

    startup_s: float = 10.0
    """From the connection's first instant until the token is verified."""
    connections: int = 1_050
    """At once, those that still start left out: 1,000 users and who looks on; the stand-in has a few more."""
    starting: int = 1_000
    """Connections that start at once; one more closes the one that has been at it longest."""
    held_bytes: int = wire.HELD_BYTES_MAX
    """Of incomplete statements, of all connections together."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a front serves."""

    cluster: Cluster
    backend: Path
    """The stand-in's Unix socket."""
    tls: ssl.SSLContext
    rewrite: wire.Rewrite
    limits: Limits = field(default_factory=Limits)
    settings: Mapping[str, str] = field(default_factory=dict)
    """Settings that each connection to the stand-in starts with."""
    profile: Profile = field(default_factory=Profile)
    """Latency that is added."""
    injection: Injection = field(default_factory=Injection)
    """The faults; several fronts may share them."""


def prepare_tls(context: ssl.SSLContext) -> None:
    """Set a server's context up: TLS 1.2 or newer, no renegotiation, ALPN as libpq asks for it."""
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.num_tickets = 0  # nobody resumes
    context.set_alpn_protocols([_ALPN])


def listen(port: int) -> list[socket.socket]:
    """Sockets on this port of the loopback addresses; 0 is any free port. IPv6 where there is any.

    Raises:
        OSError: the port is taken.
    """
    first = _listen(socket.AF_INET, "127.0.0.1", port)
    with suppress(OSError):
        return [first, _listen(socket.AF_INET6, "::1", first.getsockname()[1])]
    return [first]


def _listen(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    server = socket.socket(family, socket.SOCK_STREAM)
    try:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((address, port))
        server.listen(_BACKLOG)
    except OSError:
        server.close()
        raise
    server.setblocking(False)
    return server


class Front:
    """Serves clients until it is cancelled."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._edit = wire.remembering(plan.rewrite)
        self._read_text = wire.remembering_short(read_text)
        self._holding = wire.Holding(plan.limits.held_bytes)
        self._starting: dict[asyncio.Task[None], None] = {}
        """Those that have not been let in yet, the oldest first."""
        self._clients: set[asyncio.Task[None]] = set()
        self._errors_logged = 0

    @property
    def clients(self) -> int:
        """How many connections there are."""
        return len(self._clients)

    async def serve(self, servers: list[socket.socket]) -> None:
        """Accept clients on these sockets; ends them all when it is cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                for server in servers:
                    group.create_task(self._accept(server))
        finally:
            for task in self._clients:
                task.cancel()
            await asyncio.gather(*self._clients, return_exceptions=True)

    async def _accept(self, server: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                client, _ = await loop.sock_accept(server)
            except OSError:  # out of file descriptors, or gone before it was accepted
                await asyncio.sleep(0.05)
                continue
            self._make_room()
            task = loop.create_task(self._attend(client))
            self._clients.add(task)
            self._starting[task] = None
            task.add_done_callback(self._forget)

    def _make_room(self) -> None:
        """Close the oldest of those that start if there are too many: an earnest one takes milliseconds."""
        if len(self._starting) >= self._plan.limits.starting:
            oldest = next(iter(self._starting))
            del self._starting[oldest]
            oldest.cancel()

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._clients.discard(task)
        self._starting.pop(task, None)

    async def _attend(self, client: socket.socket) -> None:
        """One client from its first byte to its last."""
        with closing(Channel(client)) as channel:
            dice = Dice(self._plan.injection)
            try:
                with closing(Channel(await self._start(channel, dice))) as backend:
                    self._starting.pop(_this_task(), None)
                    await self._relay(channel, backend, dice)
            except (_Over, Dropped, OSError, TimeoutError):
                pass  # the client's end is no event
            except Exception as error:  # noqa: BLE001 - one client's trouble must not end the others
                self._log(error)

    async def _relay(self, client: Channel, backend: Channel, dice: Dice) -> None:
        """Join both until either ends: message by message as long as that is needed, else as it comes."""
        plan, born_s = self._plan, time.monotonic()
        quiet, fresh, goes_on = False, True, True
        with closing(wire.ClientStream(self._edit, self._holding)) as stream:
            while goes_on:
                talk = Talk(client, backend, stream, dice, plan.injection, plan.profile)
                if needs_messages(talk):
                    conduct = Conduct(talk, self._read_text, born_s)
                    goes_on = await conduct.run(fresh=fresh, quiet=quiet)
                    quiet = conduct.quiet
                else:
                    relay = Relay(client.socket, backend.socket, stream.feed, quiet=quiet)
                    with plan.injection.listening(partial(_leave, relay, talk)):
                        goes_on = await relay.run()
                    quiet = relay.quiet and stream.at_boundary
                fresh = False

    async def _start(self, channel: Channel, dice: Dice) -> socket.socket:
        """Let the client in, or raise; the stand-in's connection, which has been asked to start."""
        async with asyncio.timeout(self._plan.limits.startup_s):
            try:
                channel.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                channel.socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                return await self._let_in(channel, dice)
            except WireError as error:
                await channel.write(wire.build_fatal(error))
                raise _Over from error

    async def _let_in(self, channel: Channel, dice: Dice) -> socket.socket:
        packet = await self._greet(channel)
        if packet.minor or packet.extensions:
            await channel.write(wire.build_negotiation(packet.extensions))
        _refuse_by_fault(self._plan.injection, dice)
        user = await self._authenticate(channel, packet)
        _deny_by_fault(dice)
        if self.clients - len(self._starting) >= self._plan.limits.connections:
            raise WireError("sorry, too many clients already", sqlstate="53300")
        return await self._open_backend(
            {**_backend_parameters(packet.parameters, user), **self._plan.settings}
        )

    async def _greet(self, channel: Channel) -> FirstPacket:
        """Everything before the password, TLS included."""
        if await channel.peek() == _TLS_HANDSHAKE:
            await self._secure(channel, direct=True)
        for _ in range(_CONVERSATION_MAX):
            packet = await _read_first(channel)
            if packet.ask is Ask.CANCEL:
                raise _Over
            if packet.ask is Ask.STARTUP:
                return _check_secure(channel, packet)
            await self._answer(channel, packet.ask)
        raise WireError("too many requests before the startup packet")

    async def _answer(self, channel: Channel, ask: Ask) -> None:
        if ask is Ask.GSS or _is_secure(channel):
            await channel.write(b"N")
            return
        await channel.write(b"S")
        await self._secure(channel, direct=False)

    async def _secure(self, channel: Channel, *, direct: bool) -> None:
        await channel.secure(self._plan.tls)
        if direct and _secured(channel).selected_alpn_protocol() != _ALPN:
            raise WireError(
                "received direct SSL connection request without ALPN protocol negotiation extension"
            )

    async def _authenticate(self, channel: Channel, packet: FirstPacket) -> str:
        user = packet.parameters.get("user", "")
        if not user:
            raise WireError("no PostgreSQL user name specified in startup packet", sqlstate="28000")
        await channel.write(wire.ASK_PASSWORD)
        header = await channel.read(5)
        size = wire.message_bytes(header, b"p", _PASSWORD_BYTES_MAX)
        token = wire.parse_password(await channel.read(size))
        if user == SUPERUSER:  # it is the stand-in's, not the cluster's
            raise Denied
        verify(token, self._plan.cluster, user, datetime.now(UTC))
        return user

    async def _open_backend(self, parameters: dict[str, str]) -> socket.socket:
        loop = asyncio.get_running_loop()
        backend = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        backend.setblocking(False)
        try:
            await loop.sock_connect(backend, str(self._plan.backend))
            await loop.sock_sendall(backend, wire.build_startup(parameters))
        except OSError as error:
            backend.close()
            text = "the stand-in does not run: start it with `hotrow local up --endpoint`"
            raise WireError(text, sqlstate="57P03") from error
        except BaseException:
            backend.close()
            raise
        return backend

    def _log(self, error: Exception) -> None:
        """One line without what the client sent; a limited number of them, so that the log does not grow."""
        self._errors_logged += 1
        if self._errors_logged <= _ERRORS_LOGGED_MAX:
            trace = error.__traceback__
            while trace and trace.tb_next:
                trace = trace.tb_next
            where = f"{trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}" if trace else "?"
            sys.stderr.write(f"a connection ended by {type(error).__name__} in {where}\n")


def _refuse_by_fault(injection: Injection, dice: Dice) -> None:
    dice.renew()
    if not injection.admits():
        dice.count(Fault.CONNECT_RATE)
        raise WireError("Unable to accept connection, rate exceeded.", sqlstate="53400")
    if dice.hits(Fault.REFUSE):
        dice.count(Fault.REFUSE)
        text = "Unable to accept connection, waking up cluster, please retry later"
        raise WireError(text, sqlstate="57P03")


def _deny_by_fault(dice: Dice) -> None:
    """Refuse a token that is good."""
    if dice.hits(Fault.EXPIRE_TOKEN):
        dice.count(Fault.EXPIRE_TOKEN)
        raise expired(datetime.now(UTC) - timedelta(seconds=_EXPIRED_S), _EXPIRED_S // 2, datetime.now(UTC))
    if dice.hits(Fault.REJECT_TOKEN):
        dice.count(Fault.REJECT_TOKEN)
        raise Denied


def _this_task() -> asyncio.Task[None]:
    task: asyncio.Task[None] | None = asyncio.current_task()
    assert task is not None  # noqa: S101 - only tasks attend
    return task


def _leave(relay: Relay, talk: Talk) -> None:
    """Where the faults that were set just now need more than a plain relay."""
    talk.dice.renew()
    if needs_messages(talk):
        relay.leave()


class _Over(Exception):  # noqa: N818 - not an error: the connection is over, and has been told why if need be
    """Ends a startup."""


async def _read_first(channel: Channel) -> FirstPacket:
    size = wire.startup_bytes(await channel.read(4))
    return wire.parse_first(await channel.read(size))


def _is_secure(channel: Channel) -> bool:
    return isinstance(channel.socket, ssl.SSLSocket)


def _secured(channel: Channel) -> ssl.SSLSocket:
    if not isinstance(channel.socket, ssl.SSLSocket):
        raise TypeError("not a TLS socket")
    return channel.socket


def _check_secure(channel: Channel, packet: FirstPacket) -> FirstPacket:
    if not _is_secure(channel):
        raise WireError("SSL is required: set sslmode=require or verify-full", sqlstate="08P01")
    return packet


def _backend_parameters(asked: dict[str, str], user: str) -> dict[str, str]:
    """How the stand-in's connection starts: the client's role and settings.

    Raises:
        WireError: another database than the only one, or replication.
    """
    database = asked.get("database", user)
    if database != DATABASE:
        raise WireError(f'database "{database}" does not exist', sqlstate="3D000")
    if asked.get("replication", "false") not in {"false", "off", "no", "0"}:
        raise WireError("replication is not supported", sqlstate="0A000")
    own = {"user", "database", "replication"}
    kept = {name: text for name, text in asked.items() if name not in own and not name.startswith("_pq_.")}
    return {"user": user, "database": DATABASE, **kept}
