"""When a message relay may end: only if nothing is under way in either direction."""

from __future__ import annotations

import asyncio
import socket
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import pytest

from hotrow.standin.endpoint.async_socket import Channel
from hotrow.standin.endpoint.client_stream import ClientStream
from hotrow.standin.endpoint.faults import Faults
from hotrow.standin.endpoint.followed_connection import FollowedConnection
from hotrow.standin.endpoint.injection import Dice, Injection
from hotrow.standin.endpoint.latency import LatencyProfile
from hotrow.standin.endpoint.message_relay import MessageRelay
from hotrow.standin.endpoint.messages import MARKER, MARKER_ANSWER, build_query, build_ready

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Scene = Callable[[Channel, Channel, FollowedConnection, asyncio.Task[bool]], Awaitable[None]]

QUERY = build_query(b"SELECT 1")


def play(scene: Scene) -> None:
    """Run a relay that does not know where the messages begin, between a client and a server of the test."""

    async def run() -> None:
        with ExitStack() as stack:
            client, near, far, server = (
                stack.enter_context(closing(Channel(side)))
                for side in (*socket.socketpair(), *socket.socketpair())
            )
            stream = stack.enter_context(closing(ClientStream(bytes)))
            injection = Injection()
            injection.set(Faults(delay=1.0))
            connection = FollowedConnection(
                near, far, stream, Dice(injection), injection, LatencyProfile(), bytes
            )
            relay = asyncio.create_task(
                MessageRelay(connection, lambda _: (), 0.0).run(fresh=False, quiet=False)
            )
            await scene(client, server, connection, relay)

    asyncio.run(asyncio.wait_for(run(), 30))


def test_a_relay_does_not_end_while_its_marker_is_under_way() -> None:
    """The answer to the marker would reach the client, whose next statement would seem to have no result."""

    async def scene(
        client: Channel, server: Channel, connection: FollowedConnection, relay: asyncio.Task[bool]
    ) -> None:
        await client.write(QUERY)
        assert await server.read(len(QUERY)) == QUERY
        await server.write(build_ready())
        assert await client.read(len(build_ready())) == build_ready()
        assert await server.read(len(MARKER)) == MARKER
        connection.injection.set(Faults())  # the messages need not be followed any more
        done, _ = await asyncio.wait([relay], timeout=0.2)
        assert not done
        await server.write(MARKER_ANSWER + build_ready())
        assert await relay
        with pytest.raises(BlockingIOError):  # the client got none of it
            client.socket.recv(1)

    play(scene)


@pytest.mark.parametrize("turns", range(8))
def test_a_statement_is_answered_before_the_relay_ends(turns: int) -> None:
    """Faults are unset at about the moment when a statement comes: the relay takes all of it, or nothing."""

    async def scene(
        client: Channel, server: Channel, connection: FollowedConnection, relay: asyncio.Task[bool]
    ) -> None:
        await client.write(QUERY)
        await server.read(len(QUERY))
        await server.write(build_ready())
        await client.read(len(build_ready()))
        await server.read(len(MARKER))
        await server.write(MARKER_ANSWER + build_ready())
        await connection.resting.wait()
        connection.injection.set(Faults())
        for _ in range(turns):
            await asyncio.sleep(0)
        await client.write(QUERY)
        passed = asyncio.create_task(server.read(len(QUERY)))
        await asyncio.wait([relay, passed], return_when=asyncio.FIRST_COMPLETED)
        if relay.done():
            await asyncio.wait([passed], timeout=0.05)
            assert not passed.done()
            passed.cancel()
        else:
            await server.write(build_ready())
            assert await client.read(len(build_ready())) == build_ready()
        assert await relay

    play(scene)
