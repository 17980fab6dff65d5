"""What a client of the tap has sent and the server has not answered: read from its messages. Pure."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from enum import Enum, auto
from types import MappingProxyType
from typing import TYPE_CHECKING

from hotrow.standin.endpoint.client_stream import MAX_NAMES
from hotrow.standin.endpoint.message_cutter import MessageCutter, read_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from hotrow.standin.endpoint.statements import StatementSpan

_HEADER_BYTES = 5
_QUERY, _PARSE, _BIND, _EXECUTE, _SYNC, _CALL, _CLOSE = b"QPBESFC"


class Role(Enum):
    """What a statement does to its transaction."""

    BEGIN = auto()
    COMMIT = auto()
    ROLLBACK = auto()
    ROLLBACK_TO = auto()
    PREPARE = auto()
    """PREPARE TRANSACTION: what becomes of it is decided elsewhere."""
    SESSION = auto()
    """It changes or shows the session, such as SET. Outside of a transaction it is none."""
    OTHER = auto()


_ROLES = MappingProxyType(
    {
        "begin": Role.BEGIN,
        "commit": Role.COMMIT,
        "back_to": Role.ROLLBACK_TO,
        "rollback": Role.ROLLBACK,
        "prepare": Role.PREPARE,
        "session": Role.SESSION,
    }
)
_FIRST_WORDS = re.compile(
    rb"(?:\s|--[^\n]*\n|/\*.*?\*/)*"
    rb"(?:(?P<begin>begin|start\s+transaction)|(?P<commit>(?:commit|end)(?!\s+prepared))"
    rb"|(?P<back_to>rollback(?:\s+work|\s+transaction)?\s+to)"
    rb"|(?P<rollback>(?:rollback|abort)(?!\s+prepared))|(?P<prepare>prepare\s+transaction)"
    rb"|(?P<session>set|show|reset|discard|deallocate|listen|unlisten|close|prepare))\b",
    re.IGNORECASE | re.DOTALL,
)


def role_of(statement: bytes) -> Role:
    """The role of a statement, from its first words."""
    match = _FIRST_WORDS.match(statement)
    return _ROLES[match.lastgroup] if match and match.lastgroup else Role.OTHER


@dataclass(frozen=True, slots=True)
class Prepared:
    """A statement without the values of its parameters."""

    number: int
    """In the catalogue; -1 for statements that begin or end a transaction."""
    role: Role


@dataclass(frozen=True, slots=True)
class Sent:
    """One statement that a client has sent."""

    number: int
    role: Role
    digest: int
    """Differs if the statement or one of its values differs. It is only compared, within this process."""
    sent_ns: int


@dataclass(slots=True)
class Batch:
    """The messages that the server answers with one ReadyForQuery: a Query, or everything up to a Sync."""

    is_query: bool = False
    ended_ns: int = 0
    """When the Query or the Sync was sent; 0 if the Sync has not been sent yet."""
    statements: deque[Sent] = field(default_factory=deque)
    """Those that have not been answered."""
    parsed: Prepared | None = None
    """The last statement that was only prepared."""


class SentStatements:
    """Follows one client's messages from its first message after the login."""

    def __init__(
        self,
        number_of: Callable[[bytes], int],
        find_statements: Callable[[bytes], tuple[StatementSpan, ...]],
    ) -> None:
        """`number_of` numbers statements; `find_statements` cuts a text into them."""
        self._number_of = number_of
        self._find_statements = find_statements
        self._cutter = MessageCutter(b"QPBESFC")
        self._prepared: dict[bytes, Prepared] = {}
        self._portals: dict[bytes, tuple[Prepared, int]] = {}
        self._open: Batch | None = None
        self.batches: deque[Batch] = deque([Batch(is_query=True, ended_ns=1)])
        """Oldest first. The server ends the login with a ReadyForQuery that no client has asked for."""

    def feed(self, data: bytes, now_ns: int) -> None:
        """Take the client's next bytes."""
        for message_type, piece in self._cutter.feed(data):
            if message_type == _QUERY:
                self._query(piece, now_ns)
            elif message_type == _EXECUTE:
                self._execute(piece, now_ns)
            elif message_type == _BIND:
                self._bind(piece)
            elif message_type == _PARSE:
                self._parse(piece)
            elif message_type == _SYNC:
                self._batch().ended_ns = now_ns
                self._open = None
            elif message_type == _CALL:
                self._end_batch(now_ns)
            elif message_type == _CLOSE and piece[_HEADER_BYTES : _HEADER_BYTES + 1] == b"S":
                self._prepared.pop(read_name(piece, _HEADER_BYTES + 1) or b"", None)

    def begin_copy(self) -> None:
        """Note that the server waits for rows: it ignores a Sync that was sent with the COPY."""
        last = self.batches[-1] if self.batches else None
        if last is not None and not last.is_query and last.ended_ns:
            last.ended_ns = 0
            self._open = last

    def _batch(self) -> Batch:
        """The batch that waits for its Sync, or a new one."""
        if self._open is None:
            self._open = Batch()
            self.batches.append(self._open)
        return self._open

    def _end_batch(self, now_ns: int) -> Batch:
        """The batch that a Query or a FunctionCall ends: a new one, or the one that waits for its Sync."""
        batch, self._open = self._batch(), None
        batch.is_query, batch.ended_ns = True, now_ns
        return batch

    def _query(self, piece: bytes, now_ns: int) -> None:
        text = piece[_HEADER_BYTES:].partition(b"\0")[0]
        batch = self._end_batch(now_ns)
        for span in self._find_statements(text):
            own = text[span.start : span.end]
            if own.strip(b"; \t\r\n"):
                known = self._prepare(own)
                batch.statements.append(Sent(known.number, known.role, hash(own), now_ns))

    def _prepare(self, statement: bytes) -> Prepared:
        role = role_of(statement)
        return Prepared(self._number_of(statement) if role in {Role.OTHER, Role.SESSION} else -1, role)

    def _parse(self, piece: bytes) -> None:
        name, _, rest = piece[_HEADER_BYTES:].partition(b"\0")
        known = self._batch().parsed = self._prepare(rest.partition(b"\0")[0])
        if len(self._prepared) < MAX_NAMES or name in self._prepared:
            self._prepared[name] = known

    def _bind(self, piece: bytes) -> None:
        portal, _, rest = piece[_HEADER_BYTES:].partition(b"\0")
        name, _, values = rest.partition(b"\0")
        unknown = Prepared(-1, Role.OTHER)
        if len(self._portals) >= MAX_NAMES:
            self._portals.clear()
        self._portals[portal] = (self._prepared.get(name, unknown), hash(values))
        self._batch()

    def _execute(self, piece: bytes, now_ns: int) -> None:
        unknown = (Prepared(-1, Role.OTHER), 0)
        known, digest = self._portals.get(read_name(piece) or b"", unknown)
        self._batch().statements.append(Sent(known.number, known.role, hash((known.number, digest)), now_ns))
