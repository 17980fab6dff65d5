"""Logs in at the tap's server, so that the tap's clients need neither TLS nor a password.

After the login the server sends its parameters and ReadyForQuery, which are left for the client to read.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import socket
import ssl
from typing import TYPE_CHECKING

from hotrow.errors import TargetError
from hotrow.standin.endpoint import wire
from hotrow.standin.endpoint.async_socket import Channel
from hotrow.standin.endpoint.wire import WireError, build_message
from hotrow.tap.scram import MECHANISM, Scram, ScramError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hotrow.targets.server_address import ServerAddress

_TLS_REQUEST = b"\0\0\0\x08\x04\xd2\x16\x2f"
_OK, _CLEARTEXT, _MD5, _SASL, _SASL_CONTINUE, _SASL_FINAL = 0, 3, 5, 10, 11, 12
_MAX_MESSAGE_BYTES = 1_000_000
_SALT_BYTES = 4
_CODE_BYTES = 4


class ServerRefusal(Exception):  # noqa: N818 - an answer for the client, not an error of the tap
    """The server refuses the login. `message` is its ErrorResponse."""

    def __init__(self, message: bytes) -> None:
        super().__init__("the server refuses the login")
        self.message = message


class ServerLogin:
    """Opens connections to one server."""

    def __init__(self, address: ServerAddress) -> None:
        """Raises TargetError if the file of certificate authorities cannot be read."""
        self._address = address
        self._tls = None if address.socket_path or address.tls == "disable" else _tls_context(address)

    async def open(self, requested: Mapping[str, str]) -> Channel:
        """A connection that is logged in; `requested` are the client's startup parameters.

        Raises:
            ServerRefusal: the server does not let the tap in.
            WireError: the server cannot be reached, or answers with something unexpected.
        """
        channel = await self._connect()
        try:
            await channel.write(wire.build_startup(self._parameters(requested)))
            await self._authenticate(channel)
        except (OSError, ScramError, TargetError) as error:
            channel.close()
            raise _unreachable(error) from error
        except BaseException:
            channel.close()
            raise
        return channel

    async def cancel(self, packet: bytes) -> None:
        """Pass a cancel request on to the server. It does not answer.

        Raises:
            WireError: the server cannot be reached.
        """
        channel = await self._connect()
        try:
            await channel.write(packet)
            await channel.receive(1)
        except OSError:
            pass  # it has closed the connection, as it should
        finally:
            channel.close()

    async def _connect(self) -> Channel:
        try:
            channel = Channel(await self._open_socket())
            try:
                await self._secure(channel)
            except BaseException:
                channel.close()
                raise
        except OSError as error:
            raise _unreachable(error) from error
        return channel

    async def _open_socket(self) -> socket.socket:
        loop, address = asyncio.get_running_loop(), self._address
        if address.socket_path:
            return await _connected(socket.AF_UNIX, address.socket_path)
        entries = await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
        failure = OSError("the host has no address")
        for family, _, _, _, place in entries:
            try:
                return await _connected(family, place)
            except OSError as error:
                failure = error
        raise failure

    async def _secure(self, channel: Channel) -> None:
        """Establish TLS, as `sslmode` says."""
        if self._tls is None:
            return
        await channel.write(_TLS_REQUEST)
        if await channel.read(1) == b"S":
            await channel.secure(self._tls, server_name=self._address.host)
        elif self._address.tls not in {"allow", "prefer"}:
            raise WireError(
                "the server of the tap does not support TLS: see sslmode in --to", sqlstate="08001"
            )

    def _parameters(self, requested: Mapping[str, str]) -> dict[str, str]:
        """The client's parameters with the tap's identity."""
        address = self._address
        parameters = {name: value for name, value in requested.items() if not name.startswith("_pq_.")}
        parameters["user"] = address.user or parameters.get("user", "")
        parameters["database"] = address.database or parameters.get("database", parameters["user"])
        options = f"{address.options} {parameters.get('options', '')}".strip()
        if options:
            parameters["options"] = options
        return parameters

    async def _authenticate(self, channel: Channel) -> None:
        """Answer the server's requests until it is satisfied."""
        scram: Scram | None = None
        while True:
            message_type, body = await _read_message(channel)
            if message_type == b"E":
                raise ServerRefusal(build_message(b"E", body))
            if message_type != b"R" or len(body) < _CODE_BYTES:
                continue  # NegotiateProtocolVersion or a notice
            code, rest = int.from_bytes(body[:_CODE_BYTES], "big"), body[_CODE_BYTES:]
            if code == _OK:
                return
            if code == _SASL and MECHANISM in rest.split(b"\0"):
                scram = Scram(await self._password(), secrets.token_urlsafe(18))
                first = scram.first()
                size = len(first).to_bytes(4, "big")
                await channel.write(build_message(b"p", MECHANISM + b"\0" + size + first))
            elif code == _SASL_CONTINUE and scram:
                await channel.write(build_message(b"p", scram.answer(rest)))
            elif code == _SASL_FINAL and scram:
                scram.verify(rest)
            elif code == _CLEARTEXT:
                await self._send_password(channel, (await self._password()).encode())
            elif code == _MD5:
                await self._send_password(channel, self._md5(await self._password(), rest[:_SALT_BYTES]))
            else:
                raise WireError("the server asks for a kind of login that the tap does not know")

    async def _password(self) -> str:
        """The password. Signing a token may wait for the network, so it has a thread of its own."""
        password = await asyncio.to_thread(self._address.password)
        if not password:
            raise WireError("the server asks for a password: write it into --to, or set PGPASSWORD")
        return password

    async def _send_password(self, channel: Channel, password: bytes) -> None:
        """Send a password that others could use. Never without TLS to a server on the network."""
        await channel.write(build_message(b"p", password + b"\0"))

    def _md5(self, password: str, salt: bytes) -> bytes:
        inner = hashlib.md5(password.encode() + self._address.user.encode()).hexdigest()  # noqa: S324 - PostgreSQL's
        return b"md5" + hashlib.md5(inner.encode() + salt).hexdigest().encode()  # noqa: S324


async def _connected(family: int, place: object) -> socket.socket:
    server = socket.socket(family, socket.SOCK_STREAM)
    server.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(server, place)  # type: ignore[arg-type]
        if family != socket.AF_UNIX:
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            server.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    except BaseException:
        server.close()
        raise
    return server


async def _read_message(channel: Channel) -> tuple[bytes, bytes]:
    header = await channel.read(5)
    size = int.from_bytes(header[1:], "big") - 4
    if not 0 <= size <= _MAX_MESSAGE_BYTES:
        raise WireError("the server does not speak PostgreSQL's protocol")
    return header[:1], await channel.read(size)


def _tls_context(address: ServerAddress) -> ssl.SSLContext:
    verified = address.tls.startswith("verify") or bool(address.authorities)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = address.tls == "verify-full"
    context.verify_mode = ssl.CERT_REQUIRED if verified else ssl.CERT_NONE
    if verified:
        try:
            context.load_verify_locations(address.authorities)
        except (OSError, ssl.SSLError) as error:
            raise TargetError("--to: sslrootcert cannot be read as certificate authorities") from error
    return context


def _unreachable(error: Exception) -> WireError:
    reason = str(error) if isinstance(error, (ScramError, TargetError)) else _reason(error)
    return WireError(f"the tap cannot reach its server: {reason}", sqlstate="08001")


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error or type(error).__name__)
