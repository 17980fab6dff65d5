"""The seal of a run: size and digest of each of its files, noted as the last event when all are complete.

Whatever changes, cuts or removes a sealed file afterwards is found out by it. A run that was killed has none.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from hotrow.errors import RunError
from hotrow.files import open_regular
from hotrow.run.ledger import EVENTS_FILE, append_event

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

EVENT = "sealed"
_PATTERNS = ("run.json", "attempts-*.bin", EVENTS_FILE, "health-*.jsonl", "errors-*.jsonl", "skew-*")
_BLOCK = 2**20
_DIGITS = 32
"""Of the SHA-256: enough against chance."""


def write_seal(directory: Path) -> None:
    """Append the seal to the events of a run whose files nobody writes any more.

    Raises:
        RunError: a file cannot be read, or the events cannot be written.
    """
    paths = sorted({path for pattern in _PATTERNS for path in directory.glob(pattern)})
    append_event(directory, {"event": EVENT, "files": {path.name: _print_of(path) for path in paths}})


def broken_files(directory: Path, sealed: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The names of sealed files that are missing or not as they were, in order.

    Lines after the seal itself are no damage: events.jsonl is looked at as far as it was sealed.
    """
    return [name for name, told in sorted(sealed.items()) if not _is_whole(directory / name, name, told)]


def _is_whole(path: Path, name: str, told: Mapping[str, Any]) -> bool:
    if path.name != name:  # a name with a slash in it is none of ours
        return False
    try:
        found = _print_of(path, told["bytes"] if name == EVENTS_FILE else None)
    except RunError:
        return False
    return found == {"bytes": told["bytes"], "digest": told["digest"]}


def _print_of(path: Path, limit: int | None = None) -> dict[str, Any]:
    """Size and digest of a file, of its first `limit` bytes if it is longer."""
    digest, size = hashlib.sha256(), 0
    try:
        with open_regular(path) as file:
            while block := file.read(_BLOCK if limit is None else min(_BLOCK, limit - size)):
                digest.update(block)
                size += len(block)
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror})") from error
    return {"bytes": size, "digest": digest.hexdigest()[:_DIGITS]}
