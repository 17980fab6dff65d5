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


def line_in(file: str, error: BaseException) -> int | None:
    """The last line of this file that an error went through; None where it went through none."""
    trace, line = error.__traceback__, None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == file:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


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
