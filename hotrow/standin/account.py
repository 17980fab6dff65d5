"""Which system account runs the server, and what that account can reach.

PostgreSQL refuses to run as root. For root the server therefore belongs to the unprivileged account `nobody`,
which every system has; no account is made, and no folder of anybody else's gets other permissions.
"""

from __future__ import annotations

import os
import pwd
import re
import stat
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hotrow.errors import TargetError

if TYPE_CHECKING:
    from collections.abc import Sequence

_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH")
"""All of the caller's environment that the server sees: it must not carry tokens or PG* settings."""

_READ, _EXECUTE = 4, 1

_ERROR = re.compile(r"\b(error|FATAL|PANIC):")


@dataclass(frozen=True, slots=True)
class Account:
    """The account that runs the server. `foreign`: it is not the caller's own, because the caller is root."""

    uid: int
    gid: int
    foreign: bool


def server_account() -> Account:
    """The caller's own account, or `nobody` where the caller is root.

    Raises:
        TargetError: the caller is root and the system has no account `nobody`.
    """
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid(), foreign=False)
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError as error:
        raise TargetError(
            "PostgreSQL refuses to run as root, and there is no account `nobody`: run hotrow as another user"
        ) from error
    return Account(entry.pw_uid, entry.pw_gid, foreign=True)


def can_reach(account: Account, path: Path) -> bool:
    """Whether the account may enter every existing folder above `path` (mode bits; ACLs are not read)."""
    folders = [folder for folder in path.resolve().parents if folder.exists()]
    return not account.foreign or all(_may(account, folder, _EXECUTE) for folder in folders)


def can_read(account: Account, path: Path) -> bool:
    """Whether the account may reach and read `path`; a folder must also be enterable."""
    if not path.exists():
        return False
    bits = _READ | _EXECUTE if path.is_dir() else _READ
    return can_reach(account, path) and (not account.foreign or _may(account, path, bits))


def _may(account: Account, path: Path, bits: int) -> bool:
    status = path.stat()
    others_shift = 3 if status.st_gid == account.gid else 0
    shift = 6 if status.st_uid == account.uid else others_shift
    return (status.st_mode >> shift) & bits == bits


def run_as(
    account: Account, command: Sequence[str | Path], *, text: str = "", timeout_s: float = 150.0
) -> tuple[int, str]:
    """Run a command as the account, `text` on its standard input; its exit status and all that it printed.

    It inherits no session, terminal, file descriptor or working directory, and next to no environment: a
    server that it leaves behind outlives the caller, its Ctrl-C and its folders.

    Raises:
        TargetError: the command cannot be started, or ran longer than `timeout_s` and was killed.
    """
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    program = Path(command[0]).name
    # Files, not pipes: a pipe stays open for as long as any process that the command leaves behind.
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as printed:
        given.write(text.encode())
        given.seek(0)
        try:
            done = subprocess.run(  # noqa: S603 - our own commands, no shell input
                [str(word) for word in command],
                stdin=given,
                stdout=printed,
                stderr=subprocess.STDOUT,
                cwd="/",
                env={**environment, "LC_ALL": "C"},
                start_new_session=True,
                user=account.uid if account.foreign else None,
                group=account.gid if account.foreign else None,
                extra_groups=() if account.foreign else None,
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise TargetError(f"{program} did not end within {timeout_s:g} s") from error
        except OSError as error:
            raise TargetError(f"cannot run {program}: {error.strerror or error}") from error
        printed.seek(0)
        return done.returncode, printed.read().decode(errors="replace")


_LEAVE = ': >> "$3" && { "$1" -D "$2" < /dev/null >> "$3" 2>&1 & echo $!; }'
"""A script for sh: paths are its arguments and never part of its text, so they may hold any character."""


def leave_running(account: Account, server: Path, data: Path, log: Path) -> int:
    """Start `server -D data` as the account, detached as in `run_as`; its process id. It appends to `log`.

    Raises:
        TargetError: it cannot be started.
    """
    status, printed = run_as(account, ["/bin/sh", "-c", _LEAVE, "sh", server, data, log])
    if status != 0 or not printed.strip().isdigit():
        raise TargetError(f"cannot start {server.name}: {one_line(printed)}")
    return int(printed)


def write_as(account: Account, path: Path, text: str) -> None:
    """Replace a file's text atomically, written by the account itself: root never writes into its folders.

    Raises:
        TargetError: the file cannot be written.
    """
    script = 'cat > "$1.new" && mv -f "$1.new" "$1"'
    status, printed = run_as(account, ["/bin/sh", "-c", script, "sh", path], text=text)
    if status != 0:
        raise TargetError(f"cannot write {path}: {one_line(printed)}")


def make_folder(path: Path, account: Account) -> None:
    """Make a folder of the caller's and its missing parents; a foreign account may enter what is made."""
    for folder in reversed([folder for folder in (path, *path.parents) if not folder.exists()]):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755 if account.foreign else 0o700)  # whatever the umask says


def check_ours(path: Path) -> None:
    """Make sure that nobody else could have put the folder's contents there.

    Raises:
        TargetError: the folder belongs to somebody else, or anybody can write into it.
    """
    status = path.stat()
    if status.st_uid != os.geteuid() or status.st_mode & stat.S_IWOTH:
        raise TargetError(
            f"{path} is another account's, or anybody may write there: set HOTROW_HOME to a folder of yours"
        )


def make_private_folder(path: Path, account: Account) -> None:
    """Make a folder that only the account (and root) can enter.

    Raises:
        TargetError: something of somebody else's is in its place.
    """
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid not in {os.geteuid(), account.uid}:
        raise TargetError(
            f"{path} belongs to another account: remove it, or set HOTROW_HOME to a folder of yours"
        )
    if status.st_uid != account.uid:  # just made, or made by a start that was killed here
        os.chown(path, account.uid, account.gid, follow_symlinks=False)
    if stat.S_IMODE(status.st_mode) & 0o077:
        path.chmod(0o700)


def one_line(text: str, *, last: int = 3) -> str:
    """A program's output as one line: `last` lines around its first error if there is one, else its end."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [number for number, line in enumerate(lines) if _ERROR.search(line)]
    begin = max(0, errors[0] - 1 if errors else len(lines) - last)  # PostgreSQL gives the reason first
    return " | ".join(lines[begin : begin + last]) or "it said nothing"
