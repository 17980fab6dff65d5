"""Writes what the tap has seen: one record per transaction, and a line per new statement, kind and error."""

from __future__ import annotations

import heapq
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hotrow.attempt.error_note import ErrorNote, masked_message
from hotrow.attempt.record import NO_KEY, RETRYABLE, Flag, Outcome
from hotrow.errors import RunError
from hotrow.run.error_log import ErrorLog
from hotrow.run.ledger import LedgerWriter, append_event
from hotrow.run.statement_log import append_line
from hotrow.tap.seen_kinds import Catalogue

if TYPE_CHECKING:
    from pathlib import Path

    from hotrow.run.clock import RunClock
    from hotrow.tap.transaction_watch import Observed

CELL = 0
RETRY_WITHIN_S = 60.0
"""A transaction that begins later than this after a conflict is no retry."""
_RAISED = "P0"
"""The SQLSTATE class of errors whose text is the application's own."""
_NEAR = re.compile(r'at or near ".*', re.DOTALL)
MAX_PENDING_BYTES = 2**26
"""Of attempts that cannot be written, for example because the disk is full. A million attempts."""


@dataclass(slots=True)
class Line:
    """One connection: the user of the attempts on it."""

    user: int
    """The lowest number that no other open connection has."""
    last: Observed | None = None
    transaction: int = 0
    """The number of the last transaction."""
    attempt: int = 0
    """The number of its last attempt."""
    kind: int = 0
    """Its kind, which all attempts of a transaction share."""


@dataclass(slots=True)
class Totals:
    """What has passed since the tap began."""

    connections: int = 0
    open: int = 0
    peak: int = 0
    """Most connections that were open at once."""
    bytes_from_clients: int = 0
    bytes_to_clients: int = 0
    unwatched: int = 0
    """Connections that could not be followed any more, because of an error in the tap."""
    lost: int = 0
    """Attempts that could be neither written nor kept."""
    committed: int = 0
    unknown: int = 0
    conflicts: int = 0


@dataclass(slots=True)
class Recorder:
    """The files of one run. `write` never fails: what cannot be written stays in memory."""

    directory: Path
    clock: RunClock
    catalogue: Catalogue = field(default_factory=Catalogue)
    totals: Totals = field(default_factory=Totals)
    fault: str = ""
    """Why the last `write` failed; empty if it did not."""
    _ledger: LedgerWriter = field(init=False)
    _errors: ErrorLog = field(init=False)
    _free: list[int] = field(default_factory=list)
    _transactions: int = 0
    _begin_ns: int | None = None
    _end_ns: int = 0
    _begin_written: bool = False

    def __post_init__(self) -> None:
        self._ledger = LedgerWriter(self.directory, 0, wall_ns=self.clock.wall_ns, perf_ns=self.clock.perf_ns)
        self._errors = ErrorLog(self.directory, 0)

    @property
    def attempts(self) -> int:
        """How many attempts were recorded."""
        return self._ledger.appended

    def open_line(self) -> Line:
        """A line for a new connection."""
        totals = self.totals
        totals.connections += 1
        user = heapq.heappop(self._free) if self._free else totals.open
        totals.open += 1
        totals.peak = max(totals.peak, totals.open)
        return Line(user)

    def close_line(self, line: Line) -> None:
        """Give the number of a connection back."""
        self.totals.open -= 1
        heapq.heappush(self._free, line.user)

    def record(self, line: Line, seen: Observed) -> None:
        """Keep one attempt until the next `write`."""
        if self._ledger.pending_bytes > MAX_PENDING_BYTES:
            self.totals.lost += 1
            return
        retry = _is_retry(line.last, seen)
        if not retry:
            line.transaction, line.attempt = self._transactions, 0
            self._transactions += 1
        line.attempt += 1
        backoff_ns = seen.started_ns - line.last.ended_ns if retry and line.last else 0
        kind = line.kind if retry else self.catalogue.kind(seen.statements, whole=seen.whole)
        line.kind = kind
        self._begin_ns = seen.started_ns if self._begin_ns is None else min(self._begin_ns, seen.started_ns)
        self._end_ns = max(self._end_ns, seen.ended_ns)
        self._ledger.append(
            user=line.user,
            cell=CELL,
            scheduled_ns=seen.started_ns - backoff_ns,
            started_ns=seen.started_ns,
            body_ns=seen.commit_sent_ns - seen.started_ns,
            commit_ns=seen.ended_ns - seen.commit_sent_ns,
            backoff_ns=backoff_ns,
            connect_ns=0.0,
            transaction=line.transaction,
            attempt=line.attempt,
            key=NO_KEY,
            outcome=seen.outcome,
            marker=seen.marker,
            sqlstate=seen.sqlstate,
            flags=0 if seen.outcome in RETRYABLE else Flag.FINAL,
            kind=kind,
        )
        line.last = seen
        self._count(seen, kind)

    def write(self) -> None:
        """Write everything that was recorded, and the beginning of the measured interval."""
        try:
            self._write_begin()
            lines = self.catalogue.take_lines()
            while lines:
                try:
                    append_line(self.directory, lines[0])
                except RunError:
                    self.catalogue.put_back(lines)
                    raise
                lines.pop(0)
            self._ledger.flush()
            self.fault = ""
        except RunError as error:
            self.fault = str(error)

    def finish(self, interrupted: str = "") -> None:
        """Write the rest, the measured interval and the counts, and close the files.

        Raises:
            RunError: not everything could be written.
        """
        self.write()
        self._ledger.close()
        if self._begin_ns is None:
            return
        begin_ns, end_ns = self._wall_ns(self._begin_ns), self._wall_ns(self._end_ns) + 1
        interval = {"event": "window", "cell": CELL, "begin_ns": begin_ns, "end_ns": end_ns}
        reason = {"interrupted": interrupted} if interrupted else {}
        append_event(self.directory, {**interval, "users": max(1, self.totals.peak), **reason})
        append_event(
            self.directory,
            {
                "event": "verdict",
                "cell": CELL,
                "checks": [],
                "records": {"0": self._ledger.written + self.totals.lost},
                "acknowledged": {"committed": self.totals.committed, "unknown": self.totals.unknown},
            },
        )

    def _wall_ns(self, perf_ns: int) -> int:
        return self.clock.wall_ns + perf_ns - self.clock.perf_ns

    def _write_begin(self) -> None:
        if self._begin_ns is not None and not self._begin_written:
            begin_ns = self._wall_ns(self._begin_ns)
            append_event(self.directory, {"event": "begin", "cell": CELL, "begin_ns": begin_ns})
            self._begin_written = True

    def _count(self, seen: Observed, kind: int) -> None:
        totals = self.totals
        totals.committed += seen.outcome is Outcome.COMMITTED
        totals.unknown += seen.outcome is Outcome.UNKNOWN
        totals.conflicts += seen.outcome in RETRYABLE
        if seen.message:
            note = ErrorNote(
                message=_shown(seen),
                statement="COMMIT" if seen.failed_at is None else self.catalogue.text(seen.failed_at),
                place=None,
            )
            self._errors.note(cell=CELL, kind=kind, outcome=seen.outcome, sqlstate=seen.sqlstate, note=note)


def _shown(seen: Observed) -> str:
    """The server's message without what it may quote from a statement."""
    if seen.sqlstate.startswith(_RAISED):
        return "an error that a function of the database raised; its text is not kept"
    return _NEAR.sub("at or near …", masked_message(seen.message, seen.sqlstate))


def _is_retry(last: Observed | None, seen: Observed) -> bool:
    """Whether a transaction repeats the last one on its connection, which had a conflict.

    It does if it begins with the same statement and the same values. Nobody tells the tap, so it is inferred.
    """
    if last is None or last.outcome not in RETRYABLE or not seen.statements or not last.statements:
        return False
    soon = seen.started_ns - last.ended_ns <= RETRY_WITHIN_S * 1e9
    return soon and last.digest == seen.digest and last.statements[0] == seen.statements[0]
