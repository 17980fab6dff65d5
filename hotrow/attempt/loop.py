"""The attempt loop: one transaction, tried until it commits, is given up or is cut off.

Every attempt has its BEGIN, body and COMMIT timed apart, and every way in which it can end is one `Outcome`.
The loop knows neither driver nor clock nor scheduler: they are handed in.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hotrow.attempt.body import run_body
from hotrow.attempt.error_note import ABORTED, ErrorNote, masked_statement, note_of
from hotrow.attempt.outcome import Phase, classify, commit_tag_outcome
from hotrow.attempt.ports import NoteError, forget_error
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
"""Outcomes whose errors are kept as texts; what a conflict says is known."""
_DRAWS_MOST = 100_000
"""For fresh work of one kind; a kind that is rarer than that keeps the work that it has."""


@dataclass(slots=True)
class Attempt:
    """One try while it runs: how far it came, when, and how it ended.

    Times are ns of the loop's clock, 0 where not reached.
    """

    asked_ns: int
    """When a connection was asked for."""
    receipt: str | None = None
    """The id that it writes beside its work; None without receipts."""
    phase: Phase = Phase.BEGIN
    started_ns: int = 0
    begun_ns: int = 0
    bodied_ns: int = 0
    ended_ns: int = 0
    outcome: Outcome = Outcome.ERROR
    marker: Marker = Marker.NONE
    sqlstate: str = ""
    resolved: bool = False
    """Whether the outcome was unknown and was then told by the receipt."""
    note: ErrorNote | None = None
    """What the error said that left it without an effect, or in doubt; None for every other end."""

    def end(self, now_ns: int, outcome: Outcome) -> None:
        """Note the end and what it was."""
        self.ended_ns = now_ns
        self.outcome = outcome

    @property
    def retryable(self) -> bool:
        """Whether it certainly applied nothing, in a way that another try may mend."""
        return self.outcome in RETRYABLE or self.buried

    @property
    def buried(self) -> bool:
        """Whether a tombstone used up its receipt: nothing was applied, and the next try needs another."""
        return self.resolved and self.outcome is Outcome.ERROR

    @property
    def connect_ns(self) -> int:
        """How long the attempt waited for a connection."""
        return (self.started_ns or self.ended_ns) - self.asked_ns

    @property
    def begin_ns(self) -> int:
        """How long BEGIN took."""
        return (self.begun_ns or self.ended_ns) - self.started_ns if self.started_ns else 0

    @property
    def body_ns(self) -> int:
        """How long the scenario's statements took."""
        return (self.bodied_ns or self.ended_ns) - self.begun_ns if self.begun_ns else 0

    @property
    def commit_ns(self) -> int:
        """How long COMMIT, or the ROLLBACK in its place, took; where no answer came, with the look-up."""
        return self.ended_ns - self.bodied_ns if self.bodied_ns else 0


@dataclass(frozen=True, slots=True)
class Place:
    """Where an attempt stands in its transaction."""

    transaction: int
    scheduled_ns: int
    attempt: int = 1
    backoff_s: float = 0.0
    """How long was waited on purpose before it."""
    buried: int = 0
    """How many of the transaction's receipts were used up by tombstones."""


@dataclass(frozen=True, slots=True)
class Client:
    """One user in one cell: what it runs, with which keys and policy, and where its attempts go."""

    scenario: Scenario
    keys: Keys
    rng: np.random.Generator
    policy: Policy
    redraw: bool
    """Whether a retry draws fresh keys (the "fake" restart of Agrawal, Carey and Livny, 1987).

    Its kind stays: a transaction is of one kind.
    """
    connections: Connections
    record: Record
    hottest: Callable[[tuple[int, ...]], int]
    clock_ns: Callable[[], int]
    pause: Callable[[float], bool]
    """Wait so many seconds; False where the cell ended meanwhile and the transaction is cut off."""
    receipts: Receipts | None = None
    """None: an outcome that is unknown stays so, and ends the transaction."""
    note_error: NoteError = forget_error
    budget: Budget | None = field(init=False)
    """What the policy lets this user spend on retries in this cell; None where it has no budget."""

    def __post_init__(self) -> None:
        # So that no client can be made whose policy has a budget that nobody keeps.
        object.__setattr__(self, "budget", self.policy.open_budget())


def run_transaction(client: Client, transaction: int) -> Outcome | None:
    """Run one transaction to its end; return its last outcome, or None where it was cut off.

    A retry follows only an outcome that certainly applied nothing: a conflict (`RETRYABLE`), or an unknown
    COMMIT of which the receipt said so.
    """
    if client.budget is not None:
        client.budget.deposit()
    place = Place(transaction, client.clock_ns())
    work: Work | None = None
    while True:
        if work is None or (client.redraw and place.attempt > 1):
            work = _draw(client, work, place)
            if work is None:
                return Outcome.ERROR
        attempt = _attempt(client, work, place)
        elapsed_s = (attempt.ended_ns - place.scheduled_ns) / 1e9
        final = not attempt.retryable or _gives_up(client, place.attempt, elapsed_s)
        _record(client, work, attempt, place, final=final)
        if final:
            return attempt.outcome
        backoff_s = client.policy.delay_s(place.attempt, client.rng, place.backoff_s)
        if not client.pause(backoff_s):
            return None
        buried = place.buried + attempt.buried
        place = Place(transaction, place.scheduled_ns, place.attempt + 1, backoff_s, buried)


def _draw(client: Client, last: Work | None, place: Place) -> Work | None:
    """Fresh work, of the same kind as the last; where none can be drawn, that is how this attempt ends."""
    try:
        for _ in range(_DRAWS_MOST):
            fresh = draw_checked(client.scenario, client.keys, client.rng)
            if last is None or fresh.kind == last.kind:
                return fresh
    except HotrowError as error:
        undrawn = Attempt(
            asked_ns=client.clock_ns(), note=note_of(error, None, str(error), None, client.scenario)
        )
        undrawn.end(client.clock_ns(), Outcome.ERROR)
        kind = 0 if last is None else last.kind
        _record(client, Work((), (), kind), undrawn, place, final=True)
        return None
    return last


def _gives_up(client: Client, failures: int, elapsed_s: float) -> bool:
    """Whether the policy allows no further try, or the budget cannot pay for it; otherwise it has paid."""
    if client.policy.gives_up(failures, elapsed_s):
        return True
    return client.budget is not None and not client.budget.pay()


def _attempt(client: Client, work: Work, place: Place) -> Attempt:
    """One try, and what became of it as far as can be known.

    Where the user is killed while COMMIT is in flight, or while its receipt is looked up, the attempt is
    recorded as unknown before the kill goes on.
    """
    receipts = client.receipts
    receipt = None if receipts is None else receipts.id_of(place.transaction, place.buried)
    attempt = Attempt(asked_ns=client.clock_ns(), receipt=receipt)
    try:
        _try_once(client, work, attempt)
        if attempt.outcome is Outcome.UNKNOWN and receipts is not None and receipt is not None:
            applied = receipts.settle(client.connections, receipt)
            _resolve(attempt, applied, client.clock_ns())
    except BaseException:
        if attempt.phase is Phase.COMMIT:
            attempt.end(client.clock_ns(), Outcome.UNKNOWN)
            _record(client, work, attempt, place, final=True)
        raise
    return attempt


def _resolve(attempt: Attempt, applied: bool | None, now_ns: int) -> None:
    """Put what the receipt said in the place of unknown; None leaves that. The look-up's time is COMMIT's.

    To the client COMMIT has not ended before it knows what it did. The record has no other field for it:
    `body` and `backoff` are what the scenario and the policy chose. Nothing that is said of the database's
    COMMIT or of the window of conflict uses a time with a look-up in it (`analysis.timing`).
    """
    attempt.resolved = applied is not None
    attempt.end(now_ns, {None: Outcome.UNKNOWN, True: Outcome.COMMITTED, False: Outcome.ERROR}[applied])


def _try_once(client: Client, work: Work, attempt: Attempt) -> None:
    """One BEGIN…COMMIT; whatever `Exception` it raises is classified into `attempt`."""
    clock_ns = client.clock_ns
    session: TransactionSession | None = None
    try:
        session = client.connections.session()
        attempt.started_ns = clock_ns()
        session.begin()
        attempt.begun_ns = clock_ns()
        attempt.phase = Phase.BODY
        if attempt.receipt is not None:
            # First, so that a target with row locks does not hold the scenario's a round trip longer.
            session.execute(WRITE, attempt.receipt)
        run_body(client.scenario, session, work)
        attempt.bodied_ns = clock_ns()
        attempt.phase = Phase.COMMIT
        statement = session.last_statement
        outcome = commit_tag_outcome(session.commit())
        attempt.end(clock_ns(), outcome)
        if outcome is Outcome.ERROR:
            attempt.note = ErrorNote(ABORTED, statement and masked_statement(statement), None)
    except Rejected:
        attempt.bodied_ns = clock_ns()
        _roll_back(session)
        attempt.end(clock_ns(), Outcome.REJECTED)
    except Exception as error:  # noqa: BLE001 - a driver's or a scenario's error is an outcome, not a crash
        _fail(client, session, attempt, error)


def _fail(client: Client, session: TransactionSession | None, attempt: Attempt, error: Exception) -> None:
    failure = client.connections.describe(error) if session is None else session.describe(error)
    attempt.bodied_ns = attempt.bodied_ns or (client.clock_ns() if attempt.begun_ns else 0)
    attempt.sqlstate = failure.sqlstate or ""
    outcome, attempt.marker = classify(attempt.phase, failure.sqlstate, failure.message, failure.lost)
    if outcome in _NOTED:
        statement = None if session is None else session.last_statement
        attempt.note = note_of(error, failure.sqlstate, failure.message, statement, client.scenario)
    if attempt.phase is not Phase.COMMIT:
        _roll_back(session)
    attempt.end(client.clock_ns(), outcome)


def _roll_back(session: TransactionSession | None) -> None:
    """Leave the transaction; a connection that cannot even do that is given up for another."""
    if session is None or not session.usable:
        return
    try:
        session.rollback()
    except Exception:  # noqa: BLE001 - its error tells nothing that the first one did not
        session.close()


def _record(client: Client, work: Work, attempt: Attempt, place: Place, *, final: bool) -> None:
    client.record(
        transaction=place.transaction,
        attempt=place.attempt,
        scheduled_ns=place.scheduled_ns,
        started_ns=attempt.started_ns or attempt.asked_ns,
        begin_ns=attempt.begin_ns,
        body_ns=attempt.body_ns,
        commit_ns=attempt.commit_ns,
        backoff_ns=place.backoff_s * 1e9,
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
