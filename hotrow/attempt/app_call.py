"""One call of an application's own function, and the attempts that hotrow sees on its connection.

The function begins, commits and repeats its transactions itself. What is counted:

- Each BEGIN…COMMIT, and each statement without BEGIN, is an attempt.
- A transaction ends when an attempt commits. If an attempt does not commit and the call goes on, the next
  attempt is its retry, and the time between the two is its backoff.
- The end of the call is the end of its last transaction: given up if that ended in a conflict; rejected if
  the function raised `Rejected`, or rolled back and returned; otherwise failed.

So a call that commits twice is two transactions. What was committed before the call failed stays committed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hotrow.attempt.error_note import ABORTED, ErrorNote, masked_statement, note_of
from hotrow.attempt.loop import Attempt, Position, draw_work, record_attempt
from hotrow.attempt.outcome import Phase, classify, commit_tag_outcome
from hotrow.attempt.record import RETRYABLE, Outcome
from hotrow.errors import LEAVING, Rejected, one_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from hotrow.attempt.loop import Client
    from hotrow.attempt.ports import TransactionEnd, WatchedConnection, WatchedConnections
    from hotrow.scenario import AppScenario, Work

LEFT_OPEN = "a transaction was left open at the end and was rolled back: commit it or roll it back"
NOTHING_SEEN = (
    "no transaction was opened on the connection that hotrow gave: "
    "use that connection, or self.engine (docs/your-application.md)"
)


def run_call(
    client: Client, scenario: AppScenario, connections: WatchedConnections, number: Callable[[], int]
) -> Outcome:
    """Draw work and call the application with it. Return the outcome of the call's last transaction.

    `number` gives each transaction its number.
    """
    called_ns = client.clock_ns()
    position = Position(number(), called_ns)
    work = draw_work(client, None, position)
    if work is None:
        return Outcome.ERROR
    return play_call(client, scenario, connections, work, position=position, number=number)


def play_call(
    client: Client,
    scenario: AppScenario,
    connections: WatchedConnections,
    work: Work,
    *,
    position: Position,
    number: Callable[[], int],
) -> Outcome:
    """Call the application with this work, and record what it does on its connection."""
    calling = Call(client, work, position, number)
    try:
        connection = connections.session()
    except Exception as error:  # noqa: BLE001 - to get no connection is an outcome
        return calling.refused(error, connections)
    calling.begin(connection)
    try:
        return calling.finish(_raised(scenario, connection, work))
    except BaseException:
        calling.cut_off()
        connections.close()
        raise
    finally:
        calling.release()


def _raised(scenario: AppScenario, connection: WatchedConnection, work: Work) -> Exception | None:
    """What the application raised; None if it returned."""
    try:
        scenario.run_app(connection, work)
    except LEAVING as leaving:
        error = RuntimeError(f"tried to end the program: {one_line(leaving)}")
        return error.with_traceback(leaving.__traceback__)
    except Exception as error:  # noqa: BLE001 - it is how the transaction ended
        return error
    return None


class Call:
    """Watches the connection during one call, and records an attempt as soon as its end is known.

    An attempt that did not commit is kept until the next one begins or the call ends: only then is it known
    whether it was the last of its transaction.
    """

    def __init__(self, client: Client, work: Work, position: Position, number: Callable[[], int]) -> None:
        self._client, self._work, self._number = client, work, number
        self._position: Position | None = position
        """The position of the current attempt, or of the next one; None after a commit."""
        self._free_ns = position.scheduled_ns
        """When the next transaction is due: at the call, or when the one before it committed."""
        self._connect_ns = 0
        self._connection: WatchedConnection | None = None
        self._open: Attempt | None = None
        self._kept: Attempt | None = None
        self._rolled_back_on_purpose = False
        self._statement: str | None = None
        self._aborted_by: Exception | None = None
        self._committed = False

    def begin(self, connection: WatchedConnection) -> None:
        """Watch this connection from now on."""
        self._connect_ns = self._client.clock_ns() - self._free_ns
        self.follow(connection)

    def follow(self, connection: WatchedConnection) -> None:
        """Watch this connection: the first one, or the one that replaces it during the call."""
        self._connection = connection
        connection.watcher = self

    def release(self) -> None:
        """Watch no longer."""
        if self._connection is not None:
            self._connection.watcher = None

    def begins(self, now_ns: int, *, alone: bool) -> None:
        """An attempt begins: a retry if the one before it did not commit."""
        if self._kept is not None:
            kept, position = self._kept, self._current()
            self._write(final=False)
            self._position = Position(
                position.transaction,
                position.scheduled_ns,
                position.attempt + 1,
                max(now_ns - kept.ended_ns, 0) / 1e9,
            )
        self._open = Attempt(
            requested_ns=now_ns - self._connect_ns,
            started_ns=now_ns,
            phase=Phase.COMMIT if alone else Phase.BODY,
        )
        self._connect_ns = 0
        self._aborted_by = None

    def sends(self, statement: str) -> None:
        """Keep the statement for the note of an error."""
        self._statement = statement

    def commits(self, now_ns: int) -> None:
        """COMMIT is sent: from now on a lost connection leaves the outcome unknown."""
        if self._open is not None:
            self._open.phase = Phase.COMMIT
            self._open.body_ended_ns = self._open.body_ended_ns or now_ns

    def rolls_back(self, now_ns: int) -> None:
        """ROLLBACK is sent."""
        if self._open is not None:
            self._open.body_ended_ns = self._open.body_ended_ns or now_ns

    def aborts(self, error: Exception) -> None:
        """Keep the error, even if the application catches it."""
        self._aborted_by = error

    def ends(self, now_ns: int, end: TransactionEnd) -> None:
        """The open attempt ended. If it committed, its transaction is over."""
        attempt = self._open
        if attempt is None:
            return
        self._open, self._kept = None, attempt
        attempt.end(now_ns, self._outcome(attempt, end))
        self._rolled_back_on_purpose = attempt.outcome is Outcome.REJECTED
        if attempt.outcome is Outcome.COMMITTED:
            self._write(final=True)
            self._position, self._free_ns, self._committed = None, now_ns, True

    def excuses(self, took_ns: int) -> None:
        """Count this time as nobody's: the transaction that has not begun yet was due later."""
        self._free_ns += took_ns
        if self._position is not None and self._kept is None and self._open is None:
            self._position = Position(self._position.transaction, self._free_ns)

    def refused(self, error: Exception, connections: WatchedConnections) -> Outcome:
        """There is no connection: record that as the only attempt."""
        failure = connections.describe(error)
        attempt = Attempt(requested_ns=self._free_ns)
        outcome, attempt.marker = classify(Phase.CONNECT, failure.sqlstate, failure.message, failure.lost)
        attempt.sqlstate = failure.sqlstate or ""
        attempt.note = note_of(error, failure.sqlstate, failure.message, None, self._client.scenario)
        attempt.end(self._client.clock_ns(), outcome)
        self._kept = attempt
        return self._write(final=True)

    def finish(self, error: Exception | None) -> Outcome:
        """The call ended, with this exception if it raised one: so ended its last transaction."""
        left_open = self._connection is not None and self._connection.is_in_transaction
        if left_open and self._connection is not None:
            self._connection.abandon()
        if self._kept is None:
            if error is None and self._committed:
                return Outcome.COMMITTED
            self._kept = self._beside(error)
        elif left_open and error is None and self._rolled_back_on_purpose:
            self._fail(self._kept, ErrorNote(LEFT_OPEN, self._masked(), None))
        elif isinstance(error, Rejected):
            if self._kept.outcome is Outcome.ERROR:
                self._kept.outcome = Outcome.REJECTED
        elif error is not None and self._rolled_back_on_purpose:
            self._explain(self._kept, error)
        return self._write(final=True)

    def cut_off(self) -> None:
        """The user is killed during the call. A COMMIT in flight has an unknown outcome."""
        in_flight = self._open
        if self._kept is not None:
            self._write(final=self._kept.outcome is Outcome.UNKNOWN)
        elif in_flight is not None and in_flight.phase is Phase.COMMIT:
            in_flight.end(self._client.clock_ns(), Outcome.UNKNOWN)
            self._kept = in_flight
            self._write(final=True)

    def _outcome(self, attempt: Attempt, end: TransactionEnd) -> Outcome:
        """The outcome of an attempt that ended; REJECTED if it was rolled back without an error."""
        error = end.error or (self._aborted_by if end.aborted else None)
        if error is not None:
            phase = attempt.phase if end.error is not None else Phase.BODY
            return self._failed(attempt, error, phase)
        if end.tag == "ROLLBACK" and attempt.phase is not Phase.COMMIT:
            return Outcome.REJECTED
        outcome = commit_tag_outcome(end.tag)
        if outcome is not Outcome.COMMITTED:
            attempt.note = ErrorNote(ABORTED, self._masked(), None)
        return outcome

    def _failed(self, attempt: Attempt, error: Exception, phase: Phase) -> Outcome:
        assert self._connection is not None  # noqa: S101 - its connection reported it
        failure = self._connection.failure(error)
        outcome, attempt.marker = classify(phase, failure.sqlstate, failure.message, failure.lost)
        attempt.sqlstate = failure.sqlstate or ""
        if outcome not in RETRYABLE:
            attempt.note = note_of(
                error, failure.sqlstate, failure.message, self._statement, self._client.scenario
            )
        return outcome

    def _beside(self, error: Exception | None) -> Attempt:
        """An attempt for the end of a call that is not the end of a transaction."""
        attempt = Attempt(requested_ns=self._free_ns)
        attempt.end(self._client.clock_ns(), Outcome.REJECTED)
        if error is None:
            self._fail(attempt, ErrorNote(NOTHING_SEEN, None, None))
        elif not isinstance(error, Rejected):
            self._explain(attempt, error)
        return attempt

    def _explain(self, attempt: Attempt, error: Exception) -> None:
        """The attempt failed because the application raised this error."""
        assert self._connection is not None  # noqa: S101 - the call has begun
        failure = self._connection.failure(error)
        attempt.sqlstate = failure.sqlstate or ""
        note = note_of(error, failure.sqlstate, failure.message, self._statement, self._client.scenario)
        self._fail(attempt, note)

    def _fail(self, attempt: Attempt, note: ErrorNote) -> None:
        attempt.outcome, attempt.note = Outcome.ERROR, note

    def _masked(self) -> str | None:
        return None if self._statement is None else masked_statement(self._statement)

    def _current(self) -> Position:
        """The position of the current attempt; the first of a new transaction after a commit."""
        if self._position is None:
            self._position = Position(self._number(), self._free_ns)
        return self._position

    def _write(self, *, final: bool) -> Outcome:
        """Record the kept attempt."""
        attempt, self._kept = self._kept, None
        assert attempt is not None  # noqa: S101 - its callers keep one
        record_attempt(self._client, self._work, attempt, self._current(), final=final)
        return attempt.outcome
