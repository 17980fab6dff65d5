"""Attempts whose COMMIT had no answer: the summary counts each once, by its real outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from analysis.summarise import summarise
from hotrow.attempt.record import Flag, Outcome
from reports.charts.footer import settings
from reports.words.sentences import further_sentences
from tests.support.measured import attempt, contradiction, run_of, steady_commits
from tests.support.sample_summary import sample_summary

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def resolved(record: NDArray[np.void]) -> NDArray[np.void]:
    """The same attempt, with the outcome that a receipt showed."""
    record["flags"] = int(record["flags"]) | Flag.RESOLVED
    return record


def only_cell(*attempts: NDArray[np.void]) -> dict[str, Any]:
    """The summary of a cell with 200 plain commits and these attempts."""
    (cell,) = summarise(run_of([*steady_commits(200, 1.0), *attempts]))["cells"]
    return dict(cell)


def mixed() -> dict[str, Any]:
    """One was applied, one was not and then committed, one was not and gave up, and one is still unknown."""
    return only_cell(
        resolved(attempt(901, 5, Outcome.COMMITTED, user=1)),
        resolved(attempt(902, 15, Outcome.ERROR, final=False, user=1)),
        attempt(902, 40, number=2, user=1),
        resolved(attempt(903, 60, Outcome.ERROR, user=1)),
        attempt(904, 80, Outcome.UNKNOWN, user=1),
    )


def test_each_is_counted_once_as_what_it_turned_out_to_be() -> None:
    """The equations hold, and only the remaining ones are unknown."""
    cell = mixed()
    transactions, attempts = cell["transactions"], cell["attempts"]

    assert transactions["started"] == 204
    assert (transactions["committed"], transactions["failed"], transactions["unknown"]) == (202, 1, 1)
    assert (attempts["committed"], attempts["error"], attempts["unknown"]) == (202, 2, 1)
    assert cell["in_doubt"] == {"total": 4, "applied": 1, "not_applied": 2, "unknown": 1}


def test_a_receipt_cannot_tell_a_conflict() -> None:
    """A record with this combination gives no figures."""
    assert "resolved" in contradiction(run_of([resolved(attempt(901, 5, Outcome.CONFLICT))]))


def test_the_time_of_a_look_up_is_latency_but_not_the_database_s() -> None:
    """The client waited for the look-up, but the conflict window did not last that long."""
    cell = only_cell(resolved(attempt(901, 5, user=1, times_ms=(2.0, 3.0, 500.0))))

    assert cell["latency_ms"]["max"] > 500
    assert cell["commit_ms"]["max"] == pytest.approx(5.0)
    assert (cell["latency_ms"]["n"], cell["commit_ms"]["n"]) == (201, 200)


def test_warnings_say_how_many_and_call_none_an_error() -> None:
    """Resolved attempts need no action, and the cell stays usable."""
    cell = only_cell(
        resolved(attempt(901, 5, user=1)),
        resolved(attempt(902, 15, Outcome.ERROR, sqlstate="57P01", final=False, user=1)),
        attempt(902, 40, number=2, user=1),
    )

    (warning,) = cell["warnings"]
    assert warning["code"] == "resolved_outcomes"
    assert "2 attempts" in warning["message"]
    assert "1 had been applied, 1 had not; 0 are still unknown" in warning["message"]
    assert cell["usable"]


def test_an_error_beside_them_is_still_named() -> None:
    """Only the errors of resolved attempts are left out, with their SQLSTATE."""
    cell = only_cell(
        resolved(attempt(901, 5, Outcome.ERROR, sqlstate="XX000", user=1)),
        attempt(902, 15, Outcome.ERROR, sqlstate="54000", user=1),
    )

    message = next(warning["message"] for warning in cell["warnings"] if warning["code"] == "errors_seen")
    assert message.startswith("1 attempts")
    assert "(54000 x 1)" in message


def test_without_receipts_nothing_is_said_of_them() -> None:
    """Without a lost answer there is no sentence and no warning."""
    cell = only_cell()

    assert cell["in_doubt"] == dict.fromkeys(("total", "applied", "not_applied", "unknown"), 0)
    assert cell["warnings"] == []
    assert not any("receipt" in sentence for sentence in further_sentences(sample_summary()))


def test_the_page_has_the_results_of_the_receipts() -> None:
    """One sentence covers all cells, and the footer of the charts has the setting."""
    summary = sample_summary()
    summary["run"]["options"]["receipts"] = True
    for cell in summary["cells"][:2]:
        cell["in_doubt"] = {"total": 4, "applied": 2, "not_applied": 1, "unknown": 1}

    assert any("2 are still unknown" in sentence for sentence in further_sentences(summary))
    assert any("4 had been applied, 2 had not" in sentence for sentence in further_sentences(summary))
    assert "with receipts" in settings(summary["run"], summary["cells"])
    assert "with receipts" not in settings(sample_summary()["run"], summary["cells"])
