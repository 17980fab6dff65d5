"""The errors of attempts, with the first message of each sort. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reports.words import wording as words
from reports.words.series import cell_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reports.words.wording import Cell

_MAX_ROWS = 20
_MAX_LINES = 3
_MAX_STATEMENT = 70
"""Most characters of a statement on the console."""


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """One sort of error over all cells, as words."""

    sqlstate: str
    kind: str
    """The kind of transaction, and "outcome unknown" if that applies."""
    attempts: str
    message: str
    statement: str
    place: str
    cells: str
    """The cell with the most such errors, and how many other cells have some."""


def error_rows(summary: Mapping[str, Any]) -> tuple[ErrorRow, ...]:
    """The sorts of errors of a run, most attempts first; none for runs of older versions."""
    return tuple(_row(errors, summary["cells"]) for errors in _sorts(summary)[:_MAX_ROWS])


def error_lines(summary: Mapping[str, Any]) -> list[str]:
    """One line per sort, most frequent first: `Errors: 52 attempts, 23505: duplicate key … (in INSERT …)`."""
    sorts = _sorts(summary)
    lines = [_line(_row(errors, summary["cells"])) for errors in sorts[:_MAX_LINES]]
    more = len(sorts) - _MAX_LINES
    return [
        *lines,
        *([f"The report lists {words.counted(more, 'more sort')} of errors."] if more > 0 else []),
    ]


def _line(row: ErrorRow) -> str:
    is_short = len(row.statement) <= _MAX_STATEMENT
    statement = row.statement if is_short else f"{row.statement[:_MAX_STATEMENT]}…"
    where = ", ".join(part for part in (f"in {statement}" if statement else "", row.place) if part)
    sort = ", ".join(part for part in (row.sqlstate or "no SQLSTATE", row.kind) if part)
    line = f"Errors: {row.attempts} attempts, {sort}: {row.message or 'no message was kept'}"
    return f"{line} ({where})" if where else line


def _sorts(summary: Mapping[str, Any]) -> list[list[tuple[Cell, Mapping[str, Any]]]]:
    """The errors grouped by sort: (cell, error) pairs. In each sort, and over sorts, most attempts first."""
    by_sort: dict[tuple[Any, ...], list[tuple[Cell, Mapping[str, Any]]]] = {}
    for cell in summary["cells"]:
        for error in cell.get("errors") or ():
            sort = tuple(error[name] for name in ("outcome", "sqlstate", "kind", "message"))
            by_sort.setdefault(sort, []).append((cell, error))
    for errors in by_sort.values():
        errors.sort(key=lambda pair: -int(pair[1]["attempts"]))
    return sorted(by_sort.values(), key=lambda errors: -_total(errors))


def _total(errors: Sequence[tuple[Cell, Mapping[str, Any]]]) -> int:
    return sum(error["attempts"] for _, error in errors)


def _row(errors: Sequence[tuple[Cell, Mapping[str, Any]]], cells: Sequence[Cell]) -> ErrorRow:
    """The row of one sort; `errors` are its (cell, error) pairs, most attempts first."""
    worst_cell, error = errors[0]
    unknown = "outcome unknown" if error["outcome"] == "unknown" else ""
    others = f" and {words.counted(len(errors) - 1, 'other')}" if len(errors) > 1 else ""
    more = f" (and {words.counted(error['others'], 'other text')})" if error["others"] else ""
    return ErrorRow(
        sqlstate=error["sqlstate"] or "",
        kind=", ".join(part for part in (error["kind"] or "", unknown) if part),
        attempts=words.count(_total(errors)),
        message=f"{error['message'] or ''}{more}",
        statement=error["statement"] or "",
        place=error["place"] or "",
        cells=f"{cell_name(worst_cell, cells)}{others}",
    )
