"""The seal of a run: the size and digest of each of its files, written as the last event.

It shows whether a file was changed, cut or removed afterwards. A run that was killed has no seal.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from hotrow.errors import RunError
from hotrow.files import open_regular
from hotrow.run.ledger import EVENTS_FILE, append_event
from hotrow.run.statement_log import FILE as STATEMENTS_FILE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

EVENT = "sealed"
_PATTERNS = (
    "run.json",
    "attempts-*.bin",
    EVENTS_FILE,
    "health-*.jsonl",
    "errors-*.jsonl",
    "skew-*",
    STATEMENTS_FILE,
)
_BLOCK = 2**20
_DIGITS = 32
"""Digits of the SHA-256 that are kept: enough to find accidental changes."""


def write_seal(directory: Path) -> None:
    """Append the seal to the events of a run. Nobody may write its files any more.

    Raises:
        RunError: a file cannot be read, or the events cannot be written.
    """
    paths = sorted({path for pattern in _PATTERNS for path in directory.glob(pattern)})
    append_event(directory, {"event": EVENT, "files": {path.name: _fingerprint(path) for path in paths}})


def broken_files(directory: Path, sealed: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The names of sealed files that are missing or have changed, in order.

    Lines after the seal itself are no damage: only the sealed part of events.jsonl is compared.
    """
    return [name for name, entry in sorted(sealed.items()) if not _is_intact(directory / name, name, entry)]


def _is_intact(path: Path, name: str, entry: Mapping[str, Any]) -> bool:
    if path.name != name:  # hotrow seals no name with a slash
        return False
    try:
        fingerprint = _fingerprint(path, entry["bytes"] if name == EVENTS_FILE else None)
    except RunError:
        return False
    return fingerprint == {"bytes": entry["bytes"], "digest": entry["digest"]}


def _fingerprint(path: Path, limit: int | None = None) -> dict[str, Any]:
    """The size and digest of a file, or of its first `limit` bytes."""
    digest, size = hashlib.sha256(), 0
    try:
        with open_regular(path) as file:
            while block := file.read(_BLOCK if limit is None else min(_BLOCK, limit - size)):
                digest.update(block)
                size += len(block)
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror})") from error
    return {"bytes": size, "digest": digest.hexdigest()[:_DIGITS]}
