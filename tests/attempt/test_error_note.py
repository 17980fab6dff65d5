"""The note of an error: its message, statement and line, and no parameter values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hotrow.attempt.error_note import ErrorNote, masked_message, masked_statement
from hotrow.attempt.record import Outcome
from hotrow.run.error_log import MAX_LINES, ErrorLog, read_errors
from tests.support.attempting import CONFLICT, LOST, UNIQUE, Broken, FakeFailure, Run

if TYPE_CHECKING:
    from pathlib import Path

NOTE = ErrorNote("duplicate key", "INSERT INTO pay VALUES ($1)", "mine.py:3")


@pytest.mark.parametrize(
    ("message", "sqlstate", "kept"),
    [
        (
            'invalid input syntax for type integer: "secret"',
            "22P02",
            'invalid input syntax for type integer: "…"',
        ),
        ('duplicate key value violates unique constraint "pay_pkey"', "23505", None),
        ('relation "pay" does not exist', "42P01", None),
        (
            'unterminated quoted string at or near "\'secret"',
            "42601",
            'unterminated quoted string at or near "…"',
        ),
        ("division by zero\nDETAIL: secret", "22012", "division by zero"),
        ("cannot connect to postgresql://me:secret@db/x", "", "cannot connect to postgresql://me:…@db/x"),
        ("password=secret refused", "", "password=… refused"),
        ("", "XX000", ""),
    ],
)
def test_a_message_keeps_names_and_no_values(message: str, sqlstate: str, kept: str | None) -> None:
    """PostgreSQL quotes values in class 22 and names in others. Only the first line is kept."""
    assert masked_message(message, sqlstate) == (message if kept is None else kept)


@pytest.mark.parametrize(
    ("statement", "kept"),
    [
        ("SELECT  n\n FROM pay WHERE id = $1", "SELECT n FROM pay WHERE id = $1"),
        ("INSERT INTO pay VALUES ('it''s secret', $1)", "INSERT INTO pay VALUES ('…', $1)"),
        (r"SELECT E'a\'secret' || 'b'", "SELECT E'…' || '…'"),
        ("SELECT $x$secret$x$, $1, $2", "SELECT '…', $1, $2"),
        ("SELECT 'secret", "SELECT '…'"),
    ],
)
def test_a_statement_keeps_placeholders_and_no_strings(statement: str, kept: str) -> None:
    """Strings in a scenario's SQL are masked, because they may be values."""
    assert masked_statement(statement) == kept


def test_texts_are_bounded() -> None:
    """Long statements and messages are cut off."""
    assert len(masked_statement("SELECT " + "1, " * 1_000_000)) < 400
    assert len(masked_message("x" * 1_000_000, "")) < 400


def test_an_error_of_the_server_is_noted_with_its_statement_and_line() -> None:
    """The note has kind, SQLSTATE, message, the last statement and the line in the scenario."""
    run = Run(["COMMIT"], raises=UNIQUE)
    run.go()

    (noted,) = run.notes
    assert (noted["kind"], noted["outcome"], noted["sqlstate"]) == (0, Outcome.ERROR, "23505")
    assert (noted["note"].message, noted["note"].statement) == ("duplicate key", "WRITE")
    assert noted["note"].place.startswith("attempting.py:")


def test_an_exception_of_the_scenario_is_noted_with_its_type() -> None:
    """It has no SQLSTATE, but a type, a first line and the line in the scenario."""
    run = Run(["COMMIT"], raises=ZeroDivisionError("by nothing\nsecond line"))
    run.go()

    (noted,) = run.notes
    assert noted["sqlstate"] == ""
    assert noted["note"].message == "ZeroDivisionError: by nothing"


def test_a_commit_that_rolled_back_is_noted() -> None:
    """The scenario hid an error, so that COMMIT could not commit."""
    run = Run(["ROLLBACK"])
    run.go()

    assert "answered with ROLLBACK" in run.notes[0]["note"].message
    assert run.notes[0]["note"].statement == "WRITE"


@pytest.mark.parametrize(("error", "count"), [(CONFLICT, 0), (LOST, 1)])
def test_conflicts_are_not_noted_and_lost_answers_are(error: Broken, count: int) -> None:
    """The text of a conflict adds nothing; the text of a lost answer says why it was lost."""
    run = Run([error, "COMMIT"], retry="none")
    run.go()

    assert len(run.notes) == count


def test_a_lost_answer_that_a_receipt_resolved_has_no_note() -> None:
    """It committed: nothing failed."""
    run = Run([LOST], lookups=[True])

    assert run.go() is Outcome.COMMITTED
    assert run.notes == []


def test_the_log_keeps_the_first_of_each_sort(tmp_path: Path) -> None:
    """A sort is a cell, kind, outcome and SQLSTATE; for errors of the client the type."""
    log = ErrorLog(tmp_path, 2)
    second = ErrorNote("another text", None, None)
    for cell, sqlstate, note in (
        (0, "23505", NOTE),
        (0, "23505", second),
        (1, "23505", second),
        (0, "42P01", NOTE),
    ):
        log.note(cell=cell, kind=0, outcome=Outcome.ERROR, sqlstate=sqlstate, note=note)
    for message in ("KeyError: a", "KeyError: b", "ValueError: c"):
        log.note(cell=0, kind=0, outcome=Outcome.ERROR, sqlstate="", note=ErrorNote(message, None, None))

    errors = [(line["cell"], line["sqlstate"], line["message"]) for line in read_errors(tmp_path)]
    assert errors == [
        (0, "23505", "duplicate key"),
        (1, "23505", "another text"),
        (0, "42P01", "duplicate key"),
        (0, "", "KeyError: a"),
        (0, "", "ValueError: c"),
    ]
    assert (tmp_path / "errors-2.jsonl").exists()


def test_the_log_is_bounded(tmp_path: Path) -> None:
    """A scenario that makes a new error type each time does not fill the disk."""
    log = ErrorLog(tmp_path, 0)
    for number in range(MAX_LINES + 20):
        log.note(cell=number, kind=0, outcome=Outcome.ERROR, sqlstate="23505", note=NOTE)

    assert len(read_errors(tmp_path)) == MAX_LINES


def test_a_log_that_cannot_be_written_fails_nothing(tmp_path: Path) -> None:
    """The text is lost, but not the record. The next error of the sort is written again."""
    directory = tmp_path / "gone"
    log = ErrorLog(directory, 0)
    log.note(cell=0, kind=0, outcome=Outcome.ERROR, sqlstate="23505", note=NOTE)
    directory.mkdir()
    log.note(cell=0, kind=0, outcome=Outcome.ERROR, sqlstate="23505", note=NOTE)

    assert len(read_errors(directory)) == 1


def test_lines_that_are_not_ours_are_left_out(tmp_path: Path) -> None:
    """Torn lines and lines with other fields are skipped; the run can still be read."""
    (tmp_path / "errors-0.jsonl").write_bytes(b'{"cell": 0}\n[1]\n\xff\nnull\n{"cell": 0, "ki')

    assert read_errors(tmp_path) == []


def test_a_secret_in_a_parameter_stays_out() -> None:
    """Only the primary message is read, and values in it are masked."""
    run = Run(
        ["COMMIT"], raises=Broken(FakeFailure("22P02", 'invalid input syntax for type integer: "secret"'))
    )
    run.go()

    assert "secret" not in str(run.notes)
