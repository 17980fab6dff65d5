"""The rehearsal: runs a few transactions of a scenario, rolls them back, and notes the rows they touched."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Never

import psycopg

from hotrow.attempt.body import run_body
from hotrow.attempt.outcome import Phase, classify
from hotrow.attempt.record import RETRYABLE
from hotrow.errors import HotrowError, Rejected, TargetError
from hotrow.masking import one_line
from hotrow.scenario import Result
from hotrow.scenario.calling import method_error
from hotrow.scenario.declarations import (
    RehearsedWork,
    Touch,
    Unseen,
    findings,
    global_generators,
    shortened,
    works_of,
)
from hotrow.scenario.slow import warn_while_slow
from hotrow.standin.rewriting.sql_text import NotUnderstood
from hotrow.tables.own_transactions import USE_APP_SCENARIO, findings_on
from hotrow.tables.returning import Watched, primary_keys, watch
from hotrow.tables.unseen import calls_any, reacting, routines
from hotrow.targets.own_connections import noticing
from hotrow.targets.pooling import explain_pooling
from hotrow.targets.session import TABLES_S, Latency

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from hotrow.finding import Finding
    from hotrow.scenario import Scenario, Work
    from hotrow.targets.session import DriverFailure, PostgresSession, Waiting
    from hotrow.targets.target import Target

WORKS = 24
_MAX_STATEMENTS = 3000
"""After this number of statements no further work begins, because a batch may be thousands of rows."""
_MAX_TRIES = 5
"""For one work that conflicts, for example with another run's changes to its schema."""
_OF_TRANSACTIONS = frozenset({"begin", "commit", "rollback", "transaction", "cursor"})
"""What a session lacks and an application's connection has."""
_PAUSE_S = 0.05
"""Half of the first pause after a conflict. Each pause is twice the last. Creating tables takes a second."""


def rehearse(
    scenario: Scenario, target: Target, schema: str, waiting: Waiting, *, keys: int, seed: int
) -> list[Finding]:
    """Run some seeded works on the tables in `schema`, roll them back, and compare rows with `Work.writes`.

    Nothing is left behind except gaps in sequences. There is no injected latency and no think time.

    Raises:
        UsageError: draw() or run() raised, or a work is not valid; one line has the reason and the location.
        TargetError: the server refused a statement, or was not reached.
    """
    plain = replace(target, latency=Latency()) if target.latency is not None else target
    try:
        session = plain.connect(waiting, schema, answer_deadline_s=TABLES_S)
    except psycopg.Error as error:
        raise TargetError(f"cannot rehearse {scenario.name}: {target.explain(error)}") from None
    statements = [*scenario.tables(), *scenario.seed(keys)]
    try:
        observer = Observer(session, primary_keys(scenario.tables()), routines(statements))
        with (
            warn_while_slow(scenario, "the rehearsal", detail=lambda: observer.doing),
            noticing() as opened,
        ):
            rehearsed = [
                each
                for work in observer.drawing(works_of(scenario, keys, seed, WORKS))
                if observer.statements < _MAX_STATEMENTS
                for each in _run(scenario, work, session, observer, waiting.sleep)
            ]
    finally:
        session.close()
    unseen = Unseen([*reacting(statements), *observer.unseen], sorted(observer.own_chance))
    found = [*map(scenario.explain, findings(scenario, rehearsed, unseen)), *findings_on(scenario, opened)]
    return [*scenario.notes(), *found]


@dataclass(slots=True)
class Observer:
    """The session that the rehearsed scenario gets. It notes which rows each statement wrote or locked."""

    session: PostgresSession
    keys: Mapping[str, Sequence[str]]
    routines: frozenset[str] = frozenset()
    """The names of functions whose calls may write."""
    statements: int = 0
    touches: list[Touch] = field(default_factory=list)
    complete: bool = True
    failed: str = ""
    """The last statement that failed by itself, not because of an earlier one."""
    failed_changed: bool = False
    """Whether that statement was run with the keys added."""
    unchanged_statements: set[str] = field(default_factory=set)
    """Statements that failed with the keys added. They are run without them."""
    unseen: dict[str, None] = field(default_factory=dict)
    """Statements that may write or lock rows that are not noted, in their order."""
    own_chance: set[str] = field(default_factory=set)
    """Methods of the scenario that moved a generator which they were not given."""
    doing: str = ""
    """The current step of the scenario, as the end of a sentence."""
    _chance: object = None

    def drawing(self, works: Iterator[Work]) -> Iterator[Work]:
        """The works, while it is watched whether their draws take chance of their own."""
        while True:
            self._chance, self.doing = global_generators(), ", in draw()"
            work = next(works, None)
            self.note_chance("draw")
            if work is None:
                return
            yield work

    def note_chance(self, method: str) -> None:
        """Whether the method moved a generator since somebody else last had the floor."""
        if global_generators() != self._chance:
            self.own_chance.add(method)

    def start(self) -> None:
        """Begin a work, with no notes."""
        self.touches, self.complete, self.failed, self.failed_changed = [], True, "", False
        self._chance, self.doing = global_generators(), ", in run()"

    def execute(self, sql: str, *parameters: Any) -> Result:
        """Run a statement, note the rows that it touched, and return its result without the added keys."""
        self.note_chance("run")
        self.doing = f", in run(), waiting for the answer to {shortened(sql)}"
        try:
            return self._execute(sql, parameters)
        finally:
            self.doing = f", in run(), after {shortened(sql)}"
            self._chance = global_generators()  # others may run while it waits

    def _execute(self, sql: str, parameters: Sequence[Any]) -> Result:
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
        if not watched.returns:
            return Result([], result.count)
        rows = [row[: -watched.columns] for row in result.rows]
        return Result(rows, result.count, result.columns[: -watched.columns])

    def think(self, seconds: float) -> None:
        """Does nothing."""

    @property
    def aborted_by(self) -> psycopg.Error | None:
        """The same as that of the session."""
        return self.session.aborted_by

    def describe(self, error: Exception) -> DriverFailure:
        """The same as that of the session."""
        return self.session.describe(error)

    def __getattr__(self, name: str) -> Never:
        advice = f"; {USE_APP_SCENARIO}" if name in _OF_TRANSACTIONS else ""
        raise AttributeError(
            f"session.{name}: use execute() and think(); hotrow does everything else{advice}"
        )

    def _watched(self, sql: str) -> Watched | None:
        if calls_any(sql, self.routines):
            self.unseen[sql] = None
        try:
            if sql not in self.unchanged_statements:
                return watch(sql, self.keys)
        except NotUnderstood:
            pass
        self.complete = False
        self.unseen[sql] = None
        return None

    def _note(self, sql: str, watched: Watched, result: Result) -> None:
        self.complete &= not watched.skips
        self.touches += [
            Touch(watched.table, tuple(map(str, row[-watched.columns :])), sql, watched.inserts)
            for row in result.rows
        ]


def _run(
    scenario: Scenario,
    work: Work,
    session: PostgresSession,
    observer: Observer,
    sleep: Callable[[float], None],
) -> list[RehearsedWork]:
    """Run one work, and those that follow it; again after a conflict, or if the added keys made it fail."""
    tries = 0
    while True:
        try:
            return _run_once(scenario, work, session, observer)
        except psycopg.Error as error:
            tries += _conflicts(error)
            if observer.failed_changed and not _conflicts(error):
                observer.unchanged_statements.add(observer.failed)
            elif not _conflicts(error) or tries == _MAX_TRIES:
                raise TargetError(
                    f"cannot run {scenario.name}: {_error_text(error, observer.failed)}"
                ) from None
            if _conflicts(error):
                sleep(_PAUSE_S * 2**tries)
        except HotrowError:
            raise
        except Exception as error:
            raise method_error(scenario, "run", error) from error


def _run_once(
    scenario: Scenario, work: Work, session: PostgresSession, observer: Observer
) -> list[RehearsedWork]:
    """Run a work and those that follow it in one transaction, which is rolled back at the end."""
    rehearsed: list[RehearsedWork] = []
    following: Work | None = work
    session.begin()
    try:
        while following is not None and not (rehearsed and rehearsed[-1].rejected):
            rehearsed.append(_run_work(scenario, following, observer))
            following = scenario.follow()
    finally:
        if session.usable:
            session.rollback()
    return rehearsed


def _run_work(scenario: Scenario, work: Work, observer: Observer) -> RehearsedWork:
    observer.start()
    rejected = False
    try:
        run_body(scenario, observer, work)
    except Rejected:
        if observer.aborted_by is not None and observer.failed_changed:
            raise observer.aborted_by from None  # perhaps only because of the added keys
        rejected = True
    finally:
        observer.note_chance("run")
    complete = observer.complete and not rejected
    return RehearsedWork(frozenset(work.writes), tuple(observer.touches), complete, work.kind, rejected)


def _conflicts(error: psycopg.Error) -> bool:
    message = error.diag.message_primary or ""
    return classify(Phase.BODY, error.sqlstate, message, lost=False).outcome in RETRYABLE


def _error_text(error: psycopg.Error, statement: str) -> str:
    reason = one_line(error.diag.message_primary or str(error))
    explanation = explain_pooling(error)
    text = f"{type(error).__name__}: {reason}: {shortened(statement)}"
    return f"{text}: {explanation}" if explanation else text
