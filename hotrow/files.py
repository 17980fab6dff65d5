"""Opening files of unknown origin: only regular ones, because a pipe or a device may never end."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from pathlib import Path


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file to read its bytes, also through a symbolic link.

    Raises:
        OSError: the file cannot be opened, or is a directory, pipe, socket or device; `strerror` says why.
    """
    try:
        file = os.open(
            path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
        )  # a pipe without a writer would block
    except ValueError as error:  # a NUL in the name
        raise OSError(errno.EINVAL, "not a file's name") from error
    try:
        is_regular = stat.S_ISREG(os.fstat(file).st_mode)
    except OSError:
        is_regular = False
    if not is_regular:
        os.close(file)
        raise OSError(errno.EINVAL, "not a regular file")
    return os.fdopen(file, "rb")
