"""The statement that makes BEGIN take the transaction's snapshot, as it does in Aurora DSQL. Pure.

PostgreSQL takes the snapshot at the first statement that needs one. So where a client sends BEGIN alone, a
statement of the stand-in's own is sent with it, in the same round trip.
"""

from __future__ import annotations

import re

TAKE_SNAPSHOT = "SELECT WHERE false"
"""The shortest statement for which PostgreSQL takes a snapshot. It returns no row and no column."""
_MAX_CHARACTERS = 1_000
"""Longer texts are not looked at."""
_COMMENTS = re.compile(r"--[^\n]*(?:\n|$)|/\*.*?\*/", re.DOTALL)
_BEGIN = re.compile(
    r"\s*(?:begin|start\s+transaction)(?:[\s,]+(?:work|transaction|isolation|level|serializable|repeatable|read"
    r"|committed|uncommitted|only|write|not|deferrable))*\s*;?\s*",
    re.IGNORECASE,
)


def begins_alone(text: str) -> bool:
    """Whether a text is BEGIN or START TRANSACTION, and nothing else."""
    return len(text) <= _MAX_CHARACTERS and _BEGIN.fullmatch(_COMMENTS.sub(" ", text)) is not None


def with_snapshot(text: str) -> str:
    """The text of a BEGIN, and after it the statement that takes the snapshot."""
    return f"{text}\n;{TAKE_SNAPSHOT}"
