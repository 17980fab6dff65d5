"""A lock file that processes of one user wait for."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import filelock

from hotrow.errors import TargetError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def hold_lock(path: Path, timeout_s: int) -> Iterator[None]:
    """Hold the lock file until the block ends.

    Raises:
        TargetError: another process has held it for `timeout_s` seconds.
    """
    try:
        with filelock.FileLock(path, timeout=timeout_s):
            yield
    except filelock.Timeout as error:
        raise TargetError(
            f"another process has held {path} for {timeout_s} s: end it, then try again"
        ) from error
