"""One schema of a run: its tables are created, filled, read and dropped outside every measurement."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.conninfo import make_conninfo

from hotrow.attempt.outcome import Phase, classify
from hotrow.attempt.receipts import COUNT
from hotrow.attempt.receipts import TABLE as RECEIPTS
from hotrow.attempt.record import RETRYABLE
from hotrow.errors import TargetError
from hotrow.targets.session import TABLES_S, Latency
from hotrow.targets.target import RULES_OFF

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import TypeVar

    from hotrow.scenario import Result, Scenario, Session, State
    from hotrow.targets.session import PostgresSession, Waiting
    from hotrow.targets.target import Target

    Returned = TypeVar("Returned")

_TABLES_OF_SCHEMA = "SELECT relname FROM pg_class WHERE relnamespace = $1::regnamespace AND relkind = 'r'"
_SCHEMA_EXISTS = "SELECT 1 FROM pg_namespace WHERE nspname = $1"
_MAX_TRIES = 10
"""For one statement: on Aurora DSQL each may fail with OC001, because the schema has just changed."""
_BACKOFF_BASE_S = 0.05
_BACKOFF_CAP_S = 2.0
_SERVICE_ERROR = "XX000"
_INDEX_JOB = re.compile(r"\A(\s*CREATE\s+(?:UNIQUE\s+)?INDEX\s+)ASYNC\b", re.IGNORECASE)


class RunSchema:
    """A schema of one run, so that runs at the same time never touch each other's rows."""

    def __init__(
        self, target: Target, schema: str, scenario: Scenario, waiting: Waiting, *, receipts: bool = False
    ) -> None:
        self.schema = schema
        self._target = target_for_tables(target)
        self._load_target = target if target.latency is None else replace(target, latency=Latency())
        self._scenario = scenario
        self._waiting = waiting
        self._receipts_table = (RECEIPTS,) if receipts else ()

    def build(self, keys: int, *, progress: bool = False) -> None:
        """Create the schema and its tables, fill them for `keys` keys, and let the stand-in adopt them.

        Each statement is a transaction, because Aurora DSQL accepts neither two DDL statements nor more than
        3,000 rows in one. With `progress`, a bar on the terminal shows the filling.

        If the scenario uses an existing schema, nothing is created; it is only checked that the schema is
        there.

        Raises:
            TargetError: the server refused a statement, which the message names; or an existing schema does
                not exist.
        """
        if self._scenario.existing_schema:
            self._find_existing()
            return
        with self._session(
            "set up the tables", self.schema
        ) as session:  # the search path may name a schema that does not exist yet
            self._run(session, f"CREATE SCHEMA {self.schema}")
            if self._target.type == "local":
                session.run("SET hotrow.adopt TO off")  # seeded at full speed, then adopted
            for statement in (*self._receipts_table, *self._scenario.tables()):
                self._run(session, statement)
            for statement in _with_progress(self._scenario.seed(keys), progress=progress):
                self._run(session, statement)
            if self._target.type == "local":
                for (table,) in session.execute(_TABLES_OF_SCHEMA, self.schema).rows:
                    session.run(f"SELECT hotrow.adopt('{self.schema}.{table}')")

    def _find_existing(self) -> None:
        with self._session("find the tables") as session:
            if not session.execute(_SCHEMA_EXISTS, self.schema).rows:
                raise TargetError(f"--schema {self.schema}: there is no schema of this name on the target")

    def reset(self, statements: Sequence[str]) -> None:
        """Run the statements that put data back before a cell, under the target's own rules and limits.

        Raises:
            TargetError: the server refused a statement, which the message names.
        """
        with self._session("reset the tables", self.schema, self._load_target) as session:
            for statement in statements:
                self._run(session, statement)

    def observe(self, scenario: Scenario) -> State:
        """The state that this scenario's `observe` reads, in one transaction.

        Raises:
            TargetError: the server refused or was not reached.
            LookupError: `observe` returned values without reading any.
        """
        with self._session("read the tables", self.schema) as session:
            reader = _Reader(session)
            state = self._read(session, lambda _: scenario.observe(reader))
        if state and not reader.has_read:
            raise LookupError(
                "returned values without reading any through its session; they may be out of date"
            )
        return state

    def count_receipts(self) -> int:
        """The number of transactions that left a receipt, without tombstones.

        Raises:
            TargetError: the server refused or was not reached.
        """
        with self._session("count the receipts", self.schema) as session:
            return self._read(session, lambda reader: int(reader.execute(COUNT).rows[0][0]))

    def drop(self) -> None:
        """Drop the schema and everything in it, unless it existed before the run.

        Raises:
            TargetError: the server refused or was not reached.
        """
        if self._scenario.existing_schema:
            return
        with self._session("drop the tables", self.schema) as session:
            self._run(session, f"DROP SCHEMA IF EXISTS {self.schema} CASCADE", repeatable=True)

    def _run(self, session: PostgresSession, statement: str, *, repeatable: bool = False) -> None:
        """Run one statement as a transaction, and wait for an index that is built asynchronously."""
        result = retry_refused(lambda: session.run(statement), self._waiting, repeatable=repeatable)
        if result.rows and _INDEX_JOB.match(statement):
            job = str(result.rows[0][0]).replace("'", "''")
            job_result = retry_refused(
                lambda: session.run(f"CALL sys.wait_for_job('{job}')"), self._waiting, repeatable=True
            )
            if job_result.rows and job_result.rows[0][0] is False:
                raise TargetError(f"cannot set up the tables of {self._scenario.name}: {statement!r} failed")

    def _read(self, session: PostgresSession, read: Callable[[Session], Returned]) -> Returned:
        """Run a transaction that only reads, and roll it back."""

        def once() -> Returned:
            session.begin()
            try:
                return read(session)
            finally:
                if session.usable:  # otherwise the error that broke the session counts
                    session.rollback()

        return retry_refused(once, self._waiting, repeatable=True)

    @contextmanager
    def _session(
        self, purpose: str, search_path: str | None = None, target: Target | None = None
    ) -> Iterator[PostgresSession]:
        """A session for one purpose. An error of the server becomes a TargetError of one line."""
        purpose, target = f"cannot {purpose} of {self._scenario.name}", target or self._target
        try:
            session = target.connect(self._waiting, search_path, answer_deadline_s=TABLES_S)
        except psycopg.Error as error:
            raise TargetError(f"{purpose}: {target.explain(error)}") from None
        try:
            yield session
        except psycopg.Error as error:
            raise TargetError(f"{purpose}: {target.error_text(error)}") from None
        finally:
            session.close()


def retry_refused(work: Callable[[], Returned], waiting: Waiting, *, repeatable: bool) -> Returned:
    """Call `work`, and again after each error which means that nothing was applied.

    If `work` may take effect twice (`repeatable`), also after a short outage of the service.

    Raises:
        psycopg.Error: any other error, or that of the last try.
    """
    for retries in range(_MAX_TRIES - 1):
        try:
            return work()
        except psycopg.Error as error:
            if not _was_not_applied(error) and not (repeatable and error.sqlstate == _SERVICE_ERROR):
                raise
            waiting.sleep(min(_BACKOFF_BASE_S * 2.0**retries, _BACKOFF_CAP_S))
    return work()


@dataclass(slots=True)
class _Reader:
    """The session that `observe` gets."""

    session: PostgresSession
    has_read: bool = False

    def execute(self, sql: str, *parameters: Any) -> Result:
        """Run a statement, and note that there was one."""
        self.has_read = True
        return self.session.execute(sql, *parameters)

    def think(self, seconds: float) -> None:
        """Does nothing."""


def _was_not_applied(error: psycopg.Error) -> bool:
    """Whether the error is a conflict of data or of the schema."""
    message = error.diag.message_primary or ""
    return classify(Phase.BODY, error.sqlstate, message, lost=False).outcome in RETRYABLE


def _with_progress(statements: Sequence[str], *, progress: bool) -> Iterator[str]:
    """The statements one after the other, with a progress bar on a terminal."""
    if not progress:
        yield from statements
        return
    from rich.console import Console  # noqa: PLC0415 - who shows no bar need not import it
    from rich.progress import track  # noqa: PLC0415 - the same

    console = Console(stderr=True)
    hidden = not console.is_terminal
    yield from track(statements, "filling the tables", console=console, transient=True, disable=hidden)


def target_for_tables(target: Target) -> Target:
    """The target for creating and filling tables. Except on Aurora DSQL, statements have PostgreSQL's syntax.

    The stand-in's rules are off and its tables still ordinary ones. So one statement may load any number of
    rows, and other runs on the same server do not get errors about a changed schema.
    """
    if target.type == "dsql":
        return target
    in_postgresql_syntax = replace(target, rewrite=_in_postgresql_syntax)
    if target.type != "local":
        return in_postgresql_syntax
    return replace(in_postgresql_syntax, conninfo=make_conninfo(target.conninfo, options=RULES_OFF))


def _in_postgresql_syntax(statement: str) -> str:
    return _INDEX_JOB.sub(r"\1", statement)
