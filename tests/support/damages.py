"""Random damage to the files of a run, as a person or an accident could do it. Seeded."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

ODD: tuple[Any, ...] = (
    None,
    True,
    "no",
    "",
    -1,
    0,
    10**18,
    10**400,
    1e300,
    -0.5,
    float("nan"),
    float("inf"),
    [],
    {},
    [[[[]]]],
    {"a": {"b": [None]}},
    "x" * 10_000,
    "\ud800",
    "\n\x00\x1b[31m",
    "file:/dev/zero",
    "zipf:1e9",
)
"""Values of a wrong type or size, to put anywhere in a JSON text."""


def put_in_place(path: Path, kind: str) -> None:
    """Replace a file by something that is not a file: a `pipe`, `directory`, `loop` or `device`."""
    path.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    elif kind == "loop":
        path.symlink_to(path)
    else:
        path.symlink_to("/dev/zero")


def damage(directory: Path, rng: Random) -> str:
    """Damage one file of a run in one way; return a text that names the file and the damage."""
    path = rng.choice(
        sorted(path for path in directory.iterdir() if path.suffix in {".json", ".jsonl", ".bin", ".csv"})
    )
    ways = [_flip, _flip, _cut, _grow, _remove, _replace, _swap_parts, _double]
    if path.suffix in {".json", ".jsonl"}:
        ways += [_odd_value] * 8
    if path.suffix == ".bin":
        ways += [_cut_record, _odd_record, _odd_record]
    way = rng.choice(ways)
    return f"{path.name}: {way.__name__[1:]} {way(path, rng)}"


def _flip(path: Path, rng: Random) -> str:
    content = bytearray(path.read_bytes())
    places = [rng.randrange(len(content)) for _ in range(rng.choice((1, 1, 1, 20)))] if content else []
    for place in places:
        content[place] ^= 1 << rng.randrange(8)
    path.write_bytes(content)
    return str(places)


def _cut(path: Path, rng: Random) -> str:
    size = rng.randrange(path.stat().st_size + 1)
    os.truncate(path, size)
    return str(size)


def _grow(path: Path, rng: Random) -> str:
    added = rng.choice((b"\xff\xfe", b"{", bytes(64), b"\n\n\n", b"[" * 100_000 + b"\n", b"NaN\n"))
    path.write_bytes(path.read_bytes() + added)
    return repr(added[:8])


def _remove(path: Path, _: Random) -> str:
    path.unlink()
    return ""


def _replace(path: Path, rng: Random) -> str:
    kind = rng.choice(("pipe", "directory", "loop", "device"))
    put_in_place(path, kind)
    return kind


def _swap_parts(path: Path, rng: Random) -> str:
    content = path.read_bytes()
    place = rng.randrange(len(content) + 1)
    path.write_bytes(content[place:] + content[:place])
    return str(place)


def _double(path: Path, _: Random) -> str:
    path.write_bytes(path.read_bytes() * 2)
    return ""


def _cut_record(path: Path, rng: Random) -> str:
    records = path.stat().st_size // 64
    left = rng.randrange(records + 1)
    os.truncate(path, left * 64)
    return f"{left} of {records}"


def _odd_record(path: Path, rng: Random) -> str:
    """Change one byte of a record, often one of the last ten: they hold the outcome, flags and the like."""
    content = bytearray(path.read_bytes())
    if len(content) <= 64:
        return "none there"
    record, byte = (
        rng.randrange(1, len(content) // 64),
        rng.choice((rng.randrange(64), rng.randrange(54, 64))),
    )
    content[record * 64 + byte] = rng.randrange(256)
    path.write_bytes(content)
    return f"{record} byte {byte}"


def _odd_value(path: Path, rng: Random) -> str:
    """Replace one value of a JSON text by an odd one, or remove it."""
    lines = path.read_text().splitlines() if path.suffix == ".jsonl" else [path.read_text()]
    if not lines:
        return "none there"
    number = rng.randrange(len(lines))
    try:
        value = json.loads(lines[number])
    except ValueError:
        return "none there"
    holder, key = rng.choice(list(_places(value)))
    odd = rng.choice(ODD)
    if rng.random() < 0.2:
        del holder[key]
    else:
        holder[key] = odd
    lines[number] = json.dumps(value)
    path.write_text("\n".join(lines) + "\n")
    return f"line {number} {key} {odd!r}"[:80]


def _places(value: Any) -> Any:
    """Every (container, key or index) inside a JSON value."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from _places(value[key])
