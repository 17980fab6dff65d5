"""The server's data directory: made by initdb, complete or absent."""

from __future__ import annotations

import pwd
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from hotrow.errors import TargetError
from hotrow.standin.account import one_line, run_as, write_as
from hotrow.standin.settings import FILE_NAME, FSYNC_OFF

if TYPE_CHECKING:
    from hotrow.standin.account import Account
    from hotrow.standin.site import Site

_NEW_DATA = "data.new-"
_SHELL_SPECIAL = '"$`\\\n'
"""Characters that sh does not take literally in double quotes."""


def make_database(site: Site) -> None:
    """Run initdb under a temporary name, then rename: the data directory is complete or absent."""
    for leftover in site.paths.root.glob(f"{_NEW_DATA}*"):
        # Its initdb may still run. What it adds after this is removed the next time.
        shutil.rmtree(leftover, ignore_errors=True)
    temporary = Path(tempfile.mkdtemp(prefix=_NEW_DATA, dir=site.paths.root))
    try:
        if site.account.foreign:
            shutil.chown(temporary, site.account.uid, site.account.gid)
        _initdb(site, temporary)
        temporary.rename(site.paths.data)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _initdb(site: Site, folder: Path) -> None:
    _check_account_name(site.account)
    _run_initdb(site, "-D", folder, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C")
    configuration = folder / "postgresql.conf"
    text = configuration.read_text(encoding="utf-8")
    write_as(site.account, configuration, f"{text}\ninclude_if_exists = '{FILE_NAME}'\n")


def _check_account_name(account: Account) -> None:
    """Check that the account has a name, which initdb requires.

    Raises:
        TargetError: it has none.
    """
    try:
        pwd.getpwuid(account.uid)
    except KeyError:
        raise TargetError(
            f"PostgreSQL cannot make a database for user id {account.uid}, which is not in /etc/passwd: "
            "add one, run hotrow as another user, or measure another server with -H postgresql://…"
        ) from None


def sync_to_disk(site: Site) -> None:
    """Write to disk what a server without fsync left in memory: from now on, nothing may be lost."""
    file = site.paths.data / FILE_NAME
    if file.exists() and FSYNC_OFF in file.read_text(encoding="utf-8"):
        _run_initdb(site, "--sync-only", "-D", site.paths.data)


def _run_initdb(site: Site, *arguments: str | Path) -> None:
    """Run initdb, which passes its own path to a shell in double quotes.

    Raises:
        TargetError: initdb failed, or a shell would not take its path literally.
    """
    program = site.usable_binaries.program("initdb")
    if any(character in _SHELL_SPECIAL for character in str(program)):
        raise TargetError(
            f"initdb cannot be run in {str(program.parent)!r}, because it passes this path to a shell: "
            'install hotrow, or set HOTROW_PG_BIN, in a folder without " $ ` \\ and line breaks in its path'
        )
    status, output = run_as(site.account, [program, *arguments])
    if status != 0:
        raise TargetError(f"initdb failed: {one_line(output)}")
