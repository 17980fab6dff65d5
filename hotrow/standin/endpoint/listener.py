"""The server of one region: accepts clients, lets them log in, and relays them to the stand-in's socket.

Everything that a client may keep open, send, or make the endpoint keep is bounded: see `Limits`.

The endpoint's name is `localhost` (and 127.0.0.1). It is the only name that every client resolves without
DNS and that a certificate can name for `verify-full`. A region may also have the name of a cluster, which the
user's hosts file resolves. Tokens are signed for one of these names.
"""

from __future__ import annotations

import socket
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from hotrow.standin.endpoint.accepting import Acceptor
from hotrow.standin.endpoint.async_socket import Channel
from hotrow.standin.endpoint.injection import Dice
from hotrow.standin.endpoint.joining import Joiner, for_standin
from hotrow.standin.endpoint.login import Login

if TYPE_CHECKING:
    from hotrow.standin.endpoint.region_config import RegionConfig

_BACKLOG = 1024


def listen(port: int) -> list[socket.socket]:
    """Sockets on this port of the loopback addresses; 0 is any free port.

    IPv6 is included if the machine has it.

    Raises:
        OSError: the port is taken.
    """
    ipv4 = _listen(socket.AF_INET, "127.0.0.1", port)
    with suppress(OSError):
        return [ipv4, _listen(socket.AF_INET6, "::1", ipv4.getsockname()[1])]
    return [ipv4]


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


class Listener:
    """Serves the clients of one region until it is cancelled."""

    def __init__(self, config: RegionConfig) -> None:
        self._config = config
        self._acceptor = Acceptor(config.limits, self._attend)
        self._joiner = Joiner(
            for_standin(config.rewrite),
            config.injection,
            config.latency,
            held_bytes=config.limits.held_bytes,
        )

    @property
    def clients(self) -> int:
        """The number of connections, including those that are starting."""
        return self._acceptor.clients

    async def serve(self, servers: list[socket.socket]) -> None:
        """Accept clients on these sockets. A cancellation ends all of them."""
        await self._acceptor.serve(servers)

    async def _attend(self, channel: Channel) -> None:
        """Serve one client from its first byte to its last."""
        dice = Dice(self._config.injection)
        login = Login(self._config, channel, dice, self._acceptor.has_room)
        with closing(Channel(await login.run())) as backend:
            self._acceptor.let_in()
            await self._joiner.join(channel, backend, dice)
