"""A psycopg connection for an application's own code, which reports its transactions to a watcher.

psycopg does everything on a connection through `Connection.wait`. libpq knows before and after each wait
whether a transaction is open, so its begin and its end are seen whatever the application calls: `commit()`,
`transaction()`, `with connection`, BEGIN and COMMIT as statements, COPY, pipelines, server-side cursors.
How it ended is in what was sent and answered: the COMMIT of an aborted transaction is answered with ROLLBACK
and without an error, and is no commit.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import pq
from psycopg.errors import ConnectionTimeout, error_from_result
from psycopg.generators import execute

from hotrow.attempt.ports import TransactionEnd
from hotrow.standin.begin import TAKE_SNAPSHOT, begins_alone
from hotrow.targets.app_cursor import adopt, watched
from hotrow.targets.session import OPENING_S, DriverFailure, Latency, Pace, Waiting, describe, unchanged
from hotrow.targets.transaction_control import ending_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from psycopg.adapt import AdaptersMap
    from psycopg.pq.abc import PGconn, PGresult

    from hotrow.attempt.ports import Watcher

_IDLE, _ACTIVE = pq.TransactionStatus.IDLE, pq.TransactionStatus.ACTIVE
_INTRANS, _INERROR = pq.TransactionStatus.INTRANS, pq.TransactionStatus.INERROR
_COMMIT, _ROLLBACK = b"COMMIT", b"ROLLBACK"
_ENDINGS = frozenset({_COMMIT, _ROLLBACK, b"PREPARE TRANSACTION"})
_QUEUES_ONLY = frozenset({"_execute_gen"})
"""What psycopg does in a pipeline without waiting for an answer."""
OTHER_CURSOR = "hotrow cannot see the statements of this cursor; make it with connection.cursor()"
NO_TWO_PHASE = "two-phase commit (tpc_begin) is not measured; commit with commit() or transaction()"


@dataclass(frozen=True, slots=True)
class Way:
    """How a target wants its statements: rewritten, with a snapshot at BEGIN, with injected latency."""

    waiting: Waiting
    latency: Latency
    rewrite: Callable[[str], str] = unchanged
    takes_snapshot: bool = False
    """Whether BEGIN needs a statement after it that takes the snapshot."""


class Delays:
    """The injected latency of one connection, as that of `hotrow.targets.session.PostgresSession`."""

    def __init__(self, latency: Latency, waiting: Waiting) -> None:
        self._latency, self._clock = latency, waiting.clock
        self._trips, self._commits = Pace(waiting), Pace(waiting)
        self._commits_took_s = (0.0, 0.0)
        self.is_none = latency == Latency()

    def before_commit(self) -> None:
        """The time of a COMMIT, before it is sent."""
        if not self.is_none:
            self._commits.fill(self._latency.commit_s, min(self._commits_took_s))

    def after_commit(self, sent_s: float) -> None:
        """Note how long the server took for a COMMIT."""
        self._commits_took_s = (self._commits_took_s[1], self._clock() - sent_s)

    def after(self, trips: int, sent_s: float) -> None:
        """The time of this number of round trips, the first of which was sent at this time."""
        if not self.is_none:
            self._trips.fill(trips * self._latency.rtt_s, self._clock() - sent_s)


_begins_alone = lru_cache(64)(lambda text: begins_alone(text.decode()))
"""Whether a command of psycopg's is a BEGIN. There are few different ones."""


class AppConnection(psycopg.Connection[Any]):
    """A psycopg connection that is watched. BEGIN is sent as psycopg sends it: alone, before a statement."""

    def __init__(self, pgconn: PGconn, way: Way) -> None:
        self._cursor_classes: dict[str, Any] = {}
        super().__init__(pgconn)
        self.watcher: Watcher | None = None
        self._way = way
        self._delays = Delays(way.latency, way.waiting)
        self._clock = way.waiting.clock
        self._is_expected = False
        self._is_open = False
        """Whether the watcher knows of a transaction that has not ended."""
        self._sent_ending: bytes | None = None
        self._forget()

    def _forget(self) -> None:
        """Forget what was sent and answered in the last wait."""
        self._has_sent = self._has_begun = False
        self._trips, self._sent_s = 0, 0.0
        self._tags: list[bytes] = []

    @property
    def usable(self) -> bool:
        """Whether the connection is open, with no transaction."""
        return self.pgconn.status == pq.ConnStatus.OK and self.pgconn.transaction_status == _IDLE

    @property
    def is_in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self._is_open

    @property
    def is_of_stand_in(self) -> bool:
        """Whether errors may contain names of the stand-in."""
        return self._way.rewrite is not unchanged

    def failure(self, error: Exception) -> DriverFailure:
        """The meaning of an error of psycopg, or of a library that wraps it in `orig`, as SQLAlchemy does."""
        cause = getattr(error, "orig", None)
        known = cause if isinstance(cause, psycopg.Error) else error
        return describe(known, lost=self.pgconn.status != pq.ConnStatus.OK)

    def abandon(self) -> None:
        """Roll back the open transaction; close the connection if that fails."""
        try:
            self._num_transactions = 0
            self.wait(self._exec_command(_ROLLBACK))
        except Exception:  # noqa: BLE001 - the server rolls back what is closed
            self.close()
        if not self.usable:
            self.close()

    def run_plain(self, statement: str) -> None:
        """Run a statement that is hotrow's own, without latency.

        Raises:
            psycopg.Error: the server refused, or did not answer within `OPENING_S`.
        """
        watcher, self.watcher = self.watcher, None
        try:
            self.wait(self._plain(statement.encode()), timeout=OPENING_S)
        except psycopg.errors._WaitTimeout:  # noqa: SLF001 - psycopg's documented error of wait()
            self.close()
            raise ConnectionTimeout(f"timed out: no answer from the server within {OPENING_S:g} s") from None
        finally:
            self.watcher = watcher

    def _plain(self, statement: bytes) -> Generator[Any, Any, None]:
        self.pgconn.send_query(statement)
        for result in (yield from execute(self.pgconn)):
            if result.status == pq.ExecStatus.FATAL_ERROR:
                raise error_from_result(result, encoding="utf-8")

    def search(self, schema: str) -> None:
        """Use the tables of this schema from now on.

        Raises:
            psycopg.Error: as `run_plain`.
        """
        self._prepared.clear()
        self.run_plain(f"DEALLOCATE ALL; SET search_path TO {schema}")

    def use_adapters(self, adapters: AdaptersMap) -> None:
        """Adapt values as this map says from now on."""
        self._adapters = adapters

    # What psycopg calls.

    @property
    def cursor_factory(self) -> Any:
        """The class of cursors; one that is set is watched, too."""
        return self._cursor_classes["cursor"]

    @cursor_factory.setter
    def cursor_factory(self, cursor_class: Any) -> None:
        self._cursor_classes["cursor"] = watched(cursor_class)

    @property
    def server_cursor_factory(self) -> Any:
        """The class of server-side cursors; one that is set is watched, too."""
        return self._cursor_classes["server"]

    @server_cursor_factory.setter
    def server_cursor_factory(self, cursor_class: Any) -> None:
        self._cursor_classes["server"] = watched(cursor_class)

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """Do what psycopg does here, and report what it meant for the transaction."""
        adopt(gen)
        if self.watcher is None:
            return super().wait(gen, interval, timeout)
        before, began_ns = self.pgconn.transaction_status, time.perf_counter_ns()
        self._forget()
        in_pipeline = self._pipeline is not None and gen.__name__ not in _QUEUES_ONLY
        asked_s = self._clock()
        try:
            answer = super().wait(gen, interval, timeout)
            self._delay(in_pipeline, asked_s)
        except Exception as error:
            self._delay(in_pipeline, asked_s)
            self._report(before, began_ns, error)
            raise
        except BaseException:
            if not self._is_open and self._has_sent and not self._has_begun:
                self.watcher.begins(began_ns, alone=True)  # nobody knows what came of it
            raise
        self._report(before, began_ns, None)
        return answer

    def _delay(self, in_pipeline: bool, asked_s: float) -> None:
        if in_pipeline:
            self._delays.after(1, asked_s)
        elif self._trips:
            self._delays.after(self._trips, self._sent_s)

    def _report(self, before: int, began_ns: int, error: Exception | None) -> None:
        """Tell the watcher what a wait has changed."""
        watcher, status = self.watcher, self.pgconn.transaction_status
        assert watcher is not None  # noqa: S101 - wait() asked
        if not self._is_open:
            if before != _IDLE or (status == _IDLE and (self._pipeline is not None or not self._has_sent)):
                return
            self._is_open = True
            watcher.begins(began_ns, alone=not self._has_begun and status not in {_INTRANS, _INERROR})
            self._sent_ending = self._sent_ending if self._has_begun else None
        now_ns = time.perf_counter_ns()
        if status in {_INTRANS, _INERROR, _ACTIVE}:
            if error is not None and status == _INERROR and before != _INERROR:
                watcher.aborts(error)
            if status == _INTRANS and _COMMIT in self._tags:  # COMMIT AND CHAIN, or BEGIN after COMMIT
                watcher.ends(now_ns, TransactionEnd("COMMIT"))
                watcher.begins(now_ns, alone=False)
            return
        aborted = before == _INERROR
        self._is_open = False
        watcher.ends(now_ns, TransactionEnd(self._tag(aborted), aborted, error))
        self._sent_ending = None

    def _tag(self, aborted: bool) -> str | None:
        """The command tag that ended the transaction. A statement alone commits if it raises nothing."""
        tags = [tag for tag in self._tags if tag in _ENDINGS]
        if tags:
            return tags[-1].decode()
        if self._sent_ending is not None:  # in a pipeline psycopg drops the answer
            return "ROLLBACK" if aborted else self._sent_ending.decode()
        return "COMMIT"

    def expect_statement(self) -> None:
        """A watched cursor is about to send."""
        self._is_expected = True

    def _start_query(self) -> Any:
        if not self._is_expected:
            raise psycopg.InterfaceError(OTHER_CURSOR)
        self._is_expected = False
        return super()._start_query()

    def prepared(self, text: bytes) -> bytes:
        """What to send to prepare this statement."""
        self._note_trip()
        return self._rewritten(text)

    def outgoing(self, text: bytes, *, alone: bool) -> bytes:
        """What to send for this statement of a cursor; `alone`: as a text without parameters."""
        statement = text.decode(errors="replace")
        ending = ending_of(statement)
        self._has_sent = self._has_sent or ending != "ROLLBACK" or self._is_open
        if self.watcher is not None:
            self.watcher.sends(statement)
        if ending == "COMMIT":
            self._before_commit()
        else:
            if ending is not None:
                self._before_rollback()
            self._note_trip()
        sent = self._rewritten(text)
        snapshot = alone and self._way.takes_snapshot and begins_alone(statement)
        return sent + b";" + TAKE_SNAPSHOT.encode() if snapshot else sent

    def answered(self, results: Iterable[PGresult]) -> None:
        """Note the command tags of results."""
        self._tags += [result.command_status for result in results if result.command_status]

    def _note_trip(self) -> None:
        if self._pipeline is None:
            self._sent_s = self._sent_s or self._clock()
            self._trips += 1

    def _before_commit(self) -> None:
        self._sent_ending = _COMMIT
        if self.watcher is not None:
            self.watcher.commits(time.perf_counter_ns())
            self._delays.before_commit()

    def _before_rollback(self) -> None:
        self._sent_ending = _ROLLBACK
        if self.watcher is not None:
            self.watcher.rolls_back(time.perf_counter_ns())

    def _rewritten(self, text: bytes) -> bytes:
        rewrite = self._way.rewrite
        return text if rewrite is unchanged else rewrite(text.decode()).encode()

    def _exec_command(self, command: Any, result_format: pq.Format = pq.Format.TEXT) -> Any:
        """Send a command of psycopg's own: BEGIN, COMMIT, ROLLBACK, SAVEPOINT, FETCH and others."""
        text = self._as_text(command)
        self._has_sent = True
        if text == _COMMIT:
            self._before_commit()
        elif text == _ROLLBACK:
            self._before_rollback()
        sent_s = self._clock()
        try:
            result = yield from self._command(text, result_format)
        finally:
            if self.watcher is not None:
                if text == _COMMIT:
                    self._delays.after_commit(sent_s)
                elif self._pipeline is None:
                    self._delays.after(1, sent_s)
        if result is not None:
            self.answered([result])
        return result

    def _command(self, text: bytes, result_format: pq.Format) -> Any:
        begins = _begins_alone(text)
        self._has_begun = self._has_begun or begins
        sent = self._rewritten(text)
        if begins and self._way.takes_snapshot:
            return (yield from self._begin(sent))
        return (yield from super()._exec_command(sent, result_format))

    def _begin(self, begin: bytes) -> Any:
        """BEGIN, and the snapshot in the same round trip."""
        if self._pipeline is not None:
            yield from super()._exec_command(begin)
            return (yield from super()._exec_command(TAKE_SNAPSHOT))
        self._check_connection_ok()
        self.pgconn.send_query(begin + b";" + TAKE_SNAPSHOT.encode())
        results = yield from execute(self.pgconn)
        for result in results:
            if result.status == pq.ExecStatus.FATAL_ERROR:
                raise error_from_result(result, encoding="utf-8")
        return results[0]

    def _as_text(self, command: Any) -> bytes:
        if isinstance(command, bytes):
            return command
        return command.encode() if isinstance(command, str) else bytes(command.as_bytes(self))

    def tpc_begin(self, xid: Any) -> None:  # noqa: ARG002 - it only refuses
        """Refused: hotrow would not see how such a transaction ends.

        Raises:
            psycopg.NotSupportedError: always.
        """
        raise psycopg.NotSupportedError(NO_TWO_PHASE)

    def close(self) -> None:
        """Close the connection. The server rolls back an open transaction."""
        status = self.pgconn.transaction_status
        super().close()
        if self._is_open:
            self._is_open = False
            if self.watcher is not None:
                now_ns = time.perf_counter_ns()
                self.watcher.rolls_back(now_ns)
                self.watcher.ends(now_ns, TransactionEnd("ROLLBACK", status == _INERROR))
