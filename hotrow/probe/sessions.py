"""The sessions of a probe: a temporary schema, statements with a client-side deadline, and the clean-up."""

from __future__ import annotations

import re
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Self

import psycopg
from psycopg import pq

from hotrow.attempt.outcome import marker_of
from hotrow.attempt.record import Marker
from hotrow.errors import TargetError
from hotrow.masking import one_line
from hotrow.tables import schema_name
from hotrow.targets.libpq import flush, next_result
from hotrow.targets.parameters import encode
from hotrow.targets.session import BLOCKING, unchanged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from psycopg.pq.abc import PGresult

    from hotrow.targets.target import Target

SETUP_DEADLINE_S = 60.0
"""DDL on a cluster takes seconds. A server that needs more than this time is taken to be silent."""
_CONNECT_TIMEOUT_S = 10
_CANCEL_TIMEOUT_S = 2.0
_MAX_SETUP_TRIES = 10
"""For one statement of the set-up, which may fail with OC001 because the schema has just changed."""
_BEGUN = (b"BEGIN", b"START TRANSACTION")
_CREATED_TABLE = re.compile(r"\s*CREATE TABLE (\w+)", re.IGNORECASE)

NO_ROWS = "no rows"
"""The text of an answer with columns and without rows."""


class AnswerType(Enum):
    """The type of an answer."""

    TAG = "tag"
    ROWS = "rows"
    ERROR = "error"
    WAITS = "waits"
    """No answer within the deadline: the step waits for another session."""
    LOST = "lost"
    """The connection broke."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The server's answer to one statement, in the form of the notation."""

    type: AnswerType
    text: str
    """The command tag; `no rows`, or values separated by `, ` and rows by `; `; or SQLSTATE and ` OCnnn`."""
    message: str = ""
    """The message of an error, for people. It is not compared."""


class SilentError(TargetError):
    """The server no longer answers, so that no further statement can be sent."""


class ProbeSession:
    """One connection whose statements are sent as simple queries, each with a deadline for the answer."""

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        deadline_s: float,
        rewrite: Callable[[str], str] = unchanged,
    ) -> None:
        self._connection = connection
        self._rewrite = rewrite
        self._pgconn = connection.pgconn
        self._deadline_s = deadline_s
        self._waits = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    @property
    def waits(self) -> bool:
        """Whether a statement has no answer after the deadline, so that no other can be sent."""
        return self._waits

    def answer(self, sql: str) -> Answer:
        """Send one statement and wait for its answer until the deadline."""
        try:
            self._pgconn.send_query(encode(self._rewrite(sql)))
            results = self._results(self._deadline_s)
        except psycopg.Error as error:
            return Answer(AnswerType.LOST, "lost", one_line(str(error)))
        if results is None:
            self._waits = True
            return Answer(AnswerType.WAITS, "waits")
        return _read(results)

    def end(self) -> None:
        """Cancel a waiting statement and close. The server rolls back an open transaction."""
        if self._waits:
            with suppress(psycopg.Error):
                self._connection.cancel_safe(timeout=_CANCEL_TIMEOUT_S)
                self._results(_CANCEL_TIMEOUT_S)
        self._connection.close()

    def _results(self, time_limit_s: float) -> list[PGresult] | None:
        """The results of the statement that was sent; None if they are not complete in time."""
        ends_s = BLOCKING.clock() + time_limit_s

        def wait(writing: bool) -> None:
            if not BLOCKING.ready(self._pgconn.socket, writing, max(ends_s - BLOCKING.clock(), 0.0)):
                raise TimeoutError

        results: list[PGresult] = []
        try:
            flush(self._pgconn, wait)
            while (result := next_result(self._pgconn, wait)) is not None:
                results.append(result)
        except TimeoutError:
            return None
        return results


@contextmanager
def playground(
    target: Target, setup: Sequence[str], names: Sequence[str], deadline_s: float
) -> Iterator[dict[str, ProbeSession]]:
    """Sessions with these names and a new schema with the tables of `setup`, which is dropped afterwards.

    If the target has several regions, the sessions are distributed over them.

    Raises:
        TargetError: a statement of the set-up was refused, or a connection failed.
        SilentError: the server did not answer a statement of the set-up.
    """
    schema = schema_name.new_name()
    with _open(target, SETUP_DEADLINE_S) as owner:
        if target.type == "local":
            _run_setup(owner, "SET hotrow.rules TO off")  # so that transactions in other schemas get no OC001
        _run_setup(owner, f"CREATE SCHEMA {schema}")
        try:
            tables = _build(owner, schema, setup)
            with ExitStack() as stack:
                yield {
                    name: stack.enter_context(_open_prepared(target, schema, tables, deadline_s, number))
                    for number, name in enumerate(names)
                }
        finally:
            if not owner.waits:
                _run_setup(owner, f"DROP SCHEMA {schema} CASCADE")


def _open(target: Target, deadline_s: float, number: int = 0) -> ProbeSession:
    """A session. On a target with several regions, `number` determines the region."""

    def enter(connection: psycopg.Connection[Any]) -> ProbeSession:
        return ProbeSession(connection, deadline_s, target.message)

    try:
        if target.connectors:
            return target.connectors[number % len(target.connectors)].open(BLOCKING, enter)
        return enter(
            psycopg.connect(
                target.conninfo,
                autocommit=True,
                connect_timeout=_CONNECT_TIMEOUT_S,
                application_name="hotrow probe",
            )
        )
    except psycopg.Error as error:
        raise TargetError(target.explain(error, number % max(len(target.connectors), 1))) from None


def _open_prepared(
    target: Target, schema: str, tables: Sequence[str], deadline_s: float, number: int
) -> ProbeSession:
    """A new session at the target's isolation level that has read every table once.

    On Aurora DSQL the first use of a table, or a session that was open during DDL, may get OC001.
    """
    session = _open(target, deadline_s, number)
    preparation = [f"SET search_path TO {schema}"]
    if target.type == "postgresql":
        level = target.isolation.replace("-", " ").upper()
        preparation.append(f"SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL {level}")
    preparation += [f"SELECT 1 FROM {table} LIMIT 1" for table in tables]  # noqa: S608 - names from the set-up
    try:
        for sql in preparation:
            _run_setup(session, sql)
    except TargetError:
        session.end()
        raise
    return session


def _build(owner: ProbeSession, schema: str, setup: Sequence[str]) -> list[str]:
    """Create and fill the tables and return their names."""
    _run_setup(owner, f"SET search_path TO {schema}")
    for sql in setup:
        _run_setup(owner, sql)
    return [match.group(1) for match in map(_CREATED_TABLE.match, setup) if match]


def _run_setup(session: ProbeSession, sql: str) -> Answer:
    """Run a statement of the set-up, again after OC001.

    Raises:
        TargetError: the server refused the statement.
        SilentError: the server did not answer.
    """
    for _ in range(_MAX_SETUP_TRIES):
        answer = session.answer(sql)
        if answer.type in (AnswerType.TAG, AnswerType.ROWS):
            return answer
        if answer.type is AnswerType.WAITS:
            raise SilentError(f"timed out: the server did not answer: {sql}")
        if not answer.text.endswith(Marker.OC001.name):
            break
    raise TargetError(f"set-up refused: {answer.text} {answer.message}".rstrip())


def _read(results: Sequence[PGresult]) -> Answer:
    """The first error among the results, or else the last result. Without results the connection is lost.

    BEGIN may have been sent with a statement that takes the snapshot.
    """
    if not results:
        return Answer(AnswerType.LOST, "lost", "the server ended its answer without a result")
    for result in results:
        if result.status in (pq.ExecStatus.FATAL_ERROR, pq.ExecStatus.BAD_RESPONSE):
            return _error(result)
    last = results[0] if results[0].command_status in _BEGUN else results[-1]
    if last.status == pq.ExecStatus.TUPLES_OK:
        return Answer(AnswerType.ROWS, _rows(last))
    return Answer(AnswerType.TAG, _decoded(last.command_status))


def _error(result: PGresult) -> Answer:
    state = _decoded(result.error_field(pq.DiagnosticField.SQLSTATE))
    message = _decoded(result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY))
    marker = marker_of(message)
    text = state if marker is Marker.NONE else f"{state} {marker.name}"
    return Answer(AnswerType.ERROR, text, one_line(message))


def _rows(result: PGresult) -> str:
    values = [
        ", ".join(_value(result.get_value(row, column)) for column in range(result.nfields))
        for row in range(result.ntuples)
    ]
    return "; ".join(values) if values else NO_ROWS


def _value(value: bytes | None) -> str:
    return "null" if value is None else _decoded(value)


def _decoded(text: bytes | None) -> str:
    """A text from the server, whose encoding may not be UTF-8."""
    return (text or b"").decode(errors="replace")
