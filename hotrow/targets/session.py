"""One PostgreSQL connection, driven statement by statement through libpq's asynchronous calls.

psycopg opens and describes the connection; statements go through its `pq` layer as server-side prepared
statements, which costs the client about a third of `Connection.execute` (docs/decisions.md has the figures).
How to wait for the socket, and how to let injected latency pass, are handed in: under gevent both must yield
to other users.
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
from psycopg.errors import ConnectionTimeout, error_from_result

from hotrow.scenario import Result, Row
from hotrow.targets.parameters import dump, encode
from hotrow.targets.transaction_control import controls_transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from psycopg.pq.abc import PGconn, PGresult

OPENING_S = 30.0
"""The longest that a server may take to answer the first statement of a session. One that accepts
connections and says nothing is told by that; on Aurora DSQL the statement takes a fraction of a second."""
TABLES_S = 600.0
"""The longest that one statement may take that makes, fills, reads, drops or rehearses on a run's tables.
Such a statement touches a few thousand rows, or builds an index."""
MAX_AHEAD_S = 0.002
"""A sleep that ended later than this was no matter of the timer's grain, and is not made up for."""
BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ"
_ONLY_AFTER_ANOTHER = "25P02"
"""In a transaction that an earlier error has aborted."""
_FAILED = frozenset({pq.ExecStatus.FATAL_ERROR, pq.ExecStatus.BAD_RESPONSE})


@dataclass(frozen=True, slots=True)
class Latency:
    """What the stand-in adds so that its timing is a region's: seconds a round trip; seconds for COMMIT."""

    rtt_s: float = 0.0
    commit_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Waiting:
    """How to let time pass: for a socket to become ready, and for injected latency."""

    ready: Callable[[int, bool, float | None], bool]
    """Wait until this socket is readable, or with `True` until it is readable or writable; at most so many
    seconds, or as long as it takes. Whether it is ready."""
    sleep: Callable[[float], None]
    clock: Callable[[], float] = time.perf_counter
    """Seconds that only go forward."""


class Pace:
    """Fills what the server took up to a nominal latency, right on average.

    A sleep ends late, under gevent by up to a millisecond; what it ended late by is taken off the next ones,
    so that a round trip of 2 ms is 2 ms on average whatever the timer's grain.
    """

    def __init__(self, waiting: Waiting) -> None:
        self._waiting = waiting
        self._ahead_s = 0.0

    def fill(self, nominal_s: float, taken_s: float) -> None:
        """Sleep for what is left of `nominal_s` after `taken_s`, less what earlier sleeps were late by.

        Only sleeps are made up for: where the server itself took longer, its time stands as it is.
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
    """Whether psycopg waits in C, so that no other user runs: it was imported before gevent patched."""
    return getattr(psycopg.waiting.wait, "__name__", "") == "wait_c"


BLOCKING = Waiting(ready=_poll, sleep=time.sleep)
"""For commands that drive one connection at a time."""


def flush(pgconn: PGconn, wait: Callable[[bool], None]) -> None:
    """Send all that libpq holds. `wait(True)` waits until the socket is readable or writable.

    A server that is answering may read on only when its answers are taken, so they are taken meanwhile.
    """
    while pgconn.flush():
        wait(True)
        pgconn.consume_input()


def next_result(pgconn: PGconn, wait: Callable[[bool], None]) -> PGresult | None:
    """The next result, as `PQgetResult` has it. `wait(False)` waits until the socket is readable."""
    while pgconn.is_busy():
        wait(False)
        pgconn.consume_input()
    return pgconn.get_result()


@dataclass(frozen=True, slots=True)
class DriverFailure:
    """What an error means, without its class: all that `hotrow.attempt.outcome.classify` wants."""

    sqlstate: str | None
    message: str
    lost: bool


def describe(error: Exception, *, lost: bool) -> DriverFailure:
    """Take SQLSTATE and primary message from any error; `lost` says that the connection is known to be gone.

    A FATAL answer means that it is going, though the socket may not have shown it yet.
    """
    if not isinstance(error, psycopg.Error):
        return DriverFailure(None, str(error), lost)
    fatal = error.diag.severity_nonlocalized in {"FATAL", "PANIC"}
    return DriverFailure(error.sqlstate, error.diag.message_primary or str(error), lost or fatal)


def unchanged(statement: str) -> str:
    """The rewriting that changes nothing."""
    return statement


class PostgresSession:
    """A connection outside or inside an explicit transaction. Not for use by two greenlets at once.

    It stays in libpq's pipeline mode, so that BEGIN travels with the first statement: a transaction of n
    statements takes n + 1 round trips. Injected latency lies wholly inside the window of the transaction:
    a round trip's after its statement was executed, COMMIT's before it is sent.
    """

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        latency: Latency,
        waiting: Waiting,
        *,
        begin: str = BEGIN,
        rewrite: Callable[[str], str] = unchanged,
        patience_s: float | None = None,
    ) -> None:
        self.patience_s = patience_s
        """How long the server may take to answer; None: as long as it takes, as a user of a run waits."""
        self._until_s: float | None = None
        self._connection = connection
        self._pgconn = connection.pgconn
        self._latency = latency
        self._pace = Pace(waiting)
        self._commit_took_s = 0.0
        self._waiting, self._ready = waiting, waiting.ready
        self._begin = begin
        self._rewrite = rewrite
        self._begin_is_due = False
        self._descriptor = self._pgconn.socket
        self._transformer = Transformer(connection)
        self._prepared: dict[str, bytes] = {}
        unique = os.urandom(4).hex()  # a pooler may give two sessions the same server connection
        self._names = (f"s{number}_{unique}".encode() for number in count())
        self._pgconn.enter_pipeline_mode()
        self.last_statement: str | None = None
        """What the open transaction sent last, as it was given: with placeholders, not their values."""
        self._error: psycopg.Error | None = None
        self._harmless: set[str] = set()
        """Statements that leave the transaction itself alone."""

    @property
    def usable(self) -> bool:
        """Whether the connection still stands."""
        return self._pgconn.status == pq.ConnStatus.OK

    @property
    def aborted_by(self) -> psycopg.Error | None:
        """The error after which the open transaction cannot commit, whoever caught it; None while it can.

        It still can after an error that a savepoint undid.
        """
        if self._error is None or self._pgconn.transaction_status == pq.TransactionStatus.INTRANS:
            return None
        return self._error

    def begin(self) -> None:
        """Open an explicit transaction at the target's isolation level; it travels with what is sent next."""
        self._begin_is_due = True
        self.last_statement = self._error = None

    def execute(self, sql: str, *parameters: Any) -> Result:
        """Run one statement with `$1`, `$2`, … placeholders, prepared at its first use on this connection.

        A parameter's type is inferred by the server from the statement.

        Raises:
            psycopg.Error: whatever the server or the driver said, `ConnectionTimeout` if nobody answered
                within `patience_s`; or a parameter that has no form in PostgreSQL, or a statement that
                begins or ends a transaction, which is not sent.
        """
        if sql not in self._harmless:
            self._refuse_control(sql)
        values = [dump(value, self._transformer) for value in parameters]
        sent_s = self._waiting.clock()
        try:
            answer = self._exchange(sql, values)
        except psycopg.Error as error:
            if self._error is None or error.sqlstate != _ONLY_AFTER_ANOTHER:
                self._error = error
            raise
        finally:
            self._pace.fill(self._latency.rtt_s, self._waiting.clock() - sent_s)
        return Result(self._rows(answer), answer.command_tuples or 0)

    def think(self, seconds: float) -> None:
        """Let time pass inside the transaction."""
        if seconds > 0:
            self._waiting.sleep(seconds)

    def commit(self) -> str:
        """Commit; return the command tag: `COMMIT`, or `ROLLBACK` where the transaction had been aborted.

        Raises:
            psycopg.Error: whatever the server or the driver said; `InterfaceError` if it was over already.
        """
        if not self._begin_is_due and self._pgconn.transaction_status == pq.TransactionStatus.IDLE:
            raise psycopg.InterfaceError(
                "the transaction was over before its COMMIT: something else ended it"
            )
        self._pace.fill(self._latency.commit_s, self._commit_took_s)
        sent_s = self._waiting.clock()
        try:
            answer = self._exchange("COMMIT")
        finally:
            self._commit_took_s = self._waiting.clock() - sent_s
        return (answer.command_status or b"").decode()

    def rollback(self) -> None:
        """Roll the transaction back; nothing is sent where BEGIN never was."""
        if self._begin_is_due:
            self._begin_is_due = False
            return
        sent_s = self._waiting.clock()
        self._exchange("ROLLBACK")
        self._pace.fill(self._latency.rtt_s, self._waiting.clock() - sent_s)

    def run(self, sql: str) -> Result:
        """Run one statement in a transaction of its own, unprepared, without latency: DDL and seeding."""
        self._pgconn.send_query_params(encode(self._rewrite(sql)), None)
        answer = self._answer(1)
        return Result(self._rows(answer), answer.command_tuples or 0)

    def search(self, schema: str) -> None:
        """Find tables in this schema from now on; statements are prepared anew, for theirs were another's."""
        self.run(f"SET search_path TO {schema}")
        self._prepared.clear()

    def close(self) -> None:
        """Close the connection; the server rolls back what was open."""
        self._connection.close()

    def describe(self, error: Exception) -> DriverFailure:
        """Say what an error that this session raised means."""
        return describe(error, lost=not self.usable)

    def _refuse_control(self, sql: str) -> None:
        if controls_transaction(sql):
            statement = " ".join(sql.split())
            raise psycopg.ProgrammingError(
                f"hotrow begins and ends each transaction and sets its isolation; leave this out: {statement}"
            )
        self._harmless.add(sql)

    def _exchange(self, sql: str, values: Sequence[bytes | None] = ()) -> PGresult:
        """Send one statement, after BEGIN where that is due, and wait for its answer."""
        self.last_statement = sql
        due = [self._begin, sql] if self._begin_is_due else [sql]
        names = [self._prepared.get(each) or self._prepare(each) for each in due]
        self._begin_is_due = False
        for name in names[:-1]:
            self._pgconn.send_query_prepared(name, None)
        self._pgconn.send_query_prepared(names[-1], values or None)
        return self._answer(len(names))

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

    def _answer(self, statements: int) -> PGresult:
        """Wait for the answers of so many statements; return the last, or raise the first error.

        An error that did arrive is believed even if the connection broke or fell silent right after it.
        """
        self._until_s = None if self.patience_s is None else self._waiting.clock() + self.patience_s
        self._pgconn.pipeline_sync()
        if self._pgconn.flush():  # more than the socket takes at once
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
            raise error_from_result(failed, encoding="utf-8")
        return results[-1]

    def _take_statement(self, results: list[PGresult]) -> None:
        """Add one statement's result; libpq marks its end with an empty one."""
        result = next_result(self._pgconn, self._wait)
        if result is None:
            raise psycopg.OperationalError("the connection closed without an answer")
        results.append(result)
        if next_result(self._pgconn, self._wait) is not None:
            raise psycopg.InterfaceError("a statement answered twice; send one statement at a time")

    def _wait(self, writing: bool) -> None:
        """Wait for the socket; give the connection up if nobody answers in time."""
        if self._until_s is None:  # as in every attempt of a run
            self._ready(self._descriptor, writing, None)
            return
        within_s = max(self._until_s - self._waiting.clock(), 0.0)
        if not self._ready(self._descriptor, writing, within_s):
            self.close()
            raise ConnectionTimeout(f"timed out: no answer from the server within {self.patience_s:g} s")
