"""The rehearsal: a few transactions of a scenario, run and rolled back, and the rows that they touched."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Never

import psycopg

from hotrow.attempt import RETRYABLE
from hotrow.calling import blame, do
from hotrow.errors import HotrowError, Rejected, TargetError
from hotrow.masking import one_line
from hotrow.outcome import Phase, classify
from hotrow.rehearsal import Rehearsed, Touch, compare, shortened, works_of
from hotrow.scenario import Result
from hotrow.slow import said_while_slow
from hotrow.targets.local.rewriting.sql_text import NotUnderstood
from hotrow.targets.pooling import explain_pooling
from hotrow.targets.returning import Watched, primary_keys, watch
from hotrow.targets.session import TABLES_S, Latency

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hotrow.rehearsal import Finding
    from hotrow.scenario import Scenario, Work
    from hotrow.targets.session import DriverFailure, PostgresSession, Waiting
    from hotrow.targets.target import Target

WORKS = 24
_STATEMENTS_MOST = 3000
"""After so many no further work is begun: a batch may be thousands of rows."""
_TRIES_MOST = 5
"""Of one work that conflicts, perhaps with what another run does to the schema."""


def rehearse(
    scenario: Scenario, target: Target, schema: str, waiting: Waiting, *, keys: int, seed: int
) -> list[Finding]:
    """Run some seeded works on the tables in `schema`, each rolled back, and compare them with their writes.

    Nothing is left behind but gaps in sequences. Injected latency and think time are left out.

    Raises:
        UsageError: draw() or run() raised, or a work cannot be; one line says why and where.
        TargetError: the server refused a statement, or cannot be reached.
    """
    plain = replace(target, latency=Latency()) if target.latency is not None else target
    try:
        session = plain.connect(waiting, schema, patience_s=TABLES_S)
    except psycopg.Error as error:
        raise TargetError(f"cannot rehearse {scenario.name}: {target.explain(error)}") from None
    try:
        observer = Observer(session, primary_keys(scenario.tables()))
        with said_while_slow(scenario, "the rehearsal"):
            done = [
                _run(scenario, work, session, observer)
                for work in works_of(scenario, keys, seed, WORKS)
                if observer.statements < _STATEMENTS_MOST
            ]
    finally:
        session.close()
    return compare(scenario.name, done)


@dataclass(slots=True)
class Observer:
    """The session that the scenario sees: it notes which rows each statement wrote or locked."""

    session: PostgresSession
    keys: Mapping[str, Sequence[str]]
    statements: int = 0
    touches: list[Touch] = field(default_factory=list)
    complete: bool = True
    failed: str = ""
    """The statement that failed last, unless only because of an earlier one."""
    failed_changed: bool = False
    """Whether that was run with the keys in it."""
    left_alone: set[str] = field(default_factory=set)
    """Statements that failed with the keys in them: they are run as they are."""

    def start(self) -> None:
        """Start a transaction, of which nothing is noted yet."""
        self.touches, self.complete, self.failed, self.failed_changed = [], True, "", False
        self.session.begin()

    def execute(self, sql: str, *parameters: Any) -> Result:
        """Run it, note the rows that it touched, and return what it would have returned without that."""
        self.statements += 1
        watched = self._watched(sql)
        try:
            result = self.session.execute(sql if watched is None else watched.text, *parameters)
        except psycopg.errors.InFailedSqlTransaction:
            raise
        except psycopg.Error:
            self.failed, self.failed_changed = sql, watched is not None
            raise
        if watched is None:
            return result
        self._note(sql, watched, result)
        rows = [row[: -watched.columns] for row in result.rows] if watched.returns else []
        return Result(rows, result.count)

    def think(self, seconds: float) -> None:
        """No time passes."""

    @property
    def aborted_by(self) -> psycopg.Error | None:
        """As the session's."""
        return self.session.aborted_by

    def describe(self, error: Exception) -> DriverFailure:
        """As the session does."""
        return self.session.describe(error)

    def __getattr__(self, name: str) -> Never:
        raise AttributeError(f"session.{name}: use execute() and think(); hotrow does all else")

    def _watched(self, sql: str) -> Watched | None:
        try:
            if sql not in self.left_alone:
                return watch(sql, self.keys)
        except NotUnderstood:
            pass
        self.complete = False
        return None

    def _note(self, sql: str, watched: Watched, result: Result) -> None:
        self.complete &= not watched.skips
        self.touches += [
            Touch(watched.table, tuple(map(str, row[-watched.columns :])), sql, watched.inserts)
            for row in result.rows
        ]


def _run(scenario: Scenario, work: Work, session: PostgresSession, observer: Observer) -> Rehearsed:
    """One work, again after a conflict, and where a statement failed because of what was put into it."""
    tries = 0
    while True:
        try:
            return _run_once(scenario, work, session, observer)
        except psycopg.Error as error:
            tries += _conflicts(error)
            if observer.failed_changed and not _conflicts(error):
                observer.left_alone.add(observer.failed)
            elif not _conflicts(error) or tries == _TRIES_MOST:
                raise TargetError(f"cannot run {scenario.name}: {_said(error, observer.failed)}") from None
        except HotrowError:
            raise
        except Exception as error:
            raise blame(scenario, "run", error) from error


def _run_once(scenario: Scenario, work: Work, session: PostgresSession, observer: Observer) -> Rehearsed:
    observer.start()
    try:
        do(scenario, observer, work)
    except Rejected:
        if observer.aborted_by is not None and observer.failed_changed:
            raise observer.aborted_by from None  # perhaps the rule said no because of what was put in
        observer.complete = False
    finally:
        if session.usable:
            session.rollback()
    return Rehearsed(frozenset(work.writes), tuple(observer.touches), observer.complete)


def _conflicts(error: psycopg.Error) -> bool:
    message = error.diag.message_primary or ""
    return classify(Phase.BODY, error.sqlstate, message, lost=False).outcome in RETRYABLE


def _said(error: psycopg.Error, statement: str) -> str:
    reason = one_line(error.diag.message_primary or str(error))
    meaning = explain_pooling(error)
    told = f"{type(error).__name__}: {reason}: {shortened(statement)}"
    return f"{told}: {meaning}" if meaning else told
