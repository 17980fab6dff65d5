"""The folders and files of the stand-in's server.

```
HOME/                       HOTROW_HOME, or hotrow in the user's cache folder
├── binaries/               copies of programs, only if the server's account cannot reach the originals
└── local/pg18/             one per major version
    ├── lock                held while the server is started, stopped or given its SQL
    ├── data/               the data directory; complete or absent (initdb works in data.new-*)
    ├── log/server.log
    └── socket/             unless its path is too long for a socket, or has unusual characters
```
If the caller is root, the server's account may not reach HOME (a home folder of mode 0700). Then a folder in
the system's cache replaces it: /var/cache/hotrow replaces the user's cache folder,
/var/cache/hotrow/homes/<hash> replaces a HOTROW_HOME.
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

_MAX_SOCKET_PATH_BYTES = 100
"""macOS allows 104 bytes including the zero byte at the end, Linux 108."""

_PLAIN = re.compile(r"[\w./+@~-]+", re.ASCII)
"""Paths that every client accepts without quotes. libpq would read a comma as the end of a host."""

_ORIGIN = "origin"
"""A file in the replacement of a HOTROW_HOME: the path of that HOTROW_HOME."""


@dataclass(frozen=True, slots=True)
class Paths:
    """The paths of one server: one major version under one home."""

    home: Path
    root: Path
    """HOME/local/pg<major>, which belongs to the caller."""
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
        """The file in which a server records itself, its process id first.

        A server that was killed leaves it behind.
        """
        return self.data / "postmaster.pid"


def find_paths(account: Account, major: int) -> Paths:
    """The paths of the server of a major version. No folder is made.

    Raises:
        TargetError: HOTROW_HOME cannot be the path of a folder, or there is no home folder.
    """
    home = _home(account)
    root = home / "local" / f"pg{major}"
    return Paths(home, root, root / "data", root / "log" / "server.log", _socket_folder(root, account))


def make_folders(paths: Paths, account: Account) -> None:
    """Make all folders except the data directory.

    Raises:
        TargetError: one of them belongs to another account.
        OSError: one of them cannot be made.
    """
    origin = _named_home()
    if origin is not None:
        make_folder(origin, account)  # even if another folder replaces it: the path must be usable
    make_folder(paths.root, account)
    check_ours(paths.root)
    if account.foreign:
        make_folder(paths.home / "binaries", account)
    if origin is not None and origin != paths.home:
        _drop_unused_replacements(paths.home, origin)
    make_private_folder(paths.log.parent, account)
    make_private_folder(paths.socket_folder, account)


def _named_home() -> Path | None:
    """The folder that HOTROW_HOME names, if it is set."""
    text = os.environ.get("HOTROW_HOME")
    if text and any(ord(character) < ord(" ") for character in text):
        # A running PostgreSQL writes its path as one line of a file, and finds the next lines by their
        # numbers.
        raise TargetError(f"HOTROW_HOME {text!r}: line breaks and other control characters are not allowed")
    try:
        return Path(text).expanduser().resolve() if text else None
    except RuntimeError:
        raise TargetError(f"HOTROW_HOME {text}: there is no such user; set it to a folder of yours") from None


def _home(account: Account) -> Path:
    named = _named_home()
    home = named or _cache()
    if can_reach(account, home / "local"):
        return home
    system = platformdirs.site_cache_path("hotrow").resolve()
    return system / "homes" / _hash(home) if named else system


def _cache() -> Path:
    try:
        return platformdirs.user_cache_path("hotrow").resolve()
    except RuntimeError:  # HOME is not set, and the account has no entry in /etc/passwd
        raise TargetError("you have no home folder: set HOTROW_HOME to a folder that you can write") from None


def _socket_folder(root: Path, account: Account) -> Path:
    folder = root / "socket"
    fits = len(os.fsencode(folder / ".s.PGSQL.5432")) <= _MAX_SOCKET_PATH_BYTES
    if fits and _PLAIN.fullmatch(str(folder)):
        return folder
    # Not TMPDIR: every process of the user must find the same folder, whatever its environment is.
    return Path("/tmp").resolve() / f"hotrow-{account.uid}-{_hash(root)}"  # noqa: S108 - mode 0700, and the owner is checked


def _hash(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]


def _drop_unused_replacements(home: Path, origin: Path) -> None:
    """Record which HOTROW_HOME `home` replaces, and remove replacements of those that no longer exist."""
    (home / _ORIGIN).write_bytes(os.fsencode(origin))
    for note in home.parent.glob(f"*/{_ORIGIN}"):
        if not Path(os.fsdecode(note.read_bytes())).exists() and not _may_run(note.parent):
            shutil.rmtree(note.parent, ignore_errors=True)


def _may_run(home: Path) -> bool:
    return any(home.glob("local/*/data/postmaster.pid"))
