"""Transactions that fail in plain errors: the gate, and the texts about them."""

from __future__ import annotations

from typing import Any

import pytest

from analysis.gates import Gates, check_gates, exit_code, missed
from analysis.summarise import summarise
from hotrow.attempt.record import Flag, Outcome
from reports.output.terminal import cell_table
from reports.words.cell_table import columns
from reports.words.error_lines import error_lines, error_rows
from reports.words.sentences import headline
from tests.support.measured import attempt, cell, run_of, steady_commits
from tests.support.sample_summary import sample_summary

TEXT = {
    "cell": 0,
    "kind": 0,
    "outcome": "error",
    "sqlstate": "23505",
    "message": 'duplicate key value violates unique constraint "pay_pkey"',
    "statement": "INSERT INTO pay VALUES ($1)",
    "place": "mine.py:34",
}


def _failing(errors: int, sqlstate: str = "23505", commits: int = 1_000, **changes: Any) -> dict[str, Any]:
    """A second with this many commits and this many failed transactions."""
    failed = [attempt(5_000 + n, n, Outcome.ERROR, sqlstate=sqlstate, user=1) for n in range(errors)]
    texts = changes.pop("texts", [{**TEXT, "sqlstate": sqlstate}])
    run = run_of([*steady_commits(commits, 1.0), *failed], cells=[cell(users=2)], **changes)
    return summarise(type(run)(**{**_fields(run), "errors": texts}))


def _fields(run: Any) -> dict[str, Any]:
    return {name: getattr(run, name) for name in run.__slots__}


def _judged(summary: dict[str, Any], limit: float | None = None) -> tuple[int, list[str]]:
    breaches = missed(check_gates(summary, Gates(max_error_rate=limit)))
    return exit_code(summary, breaches), [str(breach) for breach in breaches]


@pytest.mark.parametrize(("errors", "code"), [(10, 0), (11, 1)])
def test_one_percent_of_transactions_may_fail(errors: int, code: int) -> None:
    """This is the default; a rate equal to the limit passes."""
    assert _judged(_failing(errors, commits=1_000 - errors))[0] == code


@pytest.mark.parametrize("sqlstate", ["42P01", "42601", "22012", "22P02"])
def test_one_error_of_a_class_that_is_never_right_fails(sqlstate: str) -> None:
    """A missing table and a division by zero are faults of the scenario."""
    code, (line,) = _judged(_failing(1, sqlstate))

    assert code == 1
    assert line.startswith("--max-error-rate 0: ")
    assert sqlstate in line


@pytest.mark.parametrize(("limit", "code"), [(0.0, 1), (0.2, 0), (1.0, 0), (0.05, 1)])
def test_a_given_limit_is_for_all_classes(limit: float, code: int) -> None:
    """10 % fail with 42P01, and a limit of 20 % allows them."""
    assert _judged(_failing(100, "42P01", commits=900), limit)[0] == code


def test_a_breach_says_which_error_it_was() -> None:
    """It has the SQLSTATE, message and place of the most frequent error."""
    _, (line,) = _judged(_failing(52, commits=24))

    assert "failed: 0.6842 in cell 0" in line
    assert (
        '52 attempts in 23505 duplicate key value violates unique constraint "pay_pkey" (mine.py:34)' in line
    )


def test_a_cell_in_which_nothing_finished_failed_nothing() -> None:
    """The default limit passes; a limit that the user set had nothing to measure."""
    empty = summarise(run_of([], cells=[cell()]))

    assert check_gates(empty, Gates()) == []
    (breach,) = check_gates(empty, Gates(max_error_rate=0.5))
    assert breach.measured is None


def test_unknown_outcomes_are_no_failures() -> None:
    """They are neither successes nor failures."""
    lost = [attempt(5_000 + n, n, Outcome.UNKNOWN, sqlstate="08006", user=1) for n in range(500)]

    assert missed(check_gates(summarise(run_of([*steady_commits(500, 1.0), *lost])), Gates())) == []


def test_the_summary_has_each_sort_with_its_text() -> None:
    """Sorted by the number of attempts; sorts without a text have none."""
    lost = [attempt(9_000 + n, n, Outcome.UNKNOWN, sqlstate="", user=1) for n in range(2)]
    run = run_of(
        [
            *steady_commits(100, 1.0),
            *(attempt(5_000 + n, n, Outcome.ERROR, sqlstate="23505") for n in range(3)),
            *lost,
        ]
    )
    texts = [TEXT, {**TEXT, "message": "another"}, {**TEXT, "cell": 7, "sqlstate": ""}]
    (summarised,) = summarise(type(run)(**{**_fields(run), "errors": texts}))["cells"]

    assert summarised["error_rate"]["value"] == pytest.approx(3 / 105)
    first, second = summarised["errors"]
    assert (first["sqlstate"], first["outcome"], first["attempts"], first["others"]) == (
        "23505",
        "error",
        3,
        1,
    )
    assert {name: first[name] for name in ("message", "statement", "place")} == {
        name: TEXT[name] for name in ("message", "statement", "place")
    }
    assert (second["sqlstate"], second["outcome"], second["message"]) == (None, "unknown", None)


def test_an_attempt_that_a_receipt_resolved_is_no_error() -> None:
    """Such attempts are in `in_doubt`."""
    resolved = attempt(5_000, 5, Outcome.ERROR, sqlstate="08006")
    resolved["flags"] = Flag.FINAL | Flag.RESOLVED
    (summarised,) = summarise(run_of([*steady_commits(100, 1.0), resolved]))["cells"]

    assert summarised["errors"] == []


def test_the_console_and_the_page_show_them() -> None:
    """Counts, SQLSTATE, message, statement and line, and the columns of failed transactions."""
    summary = _failing(52, commits=100)

    (line,) = error_lines(summary)
    assert line == (
        'Errors: 52 attempts, 23505: duplicate key value violates unique constraint "pay_pkey" '
        "(in INSERT INTO pay VALUES ($1), mine.py:34)"
    )
    (row,) = error_rows(summary)
    assert (row.attempts, row.place) == ("52", "mine.py:34")
    assert "failed\ntxns" in [str(column.header) for column in cell_table(summary, 80).columns]
    assert "rejected\ntxns" not in [str(column.header) for column in cell_table(summary, 80).columns]


@pytest.mark.parametrize(("errors", "mentioned"), [(10, False), (52, True)])
def test_the_headline_says_that_transactions_failed(errors: int, mentioned: bool) -> None:
    """A reader must know it to judge the figures."""
    summary = sample_summary(skews=("hot",), users=(2, 8))
    for summarised in summary["cells"]:
        summarised["error_rate"] = {"value": errors / 1_000, "low": 0.0, "high": 1.0}

    assert headline(summary).endswith("of transactions failed with errors.") is mentioned


def test_the_page_s_table_has_a_column_for_each_end() -> None:
    """Failed, unknown and rejected transactions have columns even if there are none: 0 is a result."""
    heads = [column.head for column in columns(sample_summary(skews=("hot",), users=(2, 8))["cells"])]

    assert [head for head in heads if head in {"failed", "unknown", "rejected"}] == [
        "failed",
        "unknown",
        "rejected",
    ]


def test_errors_of_the_same_sort_in_several_cells_are_one_row() -> None:
    """The row names the cell with most of them, and counts the others."""
    one, two = _failing(5), _failing(9)
    cells = [one["cells"][0], {**two["cells"][0], "id": 1, "users": 3}]

    (row,) = error_rows({**one, "cells": cells})

    assert row.attempts == "14"
    assert row.cells == "uniform, 3 users and 1 other"
