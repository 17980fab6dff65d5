"""One PostgreSQL session, which sends its statements through libpq's asynchronous calls.

psycopg opens the connection. Statements go through its `pq` layer as server-side prepared statements. This
costs the client about a third of `Connection.execute` (docs/decisions.md has the figures). The caller passes
the functions that wait for the socket and for injected latency, because under gevent both must let other
users run.
"""

from __future__ import annotations

import os
import select
import time
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

import psycopg
import psycopg.waiting
from psycopg import pq
from psycopg.adapt import Transformer
from psycopg.errors import ConnectionTimeout

from hotrow.scenario import Result, Row
from hotrow.targets.libpq import flush, next_result
from hotrow.targets.parameters import dump, encode
from hotrow.targets.server_errors import error_of
from hotrow.targets.transaction_control import controls_transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from psycopg.pq.abc import PGresult

OPENING_S = 30.0
"""The time limit for the first answer in a session. It detects a server that accepts connections but does not
answer. On Aurora DSQL the first statement takes a fraction of a second."""
TABLES_S = 600.0
"""The time limit for one statement outside the load: on the tables of a run, also in the rehearsal. Such a
statement touches a few thousand rows or builds an index."""
MAX_AHEAD_S = 0.002
"""The longest delay that later sleeps compensate. Longer delays are not due to the timer's resolution."""
BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ"
_ALREADY_ABORTED = "25P02"
"""The SQLSTATE of a statement in a transaction that an earlier error has aborted."""
_FAILED = frozenset({pq.ExecStatus.FATAL_ERROR, pq.ExecStatus.BAD_RESPONSE})


@dataclass(frozen=True, slots=True)
class Latency:
    """The injected latency of the stand-in: seconds per round trip, and seconds per COMMIT."""

    rtt_s: float = 0.0
    commit_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Waiting:
    """The functions for waiting: until a socket is ready, and for a time."""

    ready: Callable[[int, bool, float | None], bool]
    """Wait until the socket is readable, or with `True` until it is readable or writable. The third
    argument is the time limit in seconds, or None. Returns whether the socket is ready."""
    sleep: Callable[[float], None]
    clock: Callable[[], float] = time.perf_counter
    """A monotonic clock in seconds."""


class Pace:
    """Extends the time that the server took to a nominal latency, exactly on average.

    A sleep ends late, under gevent by up to a millisecond. Later sleeps are shortened by this delay, so that
    a round trip of 2 ms takes 2 ms on average, whatever the timer's resolution.
    """

    def __init__(self, waiting: Waiting) -> None:
        self._waiting = waiting
        self._ahead_s = 0.0

    def fill(self, nominal_s: float, taken_s: float) -> None:
        """Sleep for the rest of `nominal_s` after `taken_s`, minus the delays of earlier sleeps.

        Only delays of sleeps are compensated. If the server itself took longer, its time is not reduced.
        """
        left_s = max(nominal_s - taken_s, 0.0)
        asked_s = max(left_s - self._ahead_s, 0.0)
        slept_s = 0.0
        if asked_s > 0:
            before_s = self._waiting.clock()
            self._waiting.sleep(asked_s)
            slept_s = self._waiting.clock() - before_s
        self._ahead_s = min(self._ahead_s + slept_s - left_s, MAX_AHEAD_S)


def _poll(descriptor: int, writing: bool, within_s: float | None) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN | select.POLLOUT if writing else select.POLLIN)
    return bool(poll.poll(None if within_s is None else within_s * 1e3))


def waits_in_c() -> bool:
    """Whether psycopg waits in C, so that no other user can run: it was imported before gevent's patch."""
    return getattr(psycopg.waiting.wait, "__name__", "") == "wait_c"


BLOCKING = Waiting(ready=_poll, sleep=time.sleep)
"""For commands that use one connection at a time, without gevent."""


@dataclass(frozen=True, slots=True)
class DriverFailure:
    """The facts about an error that `hotrow.attempt.outcome.classify` needs, without its class."""

    sqlstate: str | None
    message: str
    lost: bool


def describe(error: Exception, *, lost: bool) -> DriverFailure:
    """SQLSTATE and primary message of any error. `lost` means that the connection is known to be lost.

    After a FATAL answer the connection counts as lost, even if the socket does not show it yet.
    """
    if not isinstance(error, psycopg.Error):
        return DriverFailure(None, str(error), lost)
    fatal = error.diag.severity_nonlocalized in {"FATAL", "PANIC"}
    return DriverFailure(error.sqlstate, error.diag.message_primary or str(error), lost or fatal)


def unchanged(statement: str) -> str:
    """The rewrite function that changes nothing."""
    return statement


class PostgresSession:
    """A session outside or inside an explicit transaction. Two greenlets must not use it at the same time.

    It stays in libpq's pipeline mode, so that BEGIN is sent with the first statement: a transaction of n
    statements takes n + 1 round trips. With `apart`, BEGIN is a round trip of its own. Injected latency lies
    entirely inside the conflict window: that of a round trip after its statement was executed, that of COMMIT
    before it is sent.
    """

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        latency: Latency,
        waiting: Waiting,
        *,
        begin: str = BEGIN,
        apart: Sequence[str] = (),
        rewrite: Callable[[str], str] = unchanged,
        answer_deadline_s: float | None = None,
    ) -> None:
        """`apart` is what `begin` sends in a round trip of its own; empty if BEGIN is to wait."""
        self.answer_deadline_s = answer_deadline_s
        """The time limit for an answer; None, as for the users of a run, means no limit."""
        self._until_s: float | None = None
        self._connection = connection
        self._pgconn = connection.pgconn
        self._latency = latency
        self._pace, self._commit_pace = Pace(waiting), Pace(waiting)  # a late round trip shortens no COMMIT
        self._commits_took_s = (0.0, 0.0)
        """How long the server took for the last two COMMITs."""
        self._waiting, self._ready = waiting, waiting.ready
        self._begin = begin
        self._apart = apart
        self._rewrite = rewrite
        self._begin_is_due = False
        self._descriptor = self._pgconn.socket
        self._transformer = Transformer(connection)
        self._prepared: dict[str, bytes] = {}
        self._columns: dict[str, tuple[str, ...]] = {}
        """By prepared statement: the names of its columns."""
        unique = os.urandom(4).hex()  # a pooler may give two sessions the same server connection
        self._names = (f"s{number}_{unique}".encode() for number in count())
        self._pgconn.enter_pipeline_mode()
        self.last_statement: str | None = None
        """The last statement of the open transaction, with its placeholders and without their values."""
        self._error: psycopg.Error | None = None
        self._harmless: set[str] = set()
        """Statements that are known not to begin or end a transaction."""

    @property
    def usable(self) -> bool:
        """Whether the connection is open."""
        return self._pgconn.status == pq.ConnStatus.OK

    @property
    def aborted_by(self) -> psycopg.Error | None:
        """The error that prevents the open transaction from committing, even if it was caught; else None.

        After an error that was rolled back to a savepoint the transaction can still commit.
        """
        if self._error is None or self._pgconn.transaction_status == pq.TransactionStatus.INTRANS:
            return None
        return self._error

    def begin(self) -> None:
        """Begin a transaction at the target's isolation level. BEGIN is sent with the next statement, or now.

        Raises:
            psycopg.Error: BEGIN is sent now, and failed.
        """
        self._begin_is_due = not self._apart
        self.last_statement = self._error = None
        if self._apart:
            sent_s = self._waiting.clock()
            try:
                self._send(self._apart)
            finally:
                self._pace.fill(self._latency.rtt_s, self._waiting.clock() - sent_s)

    def execute(self, sql: str, *parameters: Any) -> Result:
        """Run one statement with `$1`, `$2`, … placeholders, prepared at its first use on this connection.

        The server infers the types of the parameters from the statement.

        Raises:
            psycopg.Error: an error of the server or the driver; `ConnectionTimeout` if there was no answer
                within `answer_deadline_s`. Also, before anything is sent: a parameter without an equivalent
                in PostgreSQL, and a statement that begins or ends a transaction.
        """
        if sql not in self._harmless:
            self._refuse_control(sql)
        values = [dump(value, self._transformer) for value in parameters]
        sent_s = self._waiting.clock()
        try:
            answer = self._exchange(sql, values)
        except psycopg.Error as error:
            self._note_error(error)
            raise
        finally:
            self._pace.fill(self._latency.rtt_s, self._waiting.clock() - sent_s)
        return self._result(sql, answer)

    def execute_together(self, statements: Sequence[tuple[str, Sequence[Any], bool]]) -> list[Result]:
        """Run several statements in one round trip, each with its parameters and whether it is prepared.

        Raises: as `execute`, the first error; the statements after it were not run.
        """
        for sql, _, is_prepared in statements:
            if sql not in self._harmless:
                self._refuse_control(sql, keep=is_prepared)
        calls = [
            (sql, [dump(value, self._transformer) for value in parameters], is_prepared)
            for sql, parameters, is_prepared in statements
        ]
        sent_s = self._waiting.clock()
        try:
            answers = self._send_calls(calls)
        except psycopg.Error as error:
            self._note_error(error)
            raise
        finally:
            self._pace.fill(self._latency.rtt_s, self._waiting.clock() - sent_s)
        return [self._result(sql, answer) for (sql, _, _), answer in zip(statements, answers, strict=True)]

    def think(self, seconds: float) -> None:
        """Wait inside the transaction."""
        if seconds > 0:
            self._waiting.sleep(seconds)

    def commit(self) -> str:
        """Commit and return the command tag: `COMMIT`, or `ROLLBACK` if the transaction had been aborted.

        Raises:
            psycopg.Error: an error of the server or the driver; `InterfaceError` if the transaction had
                already ended.
        """
        if not self._begin_is_due and self._pgconn.transaction_status == pq.TransactionStatus.IDLE:
            raise psycopg.InterfaceError(
                "the transaction had ended before its COMMIT: something else ended it"
            )
        # The shorter of two is the estimate for this one: a COMMIT that stalled does not shorten the next.
        self._commit_pace.fill(self._latency.commit_s, min(self._commits_took_s))
        sent_s = self._waiting.clock()
        try:
            answer = self._exchange("COMMIT")
        finally:
            self._commits_took_s = (self._commits_took_s[1], self._waiting.clock() - sent_s)
        return (answer.command_status or b"").decode()

    def rollback(self) -> None:
        """Roll the transaction back. Nothing is sent if BEGIN was not sent."""
        if self._begin_is_due:
            self._begin_is_due = False
            return
        sent_s = self._waiting.clock()
        self._exchange("ROLLBACK")
        self._pace.fill(self._latency.rtt_s, self._waiting.clock() - sent_s)

    def run(self, sql: str) -> Result:
        """Run one statement as a transaction, unprepared and without injected latency: DDL and seeding."""
        self._pgconn.send_query_params(encode(self._rewrite(sql)), None)
        answer = self._answer(1)
        return Result(self._rows(answer), answer.command_tuples or 0)

    def search(self, schema: str) -> None:
        """Use the tables of this schema from now on. Statements are prepared again, for the new tables."""
        self.run(f"SET search_path TO {schema}")
        self._prepared.clear()
        self._columns.clear()

    def close(self) -> None:
        """Close the connection. The server rolls back an open transaction."""
        self._connection.close()

    def describe(self, error: Exception) -> DriverFailure:
        """The meaning of an error that this session raised."""
        return describe(error, lost=not self.usable)

    def _note_error(self, error: psycopg.Error) -> None:
        if self._error is None or error.sqlstate != _ALREADY_ABORTED:
            self._error = error

    def _refuse_control(self, sql: str, *, keep: bool = True) -> None:
        if controls_transaction(sql):
            statement = " ".join(sql.split())
            raise psycopg.ProgrammingError(
                "hotrow begins and ends each transaction and sets its isolation (code that does so itself is "
                f"called from an AppScenario); leave this out: {statement}"
            )
        if keep:
            self._harmless.add(sql)

    def _exchange(self, sql: str, values: Sequence[bytes | None] = ()) -> PGresult:
        """Send one statement, after BEGIN if that is due, and wait for its answer."""
        self.last_statement = sql
        return self._send([self._begin, sql] if self._begin_is_due else [sql], values)

    def _send(self, statements: Sequence[str], values: Sequence[bytes | None] = ()) -> PGresult:
        """Send statements in one round trip, the last with values; wait for the answers, return the last."""
        names = [self._prepared.get(statement) or self._prepare(statement) for statement in statements]
        self._begin_is_due = False
        for name in names[:-1]:
            self._pgconn.send_query_prepared(name, None)
        self._pgconn.send_query_prepared(names[-1], values or None)
        return self._answer(len(names))

    def _send_calls(self, calls: Sequence[tuple[str, Sequence[bytes | None], bool]]) -> list[PGresult]:
        """Send statements with their values in one round trip, after BEGIN if that is due; all answers."""
        begin = [(self._begin, (), True)] if self._begin_is_due else []
        self.last_statement = calls[-1][0]
        calls = [*begin, *calls]
        names = [
            (self._prepared.get(sql) or self._prepare(sql)) if is_prepared else None
            for sql, _, is_prepared in calls
        ]
        self._begin_is_due = False
        for (sql, values, _), name in zip(calls, names, strict=True):
            if name is None:
                self._pgconn.send_query_params(encode(self._rewrite(sql)), None)
            else:
                self._pgconn.send_query_prepared(name, values or None)
        return self._answers(len(calls))[len(begin) :]

    def _prepare(self, sql: str) -> bytes:
        name = next(self._names)
        self._pgconn.send_prepare(name, encode(self._rewrite(sql)))
        self._answer(1)
        self._prepared[sql] = name
        return name

    def _rows(self, answer: PGresult) -> list[Row]:
        if not answer.ntuples:
            return []
        self._transformer.set_pgresult(answer)
        return self._transformer.load_rows(0, answer.ntuples, tuple)

    def _result(self, sql: str, answer: PGresult) -> Result:
        rows = self._rows(answer)
        columns = (self._columns.get(sql) or self._names_of(sql, answer)) if rows else ()
        return Result(rows, answer.command_tuples or 0, columns)

    def _names_of(self, sql: str, answer: PGresult) -> tuple[str, ...]:
        """The names of an answer's columns, kept for a prepared statement."""
        names = tuple((answer.fname(column) or b"").decode() for column in range(answer.nfields))
        if sql in self._prepared:
            self._columns[sql] = names
        return names

    def _answer(self, statements: int) -> PGresult:
        """Wait for the answers of this number of statements; return the last, or raise the first error."""
        return self._answers(statements)[-1]

    def _answers(self, statements: int) -> list[PGresult]:
        """Wait for the answers of this number of statements; return them, or raise the first error.

        An error that arrived counts even if the connection broke or fell silent right after it.
        """
        self._until_s = (
            None if self.answer_deadline_s is None else self._waiting.clock() + self.answer_deadline_s
        )
        self._pgconn.pipeline_sync()
        if self._pgconn.flush():  # more than the socket accepts at once
            flush(self._pgconn, self._wait)
        results: list[PGresult] = []
        try:
            for _ in range(statements):
                self._take_statement(results)
            next_result(self._pgconn, self._wait)  # the end of the pipeline
        except psycopg.OperationalError:
            if all(result.status not in _FAILED for result in results):
                raise
        failed = next((result for result in results if result.status in _FAILED), None)
        if failed is not None:
            raise error_of(failed, of_stand_in=self._rewrite is not unchanged)
        return results

    def _take_statement(self, results: list[PGresult]) -> None:
        """Append the result of one statement. libpq marks its end with an empty result."""
        result = next_result(self._pgconn, self._wait)
        if result is None:
            raise psycopg.OperationalError("the connection closed without an answer")
        results.append(result)
        if next_result(self._pgconn, self._wait) is not None:
            raise psycopg.InterfaceError("a statement had two results; send one statement at a time")

    def _wait(self, writing: bool) -> None:
        """Wait for the socket. Close the connection if the server does not answer in time."""
        if self._until_s is None:  # as in every attempt of a run
            self._ready(self._descriptor, writing, None)
            return
        within_s = max(self._until_s - self._waiting.clock(), 0.0)
        if not self._ready(self._descriptor, writing, within_s):
            self.close()
            raise ConnectionTimeout(
                f"timed out: no answer from the server within {self.answer_deadline_s:g} s"
            )
