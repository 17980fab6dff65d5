"""The system account that runs the server, and what that account can reach.

PostgreSQL refuses to run as root. If the caller is root, the server therefore runs as the unprivileged
account `nobody`, which every system has. No account is created, and the permissions of other people's
folders do not change.
"""

from __future__ import annotations

import os
import pwd
import re
import stat
import subprocess
import tempfile
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hotrow.errors import TargetError
from hotrow.interruption import signals_delayed

if TYPE_CHECKING:
    from collections.abc import Sequence

INHERITED_VARIABLES = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH")
"""The environment variables that a background process inherits: it must not get tokens or PG* settings."""

_READ, _EXECUTE = 4, 1
_COMMAND_S = 150
"""How long a command may run; initdb is the slowest."""
_SHOWN_LINES = 3

_ERROR = re.compile(r"\b(error|FATAL|PANIC):")


@dataclass(frozen=True, slots=True)
class Account:
    """The account that runs the server.

    It is `foreign` if it is not the caller's, because the caller is root.
    """

    uid: int
    gid: int
    foreign: bool


def server_account() -> Account:
    """The caller's own account, or `nobody` if the caller is root.

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
    """Whether the account may enter every existing folder above `path`.

    Only mode bits are checked, no ACLs.
    """
    folders = [folder for folder in path.resolve().parents if folder.exists()]
    return not account.foreign or all(_may(account, folder, _EXECUTE) for folder in folders)


def can_read(account: Account, path: Path) -> bool:
    """Whether the account can reach and read `path`, and enter it if it is a folder."""
    if not path.exists():
        return False
    bits = _READ | _EXECUTE if path.is_dir() else _READ
    return can_reach(account, path) and (not account.foreign or _may(account, path, bits))


def _may(account: Account, path: Path, bits: int) -> bool:
    status = path.stat()
    others_shift = 3 if status.st_gid == account.gid else 0
    shift = 6 if status.st_uid == account.uid else others_shift
    return (status.st_mode >> shift) & bits == bits


def run_as(account: Account, command: Sequence[str | Path], *, text: str = "") -> tuple[int, str]:
    """Run a command as the account, with `text` on standard input; its exit status and all its output.

    The command inherits no session, terminal, file descriptor or working directory, and only a few
    environment variables. So a server that it leaves running outlives the caller, the caller's Ctrl-C and
    its folders.

    Raises:
        TargetError: the command cannot be started, or ran longer than 150 s and was killed.
    """
    environment = {name: os.environ[name] for name in INHERITED_VARIABLES if name in os.environ}
    program = Path(command[0]).name
    # Files, not pipes: a pipe stays open for as long as any process that the command leaves running.
    with (
        tempfile.TemporaryFile() as standard_input,
        tempfile.TemporaryFile() as output,
        ExitStack() as stack,
    ):
        standard_input.write(text.encode())
        standard_input.seek(0)
        try:
            with signals_delayed():  # or a signal could end this process before it knows the new one
                process = subprocess.Popen(  # noqa: S603 - our own commands, no shell input
                    [str(word) for word in command],
                    stdin=standard_input,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd="/",
                    env={**environment, "LC_ALL": "C"},
                    start_new_session=True,
                    user=account.uid if account.foreign else None,
                    group=account.gid if account.foreign else None,
                    extra_groups=() if account.foreign else None,
                )
                stack.callback(_end, process)
            status = process.wait(_COMMAND_S)
        except subprocess.TimeoutExpired as error:
            raise TargetError(f"{program} did not end within {_COMMAND_S} s") from error
        except OSError as error:
            raise TargetError(f"cannot run {program}: {error.strerror or error}") from error
        output.seek(0)
        return status, output.read().decode(errors="replace")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill a process that still runs."""
    if process.poll() is None:
        process.kill()
        process.wait()


_LEAVE_SCRIPT = ': >> "$3" && { "$1" -D "$2" < /dev/null >> "$3" 2>&1 & echo $!; }'
"""A script for sh. Paths are its arguments and never part of its text, so they may contain any character."""


def leave_running(account: Account, server: Path, data: Path, log: Path) -> int:
    """Start `server -D data` as the account, detached as in `run_as`; its process id.

    Its output is appended to `log`.

    Raises:
        TargetError: the server cannot be started.
    """
    status, output = run_as(account, ["/bin/sh", "-c", _LEAVE_SCRIPT, "sh", server, data, log])
    if status != 0 or not output.strip().isdigit():
        raise TargetError(f"cannot start {server.name}: {one_line(output)}")
    return int(output)


def write_as(account: Account, path: Path, text: str) -> None:
    """Replace a file's text atomically.

    The account itself writes it, because root never writes into its folders.

    Raises:
        TargetError: the file cannot be written.
    """
    script = 'cat > "$1.new" && mv -f "$1.new" "$1"'
    status, output = run_as(account, ["/bin/sh", "-c", script, "sh", path], text=text)
    if status != 0:
        raise TargetError(f"cannot write {path}: {one_line(output)}")


def make_folder(path: Path, account: Account) -> None:
    """Make a folder that belongs to the caller, and its missing parents.

    A foreign account may enter the new folders.
    """
    for folder in reversed([folder for folder in (path, *path.parents) if not folder.exists()]):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755 if account.foreign else 0o700)  # the umask may have removed bits


def check_ours(path: Path) -> None:
    """Check that nobody else could have put the folder's contents there.

    Raises:
        TargetError: the folder belongs to another account, or anybody can write into it.
    """
    status = path.stat()
    if status.st_uid != os.geteuid() or status.st_mode & stat.S_IWOTH:
        raise TargetError(
            f"{path} belongs to another account, or anybody may write there: "
            "set HOTROW_HOME to a folder of yours"
        )


def make_private_folder(path: Path, account: Account) -> None:
    """Make a folder that only the account (and root) can enter.

    Raises:
        TargetError: there is something at the path that belongs to another account.
    """
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid not in {os.geteuid(), account.uid}:
        raise TargetError(
            f"{path} belongs to another account: remove it, or set HOTROW_HOME to a folder of yours"
        )
    if status.st_uid != account.uid:  # made just now, or by a start that was killed at this point
        os.chown(path, account.uid, account.gid, follow_symlinks=False)
    if stat.S_IMODE(status.st_mode) & 0o077:
        path.chmod(0o700)


def one_line(text: str) -> str:
    """A program's output as one line: three lines around its first error, or at its end if it has none."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [number for number, line in enumerate(lines) if _ERROR.search(line)]
    # PostgreSQL prints the reason in the line before the error.
    begin = max(0, errors[0] - 1 if errors else len(lines) - _SHOWN_LINES)
    return " | ".join(lines[begin : begin + _SHOWN_LINES]) or "no output"
