"""`errors-<worker>.jsonl`: the text of the first error of each sort in a cell. The ledger has the counts.

Errors are of the same sort if they have the same kind of transaction, the same outcome and the same SQLSTATE
(for errors of the client, the same exception type).
"""

from __future__ import annotations

import json
from dataclasses import asdict
from types import MappingProxyType, NoneType
from typing import TYPE_CHECKING, Any

from hotrow.errors import RunError
from hotrow.json_lines import append_json_line

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hotrow.attempt.error_note import ErrorNote
    from hotrow.attempt.record import Outcome

MAX_LINES = 500
"""The number of lines per worker; errors of further sorts are counted in the ledger and have no text."""
_MAX_BYTES = 8_000_000
_FIELDS: Mapping[str, type | tuple[type, ...]] = MappingProxyType(
    {
        "cell": int,
        "kind": int,
        "outcome": str,
        "sqlstate": str,
        "message": str,
        "statement": (str, NoneType),
        "place": (str, NoneType),
    }
)


class ErrorLog:
    """Appends the first error of each sort of one worker. It never fails, because no count depends on it."""

    def __init__(self, directory: Path, worker: int) -> None:
        self._path = directory / f"errors-{worker}.jsonl"
        self._sorts: set[tuple[int, int, int, str]] = set()

    def note(self, *, cell: int, kind: int, outcome: Outcome, sqlstate: str, note: ErrorNote) -> None:
        """Write the error, if it is the first of its sort."""
        sort = (cell, kind, int(outcome), sqlstate or note.message.partition(":")[0])
        if sort in self._sorts or len(self._sorts) >= MAX_LINES:
            return
        self._sorts.add(sort)
        line = {"cell": cell, "kind": kind, "outcome": outcome.name.lower(), "sqlstate": sqlstate}
        try:
            append_json_line(self._path, {**line, **asdict(note)})
        except (RunError, OSError):  # for example a full disk; the next error of this sort tries again
            self._sorts.discard(sort)


def read_errors(directory: Path) -> list[dict[str, Any]]:
    """The errors of all workers; lines that are torn or have other fields are left out."""
    lines = [line for path in sorted(directory.glob("errors-*.jsonl")) for line in _lines(path)]
    return [error for error in map(_parsed, lines) if error is not None]


def _lines(path: Path) -> list[bytes]:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_BYTES).split(b"\n")
    except OSError:
        return []


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        error = json.loads(line)
    except (ValueError, RecursionError):
        return None
    is_valid = isinstance(error, dict) and all(
        name in error and isinstance(error[name], field_type) for name, field_type in _FIELDS.items()
    )
    return error if is_valid else None
