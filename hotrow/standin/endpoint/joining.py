"""Joins a client that has logged in with its server: by messages while that is needed, otherwise by bytes."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from hotrow.standin.endpoint.byte_relay import ByteRelay
from hotrow.standin.endpoint.client_stream import (
    ClientStream,
    HeldBytes,
    Rewrite,
    cached_edit,
    cached_if_short,
)
from hotrow.standin.endpoint.error_names import hide_internal_names
from hotrow.standin.endpoint.followed_connection import EditAnswer, FollowedConnection, needs_messages
from hotrow.standin.endpoint.message_relay import MessageRelay
from hotrow.standin.endpoint.statements import find_statements

if TYPE_CHECKING:
    from hotrow.standin.endpoint.async_socket import Channel
    from hotrow.standin.endpoint.injection import Dice, Injection
    from hotrow.standin.endpoint.latency import LatencyProfile


def _same_text(statement: str) -> str:
    return statement


def _same_bytes(data: bytes) -> bytes:
    return data


@dataclass(frozen=True, slots=True)
class Translation:
    """What is changed on the way between a client and its server."""

    rewrite: Rewrite = _same_text
    """Applied to every statement."""
    edit_answer: EditAnswer = _same_bytes
    """Applied to every chunk of the server."""
    takes_snapshot: bool = False
    """Whether BEGIN takes the snapshot (begin_watch.py)."""


def for_standin(rewrite: Rewrite) -> Translation:
    """What the stand-in needs."""
    return Translation(rewrite, hide_internal_names, takes_snapshot=True)


class Joiner:
    """Joins the clients of one listener with their servers."""

    def __init__(
        self, translation: Translation, injection: Injection, latency: LatencyProfile, *, held_bytes: int
    ) -> None:
        """`held_bytes` limits the incomplete statements of all clients together."""
        self._translation = translation
        self._edit = cached_edit(translation.rewrite)
        self._find_statements = cached_if_short(find_statements)
        self._held_bytes = HeldBytes(held_bytes)
        self._injection = injection
        self._latency = latency

    async def join(self, client: Channel, server: Channel, dice: Dice) -> None:
        """Relay until either side ends.

        Raises:
            ConnectionDropped: a fault ends the connection.
            OSError: a connection broke.
        """
        injection = self._injection
        born_s = time.monotonic()
        quiet, fresh, goes_on = False, True, True
        takes_snapshot = self._translation.takes_snapshot
        with closing(ClientStream(self._edit, self._held_bytes, takes_snapshot=takes_snapshot)) as stream:
            while goes_on:
                connection = FollowedConnection(
                    client, server, stream, dice, injection, self._latency, self._edit_answer
                )
                if needs_messages(connection):
                    message_relay = MessageRelay(connection, self._find_statements, born_s)
                    goes_on = await message_relay.run(fresh=fresh, quiet=quiet)
                    quiet = message_relay.quiet
                else:
                    byte_relay = ByteRelay(
                        client.socket, server.socket, stream, self._edit_answer, quiet=quiet
                    )
                    with injection.listening(partial(_leave_if_needed, byte_relay, connection)):
                        goes_on = await byte_relay.run()
                    quiet = byte_relay.quiet and stream.at_boundary
                fresh = False

    def _edit_answer(self, data: bytes) -> bytes:
        """What the client gets for the server's bytes. Conflicts among them are counted."""
        self._injection.note_answer(data)
        return self._translation.edit_answer(data)


def _leave_if_needed(relay: ByteRelay, connection: FollowedConnection) -> None:
    """End the byte relay if the faults that were just set need a message relay."""
    connection.dice.renew()
    if needs_messages(connection):
        relay.leave()
