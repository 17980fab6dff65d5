"""What Locust's tables show: texts of failures, their number, and buckets of response times."""

from __future__ import annotations

from typing import Any

import locust.stats
import pytest
from locust.stats import RequestStats

from hotrow.attempt.error_note import ErrorNote
from hotrow.attempt.record import Marker, Outcome
from hotrow.load.locust_statistics import FailureTexts, TransactionFailed, bucket


def failure(**changes: Any) -> dict[str, Any]:
    """The fields of a transaction that gave up after two conflicts."""
    gave_up = {"attempts": 2, "outcome": Outcome.CONFLICT, "sqlstate": "40001", "marker": Marker.OC000}
    return {**gave_up, "note": None, **changes}


def error(message: str, sqlstate: str = "42703") -> dict[str, Any]:
    note = ErrorNote(message, None, None)
    return failure(outcome=Outcome.ERROR, sqlstate=sqlstate, marker=Marker.NONE, note=note)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (failure(attempts=11), "gave up after 11 attempts: 40001 OC000"),
        (failure(attempts=1, marker=Marker.OC001), "gave up after 1 attempt: 40001 OC001"),
        (failure(sqlstate="40P01", marker=Marker.NONE), "gave up after 2 attempts: 40P01"),
        (error('column "x" does not exist'), '42703: column "x" does not exist'),
        (error("ZeroDivisionError: division by zero", ""), "ZeroDivisionError: division by zero"),
    ],
)
def test_a_failure_has_its_cause(fields: dict[str, Any], expected: str) -> None:
    """Locust's Failures tab shows this text and nothing around it."""
    text = FailureTexts().text(**fields)
    stats = RequestStats()
    stats.log_error("transaction", "transfer: transactions", TransactionFailed(text))

    (row,) = stats.errors.values()
    assert row.serialize()["error"] == expected


def test_the_number_of_texts_is_limited() -> None:
    """Numbers of attempts and messages have no end: texts get shorter, then they are all the same."""
    texts = FailureTexts(limit=3)

    shown = [texts.text(**failure(attempts=number)) for number in range(1, 100)]
    shown += [texts.text(**error(f"row {number} is odd", f"{number:05}")) for number in range(100)]

    assert shown[:3] == [
        f"gave up after {count}: 40001 OC000" for count in ("1 attempt", "2 attempts", "3 attempts")
    ]
    assert set(shown[3:99]) == {"gave up: 40001 OC000"}
    assert shown[99:101] == ["00000", "00001"]
    assert len(set(shown[101:])) == 1
    assert texts.text(**failure(attempts=2)) == "gave up after 2 attempts: 40001 OC000"


@pytest.mark.parametrize(
    ("response_time_ms", "expected"),
    [
        (0.0123, 0.012),
        (0.8534, 0.853),
        (1.2345, 1.23),
        (12.345, 12.3),
        (147.4, 147),
        (3432.0, 3430),
        (58764.0, 58800),
    ],
)
def test_a_response_time_keeps_three_digits(response_time_ms: float, expected: float) -> None:
    """Locust's own buckets would make a millisecond out of 0.853 ms."""
    assert bucket(response_time_ms) == expected


def test_locust_s_percentiles_are_right_below_a_millisecond() -> None:
    """Its table uses our buckets."""
    stats = RequestStats()
    for number in range(1, 101):
        stats.log_request("transaction", "transfer: transactions", number / 100, 0)

    entry = stats.get("transfer: transactions", "transaction")
    assert locust.stats.bucket_response_time is bucket
    assert entry.get_response_time_percentile(0.5) == pytest.approx(0.5, abs=0.011)
    assert entry.get_response_time_percentile(0.99) == pytest.approx(0.99, abs=0.011)
