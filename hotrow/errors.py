"""Everything that hotrow raises on purpose.

```
HotrowError            one line for the user; exit code 2
├── UsageError         the input was wrong: what, what is allowed, which option to change
├── TargetError        the database cannot be reached or cannot do what is asked
├── RunError           a run directory is missing, torn or not ours
└── Rejected           (not an error of the run) the business rule said no; the attempt is rolled back
```
"""

from __future__ import annotations

from pathlib import Path

LEAVING = (SystemExit, KeyboardInterrupt)
"""Exceptions with which a user's code leaves the program. hotrow treats them like any other error.

Ctrl-C raises neither of them during a run: hotrow has its own signal handlers (`hotrow.interruption`).
"""


def one_line(error: BaseException, text: str | None = None) -> str:
    """`KeyError: 'colour'`: the type of an error and its text, or another `text` in its place."""
    message = " ".join((str(error) if text is None else text).split())
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def line_in(file: str, error: BaseException) -> int | None:
    """The last line of a file that an error went through; None if it did not go through the file."""
    trace, line = error.__traceback__, None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == file:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def last_place_in(error: BaseException) -> str:
    """`file.py:12`: the last line that an error went through; empty if it has no traceback."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"


class HotrowError(Exception):
    """Base of hotrow's own errors; its text is one line, fit for standard error."""

    exit_code = 2


class UsageError(HotrowError):
    """The input was wrong. The text says what was wrong, what is allowed and which option to change."""


class TargetError(HotrowError):
    """The database cannot be reached or started, or cannot do what is needed."""


class RunError(HotrowError):
    """A run directory is missing, unreadable or of another format."""


class Rejected(HotrowError):  # noqa: N818 - a verdict of the business rule, not a fault
    """A scenario raises it if its business rule says no: the attempt is rolled back, and is `rejected`."""


def in_print(text: str) -> str:
    """The text as one line in which every character shows: unprintable ones are escaped."""
    line = " ".join(text.split())
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in line)


def in_a_line(error: BaseException) -> HotrowError:
    """The error itself if it is a HotrowError; otherwise one that says in one line what broke, and where.

    For an error of a file, a disk or a folder the line has its path and the system's message: it is not a
    fault of hotrow's that should be reported.
    """
    if isinstance(error, HotrowError):
        return error
    if isinstance(error, OSError) and error.strerror:
        path = error.filename or f"a file or connection (at {last_place_in(error)})"
        broken = RunError(f"{path}: cannot be read or written ({error.strerror})")
        broken.__cause__ = error
        return broken
    return RunError(f"an unexpected error, {one_line(error)} (at {last_place_in(error)}); please report it")
