"""The name of a run's schema: it contains the run's start time, machine and process.

```
hotrow_20261128t075000z_laptop_1a2b3c4d_12345_9f8e7d        of a run, a probe or a doctor check
hotrow_20261128t075000z_laptop_1a2b3c4d_12345_9f8e7d_1      the run's second schema, for other knobs
```
The name has these facts because every target has schema names, but not every one has comments on schemas.
It is at most 63 characters long and needs no quotes.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import socket
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

PATTERN = r"hotrow\_%"
"""For LIKE: matches every such name. It also matches others, which `read` sorts out."""
_TIME = "%Y%m%dt%H%M%Sz"
_MAX_HOST_LETTERS = 8
_NAME = re.compile(
    r"(?P<run>hotrow_(?P<began>[0-9]{8}t[0-9]{6}z)_(?P<host>[a-z0-9]{1,8})_(?P<machine>[0-9a-f]{8})_(?P<pid>[1-9][0-9]{0,6})_[0-9a-f]{6})"
    r"(?:_[0-9]{1,4})?"
)


@dataclass(frozen=True, slots=True)
class Maker:
    """The facts in a schema's name about the run that created it."""

    schema: str
    run: str
    """The name without the number: the same for all schemas of one run."""
    began: datetime
    """In UTC, by that machine's clock."""
    host: str
    """The first letters and digits of the machine's name."""
    machine: str
    """Identifies a machine since its last boot and a container on it. The process id is valid only there."""
    pid: int


def new_name() -> str:
    """A unique name."""
    began = datetime.now(UTC).strftime(_TIME)
    return (
        f"hotrow_{began}_{_short(socket.gethostname())}_{this_machine()}_{os.getpid()}_{secrets.token_hex(3)}"
    )


def read(schema: str) -> Maker | None:
    """The facts in a schema's name; None if hotrow did not create the schema."""
    match = _NAME.fullmatch(schema)
    if match is None:
        return None
    try:
        began = datetime.strptime(match["began"], _TIME).replace(tzinfo=UTC)
    except ValueError:
        return None
    return Maker(schema, match["run"], began, match["host"], match["machine"], int(match["pid"]))


@lru_cache(maxsize=1)
def this_machine() -> str:
    """Eight characters that identify this machine since its last boot, and the container on it."""
    facts = [socket.gethostname()]
    with suppress(OSError):  # Linux only
        facts += [
            Path("/proc/sys/kernel/random/boot_id").read_text("ascii"),
            str(Path("/proc/self/ns/pid").readlink()),
        ]
    return hashlib.sha256("\n".join(facts).encode(errors="surrogateescape")).hexdigest()[:8]


def _short(host: str) -> str:
    return re.sub(r"[^a-z0-9]", "", host.lower())[:_MAX_HOST_LETTERS] or "host"
