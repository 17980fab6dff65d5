"""What a client sends after its login: cut into messages, with its statements rewritten. Pure.

Every length is checked before anything is kept: a statement has at most 16 MiB, any other message 64 MiB.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

from hotrow.standin.endpoint.begin_watch import BeginWatch
from hotrow.standin.endpoint.statements import Meaning, meaning_of
from hotrow.standin.endpoint.wire import WireError, build_message

MAX_MESSAGE_BYTES = 64 * 1024 * 1024
MAX_STATEMENT_BYTES = 16 * 1024 * 1024
"""A statement is held until it is complete. A transaction of Aurora DSQL writes at most 10 MiB."""
MAX_HELD_BYTES = 64 * 1024 * 1024
"""Of the incomplete statements of all connections together."""
CACHED_STATEMENTS = 1024
MAX_CACHED_STATEMENT_BYTES = 16_384
"""Longer statements are rewritten each time, so that the cache stays below 32 MB."""

MAX_NAMES = 4_096
"""How many prepared statements per connection the endpoint remembers the meaning of."""
MAX_NAME_BYTES = 256
"""Longer names are not remembered. PostgreSQL distinguishes names by their first 63 bytes."""

_T = TypeVar("_T")

Rewrite = Callable[[str], str]
"""Turns a statement's text into the text that the stand-in gets."""
EditStatement = Callable[[bytes], bytes]
"""A `Rewrite` of bytes; see `cached_edit`."""

_HEADER = struct.Struct("!BI")
_HEADER_BYTES = 5
_LENGTH_BYTES = 4
_QUERY, _PARSE = b"QP"
_TYPES = frozenset(b"BCDEFHPQSXcdf")
"""The types of messages that a client may send after its login. A second password is not among them."""


class HeldBytes:
    """Counts the bytes of incomplete statements that several streams hold together."""

    def __init__(self, max_bytes: int = MAX_HELD_BYTES) -> None:
        self.bytes = 0
        self._max_bytes = max_bytes

    def change(self, by: int) -> None:
        """Add this many bytes; a negative number releases them.

        Raises:
            WireError: that would be more than the maximum.
        """
        if by > 0 and self.bytes + by > self._max_bytes:
            text = "too many large statements at once: send values as parameters, or try again later"
            raise WireError(text, sqlstate="53200")
        self.bytes += by


class ClientStream:
    """Rewrites the statements in what a client sends, and passes everything else unchanged.

    Statements (Query and Parse) are held until they are complete. Everything else passes at once, whatever
    its size is.
    """

    def __init__(
        self, edit: EditStatement, held_bytes: HeldBytes | None = None, *, takes_snapshot: bool = True
    ) -> None:
        """`held_bytes` bounds what this and other streams hold together.

        `takes_snapshot`: a BEGIN that travels alone takes the snapshot.
        """
        self._edit = edit
        self._held_bytes = held_bytes or HeldBytes()
        self._held = bytearray()
        self._wanted = 0
        """How many held bytes are needed before the next message can be handled."""
        self._passing = 0
        """How many bytes are still to come of a message that passes unchanged."""
        self.meanings: dict[bytes, Meaning] = {}
        """The meanings of prepared statements, by name; statements without a meaning are left out."""
        self._prepared_begin = False
        """Whether the client has ever prepared a BEGIN."""
        self.begin = BeginWatch(enabled=takes_snapshot)
        """Finds a BEGIN that travels alone. It looks only at turns that the caller starts."""
        self.notes_parse = True
        """Whether `feed` notes the meaning of each Parse. If not, the caller calls `note_parse` itself."""

    @property
    def at_boundary(self) -> bool:
        """Whether the last message is complete."""
        return not self._held and not self._passing

    def close(self) -> None:
        """Release the held bytes: nothing more comes."""
        self._release()

    def _release(self) -> None:
        self._held_bytes.change(-len(self._held))
        self._held.clear()

    def note_parse(self, body: bytes) -> None:
        """Remember the meaning of the prepared statement in a Parse."""
        name, _, rest = body.partition(b"\0")
        if len(name) > MAX_NAME_BYTES:
            return
        meaning = meaning_of(rest)
        if meaning is None:
            self.meanings.pop(name, None)
        elif name in self.meanings or len(self.meanings) < MAX_NAMES:
            self.meanings[name] = meaning
            self._prepared_begin |= meaning is Meaning.BEGIN

    def feed(self, chunk: bytes) -> bytes:
        """Take the next chunk from the client; the bytes that can now be sent to the server.

        Raises:
            WireError: a message of an unknown type, or of an impossible length.
        """
        if self._passing >= len(chunk):
            self._passing -= len(chunk)
            return chunk
        if self._held:
            self._hold(chunk)
            if len(self._held) < self._wanted:
                return b""
            chunk = bytes(self._held)
            self._release()
        sent = self._cut(chunk)
        if sent:
            self.begin.first = False
        return sent

    def _cut(self, data: bytes) -> bytes:
        parts: list[bytes] = []
        size = len(data)
        copied = 0  # how much of `data` is in `parts`
        position, self._passing = self._passing, 0
        while position + _HEADER_BYTES <= size:
            message_type, length = _HEADER.unpack_from(data, position)
            _check_header(message_type, length)
            end = position + 1 + length
            if message_type in {_QUERY, _PARSE}:
                if end > size:
                    self._hold_until(data[position:], end - position)
                    return b"".join((*parts, data[copied:position]))
                edited = self._edit_statement(message_type, data[position:end], alone=end - position == size)
                if edited is not None:
                    parts += (data[copied:position], edited)
                    copied = end
            elif self._prepared_begin and self.begin.may_come:
                added = self.begin.watch(message_type, data[position:end], self.meanings, last=end == size)
                if added:
                    parts += (data[copied:position], added)
                    copied = position
            position = end
        if position < size:
            self._hold_until(data[position:], _HEADER_BYTES)
            return b"".join((*parts, data[copied:position]))
        self._passing = position - size
        return b"".join((*parts, data[copied:])) if parts else data

    def _edit_statement(self, message_type: int, message: bytes, *, alone: bool) -> bytes | None:
        """What is to be sent instead of a Query or Parse; None if it stays. `alone`: nothing is beside it."""
        body = message[_HEADER_BYTES:]
        if message_type == _PARSE and self.notes_parse:
            self.note_parse(body)
        edited = _edit_message(message_type, body, self._edit)
        if message_type == _QUERY and self.begin.may_come:
            self.begin.may_come = False
            if self.begin.first and alone:
                return self.begin.edit_query(edited or message) or edited
        return edited

    def _hold(self, data: bytes) -> None:
        self._held_bytes.change(len(data))
        self._held += data

    def _hold_until(self, data: bytes, wanted: int) -> None:
        self._hold(data)
        self._wanted = wanted


def _check_header(message_type: int, length: int) -> None:
    if message_type not in _TYPES or not _LENGTH_BYTES <= length <= MAX_MESSAGE_BYTES:
        raise WireError("invalid message type or length")
    if message_type in {_QUERY, _PARSE} and length > MAX_STATEMENT_BYTES:
        text = "a statement has 16 MiB at most: send values as parameters"
        raise WireError(text, sqlstate="54000")


def _edit_message(message_type: int, body: bytes, edit: EditStatement) -> bytes | None:
    """The message with its statement rewritten; None if nothing changes, or if there is no statement.

    A message with a wrong layout passes unchanged, because PostgreSQL has its own answer to it.
    """
    before = body.find(b"\0") + 1 if message_type == _PARSE else 0
    end = body.find(b"\0", before)
    if end < 0 or (message_type == _PARSE and not before):
        return None
    statement = body[before:end]
    edited = edit(statement)
    if edited == statement:
        return None
    return build_message(bytes((message_type,)), body[:before] + edited + body[end:])


def cached_edit(rewrite: Rewrite) -> EditStatement:
    """The rewrite for bytes in any encoding that contains ASCII.

    The results for short statements are cached.
    """

    def edit(statement: bytes) -> bytes:
        # surrogateescape: bytes that are not UTF-8 stay as they are
        return rewrite(statement.decode(errors="surrogateescape")).encode(errors="surrogateescape")

    return cached_if_short(edit)


def cached_if_short(function: Callable[[bytes], _T]) -> Callable[[bytes], _T]:
    """The same function, with a cache of its results for short statements."""
    cached = lru_cache(CACHED_STATEMENTS)(function)

    def look_up(statement: bytes) -> _T:
        short = len(statement) <= MAX_CACHED_STATEMENT_BYTES
        return cached(statement) if short else function(statement)

    return look_up
