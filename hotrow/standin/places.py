"""Where the stand-in keeps its things.

```
HOME/                       HOTROW_HOME, or hotrow in the user's cache folder
├── binaries/               copies of programs, only where the server's account cannot reach the originals
└── local/pg18/             one a major version
    ├── lock                held while the server is started, stopped or given its SQL
    ├── data/               the data directory; complete or absent (initdb works in data.new-*)
    ├── log/server.log
    └── socket/             unless its path is too long for a socket, or of unusual characters
```
For root, where the server's account cannot reach HOME (a home folder of mode 0700), the system's cache
folder stands in: /var/cache/hotrow for the user's own cache folder, /var/cache/hotrow/homes/<hash> for a
HOTROW_HOME.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from hotrow.errors import TargetError
from hotrow.standin.account import Account, can_reach, check_ours, make_folder, make_private_folder

_SOCKET_PATH_BYTES_MAX = 100
"""macOS takes 104 bytes with the closing zero, Linux 108."""

_PLAIN = re.compile(r"[\w./+@~-]+", re.ASCII)
"""Paths that every client takes without quotes; libpq would read a comma as the next host."""

_ORIGIN = "origin"
"""File in a stand-in of a HOTROW_HOME: the path that it stands in for."""


@dataclass(frozen=True, slots=True)
class Places:
    """The folders of one server: those of one major version under one home."""

    home: Path
    root: Path
    """HOME/local/pg<major>: the caller's."""
    data: Path
    log: Path
    socket_folder: Path

    @property
    def lock(self) -> Path:
        """The lock file."""
        return self.root / "lock"

    @property
    def socket(self) -> Path:
        """The server's socket."""
        return self.socket_folder / ".s.PGSQL.5432"

    @property
    def postmaster_file(self) -> Path:
        """What a running server, or one that was killed, leaves about itself: its process id comes first."""
        return self.data / "postmaster.pid"


def find_places(account: Account, major: int) -> Places:
    """The folders of the server of a major version; makes none of them.

    Raises:
        TargetError: HOTROW_HOME cannot be a folder's path, or there is no home folder.
    """
    home = _home(account)
    root = home / "local" / f"pg{major}"
    return Places(home, root, root / "data", root / "log" / "server.log", _socket_folder(root, account))


def make_places(places: Places, account: Account) -> None:
    """Make the folders, all but the data directory.

    Raises:
        TargetError: one of them belongs to somebody else.
        OSError: one of them cannot be made.
    """
    origin = _given_home()
    if origin is not None:
        make_folder(origin, account)  # first, also where another stands in for it: it must be a usable path
    make_folder(places.root, account)
    check_ours(places.root)
    if account.foreign:
        make_folder(places.home / "binaries", account)
    if origin is not None and origin != places.home:
        _drop_homeless(places.home, origin)
    make_private_folder(places.log.parent, account)
    make_private_folder(places.socket_folder, account)


def _given_home() -> Path | None:
    given = os.environ.get("HOTROW_HOME")
    if given and any(ord(character) < ord(" ") for character in given):
        # A PostgreSQL that runs notes its path in a line of a file, and reads the next lines by their number.
        raise TargetError(f"HOTROW_HOME {given!r}: line breaks and other control characters are not allowed")
    try:
        return Path(given).expanduser().resolve() if given else None
    except RuntimeError:
        raise TargetError(f"HOTROW_HOME {given}: there is no such user; give a folder of yours") from None


def _home(account: Account) -> Path:
    given = _given_home()
    home = given or _cache()
    if can_reach(account, home / "local"):
        return home
    system = platformdirs.site_cache_path("hotrow").resolve()
    return system / "homes" / _hash(home) if given else system


def _cache() -> Path:
    try:
        return platformdirs.user_cache_path("hotrow").resolve()
    except RuntimeError:  # HOME is not set, and the account has no entry in /etc/passwd either
        raise TargetError("you have no home folder: set HOTROW_HOME to a folder that you can write") from None


def _socket_folder(root: Path, account: Account) -> Path:
    folder = root / "socket"
    fits = len(os.fsencode(folder / ".s.PGSQL.5432")) <= _SOCKET_PATH_BYTES_MAX
    if fits and _PLAIN.fullmatch(str(folder)):
        return folder
    # Not TMPDIR: every process of the user must come to the same answer, whatever its environment.
    return Path("/tmp").resolve() / f"hotrow-{account.uid}-{_hash(root)}"  # noqa: S108 - 0700 and its owner checked


def _hash(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]


def _drop_homeless(home: Path, origin: Path) -> None:
    """Note which HOTROW_HOME a folder stands in for, and drop those whose HOTROW_HOME is gone."""
    (home / _ORIGIN).write_bytes(os.fsencode(origin))
    for note in home.parent.glob(f"*/{_ORIGIN}"):
        if not Path(os.fsdecode(note.read_bytes())).exists() and not _may_run(note.parent):
            shutil.rmtree(note.parent, ignore_errors=True)


def _may_run(home: Path) -> bool:
    return any(home.glob("local/*/data/postmaster.pid"))
