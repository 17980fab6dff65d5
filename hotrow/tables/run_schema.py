"""The tables of one run: made, filled, observed and dropped, outside every measurement."""

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
from hotrow.targets.session import TABLES_S
from hotrow.targets.target import RULES_OFF

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import TypeVar

    from hotrow.scenario import Result, Scenario, Session, State
    from hotrow.targets.session import PostgresSession, Waiting
    from hotrow.targets.target import Target

    Done = TypeVar("Done")

_TABLES_OF_SCHEMA = "SELECT relname FROM pg_class WHERE relnamespace = $1::regnamespace AND relkind = 'r'"
_MAX_TRIES = 10
"""Of one statement: on Aurora DSQL each may be told that the schema has just changed (OC001)."""
_BACKOFF_BASE_S = 0.05
_BACKOFF_CAP_S = 2.0
_BLIP = "XX000"
_INDEX_JOB = re.compile(r"\A(\s*CREATE\s+(?:UNIQUE\s+)?INDEX\s+)ASYNC\b", re.IGNORECASE)


class RunSchema:
    """A schema of the run's own, so that runs at the same time never touch each other's rows."""

    def __init__(
        self, target: Target, schema: str, scenario: Scenario, waiting: Waiting, *, receipts: bool = False
    ) -> None:
        self.schema = schema
        self._target = behind_the_scenes(target)
        self._scenario = scenario
        self._waiting = waiting
        self._own_tables = (RECEIPTS,) if receipts else ()

    def build(self, keys: int, *, progress: bool = False) -> None:
        """Create the schema and its tables, fill them with `keys` rows, and have the stand-in adopt them.

        Each statement is a transaction of its own: Aurora DSQL takes no two DDL statements in one, and no
        more than 3,000 rows. With `progress` a bar shows the filling, on a terminal.

        Raises:
            TargetError: the server refused; one line says what.
        """
        with self._session(
            "set up the tables", self.schema
        ) as session:  # which is looked for when it is there
            self._run(session, f"CREATE SCHEMA {self.schema}")
            if self._target.type == "local":
                session.run("SET hotrow.adopt TO off")  # seeded at full speed, then adopted
            for statement in (*self._own_tables, *self._scenario.tables()):
                self._run(session, statement)
            for statement in _shown(self._scenario.seed(keys), progress=progress):
                self._run(session, statement)
            if self._target.type == "local":
                for (table,) in session.execute(_TABLES_OF_SCHEMA, self.schema).rows:
                    session.run(f"SELECT hotrow.adopt('{self.schema}.{table}')")

    def observe(self, scenario: Scenario) -> State:
        """What this scenario's check reads, in one transaction.

        Raises:
            TargetError: the server refused or is gone.
            LookupError: it returned something without reading anything.
        """
        with self._session("read the tables", self.schema) as session:
            reader = _Reader(session)
            state = self._read(session, lambda _: scenario.observe(reader))
        if state and not reader.has_read:
            raise LookupError("returned values without reading any by its session; they may be out of date")
        return state

    def count_receipts(self) -> int:
        """How many transactions left a receipt, tombstones not counted.

        Raises:
            TargetError: the server refused or is gone.
        """
        with self._session("count the receipts", self.schema) as session:
            return self._read(session, lambda reader: int(reader.execute(COUNT).rows[0][0]))

    def drop(self) -> None:
        """Remove the schema with all in it.

        Raises:
            TargetError: the server refused or is gone.
        """
        with self._session("drop the tables", self.schema) as session:
            self._run(session, f"DROP SCHEMA IF EXISTS {self.schema} CASCADE", repeatable=True)

    def _run(self, session: PostgresSession, statement: str, *, repeatable: bool = False) -> None:
        """One statement as a transaction of its own; an index that is built asynchronously is waited for."""
        result = again(lambda: session.run(statement), self._waiting, repeatable=repeatable)
        if result.rows and _INDEX_JOB.match(statement):
            job = str(result.rows[0][0]).replace("'", "''")
            done = again(
                lambda: session.run(f"CALL sys.wait_for_job('{job}')"), self._waiting, repeatable=True
            )
            if done.rows and done.rows[0][0] is False:
                raise TargetError(f"cannot set up the tables of {self._scenario.name}: {statement!r} failed")

    def _read(self, session: PostgresSession, read: Callable[[Session], Done]) -> Done:
        """One transaction that only reads, and is rolled back."""

        def once() -> Done:
            session.begin()
            try:
                return read(session)
            finally:
                if session.usable:  # otherwise what ended it is the error that counts
                    session.rollback()

        return again(once, self._waiting, repeatable=True)

    @contextmanager
    def _session(self, purpose: str, search_path: str | None = None) -> Iterator[PostgresSession]:
        """A session for one purpose; what the server says against it becomes one line."""
        purpose = f"cannot {purpose} of {self._scenario.name}"
        try:
            session = self._target.connect(self._waiting, search_path, answer_deadline_s=TABLES_S)
        except psycopg.Error as error:
            raise TargetError(f"{purpose}: {self._target.explain(error)}") from None
        try:
            yield session
        except psycopg.Error as error:
            raise TargetError(f"{purpose}: {self._target.error_text(error)}") from None
        finally:
            session.close()


def again(work: Callable[[], Done], waiting: Waiting, *, repeatable: bool) -> Done:
    """Do it, and once more after each error that says that nothing was applied.

    If the work may be done twice (`repeatable`), also after a blip of the service.

    Raises:
        psycopg.Error: any other error, or that of the last of some tries.
    """
    for retries in range(_MAX_TRIES - 1):
        try:
            return work()
        except psycopg.Error as error:
            if not _was_not_applied(error) and not (repeatable and error.sqlstate == _BLIP):
                raise
            waiting.sleep(min(_BACKOFF_BASE_S * 2.0**retries, _BACKOFF_CAP_S))
    return work()


@dataclass(slots=True)
class _Reader:
    """The session that `observe` sees."""

    session: PostgresSession
    has_read: bool = False

    def execute(self, sql: str, *parameters: Any) -> Result:
        """Run a statement; note that there was one."""
        self.has_read = True
        return self.session.execute(sql, *parameters)

    def think(self, seconds: float) -> None:
        """No time passes."""


def _was_not_applied(error: psycopg.Error) -> bool:
    """Whether it is a conflict, of data or of the schema."""
    message = error.diag.message_primary or ""
    return classify(Phase.BODY, error.sqlstate, message, lost=False).outcome in RETRYABLE


def _shown(statements: Sequence[str], *, progress: bool) -> Iterator[str]:
    """The statements, one after the other, with a bar for who waits on a terminal."""
    if not progress:
        yield from statements
        return
    from rich.console import Console  # noqa: PLC0415 - who shows no bar need not import it
    from rich.progress import track  # noqa: PLC0415 - the same

    console = Console(stderr=True)
    hidden = not console.is_terminal
    yield from track(statements, "filling the tables", console=console, transient=True, disable=hidden)


def behind_the_scenes(target: Target) -> Target:
    """The target as its tables are made: but for Aurora DSQL, by PostgreSQL's spelling.

    The stand-in also leaves its rules out, its tables still ordinary ones: so rows are loaded in any number,
    and other runs on the same server are not told that the schema changed.
    """
    if target.type == "dsql":
        return target
    spelled = replace(target, rewrite=_spell_as_postgresql)
    if target.type != "local":
        return spelled
    return replace(spelled, conninfo=make_conninfo(target.conninfo, options=RULES_OFF))


def _spell_as_postgresql(statement: str) -> str:
    return _INDEX_JOB.sub(r"\1", statement)
