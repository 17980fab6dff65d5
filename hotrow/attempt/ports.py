"""What the attempt loop needs from outside: a session, its connection, and where records and errors go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from hotrow.scenario import Session

if TYPE_CHECKING:
    from hotrow.attempt.error_note import ErrorNote
    from hotrow.attempt.record import Marker, Outcome


class Failure(Protocol):
    """What a target says of an error that its session raised."""

    @property
    def sqlstate(self) -> str | None:
        """The SQLSTATE; None where the error came from the client."""
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
    """What a scenario's `run` works in, and what became of it."""

    @property
    def aborted_by(self) -> Exception | None:
        """The error after which the open transaction cannot commit, whoever caught it; None while it can."""
        ...

    def describe(self, error: Exception) -> Failure:
        """Say what an error raised by this session means."""
        ...


class TransactionSession(OpenTransaction, Protocol):
    """A connection as the loop drives it; the scenario sees only `Session`."""

    @property
    def usable(self) -> bool:
        """Whether the connection still stands."""
        ...

    @property
    def last_statement(self) -> str | None:
        """What the transaction sent last, with its placeholders; None before its first statement."""
        ...

    def begin(self) -> None:
        """Open an explicit transaction."""
        ...

    def commit(self) -> str:
        """Commit it; return the command tag: `COMMIT`, or `ROLLBACK` where it had been aborted."""
        ...

    def rollback(self) -> None:
        """Roll it back."""
        ...

    def close(self) -> None:
        """Give the connection up, whatever its state."""
        ...


class Record(Protocol):
    """Where finished attempts go: `LedgerWriter.append` with the facts of the user filled in."""

    def __call__(
        self,
        *,
        transaction: int,
        attempt: int,
        scheduled_ns: int,
        started_ns: int,
        begin_ns: float,
        body_ns: float,
        commit_ns: float,
        backoff_ns: float,
        connect_ns: float,
        key: int,
        kind: int,
        outcome: Outcome,
        marker: Marker,
        sqlstate: str,
        flags: int,
    ) -> None:
        """Write one attempt."""
        ...


class NoteError(Protocol):
    """Where the texts of errors go: `ErrorLog.note` with the cell filled in."""

    def __call__(self, *, kind: int, outcome: Outcome, sqlstate: str, note: ErrorNote) -> None:
        """Keep what an error said, if it is the first of its sort."""
        ...


def forget_error(*, kind: int, outcome: Outcome, sqlstate: str, note: ErrorNote) -> None:
    """Keep nothing: for those who want outcomes alone."""


class Connections(Protocol):
    """One user's connection, replaced when it breaks."""

    def session(self) -> TransactionSession:
        """The open session; opens one where there is none or it broke. Raises the driver's error."""
        ...

    def describe(self, error: Exception) -> Failure:
        """Say what an error of opening means."""
        ...

    def close(self) -> None:
        """Give the connection up, whatever its state; the next session has another."""
        ...
