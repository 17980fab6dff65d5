"""The name of a run's schema: it tells when the run began, on which machine and in which process.

```
hotrow_20261128t075000z_laptop_1a2b3c4d_12345_9f8e7d        of a run, a probe or an examination
hotrow_20261128t075000z_laptop_1a2b3c4d_12345_9f8e7d_1      the run's second schema, of other knobs
```
The name is the only place for it: every target has names of schemas, not every one has comments on them.
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
"""Of LIKE: finds every such name, and others, which `read` tells apart."""
_TIME = "%Y%m%dt%H%M%Sz"
_MAX_HOST_LETTERS = 8
_MADE = re.compile(
    r"(?P<run>hotrow_(?P<began>[0-9]{8}t[0-9]{6}z)_(?P<host>[a-z0-9]{1,8})_(?P<machine>[0-9a-f]{8})_(?P<pid>[1-9][0-9]{0,6})_[0-9a-f]{6})"
    r"(?:_[0-9]{1,4})?"
)


@dataclass(frozen=True, slots=True)
class Maker:
    """Who made a schema, as its name tells."""

    schema: str
    run: str
    """The name without the number: the same for all schemas of one run."""
    began: datetime
    """In UTC, by that machine's clock."""
    host: str
    """The first letters and digits of the machine's name."""
    machine: str
    """Tells machines, their boots and their containers apart: the process id means something in one only."""
    pid: int


def new_name() -> str:
    """A name that no other run has."""
    began = datetime.now(UTC).strftime(_TIME)
    return (
        f"hotrow_{began}_{_short(socket.gethostname())}_{this_machine()}_{os.getpid()}_{secrets.token_hex(3)}"
    )


def read(schema: str) -> Maker | None:
    """What a schema's name tells; None if hotrow did not make it."""
    found = _MADE.fullmatch(schema)
    if found is None:
        return None
    try:
        began = datetime.strptime(found["began"], _TIME).replace(tzinfo=UTC)
    except ValueError:
        return None
    return Maker(schema, found["run"], began, found["host"], found["machine"], int(found["pid"]))


@lru_cache(maxsize=1)
def this_machine() -> str:
    """Eight characters for this machine since its last boot, and for this container on it."""
    told = [socket.gethostname()]
    with suppress(OSError):  # Linux only
        told += [
            Path("/proc/sys/kernel/random/boot_id").read_text("ascii"),
            str(Path("/proc/self/ns/pid").readlink()),
        ]
    return hashlib.sha256("\n".join(told).encode(errors="surrogateescape")).hexdigest()[:8]


def _short(host: str) -> str:
    return re.sub(r"[^a-z0-9]", "", host.lower())[:_MAX_HOST_LETTERS] or "host"
