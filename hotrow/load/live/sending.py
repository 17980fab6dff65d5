"""A worker's side of the Contention tab: one digest per second, sent to the process that leads the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hotrow.console import report_error
from hotrow.errors import RunError, in_a_line
from hotrow.load.live.digest import Digester

if TYPE_CHECKING:
    from locust.runners import Runner

    from hotrow.run.clock import RunClock
    from hotrow.run.ledger import LedgerWriter

DIGEST = "hotrow_digest"
INTERVAL = "hotrow_interval"
NO_MORE = "the Contention tab shows nothing more of this run"
_S = 1_000_000_000
_EVERY_NS = 900_000_000
"""Without new attempts a digest is sent after this time, so that the second is known to be complete."""


class Digests:
    """Makes and sends the digests of one run after another; none if the run is not watched."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._digester: Digester | None = None
        self._ledger: LedgerWriter | None = None
        self._digested = 0
        self._sent_ns = 0
        runner.register_message(INTERVAL, self._on_interval)

    def begin(self, ledger: LedgerWriter, clock: RunClock, worker: int, *, at_commit: bool) -> None:
        """Begin to watch the ledger of a new run, which has no attempts yet."""
        self._digester = Digester(clock.wall_ns, worker, at_commit=at_commit)
        self._ledger, self._clock, self._worker = ledger, clock, worker
        self._digested, self._sent_ns = ledger.appended, 0

    def end(self) -> None:
        """Send the last digest, and watch nothing until the next run."""
        self.send()
        self._digester = self._ledger = None

    def send(self) -> None:
        """Send a digest of the attempts since the last one, before they leave the ledger's memory."""
        ledger, digester = self._ledger, self._digester
        if ledger is None or digester is None:
            return
        now_ns, new = self._clock.now_ns(), ledger.appended - self._digested
        if not new and now_ns - self._sent_ns < _EVERY_NS:
            return
        records = ledger.latest(new)
        self._digested, self._sent_ns = self._digested + new, now_ns
        try:
            rows = [row.as_message() for row in digester.digest(records)]
            message = {"worker": self._worker, "until": now_ns // _S, "rows": rows}
            self._runner.send_message(DIGEST, message)
        except Exception as error:  # noqa: BLE001 - a page that shows a run must never end its measurement
            self._digester = None
            report_error(RunError(f"{NO_MORE}: {in_a_line(error)}"))

    def _on_interval(self, msg: Any, **_: Any) -> None:
        """Begin the measured interval of a cell; the attempts until now were its warm-up."""
        if self._digester is not None:
            now_ns = self._clock.now_ns() - self._clock.wall_ns
            self._digester.begin(msg.data["cell"], msg.data["number"], now_ns)
