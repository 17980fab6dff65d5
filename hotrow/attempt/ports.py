"""The protocols that the attempt loop needs: a session, its connection, and sinks for records and errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Unpack

from hotrow.scenario import Session

if TYPE_CHECKING:
    from hotrow.attempt.error_note import ErrorNote
    from hotrow.attempt.record import AttemptFields, Marker, Outcome


class Failure(Protocol):
    """The description of an error that a session raised."""

    @property
    def sqlstate(self) -> str | None:
        """The SQLSTATE; None if the error came from the client."""
        ...

    @property
    def message(self) -> str:
        """The primary message."""
        ...

    @property
    def lost(self) -> bool:
        """Whether the connection is gone."""
        ...


class OpenTransaction(Session, Protocol):
    """The transaction in which a scenario's `run` works."""

    @property
    def aborted_by(self) -> Exception | None:
        """The error that aborted the transaction, even if it was caught; None while COMMIT is possible."""
        ...

    def describe(self, error: Exception) -> Failure:
        """Describe an error that this session raised."""
        ...


class TransactionSession(OpenTransaction, Protocol):
    """A connection with the methods that the loop needs; the scenario sees only `Session`."""

    @property
    def usable(self) -> bool:
        """Whether the connection is still open."""
        ...

    @property
    def last_statement(self) -> str | None:
        """The last statement of the transaction, with its placeholders; None before the first one."""
        ...

    def begin(self) -> None:
        """Begin an explicit transaction; BEGIN is sent with the first statement, or now."""
        ...

    def commit(self) -> str:
        """Commit the transaction; return the command tag: `COMMIT`, or `ROLLBACK` if it was aborted."""
        ...

    def rollback(self) -> None:
        """Roll the transaction back."""
        ...

    def close(self) -> None:
        """Close the connection, whatever its state."""
        ...


class Record(Protocol):
    """The sink for finished attempts: `LedgerWriter.append` with user, cell and region filled in."""

    def __call__(self, **fields: Unpack[AttemptFields]) -> None:
        """Write one attempt."""
        ...


class NoteError(Protocol):
    """The sink for the texts of errors: `ErrorLog.note` with the cell filled in."""

    def __call__(self, *, kind: int, outcome: Outcome, sqlstate: str, note: ErrorNote) -> None:
        """Keep the note, if it is the first of its sort."""
        ...


def ignore_error(*, kind: int, outcome: Outcome, sqlstate: str, note: ErrorNote) -> None:
    """Keep no texts of errors."""


class NoteFailure(Protocol):
    """The sink for transactions that gave up or failed."""

    def __call__(
        self, *, attempts: int, outcome: Outcome, sqlstate: str, marker: Marker, note: ErrorNote | None
    ) -> None:
        """Note the last of the transaction's attempts; a give-up has no note."""
        ...


def ignore_failure(
    *, attempts: int, outcome: Outcome, sqlstate: str, marker: Marker, note: ErrorNote | None
) -> None:
    """Note nothing."""


class Connections(Protocol):
    """The connection of one user, which is replaced when it breaks."""

    def session(self) -> TransactionSession:
        """The open session; a new one if there is none or it broke. Raises the driver's error."""
        ...

    def describe(self, error: Exception) -> Failure:
        """Describe an error that was raised while a connection was opened."""
        ...

    def close(self) -> None:
        """Close the connection, whatever its state; the next session has a new one."""
        ...


@dataclass(frozen=True, slots=True)
class TransactionEnd:
    """How a transaction of a watched connection ended."""

    tag: str | None
    """The command tag: `COMMIT`, `ROLLBACK`, or another one; None if there was none to see."""
    aborted: bool = False
    """Whether an error had aborted the transaction before it was ended."""
    error: Exception | None = None
    """The error that ended it: of COMMIT, of a statement by itself, or of a lost connection."""


class Watcher(Protocol):
    """What a connection reports its transactions to. Times are ns of `time.perf_counter_ns`."""

    def begins(self, now_ns: int, *, alone: bool) -> None:
        """A transaction began at this time; `alone`: it is one statement without BEGIN and COMMIT."""
        ...

    def sends(self, statement: str) -> None:
        """A statement is about to be sent."""
        ...

    def commits(self, now_ns: int) -> None:
        """COMMIT is about to be sent."""
        ...

    def rolls_back(self, now_ns: int) -> None:
        """ROLLBACK is about to be sent."""
        ...

    def aborts(self, error: Exception) -> None:
        """An error aborted the transaction, which is still open."""
        ...

    def ends(self, now_ns: int, end: TransactionEnd) -> None:
        """The transaction ended."""
        ...

    def follow(self, connection: WatchedConnection) -> None:
        """Another connection has replaced the one that was watched."""
        ...

    def excuses(self, took_ns: int) -> None:
        """Something that is not the application's took this long."""
        ...


class WatchedConnection(Protocol):
    """A connection of a driver that reports its transactions."""

    watcher: Watcher | None

    @property
    def is_in_transaction(self) -> bool:
        """Whether a transaction is open."""
        ...

    def abandon(self) -> None:
        """Roll back the open transaction; close the connection if that fails."""
        ...

    def failure(self, error: Exception) -> Failure:
        """Describe an error that this connection, or a library on it, raised."""
        ...


class WatchedConnections(Protocol):
    """The watched connection of one user, which is replaced when it breaks."""

    def session(self) -> WatchedConnection:
        """The open connection; a new one if there is none or it broke. Raises the driver's error."""
        ...

    def describe(self, error: Exception) -> Failure:
        """Describe an error that was raised while a connection was opened."""
        ...

    def close(self) -> None:
        """Close the connection, whatever its state; the next call has a new one."""
        ...
