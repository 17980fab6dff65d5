"""Files with one JSON object per line, which only grow, and a strict reader of JSON.

A line is torn if its writer is killed or the disk is full. The next object then begins on a new line, so
that only the torn one is lost.
"""

from __future__ import annotations

import json
import math
import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from hotrow.errors import RunError
from hotrow.files import open_regular

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

MAX_BYTES = 2**29
"""Size of a file that is read. The health of a worker in a week takes a tenth of it."""
_MAX_DEPTH = 32
"""Levels of objects and lists within one another. Our own files have five."""


@dataclass(frozen=True, slots=True)
class JsonLines:
    """The content of a file of JSON lines."""

    objects: Sequence[dict[str, Any]] = ()
    """In the order of the file."""
    unreadable: int = 0
    """Number of lines that are not a JSON object; a last line without a line end counts as one."""


def append_json_line(path: Path, mapping: Mapping[str, Any]) -> None:
    """Append `mapping` to `path` as one line of JSON. NaN is refused: an absent number is null.

    Raises:
        RunError: the file cannot be written. If possible, no part of the line is left in it.
        ValueError: a number is NaN or infinite.
    """
    line = (json.dumps(mapping, allow_nan=False) + "\n").encode()
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            _append(file, line)
        finally:
            os.close(file)
    except OSError as error:
        raise RunError(f"{path}: cannot be written ({error.strerror})") from error


def _append(file: int, line: bytes) -> None:
    """Append to a file that has no other writer; on a full disk, remove the part that was written."""
    size = os.fstat(file).st_size
    is_torn = size > 0 and os.pread(file, 1, size - 1) != b"\n"
    rest = memoryview(b"\n" + line if is_torn else line)
    try:
        while rest:
            rest = rest[os.write(file, rest) :]
    except OSError:
        with suppress(OSError):
            os.ftruncate(file, size)
        raise


def read_json_lines(path: Path) -> JsonLines:
    """The objects of a file. A line that is not an object is counted and left out.

    Raises:
        RunError: the file cannot be read, or is larger than `MAX_BYTES`.
    """
    *lines, torn = read_bounded(path, MAX_BYTES).split(b"\n")
    objects = [_object_in(line) for line in lines]
    whole = [item for item in objects if item is not None]
    return JsonLines(whole, unreadable=len(objects) - len(whole) + bool(torn))


def _object_in(line: bytes) -> dict[str, Any] | None:
    try:
        value = parse_json(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def read_bounded(path: Path, max_bytes: int) -> bytes:
    """All bytes of a regular file that has at most `max_bytes`.

    Raises:
        RunError: the file cannot be read, or is larger.
    """
    try:
        with open_regular(path) as file:
            content = file.read(max_bytes + 1)
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror})") from error
    if len(content) > max_bytes:
        raise RunError(f"{path}: is larger than {max_bytes} bytes: it cannot be one of hotrow's")
    return content


def parse_json(raw: bytes) -> Any:
    """The value of a JSON text in UTF-8, which can be written again; half a surrogate pair becomes `?`.

    Raises:
        ValueError: it is not JSON, has NaN, infinity or a number beyond float64, or more than 32 levels.
    """
    try:
        value = json.loads(raw.decode(), parse_constant=_refuse, parse_float=_finite)
    except RecursionError as error:
        raise ValueError("too deep") from error
    if _depth(value) > _MAX_DEPTH:
        raise ValueError("too deep")
    if b"\\u" in raw:
        value = json.loads(json.dumps(value, ensure_ascii=False).encode(errors="replace"))
    return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{digits[:40]} is beyond float64")
    return number


def _depth(value: object) -> int:
    """Number of levels of objects and lists, counted without recursion."""
    depth, level = 0, [value]
    while level := [inner for outer in level if isinstance(outer, dict | list) for inner in _inside(outer)]:
        depth += 1
        if depth > _MAX_DEPTH:
            break
    return depth


def _inside(value: dict[str, Any] | list[Any]) -> Sequence[Any]:
    return value if isinstance(value, list) else list(value.values())
