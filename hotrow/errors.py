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
"""What code of the user raises to leave the program: to hotrow an error as any other.

A Ctrl-C raises neither during a run: it is heard by handlers of our own (`hotrow.interruption`).
"""


def one_line(error: BaseException, text: str | None = None) -> str:
    """`KeyError: 'colour'`: an error's type and its text, or another `text`, if there is one."""
    said = " ".join((str(error) if text is None else text).split())
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def line_in(file: str, error: BaseException) -> int | None:
    """The last line of this file that an error went through; None where it went through none."""
    trace, line = error.__traceback__, None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == file:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def last_place_in(error: BaseException) -> str:
    """`file.py:12`: the last line that an error went through; empty if it went through none."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"


class HotrowError(Exception):
    """Base of hotrow's own errors; its text is one line, fit for standard error."""

    exit_code = 2


class UsageError(HotrowError):
    """The input was wrong; the text names what was wrong, what is allowed and which option to change."""


class TargetError(HotrowError):
    """The database cannot be reached, started, or asked to do what is wanted."""


class RunError(HotrowError):
    """A run directory is missing, unreadable or of another format."""


class Rejected(HotrowError):  # noqa: N818 - a verdict of the business rule, not a fault
    """Raised by a scenario whose business rule said no; the attempt is rolled back and counted `rejected`."""


def in_print(text: str) -> str:
    """The text as one line that shows every character: what is not printable is escaped."""
    line = " ".join(text.split())
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in line)


def in_a_line(error: BaseException) -> HotrowError:
    """The error itself if it is ours; otherwise one line that says what broke, and where in the code.

    Of a file, a disk or a folder it says which and what the system says: that is nothing to report to us.
    """
    if isinstance(error, HotrowError):
        return error
    if isinstance(error, OSError) and error.strerror:
        what = error.filename or f"a file or connection (at {last_place_in(error)})"
        broken = RunError(f"{what}: cannot be read or written ({error.strerror})")
        broken.__cause__ = error
        return broken
    return RunError(f"an unexpected error, {one_line(error)} (at {last_place_in(error)}); please report it")
