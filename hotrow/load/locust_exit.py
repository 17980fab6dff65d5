"""The exit code of a Locust process: Locust's own code 1 becomes 2, because 1 means that a gate failed.

Python's own code 1, after an exception that nothing caught, becomes 2 too.
"""

from __future__ import annotations

import os
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn

import locust.argument_parser
import locust.main
import locust.runners
import locust.util.load_locustfile

from hotrow.console import report_error
from hotrow.errors import HotrowError
from hotrow.exit_codes import ERROR, FINE

if TYPE_CHECKING:
    from types import TracebackType

    from locust.env import Environment


class LocustExit(ModuleType):
    """Replaces the `sys` module in Locust's modules: its `exit` lets only exit codes of hotrow pass."""

    def __init__(self) -> None:
        super().__init__("sys")
        self.environment: Environment | None = None
        """None until Locust has made it; until then hotrow has set no code."""

    def __getattr__(self, name: str) -> Any:
        return getattr(sys, name)

    def exit(self, code: object = FINE) -> NoReturn:
        """End the process with the code that hotrow set, or with 0; with 2 instead of any other code."""
        code_set = None if self.environment is None else self.environment.process_exit_code
        sys.exit(code if code in {None, FINE, code_set} else ERROR)


def take_over() -> LocustExit:
    """Replace `sys` in the modules of Locust that end the process, and what happens at an uncaught exception.

    That affects what Locust does from now on. If a locustfile imports hotrow, Locust has found it by then.
    """
    locust_exit = LocustExit()
    for module in (locust.argument_parser, locust.util.load_locustfile, locust.runners, locust.main):
        module.sys = locust_exit  # type: ignore[attr-defined]
    sys.excepthook = end_with_error
    return locust_exit


def end_with_error(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Report an exception that nothing caught, such as one of a locustfile; end the process with code 2."""
    if isinstance(error, HotrowError):
        report_error(error)
    else:
        sys.__excepthook__(kind, error, trace)
    if issubclass(kind, KeyboardInterrupt):
        return  # Python ends as a process does that a signal ended
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    os._exit(error.exit_code if isinstance(error, HotrowError) else ERROR)
