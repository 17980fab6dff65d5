"""`errors-<worker>.jsonl`: what the first error of each sort in a cell said. The ledger has the counts.

A sort is a kind of transaction, an outcome, and an SQLSTATE or, for errors of the client, a type.
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

MOST_LINES = 500
"""Of one worker; errors of further sorts are counted in the ledger and have no text."""
_MOST_BYTES = 8_000_000
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
    """Appends the first error of each sort of one worker; never fails, for what it keeps is only a text."""

    def __init__(self, directory: Path, worker: int) -> None:
        self._path = directory / f"errors-{worker}.jsonl"
        self._seen: set[tuple[int, int, int, str]] = set()

    def note(self, *, cell: int, kind: int, outcome: Outcome, sqlstate: str, note: ErrorNote) -> None:
        """Keep what this error said, if it is the first of its sort."""
        sort = (cell, kind, int(outcome), sqlstate or note.message.partition(":")[0])
        if sort in self._seen or len(self._seen) >= MOST_LINES:
            return
        self._seen.add(sort)
        line = {"cell": cell, "kind": kind, "outcome": outcome.name.lower(), "sqlstate": sqlstate}
        try:
            append_json_line(self._path, {**line, **asdict(note)})
        except (RunError, OSError):  # a full disk, for example: the next error of this sort tries again
            self._seen.discard(sort)


def read_errors(directory: Path) -> list[dict[str, Any]]:
    """What every worker noted; lines that are torn or not ours are left out, for counts do not need them."""
    lines = [line for path in sorted(directory.glob("errors-*.jsonl")) for line in _lines(path)]
    return [error for error in map(_parsed, lines) if error is not None]


def _lines(path: Path) -> list[bytes]:
    try:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES).split(b"\n")
    except OSError:
        return []


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        error = json.loads(line)
    except (ValueError, RecursionError):
        return None
    ours = isinstance(error, dict) and all(
        name in error and isinstance(error[name], kind) for name, kind in _FIELDS.items()
    )
    return error if ours else None
