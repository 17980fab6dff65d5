"""What Locust's own tables show of our transactions: names, failures and response times.

The tables are for a look during the run; every figure of a report comes from the ledger.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import locust.stats

from hotrow.attempt.record import Marker, Outcome

if TYPE_CHECKING:
    from hotrow.attempt.error_note import ErrorNote

ROW_TYPE = "transaction"
"""The type of our rows in Locust's tables."""
MAX_TEXTS = 40
"""How many different texts a worker may have before they get shorter: Locust keeps each for ever."""
_ANY = "failed in yet another way: summary.json counts every error"


class TransactionFailed(Exception):  # noqa: N818 - it is no error of the program
    """Reported to Locust for a transaction that gave up or failed; retried conflicts are no failures."""

    def __repr__(self) -> str:
        """The text alone, because Locust's failure table shows this."""
        return str(self)


class FailureTexts:
    """The texts of the last failures by user. The number of different texts is limited.

    The texts of a worker first get shorter (without the number of attempts, without the server's message),
    and then all the same.
    """

    def __init__(self, limit: int = MAX_TEXTS) -> None:
        self._limit = limit
        self._seen: set[str] = set()

    def text(
        self, *, attempts: int, outcome: Outcome, sqlstate: str, marker: Marker, note: ErrorNote | None
    ) -> str:
        """The text for a transaction that ended with this attempt."""
        if outcome is Outcome.ERROR:
            message = "" if note is None else note.message
            return self._limited(
                ": ".join(filter(None, [sqlstate, message])), sqlstate or message.partition(":")[0]
            )
        cause = f"{sqlstate} {marker.name}" if marker is not Marker.NONE else sqlstate
        count = "1 attempt" if attempts == 1 else f"{attempts} attempts"
        return self._limited(f"gave up after {count}: {cause}", f"gave up: {cause}")

    def _limited(self, text: str, shorter: str) -> str:
        """The text; the shorter one after the limit, and the same for all after twice the limit."""
        for candidate, limit in ((text, self._limit), (shorter, 2 * self._limit)):
            if candidate and (candidate in self._seen or len(self._seen) < limit):
                self._seen.add(candidate)
                return candidate
        return _ANY


def row_name(scenario: str) -> str:
    """The name of the row with a scenario's transactions."""
    return f"{scenario}: transactions"


def bucket(response_time_ms: float) -> float:
    """A response time with three significant digits, at best 1 us.

    Locust's own buckets have two digits, and none below 1 ms: every p99 of a fast transaction is 0 or 1.
    """
    size = 1
    for digits in (3, 2, 1):
        if response_time_ms < size:
            return round(response_time_ms, digits)
        size *= 10
    rounded_to = 1
    while response_time_ms >= 1000 * rounded_to:
        rounded_to *= 10
    return round(response_time_ms / rounded_to) * rounded_to


def take_over() -> None:
    """Replace the buckets of Locust's percentiles, and make room for the type of our rows on the console."""
    locust.stats.STATS_TYPE_WIDTH = len(ROW_TYPE)
    locust.stats.bucket_response_time = bucket  # type: ignore[assignment]  # Locust annotates whole numbers
