"""Cuts one direction of a connection into messages. Pure."""

from __future__ import annotations

import struct

_HEADER = struct.Struct("!BI")
_HEADER_BYTES = _HEADER.size
_MAX_SHOWN_BYTES = 4_096
"""Only this much of a longer message is shown. No message that the endpoint acts upon is longer."""
OTHER = 0
"""Instead of a message type: bytes that are only to be passed on."""

Piece = tuple[int, bytes]
"""A message's type and the message, or OTHER and some bytes."""


class MessageCutter:
    """Cuts one direction of a connection into messages, beginning at a message boundary."""

    def __init__(self, types: bytes, whole: bytes = b"") -> None:
        """Show messages of these `types`; those of a type in `whole` are never shown in part."""
        self._types = frozenset(types)
        self._whole = frozenset(whole)
        self._held = b""
        self._passing = 0

    @property
    def at_boundary(self) -> bool:
        """Whether the last message is complete."""
        return not self._held and not self._passing

    def feed(self, chunk: bytes) -> list[Piece]:
        """Take the next chunk; the pieces that are complete now. Joined, all pieces are the stream."""
        if self._passing >= len(chunk):
            self._passing -= len(chunk)
            return [(OTHER, chunk)]
        data, self._held = self._held + chunk, b""
        pieces: list[Piece] = []
        position, self._passing = self._passing, 0
        shown, size = 0, len(data)
        while position + _HEADER_BYTES <= size:
            message_type, length = _HEADER.unpack_from(data, position)
            end = position + 1 + length
            if message_type in self._types:
                wanted = end if message_type in self._whole else min(end, position + _MAX_SHOWN_BYTES)
                if wanted > size:
                    break
                if shown < position:
                    pieces.append((OTHER, data[shown:position]))
                shown = min(end, size)
                pieces.append((message_type, data[position:shown]))
            position = end
        if position >= size:
            self._passing = position - size
        else:
            self._held = data[position:]
        between = data[shown : len(data) - len(self._held)]
        return [*pieces, (OTHER, between)] if between else pieces

    def drain(self) -> bytes:
        """The bytes that are held back. After this, the stream is not cut any more."""
        held, self._held, self._passing = self._held, b"", 0
        return held


def read_name(piece: bytes, start: int = 5) -> bytes | None:
    """The string that starts there in a message; None if it does not end."""
    end = piece.find(b"\0", start)
    return piece[start:end] if end >= 0 else None
