"""The endpoint's folder: its files, what is in them, and who writes and reads them.

```
HOME/local/pg18/endpoint/   the caller's, 0700
├── lock                    held while the endpoint is started or stopped
├── serving.lock            held by the endpoint's process as long as it runs
├── state.json              written when the endpoint listens: its process, ports and options
├── ca.pem                  the certificate authority of this start; its key is never on disk
├── bundle.pem              the same after those of the system, for clients that also reach other servers
├── credentials.json        0600; the keys that the endpoint made, unless it was given keys
├── control                 a socket that reports and sets the faults (control.py)
└── log                     standard error of the endpoint's process
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
ADDRESS = "127.0.0.1"
HOSTS = (HOST, ADDRESS)
READY = "ready"
"""The line that the endpoint's process prints when it listens and has written its state."""


@dataclass(frozen=True, slots=True)
class EndpointState:
    """The content of state.json: the process of a running endpoint, and how it runs."""

    pid: int
    started: float
    """The process's start in seconds since the epoch, because process ids are used again."""
    ports: dict[str, int]
    """The port of each region, the first region first."""
    hostnames: dict[str, str]
    """The cluster's name of each region that has one."""
    profiles: dict[str, list[float]]
    """The latency that each region adds: seconds per round trip and per COMMIT."""
    control: str
    """The path of its control socket."""
    own_credentials: bool
    """Whether the endpoint made its credentials; False if it was given the caller's."""
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

    def host(self, region: str) -> str:
        """The name under which clients reach a region."""
        return self.hostnames.get(region, HOST)


@dataclass(frozen=True, slots=True)
class EndpointFolder:
    """The paths in the endpoint's folder."""

    path: Path

    @property
    def lock(self) -> Path:
        """Held while the endpoint is started or stopped."""
        return self.path / "lock"

    @property
    def serving_lock(self) -> Path:
        """Held by the endpoint's process."""
        return self.path / "serving.lock"

    @property
    def ca(self) -> Path:
        """The certificate authority, for a client's sslrootcert."""
        return self.path / "ca.pem"

    @property
    def bundle(self) -> Path:
        """The certificate authorities of the system, and the endpoint's."""
        return self.path / "bundle.pem"

    @property
    def log(self) -> Path:
        """Standard error of the endpoint's process."""
        return self.path / "log"

    @property
    def state(self) -> Path:
        """The `EndpointState` of the running endpoint."""
        return self.path / "state.json"

    @property
    def credentials(self) -> Path:
        """The keys that the endpoint made."""
        return self.path / "credentials.json"


def write_private(path: Path, text: str) -> None:
    """Replace a file's text atomically. Only the owner can read the file, from its first byte on."""
    temporary = path.with_name(f"{path.name}.new")
    temporary.unlink(missing_ok=True)
    file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(file, "w", encoding="utf-8") as stream:
        stream.write(text)
    temporary.replace(path)


def write_state(folder: EndpointFolder, state: EndpointState) -> None:
    """Record a running endpoint."""
    write_private(folder.state, json.dumps(asdict(state)))


def read_state(folder: EndpointFolder) -> EndpointState | None:
    """The state of the running endpoint; None if none runs."""
    try:
        values = json.loads(folder.state.read_text(encoding="utf-8"))
        state = EndpointState(**{entry.name: values[entry.name] for entry in fields(EndpointState)})
        return state if is_alive(state) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def is_alive(state: EndpointState) -> bool:
    """Whether the recorded process still runs. A later process with the same id does not count."""
    try:
        process = psutil.Process(state.pid)
        return process.create_time() == state.started and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def read_credentials(folder: EndpointFolder) -> Credentials:
    """The keys that the endpoint made.

    Raises:
        OSError, ValueError, KeyError: there are none.
    """
    values = json.loads(folder.credentials.read_text(encoding="utf-8"))
    return Credentials(values["access_key"], values["secret_key"])


def write_credentials(folder: EndpointFolder, credentials: Credentials) -> None:
    """Keep the keys that the endpoint made."""
    write_private(folder.credentials, json.dumps(asdict(credentials)))
