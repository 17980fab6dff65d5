"""The protocols that the attempt loop needs: a session, its connection, and sinks for records and errors."""

from __future__ import annotations

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
