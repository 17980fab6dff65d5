"""Follows the transactions of one connection from what passes: when each began, and how it ended. Pure.

The server decides: a transaction begins and ends where its CommandComplete tags and the status in its
ReadyForQuery say so. A COMMIT that was answered with ROLLBACK is no commit. Statements outside of BEGIN and
COMMIT form a transaction that ends with the ReadyForQuery after them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hotrow.attempt.outcome import Classified, Phase, classify
from hotrow.attempt.record import Marker, Outcome
from hotrow.standin.endpoint.message_cutter import MessageCutter
from hotrow.tap.sent_statements import Batch, Role, Sent, SentStatements

if TYPE_CHECKING:
    from collections.abc import Callable

    from hotrow.standin.endpoint.statements import StatementSpan

_COMPLETE, _ERROR, _READY, _SUSPENDED, _EMPTY, _COPY_IN, _COPY_BOTH = b"CEZsIGW"
_HEADER_BYTES = 5
_IDLE = ord("I")
_FATAL = frozenset({"FATAL", "PANIC"})
_BEGUN = frozenset({b"BEGIN", b"START TRANSACTION"})
_UNKNOWN = Classified(Outcome.UNKNOWN, Marker.NONE)
_FAILED = Classified(Outcome.ERROR, Marker.NONE)


@dataclass(frozen=True, slots=True)
class Observed:
    """One transaction that has ended. Times are readings of `time.perf_counter_ns()`."""

    started_ns: int
    commit_sent_ns: int
    """When COMMIT or ROLLBACK came from the client; if neither came, when the transaction ended."""
    ended_ns: int
    outcome: Outcome
    marker: Marker
    sqlstate: str
    statements: tuple[int, ...]
    """Numbers of the statements, in their order."""
    digest: int
    """Of the first statement with its values."""
    whole: bool
    """Whether the client has sent everything that belongs to it."""
    message: str = field(default="", repr=False)
    """The server's primary message."""
    failed_at: int | None = None
    """The number of the statement that failed; None if COMMIT did, or nothing."""


@dataclass(frozen=True, slots=True)
class _Failure:
    sqlstate: str
    message: str
    phase: Phase
    statement: int | None
    fatal: bool
    """Whether the server ended the connection with it."""


@dataclass(slots=True)
class _Open:
    """A transaction that has not ended."""

    started_ns: int
    explicit: bool
    """Whether it began with BEGIN."""
    statements: list[int] = field(default_factory=list)
    digest: int = 0
    failure: _Failure | None = None
    commit_sent_ns: int = 0

    def add(self, sent: Sent) -> None:
        if not self.statements:
            self.digest = sent.digest
        if sent.number >= 0:
            self.statements.append(sent.number)


class TransactionWatch:
    """Follows one connection, and passes every transaction that has ended to `found`."""

    def __init__(
        self,
        number_of: Callable[[bytes], int],
        find_statements: Callable[[bytes], tuple[StatementSpan, ...]],
        found: Callable[[Observed], None],
    ) -> None:
        self._sent = SentStatements(number_of, find_statements)
        self._found = found
        self._cutter = MessageCutter(b"CEZsIGW")
        self._open: _Open | None = None

    @property
    def commit_is_in_flight(self) -> bool:
        """Whether the client has sent something that commits and that the server has not answered."""
        waiting = self._waiting()
        explicit = self._open is not None and self._open.explicit
        explicit = explicit or any(sent.role is Role.BEGIN for sent in waiting)
        if self._open is not None and self._open.failure is not None:
            return False
        if explicit:
            return any(sent.role is Role.COMMIT for sent in waiting)
        ended = any(batch.ended_ns for batch in self._sent.batches)
        started = self._open is not None or any(sent.role is Role.OTHER for sent in waiting)
        return ended and started

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self._open is not None or self.commit_is_in_flight

    def client_sent(self, data: bytes, now_ns: int) -> None:
        """Take the client's next bytes."""
        self._sent.feed(data, now_ns)

    def server_sent(self, data: bytes, now_ns: int) -> None:
        """Take the server's next bytes."""
        for message_type, piece in self._cutter.feed(data):
            if message_type == _COMPLETE:
                self._complete(piece[_HEADER_BYTES:].partition(b"\0")[0], now_ns)
            elif message_type == _READY:
                self._ready(piece[_HEADER_BYTES], now_ns)
            elif message_type == _ERROR:
                self._fail(piece[_HEADER_BYTES:], now_ns)
            elif message_type == _SUSPENDED:
                self._execute(self._answered(now_ns))
            elif message_type == _EMPTY:
                self._skip_empty()
            elif message_type in {_COPY_IN, _COPY_BOTH}:
                self._sent.begin_copy()

    def end(self, now_ns: int, *, cut_off: bool = False) -> None:
        """Note that the connection has ended.

        `cut_off`: the tap ended it. Then a transaction whose COMMIT was not sent is not reported.
        """
        in_flight = self.commit_is_in_flight
        if cut_off and not in_flight:
            self._open = None
            return
        waiting = [sent for sent in self._waiting() if sent.role is Role.OTHER]
        transaction = self._open
        if transaction is None and not waiting:
            return
        if transaction is None:
            transaction = self._open = _Open(waiting[0].sent_ns, explicit=False)
        for sent in waiting:
            transaction.add(sent)
        commit = next((sent for sent in self._waiting() if sent.role is Role.COMMIT), None)
        sent_ns = commit.sent_ns if commit else (transaction.started_ns if in_flight else now_ns)
        transaction.commit_sent_ns = transaction.commit_sent_ns or sent_ns
        self._close(_UNKNOWN if in_flight else self._judged(transaction) or _FAILED, now_ns, whole=in_flight)

    def _waiting(self) -> list[Sent]:
        return [sent for batch in self._sent.batches for sent in batch.statements]

    def _batch(self) -> Batch | None:
        """The batch that the server answers now."""
        return self._sent.batches[0] if self._sent.batches else None

    def _answered(self, now_ns: int) -> Sent:
        """The statement that the server has just answered."""
        batch = self._batch()
        if batch is None or not batch.statements:
            return Sent(-1, Role.OTHER, 0, now_ns)
        return batch.statements.popleft()

    def _skip_empty(self) -> None:
        batch = self._batch()
        if batch is not None and not batch.is_query and batch.statements:
            batch.statements.popleft()

    def _complete(self, tag: bytes, now_ns: int) -> None:
        sent = self._answered(now_ns)
        if tag in _BEGUN:
            self._begin(sent)
        elif tag == b"COMMIT":
            self._end_by(sent, Classified(Outcome.COMMITTED, Marker.NONE), now_ns)
        elif tag == b"ROLLBACK" and sent.role is Role.ROLLBACK_TO:
            if self._open is not None:
                self._open.failure = None
        elif tag == b"ROLLBACK":
            self._roll_back(sent, now_ns)
        elif tag == b"PREPARE TRANSACTION":
            self._end_by(sent, _UNKNOWN, now_ns)
        else:
            self._execute(sent)

    def _begin(self, sent: Sent) -> None:
        if self._open is None:
            self._open = _Open(sent.sent_ns, explicit=True)
        else:
            self._open.explicit = True

    def _execute(self, sent: Sent) -> None:
        """Note a statement that has succeeded."""
        if self._open is None:
            if sent.role is Role.SESSION:
                return
            self._open = _Open(sent.sent_ns, explicit=False)
        self._open.add(sent)

    def _roll_back(self, sent: Sent, now_ns: int) -> None:
        if self._open is None:
            return
        if not self._open.statements and self._open.failure is None:
            self._open = None  # a transaction without statements, as pools send them, is none
            return
        wanted = sent.role is not Role.COMMIT
        rejected = Classified(Outcome.REJECTED, Marker.NONE) if wanted else _FAILED
        self._end_by(sent, self._judged(self._open) or rejected, now_ns)

    def _end_by(self, sent: Sent, classified: Classified, now_ns: int) -> None:
        if self._open is None:
            return
        if not self._open.statements and classified.outcome is Outcome.COMMITTED:
            self._open = None
            return
        self._open.commit_sent_ns = sent.sent_ns
        self._close(classified, now_ns, whole=sent.role is Role.COMMIT or self._open.failure is None)

    def _fail(self, body: bytes, now_ns: int) -> None:
        """Note an error. The statements after it are not executed."""
        batch = self._batch()
        sent = batch.statements.popleft() if batch is not None and batch.statements else None
        fields = {field[:1]: field[1:].decode(errors="replace") for field in body.split(b"\0") if field}
        if self._open is None:
            parsed = None if batch is None else batch.parsed
            if (sent is None and parsed is None) or (sent is not None and sent.role is not Role.OTHER):
                return
            self._open = _Open(sent.sent_ns if sent else now_ns, explicit=False)
            if sent is None and parsed is not None and parsed.number >= 0:
                self._open.statements.append(parsed.number)
        commits = sent is not None and (sent.role is Role.COMMIT or not self._open.explicit)
        if sent is not None and sent.role is Role.OTHER:
            self._open.add(sent)
        if commits and sent is not None:
            self._open.commit_sent_ns = sent.sent_ns
        if self._open.failure is None:
            number = (
                sent.number if sent is not None and sent.role is Role.OTHER and sent.number >= 0 else None
            )
            phase = Phase.COMMIT if commits else Phase.BODY
            fatal = fields.get(b"V") in _FATAL
            self._open.failure = _Failure(fields.get(b"C", ""), fields.get(b"M", ""), phase, number, fatal)
        if batch is not None:
            batch.statements.clear()

    def _ready(self, status: int, now_ns: int) -> None:
        batch = self._sent.batches.popleft() if self._sent.batches else Batch()
        transaction = self._open
        if status != _IDLE:
            if transaction is None:  # COMMIT AND CHAIN
                self._open = _Open(now_ns, explicit=True)
            else:
                transaction.explicit = True
        elif transaction is not None:
            self._end_idle(transaction, batch, now_ns)

    def _end_idle(self, transaction: _Open, batch: Batch, now_ns: int) -> None:
        """End a transaction because the server is outside of one."""
        if transaction.explicit:
            ended = self._judged(transaction) or _UNKNOWN
        else:
            ended = self._judged(transaction) or Classified(Outcome.COMMITTED, Marker.NONE)
        transaction.commit_sent_ns = transaction.commit_sent_ns or max(batch.ended_ns, transaction.started_ns)
        self._close(ended, now_ns, whole=True)

    @staticmethod
    def _judged(transaction: _Open) -> Classified | None:
        """The outcome that the transaction's error means; None without an error."""
        failure = transaction.failure
        if failure is None:
            return None
        return classify(failure.phase, failure.sqlstate, failure.message, lost=failure.fatal)

    def _close(self, classified: Classified, now_ns: int, *, whole: bool) -> None:
        transaction, self._open = self._open, None
        assert transaction is not None  # noqa: S101 - the callers have looked
        failure = transaction.failure
        clean = classified.outcome in {Outcome.COMMITTED, Outcome.REJECTED}
        self._found(
            Observed(
                started_ns=transaction.started_ns,
                commit_sent_ns=max(transaction.commit_sent_ns, transaction.started_ns),
                ended_ns=now_ns,
                outcome=classified.outcome,
                marker=classified.marker,
                sqlstate="" if failure is None or clean else failure.sqlstate,
                statements=tuple(transaction.statements),
                digest=transaction.digest,
                whole=whole,
                message="" if failure is None else failure.message,
                failed_at=None if failure is None else failure.statement,
            )
        )
