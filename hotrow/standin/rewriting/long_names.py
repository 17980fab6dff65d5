"""Shortens the names of tables where a suffix would make them longer than PostgreSQL's 63 bytes."""

from __future__ import annotations

import hashlib
import string

_MAX_NAME_BYTES = 63
_MAX_STEM_BYTES = 44
SURELY_SHORT = _MAX_STEM_BYTES // 4
"""A name of this many characters is never shortened, because a character has four bytes at most."""
_DIGEST = 8
_TO_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
LONG_NAMES: dict[str, str] = {}
"""The long names that this process knows, by their stems."""
_LONG_NAMES_KEPT = 10_000


def shortened(name: str) -> str:
    """A long name without a schema as its stem, in quotes if it has quotes; other names stay."""
    quoted = name.startswith('"')
    plain = name[1:-1].replace('""', '"') if quoted else name.translate(_TO_LOWER)
    short = stem(plain)
    if short == plain:
        return name
    escaped = short.replace('"', '""')
    return f'"{escaped}"' if quoted else short


def stem(name: str) -> str:
    """What stands for a table's name in the names beside the table, whose suffixes need room.

    hotrow.stem() in `sql/1_names.sql` does the same.
    """
    name = _cut(name, _MAX_NAME_BYTES)  # as PostgreSQL does
    if len(name.encode()) <= _MAX_STEM_BYTES:
        return name
    digest = hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()
    short = f"{_cut(name, _MAX_STEM_BYTES - _DIGEST - 1)}_{digest[:_DIGEST]}"
    if len(LONG_NAMES) < _LONG_NAMES_KEPT:
        LONG_NAMES[short] = name
    return short


def _cut(name: str, size: int) -> str:
    return name.encode()[:size].decode(errors="ignore")
