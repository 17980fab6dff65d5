"""Watches one connection of the tap, and keeps an error of the watch away from the connection."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from hotrow.tap.transaction_watch import TransactionWatch

if TYPE_CHECKING:
    from collections.abc import Callable

    from hotrow.standin.endpoint.statements import StatementSpan
    from hotrow.tap.recorder import Line, Recorder
    from hotrow.tap.transaction_watch import Observed


class ConnectionWatch:
    """Passes what goes through a connection to its `TransactionWatch`, with the time."""

    def __init__(
        self, recorder: Recorder, find_statements: Callable[[bytes], tuple[StatementSpan, ...]]
    ) -> None:
        self._recorder = recorder
        self._line: Line = recorder.open_line()
        self._watch = TransactionWatch(recorder.catalogue.statement, find_statements, self._found)
        self._failed = False

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open, as far as the watch knows."""
        return not self._failed and self._watch.in_transaction

    @property
    def commit_is_in_flight(self) -> bool:
        """Whether a COMMIT has not been answered."""
        return not self._failed and self._watch.commit_is_in_flight

    def client_sent(self, data: bytes) -> None:
        """Take what was read from the client."""
        self._recorder.totals.bytes_from_clients += len(data)
        self._guard(self._watch.client_sent, data)

    def server_sent(self, data: bytes) -> None:
        """Take what the client is sent."""
        self._recorder.totals.bytes_to_clients += len(data)
        self._guard(self._watch.server_sent, data)

    def end(self, *, cut_off: bool) -> None:
        """Note that the connection has ended; `cut_off` if the tap ended it."""
        if not self._failed:
            self._watch.end(time.perf_counter_ns(), cut_off=cut_off)
        self._recorder.close_line(self._line)

    def _guard(self, take: Callable[[bytes, int], None], data: bytes) -> None:
        """Show the bytes to the watch. After an error it sees no more of this connection."""
        if self._failed:
            return
        try:
            take(data, time.perf_counter_ns())
        except Exception:  # noqa: BLE001 - the client's connection must go on
            self._failed = True
            self._recorder.totals.unwatched += 1

    def _found(self, seen: Observed) -> None:
        self._recorder.record(self._line, seen)
