"""What an endpoint leaves on disk, and who reads it.

```
HOME/local/pg18/endpoint/   the caller's, 0700
├── lock                    held while the endpoint is started or stopped
├── serving.lock            held by the endpoint as long as it lives
├── state.json              written when it listens; says where, and by which process
├── ca.pem                  the certificate authority of this start; its key is never on disk
├── credentials.json        0600; the keys that it made, unless it was given some
├── control                 a socket: which faults are in force (control.py)
└── log
```
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING

import psutil

from hotrow.standin.endpoint.token import Credentials

if TYPE_CHECKING:
    from pathlib import Path

HOST = "localhost"
HOSTS = (HOST, "127.0.0.1")


@dataclass(frozen=True, slots=True)
class State:
    """A running endpoint."""

    pid: int
    started: float
    """The process's start in seconds since the epoch: a process id may come again."""
    ports: dict[str, int]
    """Of each region, the first one first."""
    profiles: dict[str, list[float]]
    """Latency that each region adds: seconds a round trip and a COMMIT."""
    control: str
    """The path of its control socket."""
    own_credentials: bool
    """Whether it made its credentials; False where it was given the caller's."""
    rules: bool
    """Whether it refuses what Aurora DSQL refuses."""

    @property
    def region(self) -> str:
        """The first region."""
        return next(iter(self.ports))

    @property
    def port(self) -> int:
        """The port of the first region."""
        return self.ports[self.region]


@dataclass(frozen=True, slots=True)
class Folder:
    """The endpoint's folder."""

    path: Path

    @property
    def lock(self) -> Path:
        """Held while it is started or stopped."""
        return self.path / "lock"

    @property
    def serving(self) -> Path:
        """Held by the process that serves."""
        return self.path / "serving.lock"

    @property
    def ca(self) -> Path:
        """The certificate authority, for a client's sslrootcert."""
        return self.path / "ca.pem"

    @property
    def log(self) -> Path:
        """What the process says."""
        return self.path / "log"

    @property
    def state(self) -> Path:
        """The record of the running endpoint."""
        return self.path / "state.json"

    @property
    def credentials(self) -> Path:
        """The keys that the endpoint made."""
        return self.path / "credentials.json"


def write_private(path: Path, text: str) -> None:
    """Replace a file's text at once, readable by its owner only from its first byte on."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(file, "w", encoding="utf-8") as stream:
        stream.write(text)
    fresh.replace(path)


def write_state(folder: Folder, state: State) -> None:
    """Record a running endpoint."""
    write_private(folder.state, json.dumps(asdict(state)))


def read_state(folder: Folder) -> State | None:
    """The endpoint that runs, if one does."""
    try:
        facts = json.loads(folder.state.read_text(encoding="utf-8"))
        state = State(**{entry.name: facts[entry.name] for entry in fields(State)})
        return state if is_alive(state) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def is_alive(state: State) -> bool:
    """Whether the recorded process, and no later one of its id, lives."""
    try:
        process = psutil.Process(state.pid)
        return process.create_time() == state.started and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def read_credentials(folder: Folder) -> Credentials:
    """The keys that the endpoint made.

    Raises:
        OSError, ValueError, KeyError: there are none.
    """
    facts = json.loads(folder.credentials.read_text(encoding="utf-8"))
    return Credentials(facts["access_key"], facts["secret_key"])


def write_credentials(folder: Folder, credentials: Credentials) -> None:
    """Keep the keys that the endpoint made."""
    write_private(folder.credentials, json.dumps(asdict(credentials)))
