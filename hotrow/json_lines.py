"""Files of one JSON object per line, to which lines are only ever appended, and JSON that is strictly JSON.

A line may be torn because its writer was killed or the disk was full. The next line then begins on a line of
its own, so that only the torn one is lost.
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

BYTES_MAX = 2**29
"""Of one file that is read; a worker's health of a week is a tenth of it."""
_DEPTH_MAX = 32
"""Of objects and lists within one another; ours have five."""


@dataclass(frozen=True, slots=True)
class JsonLines:
    """What a file of JSON lines holds."""

    objects: Sequence[dict[str, Any]] = ()
    """In the file's order."""
    unreadable: int = 0
    """How many lines are no JSON object; a last line without its line end is torn, and one of them."""


def append_json_line(path: Path, mapping: Mapping[str, Any]) -> None:
    """Append `mapping` to `path` as one line of JSON. NaN is refused: absent is null.

    Raises:
        RunError: the file cannot be written; nothing of the line stands there, as far as that can be helped.
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
    """Append to a file that nobody else writes; what a full disk took of the line is taken back."""
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
    """The objects of a file; a line that is none is counted and left out.

    Raises:
        RunError: the file cannot be read, or is larger than `BYTES_MAX`.
    """
    *lines, torn = read_bounded(path, BYTES_MAX).split(b"\n")
    objects = [_object_in(line) for line in lines]
    whole = [each for each in objects if each is not None]
    return JsonLines(whole, unreadable=len(objects) - len(whole) + bool(torn))


def _object_in(line: bytes) -> dict[str, Any] | None:
    try:
        value = parse_json(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def read_bounded(path: Path, bytes_max: int) -> bytes:
    """All bytes of a regular file of at most so many.

    Raises:
        RunError: it cannot be read, or is larger.
    """
    try:
        with open_regular(path) as file:
            content = file.read(bytes_max + 1)
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror})") from error
    if len(content) > bytes_max:
        raise RunError(f"{path}: is larger than {bytes_max} bytes: it cannot be one of hotrow's")
    return content


def parse_json(raw: bytes) -> Any:
    """The value of a JSON text in UTF-8, fit to be written again; half a surrogate pair becomes `?`.

    Raises:
        ValueError: it is not JSON; or it has NaN, infinity, a number beyond float64, or more than 32 levels.
    """
    try:
        value = json.loads(raw.decode(), parse_constant=_refuse, parse_float=_finite)
    except RecursionError as error:
        raise ValueError("too deep") from error
    if _depth(value) > _DEPTH_MAX:
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
    """How many levels of objects and lists there are, found without recursion."""
    depth, level = 0, [value]
    while level := [inner for outer in level if isinstance(outer, dict | list) for inner in _inside(outer)]:
        depth += 1
        if depth > _DEPTH_MAX:
            break
    return depth


def _inside(value: dict[str, Any] | list[Any]) -> Sequence[Any]:
    return value if isinstance(value, list) else list(value.values())
