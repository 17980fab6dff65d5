"""How a client gets in: TLS, startup packet, and a token as password.

Then a connection to the stand-in is opened.

Nobody reaches the stand-in before the token is verified.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from hotrow.standin.endpoint import wire
from hotrow.standin.endpoint.async_socket import Channel
from hotrow.standin.endpoint.faults import Fault
from hotrow.standin.endpoint.startup_settings import check_settings
from hotrow.standin.endpoint.token import AccessDenied, expired, verify
from hotrow.standin.endpoint.wire import FirstPacket, Request, WireError

if TYPE_CHECKING:
    from collections.abc import Callable

    from hotrow.standin.endpoint.injection import Dice
    from hotrow.standin.endpoint.region_config import RegionConfig

DATABASE = "postgres"
SUPERUSER = "postgres"
_TLS_HANDSHAKE = b"\x16"
_ALPN = "postgresql"
_MAX_FIRST_PACKETS = 4
"""First packets of one client: GSS request, TLS request and startup, and one more."""
_FIRST_ANSWER_BYTES = 100
"""Enough to read the SQLSTATE of an error."""
_EXPIRED_S = 1_800
"""The age that a token seems to have if it is to be refused as expired: twice its life."""


class LoginEnded(Exception):  # noqa: N818 - not an error: the connection is over, and its client knows why
    """Ends a login."""


def prepare_tls(context: ssl.SSLContext) -> None:
    """Configure a server's context: TLS 1.2 or newer, no renegotiation, and ALPN as libpq requires it."""
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.num_tickets = 0  # no client resumes a session
    context.set_alpn_protocols([_ALPN])


class Login:
    """The login of one client."""

    def __init__(
        self, config: RegionConfig, channel: Channel, dice: Dice, has_room: Callable[[], bool]
    ) -> None:
        """`has_room` tells whether the listener allows one more connection."""
        self._config = config
        self._channel = channel
        self._dice = dice
        self._has_room = has_room

    async def run(self) -> socket.socket:
        """Let the client in; a connection to the stand-in, which has been asked to start the session.

        Raises:
            LoginEnded: the client is not let in, and has been told why.
            TimeoutError: the login took longer than `Limits.startup_s`.
            OSError: the connection broke.
        """
        channel = self._channel
        async with asyncio.timeout(self._config.limits.startup_s):
            try:
                channel.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                channel.socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                return await self._let_in()
            except WireError as error:
                await channel.write(wire.build_fatal(error))
                raise LoginEnded from error

    async def _let_in(self) -> socket.socket:
        packet = await self._read_startup()
        if packet.minor or packet.extensions:
            await self._channel.write(wire.build_negotiation(packet.extensions))
        self._refuse_by_fault()
        user = await self._authenticate(packet)
        self._deny_by_fault()
        if not self._has_room():
            raise WireError("sorry, too many clients already", sqlstate="53300")
        own = self._config.settings
        parameters = _backend_parameters(packet.parameters, user, rules=own.get("hotrow.rules") != "off")
        return await self._open_backend({**parameters, **own})

    async def _read_startup(self) -> FirstPacket:
        """The startup packet, after the requests before it; TLS is established here."""
        if await self._channel.peek() == _TLS_HANDSHAKE:
            await self._secure(direct=True)
        for _ in range(_MAX_FIRST_PACKETS):
            packet = await self._read_first()
            if packet.request is Request.CANCEL:
                raise LoginEnded
            if packet.request is Request.STARTUP:
                self._check_secure()
                return packet
            await self._answer(packet.request)
        raise WireError("too many requests before the startup packet")

    async def _read_first(self) -> FirstPacket:
        size = wire.startup_bytes(await self._channel.read(4))
        return wire.parse_first(await self._channel.read(size))

    async def _answer(self, request: Request) -> None:
        if request is Request.GSS or self._is_secure():
            await self._channel.write(b"N")
            return
        await self._channel.write(b"S")
        await self._secure(direct=False)

    async def _secure(self, *, direct: bool) -> None:
        """Establish TLS. `direct`: without a request, which requires ALPN."""
        await self._channel.secure(self._config.tls)
        if direct and _tls_socket(self._channel).selected_alpn_protocol() != _ALPN:
            raise WireError(
                "received direct SSL connection request without ALPN protocol negotiation extension"
            )

    def _is_secure(self) -> bool:
        return isinstance(self._channel.socket, ssl.SSLSocket)

    def _check_secure(self) -> None:
        if not self._is_secure():
            raise WireError("SSL is mandatory", sqlstate="08P01", hint="Set sslmode=require or verify-full.")

    async def _authenticate(self, packet: FirstPacket) -> str:
        """Ask for the token and verify it; the user's name."""
        user = packet.parameters.get("user", "")
        if not user:
            raise WireError("no PostgreSQL user name specified in startup packet", sqlstate="28000")
        await self._channel.write(wire.ASK_PASSWORD)
        header = await self._channel.read(5)
        size = wire.password_bytes(header)
        token = wire.parse_password(await self._channel.read(size))
        if user == SUPERUSER:  # the stand-in has this user, Aurora DSQL has not
            raise AccessDenied
        verify(token, self._config.token_scope, user, datetime.now(UTC))
        return user

    def _refuse_by_fault(self) -> None:
        """Refuse the connection if a fault says so."""
        dice = self._dice
        dice.renew()
        if not self._config.injection.admits():
            dice.count(Fault.CONNECT_RATE)
            raise WireError("Unable to accept connection, rate exceeded.", sqlstate="53400")
        if dice.hits(Fault.REFUSE):
            dice.count(Fault.REFUSE)
            text = "Unable to accept connection, waking up cluster, please retry later"
            raise WireError(text, sqlstate="57P03")

    def _deny_by_fault(self) -> None:
        """Refuse a valid token if a fault says so."""
        dice, now = self._dice, datetime.now(UTC)
        if dice.hits(Fault.EXPIRE_TOKEN):
            dice.count(Fault.EXPIRE_TOKEN)
            raise expired(now - timedelta(seconds=_EXPIRED_S), _EXPIRED_S // 2, now)
        if dice.hits(Fault.REJECT_TOKEN):
            dice.count(Fault.REJECT_TOKEN)
            raise AccessDenied

    async def _open_backend(self, parameters: dict[str, str]) -> socket.socket:
        loop = asyncio.get_running_loop()
        backend = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        backend.setblocking(False)
        try:
            await loop.sock_connect(backend, str(self._config.backend))
            await loop.sock_sendall(backend, wire.build_startup(parameters))
            await self._check_role(backend)
        except OSError as error:
            backend.close()
            text = "the stand-in does not run: start it with `hotrow local up --endpoint`"
            raise WireError(text, sqlstate="57P03") from error
        except BaseException:
            backend.close()
            raise
        return backend

    @staticmethod
    async def _check_role(backend: socket.socket) -> None:
        """Refuse a user that is no role, or may not log in, as Aurora DSQL does."""
        start = await Channel(backend).peek(_FIRST_ANSWER_BYTES)
        answer = start.removeprefix(wire.AUTHENTICATED)
        if answer[:1] == b"E" and b"\0C28000\0" in answer:
            raise WireError("access denied", hint="The user is no role that may log in.")


def _tls_socket(channel: Channel) -> ssl.SSLSocket:
    if not isinstance(channel.socket, ssl.SSLSocket):
        raise TypeError("not a TLS socket")
    return channel.socket


def _backend_parameters(requested: dict[str, str], user: str, *, rules: bool) -> dict[str, str]:
    """The startup parameters of the connection to the stand-in: the client's role and settings.

    Raises:
        WireError: the client asks for a database other than the only one, for replication, or (if `rules`)
            for a parameter that Aurora DSQL does not let a session set.
    """
    database = requested.get("database", user)
    if database != DATABASE:
        raise WireError(f'database "{database}" does not exist', sqlstate="3D000")
    if requested.get("replication", "false") not in {"false", "off", "no", "0"}:
        raise WireError("replication is not supported", sqlstate="0A000")
    fixed = {"user", "database", "replication"}
    settings = {
        name: value for name, value in requested.items() if name not in fixed and not name.startswith("_pq_.")
    }
    if rules:
        check_settings(settings)
    return {"user": user, "database": DATABASE, **settings}
