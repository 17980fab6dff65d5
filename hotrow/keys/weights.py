"""The weights of a `file:` skew: read once from the user's CSV file and then from the copy in the run.

A file has one row `key,weight` for each key that can be drawn. The key is a whole number from 0, the weight
any number of at least 0. A header `key,weight` is allowed. The run keeps a copy of the file, byte for byte,
as `skew-<digest>.csv`, so that workers and later reports use the same weights.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
import os
import re
from array import array
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from hotrow.errors import HotrowError, RunError, UsageError
from hotrow.json_lines import read_bounded
from hotrow.keys import MAX_KEYS
from hotrow.keys.zipf import MAX_TABLE_KEYS

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

MAX_BYTES = 2**26
_HEADER = ["key", "weight"]
_DIGEST_CHARACTERS = 8
_REFERENCE = re.compile(r".+#[0-9a-f]{8}", re.DOTALL)
_MAX_KEY_DIGITS = 10
_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Weights:
    """Keys and their weights; equal if their files are equal."""

    digest: str
    """The first 8 hexadecimal digits of the file's SHA-256."""
    name: str = field(compare=False)
    """The name of the file, without folders."""
    keys: bytes = field(compare=False, repr=False)
    """uint32, ascending."""
    weights: bytes = field(compare=False, repr=False)
    """float64, in the order of `keys`."""
    source: bytes = field(compare=False, repr=False)
    """The content of the file."""

    @property
    def reference(self) -> str:
        """`weights.csv#01234567`: the name in the cells of a run."""
        return f"{self.name}#{self.digest}"


def read_weights(path: Path) -> Weights:
    """The weights in a file of the user's. A file that has not changed is parsed once per process.

    Raises:
        UsageError: the file cannot be read, is not a regular file, is too large, or has a row that is not a
            key and its weight.
    """
    try:
        status = os.stat(path)  # noqa: PTH116 - a name with a NUL is a ValueError, not False
        version = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        return _read_once(path.absolute(), version)
    except OSError as error:
        raise UsageError(_unreadable(path, str(error.strerror))) from error
    except ValueError as error:
        raise UsageError(_unreadable(path, "it is not the name of a file")) from error


def _unreadable(path: Path, reason: str) -> str:
    return f"--skew file: {str(path)[-_SHOWN:]!r} cannot be read ({reason}); pass a CSV file key,weight"


@lru_cache(maxsize=8)
def _read_once(path: Path, version: tuple[int, ...]) -> Weights:  # noqa: ARG001 - part of the cache's key
    try:
        content = read_bounded(path, MAX_BYTES)
    except RunError as error:
        reason = str(error).removeprefix(f"{path}: ").removeprefix("cannot be read ").strip("()")
        raise UsageError(_unreadable(path, reason)) from error
    return _parsed(content, path.name)


def keep_weights(directory: Path, weights: Weights) -> None:
    """Copy the file into a run's directory. Raises RunError."""
    path = _copy_path(directory, weights.digest)
    try:
        path.write_bytes(weights.source)
    except OSError as error:
        raise RunError(f"{path}: cannot be written ({error.strerror})") from error


@lru_cache(maxsize=8)
def kept_weights(directory: Path, reference: str) -> Weights:
    """The weights that a run used, read once per process.

    Raises:
        RunError: they are missing or were changed.
    """
    name, _, digest = reference.rpartition("#")
    if not is_reference(reference):
        raise RunError(f"{directory}: this run kept no weights of {reference[:_SHOWN]!r}")
    path = _copy_path(directory, digest)
    content = read_bounded(path, MAX_BYTES)
    if _digest(content) != digest:
        raise RunError(f"{path}: was changed after the start of the run")
    try:
        return _parsed(content, name)
    except HotrowError as error:
        raise RunError(f"{path}: {error}") from error


def is_reference(text: str) -> bool:
    """Whether a text refers to weights that a run keeps; older versions wrote the path of the file."""
    return _REFERENCE.fullmatch(text) is not None


def _copy_path(directory: Path, digest: str) -> Path:
    return directory / f"skew-{digest}.csv"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:_DIGEST_CHARACTERS]


def _parsed(content: bytes, name: str) -> Weights:
    shown = "".join(letter if letter.isprintable() else "?" for letter in name)
    file = f"--skew file: {shown!r}"
    keys, weights = _columns(content, file)
    order = np.argsort(keys, kind="stable")
    keys, weights = keys[order], weights[order]
    repeated = keys[1:][keys[1:] == keys[:-1]]
    if len(repeated):
        raise UsageError(f"{file}: key {repeated[0]} is given twice; give each key once")
    if not weights.any():
        raise UsageError(f"{file}: no weight is positive; at least one key must be drawn")
    return Weights(_digest(content), shown, keys.tobytes(), weights.tobytes(), content)


def _columns(content: bytes, file: str) -> tuple[NDArray[np.uint32], NDArray[np.float64]]:
    """The keys, uint32, and weights, float64, in the order of the file."""
    keys, weights = array("I"), array("d")
    text = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", newline="")
    try:
        for number, row in enumerate(filter(None, csv.reader(text)), start=1):
            if number == 1 and [cell.strip() for cell in row] == _HEADER:
                continue
            key, weight = _entry(file, row, number)
            keys.append(key)
            weights.append(weight)
            if len(keys) > MAX_TABLE_KEYS:
                raise UsageError(f"{file} has too many rows; the most is {MAX_TABLE_KEYS} rows")
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError(
            f"{file} cannot be read (it is not CSV in UTF-8); pass a CSV file key,weight"
        ) from error
    return np.frombuffer(keys, dtype=np.uint32), np.frombuffer(weights, dtype=np.float64)


def _entry(file: str, row: list[str], number: int) -> tuple[int, float]:
    cells = [cell.strip() for cell in row]
    key = _key(cells[0])
    weight = _weight(cells[1]) if len(cells) == len(_HEADER) else None
    if key is None or weight is None:
        shown = ",".join(row)[:_SHOWN]
        raise UsageError(
            f"{file}: row {number} is {shown!r}; it must be a key (a whole number from 0 to {MAX_KEYS - 1})"
            " and a weight of at least 0"
        )
    return key, weight


def _key(digits: str) -> int | None:
    if not digits.isascii() or not digits.isdigit() or len(digits) > _MAX_KEY_DIGITS:
        return None
    return int(digits) if int(digits) < MAX_KEYS else None


def _weight(digits: str) -> float | None:
    try:
        weight = float(digits)
    except ValueError:
        return None
    return weight + 0.0 if 0 <= weight < math.inf else None  # -0.0 becomes 0.0
