"""Standard output and standard error that take any text, and whose loss changes no exit code.

A locale or PYTHONIOENCODING may have few characters, an argument may hold bytes that are not text, the reader
may close the pipe, as `head` does, and the disk may be full. Python would end with a traceback and exit code
1 or 120, and 1 means here that a gate failed.
"""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TextIO

from hotrow.errors import in_print

if TYPE_CHECKING:
    from hotrow.errors import HotrowError


class _Outlet(io.FileIO):
    """A file descriptor that drops text that cannot be written, after one message.

    There is no message if the reader has closed the pipe: it has read all that it wanted.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor, "wb", closefd=False)
        self.lost = False
        """Whether text was dropped though the reader was there."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            pass
        except OSError as error:
            self.lost = True
            with suppress(OSError):
                os.write(2, f"hotrow: cannot write to standard output: {error.strerror}\n".encode())
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)
        return memoryview(data).nbytes


def take_over() -> bool:
    """Make this process's standard output and standard error take any text.

    Returns False and does nothing if they were replaced before, by this function or by a test.
    """
    if sys.stdout is not sys.__stdout__ or sys.stderr is not sys.__stderr__:
        return False
    sys.stdout, sys.stderr = _sturdy(sys.stdout, "replace"), _sturdy(sys.stderr, "backslashreplace")
    return True


def is_lost() -> bool:
    """Whether text could not be written to standard output, though its reader was there."""
    if sys.stdout is None:
        return False
    sys.stdout.flush()
    outlet = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    return isinstance(outlet, _Outlet) and outlet.lost


def _sturdy(stream: TextIO | None, errors: str) -> TextIO | None:
    """The stream, made anew; None if the stream was closed when the process started."""
    if stream is None:
        return None
    stream.flush()
    outlet = io.BufferedWriter(_Outlet(stream.fileno()))
    by_line = stream.isatty() or errors == "backslashreplace"
    return io.TextIOWrapper(outlet, encoding=stream.encoding, errors=errors, line_buffering=by_line)


def report_error(error: HotrowError) -> None:
    """Print the one line of an error on standard error."""
    print(f"hotrow: {in_print(str(error))}", file=sys.stderr)
