"""Which errors attempts ended in, with what the first of each sort said. Pure."""

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
_LONGEST = 70
"""Characters of a statement on the console."""


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """One sort of error over all cells, as words."""

    sqlstate: str
    kind: str
    """Of the transaction, and of the outcome if nobody knows it."""
    attempts: str
    message: str
    statement: str
    place: str
    cells: str
    """The cell with the most of them, and how many others have some."""


def error_rows(summary: Mapping[str, Any]) -> tuple[ErrorRow, ...]:
    """The sorts of errors of a run, most attempts first; none for runs of older versions."""
    return tuple(_row(same, summary["cells"]) for same in _sorts(summary)[:_MAX_ROWS])


def error_lines(summary: Mapping[str, Any]) -> list[str]:
    """The most frequent sorts, a line each: `Errors: 52 attempts in 23505: duplicate key … (in INSERT …)`."""
    sorts = _sorts(summary)
    lines = [_line(_row(same, summary["cells"])) for same in sorts[:_MAX_LINES]]
    more = len(sorts) - _MAX_LINES
    return [
        *lines,
        *([f"Errors of {words.counted(more, 'more sort')} are in the report."] if more > 0 else []),
    ]


def _line(row: ErrorRow) -> str:
    statement = row.statement if len(row.statement) <= _LONGEST else f"{row.statement[:_LONGEST]}…"
    where = ", ".join(part for part in (f"in {statement}" if statement else "", row.place) if part)
    what = ", ".join(part for part in (row.sqlstate or "no SQLSTATE", row.kind) if part)
    told = f"Errors: {row.attempts} attempts, {what}: {row.message or 'no text was kept'}"
    return f"{told} ({where})" if where else told


def _sorts(summary: Mapping[str, Any]) -> list[list[tuple[Cell, Mapping[str, Any]]]]:
    """(cell, error) by what errors have in common; most attempts first, in each the cell with the most."""
    found: dict[tuple[Any, ...], list[tuple[Cell, Mapping[str, Any]]]] = {}
    for cell in summary["cells"]:
        for error in cell.get("errors") or ():
            sort = tuple(error[name] for name in ("outcome", "sqlstate", "kind", "message"))
            found.setdefault(sort, []).append((cell, error))
    for same in found.values():
        same.sort(key=lambda pair: -int(pair[1]["attempts"]))
    return sorted(found.values(), key=lambda same: -_total(same))


def _total(same: Sequence[tuple[Cell, Mapping[str, Any]]]) -> int:
    return sum(error["attempts"] for _, error in same)


def _row(same: Sequence[tuple[Cell, Mapping[str, Any]]], cells: Sequence[Cell]) -> ErrorRow:
    most, error = same[0]
    unknown = "outcome unknown" if error["outcome"] == "unknown" else ""
    others = f" and {words.counted(len(same) - 1, 'other')}" if len(same) > 1 else ""
    more = f" (and {words.counted(error['others'], 'other text')})" if error["others"] else ""
    return ErrorRow(
        sqlstate=error["sqlstate"] or "",
        kind=", ".join(part for part in (error["kind"] or "", unknown) if part),
        attempts=words.count(_total(same)),
        message=f"{error['message'] or ''}{more}",
        statement=error["statement"] or "",
        place=error["place"] or "",
        cells=f"{cell_name(most, cells)}{others}",
    )
