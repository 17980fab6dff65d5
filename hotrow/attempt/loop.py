"""The attempt loop: it tries one transaction until it commits, gives up or is cut off.

The body and the COMMIT of every attempt are timed separately. Every way in which an attempt can end is an
`Outcome`. The loop knows no driver, clock or scheduler; the caller passes them in.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from hotrow.attempt.body import run_body
from hotrow.attempt.error_note import ABORTED, ErrorNote, masked_statement, note_of
from hotrow.attempt.outcome import Phase, classify, commit_tag_outcome
from hotrow.attempt.ports import NoteError, NoteFailure, ignore_error, ignore_failure
from hotrow.attempt.receipts import WRITE
from hotrow.attempt.record import NO_KEY, RETRYABLE, Flag, Marker, Outcome
from hotrow.errors import HotrowError, Rejected
from hotrow.scenario import Work
from hotrow.scenario.calling import draw_checked

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from hotrow.attempt.ports import Connections, Record, TransactionSession
    from hotrow.attempt.receipts import Receipts
    from hotrow.attempt.retry import Budget, Policy
    from hotrow.scenario import Keys, Scenario

_NOTED = frozenset({Outcome.ERROR, Outcome.UNKNOWN})
"""Outcomes whose error texts are kept; the text of a conflict adds nothing."""
_FAILED = RETRYABLE | {Outcome.ERROR}
"""Last outcomes of transactions that gave up or failed."""
_MAX_DRAWS = 100_000
"""How often fresh work is drawn to find one of the same kind. After that a retry keeps the work it has."""


@dataclass(slots=True)
class Attempt:
    """One attempt while it runs: its phase, its times and its outcome.

    Times are ns of the loop's clock, and 0 if the attempt did not get so far.
    """

    requested_ns: int
    """When the attempt asked for a connection."""
    receipt: str | None = None
    """The id of the receipt that the attempt writes; None without receipts."""
    phase: Phase = Phase.CONNECT
    started_ns: int = 0
    body_ended_ns: int = 0
    ended_ns: int = 0
    outcome: Outcome = Outcome.ERROR
    marker: Marker = Marker.NONE
    sqlstate: str = ""
    resolved: bool = False
    """Whether the outcome was unknown and a receipt then showed it."""
    note: ErrorNote | None = None
    """The text of the error, if the outcome is ERROR or UNKNOWN."""

    def end(self, now_ns: int, outcome: Outcome) -> None:
        """Set the time of the end and the outcome."""
        self.ended_ns = now_ns
        self.outcome = outcome

    @property
    def retryable(self) -> bool:
        """Whether the attempt certainly applied nothing, and another attempt may succeed."""
        return self.outcome in RETRYABLE or self.receipt_is_spent

    @property
    def receipt_is_spent(self) -> bool:
        """Whether a tombstone took the receipt's id: nothing was applied, and a retry needs another id."""
        return self.resolved and self.outcome is Outcome.ERROR

    @property
    def connect_ns(self) -> int:
        """How long the attempt waited for a connection."""
        return (self.started_ns or self.ended_ns) - self.requested_ns

    @property
    def body_ns(self) -> int:
        """How long BEGIN and the scenario's statements took."""
        return (self.body_ended_ns or self.ended_ns) - self.started_ns if self.started_ns else 0

    @property
    def commit_ns(self) -> int:
        """How long COMMIT took, or the ROLLBACK instead of it; includes the look-up of a receipt, if any."""
        return self.ended_ns - self.body_ended_ns if self.body_ended_ns else 0


@dataclass(frozen=True, slots=True)
class Position:
    """The position of an attempt in its transaction."""

    transaction: int
    scheduled_ns: int
    attempt: int = 1
    backoff_s: float = 0.0
    """How long the policy waited before the attempt."""
    receipts_spent: int = 0
    """How many receipt ids of the transaction were taken by tombstones."""


@dataclass(frozen=True, slots=True)
class Client:
    """One user in one cell: its scenario, keys and policy, and where its attempts are recorded."""

    scenario: Scenario
    keys: Keys
    rng: np.random.Generator
    policy: Policy
    redraw: bool
    """Whether a retry draws fresh keys (the "fake" restart of Agrawal, Carey and Livny, 1987).

    The kind of the transaction stays the same.
    """
    connections: Connections
    record: Record
    hottest: Callable[[tuple[int, ...]], int]
    clock_ns: Callable[[], int]
    pause: Callable[[float], bool]
    """Wait this many seconds; return False if the cell closed meanwhile, which cuts the transaction off."""
    receipts: Receipts | None = None
    """Without receipts (None) an unknown outcome stays unknown and ends the transaction."""
    note_error: NoteError = ignore_error
    note_failure: NoteFailure = ignore_failure
    budget: Budget | None = field(init=False)
    """The budget for this user's retries in this cell; None if the policy has no budget."""

    def __post_init__(self) -> None:
        # Made here, so that a client whose policy has a budget cannot exist without it.
        object.__setattr__(self, "budget", self.policy.open_budget())


def run_transaction(client: Client, transaction: int, following: Work | None = None) -> Outcome | None:
    """Run one transaction to its end; return its last outcome, or None if it was cut off.

    Its work is drawn, unless it is the next one of a business operation (`Scenario.follow`).

    A retry follows only if the attempt certainly applied nothing: after a conflict (`RETRYABLE`), or after an
    unknown COMMIT whose receipt is missing.
    """
    if client.budget is not None:
        client.budget.deposit()
    position = Position(transaction, client.clock_ns())
    work = following
    while True:
        if work is None or (client.redraw and following is None and position.attempt > 1):
            work = draw_work(client, work, position)
            if work is None:
                return Outcome.ERROR
        if work.pause_s and position.attempt == 1:
            if not client.pause(work.pause_s):
                return None
            position = replace(position, scheduled_ns=client.clock_ns())
        attempt = _attempt(client, work, position)
        elapsed_s = (attempt.ended_ns - position.scheduled_ns) / 1e9
        final = not attempt.retryable or _gives_up(client, position.attempt, elapsed_s)
        record_attempt(client, work, attempt, position, final=final)
        if final:
            return attempt.outcome
        backoff_s = client.policy.delay_s(position.attempt, client.rng, position.backoff_s)
        if not client.pause(backoff_s):
            return None
        position = Position(
            transaction,
            position.scheduled_ns,
            position.attempt + 1,
            backoff_s,
            position.receipts_spent + attempt.receipt_is_spent,
        )


def draw_work(client: Client, last: Work | None, position: Position) -> Work | None:
    """Fresh work of the same kind as the last; None if the draw failed, recorded as an attempt with ERROR."""
    try:
        for _ in range(_MAX_DRAWS):
            fresh = draw_checked(client.scenario, client.keys, client.rng)
            if last is None or fresh.kind == last.kind:
                return fresh
    except HotrowError as error:
        attempt = Attempt(
            requested_ns=client.clock_ns(), note=note_of(error, None, str(error), None, client.scenario)
        )
        attempt.end(client.clock_ns(), Outcome.ERROR)
        kind = 0 if last is None else last.kind
        record_attempt(client, Work((), (), kind), attempt, position, final=True)
        return None
    return last


def _gives_up(client: Client, failures: int, elapsed_s: float) -> bool:
    """Whether the policy or the budget allows no retry. If a retry is allowed, the budget has paid for it."""
    if client.policy.gives_up(failures, elapsed_s):
        return True
    return client.budget is not None and not client.budget.pay()


def _attempt(client: Client, work: Work, position: Position) -> Attempt:
    """Make one attempt and, if its outcome is unknown, look up its receipt.

    If the user is killed while COMMIT is in flight or while the receipt is looked up, the attempt is recorded
    as unknown before the kill goes on.
    """
    receipts = client.receipts
    receipt = None if receipts is None else receipts.id_of(position.transaction, position.receipts_spent)
    attempt = Attempt(requested_ns=client.clock_ns(), receipt=receipt)
    try:
        _try_once(client, work, attempt)
        if attempt.outcome is Outcome.UNKNOWN and receipts is not None and receipt is not None:
            applied = receipts.look_up(client.connections, receipt)
            _resolve(attempt, applied, client.clock_ns())
    except BaseException:
        if attempt.phase is Phase.COMMIT:
            attempt.end(client.clock_ns(), Outcome.UNKNOWN)
            record_attempt(client, work, attempt, position, final=True)
        raise
    return attempt


def _resolve(attempt: Attempt, applied: bool | None, now_ns: int) -> None:
    """Replace an unknown outcome by the result of the look-up; None leaves it unknown.

    The time of the look-up counts as COMMIT's, because for the client COMMIT ends when its effect is known.
    The record has no other field for it: `body` and `backoff` depend on the scenario and the policy. No
    figure about the database's COMMIT or the conflict window uses a time with a look-up (`analysis.timing`).
    """
    attempt.resolved = applied is not None
    attempt.end(now_ns, {None: Outcome.UNKNOWN, True: Outcome.COMMITTED, False: Outcome.ERROR}[applied])


def _try_once(client: Client, work: Work, attempt: Attempt) -> None:
    """Run BEGIN, the body and COMMIT; classify any `Exception` as the outcome of the attempt."""
    clock_ns = client.clock_ns
    session: TransactionSession | None = None
    try:
        session = client.connections.session()
        attempt.started_ns = clock_ns()
        attempt.phase = Phase.BODY
        session.begin()
        if attempt.receipt is not None:
            # The receipt comes first: on a target with row locks the scenario's locks are then held for one
            # round trip less.
            session.execute(WRITE, attempt.receipt)
        run_body(client.scenario, session, work)
        attempt.body_ended_ns = clock_ns()
        attempt.phase = Phase.COMMIT
        statement = session.last_statement
        outcome = commit_tag_outcome(session.commit())
        attempt.end(clock_ns(), outcome)
        if outcome is Outcome.ERROR:
            attempt.note = ErrorNote(ABORTED, statement and masked_statement(statement), None)
    except Rejected:
        attempt.body_ended_ns = clock_ns()
        _roll_back(session)
        attempt.end(clock_ns(), Outcome.REJECTED)
    except Exception as error:  # noqa: BLE001 - a driver's or a scenario's error is an outcome, not a crash
        _fail(client, session, attempt, error)


def _fail(client: Client, session: TransactionSession | None, attempt: Attempt, error: Exception) -> None:
    failure = client.connections.describe(error) if session is None else session.describe(error)
    attempt.body_ended_ns = attempt.body_ended_ns or (client.clock_ns() if attempt.started_ns else 0)
    attempt.sqlstate = failure.sqlstate or ""
    outcome, attempt.marker = classify(attempt.phase, failure.sqlstate, failure.message, failure.lost)
    if outcome in _NOTED:
        statement = None if session is None else session.last_statement
        attempt.note = note_of(error, failure.sqlstate, failure.message, statement, client.scenario)
    if attempt.phase is not Phase.COMMIT:
        _roll_back(session)
    attempt.end(client.clock_ns(), outcome)


def _roll_back(session: TransactionSession | None) -> None:
    """Roll the transaction back. If that fails, close the connection: the next attempt gets another."""
    if session is None or not session.usable:
        return
    try:
        session.rollback()
    except Exception:  # noqa: BLE001 - this error adds nothing to the first one
        session.close()


def record_attempt(client: Client, work: Work, attempt: Attempt, position: Position, *, final: bool) -> None:
    """Write one attempt, the text of its error, and the failure of its transaction."""
    client.record(
        transaction=position.transaction,
        attempt=position.attempt,
        scheduled_ns=position.scheduled_ns,
        started_ns=attempt.started_ns or attempt.requested_ns,
        body_ns=attempt.body_ns,
        commit_ns=attempt.commit_ns,
        backoff_ns=position.backoff_s * 1e9,
        connect_ns=attempt.connect_ns,
        key=client.hottest(work.writes) if work.writes else NO_KEY,
        kind=work.kind,
        outcome=attempt.outcome,
        marker=attempt.marker,
        sqlstate=attempt.sqlstate,
        flags=(Flag.FINAL if final else 0) | (Flag.RESOLVED if attempt.resolved else 0),
    )
    if attempt.note is not None and attempt.outcome in _NOTED:
        client.note_error(
            kind=work.kind, outcome=attempt.outcome, sqlstate=attempt.sqlstate, note=attempt.note
        )
    if final and attempt.outcome in _FAILED:
        client.note_failure(
            attempts=position.attempt,
            outcome=attempt.outcome,
            sqlstate=attempt.sqlstate,
            marker=attempt.marker,
            note=attempt.note,
        )
