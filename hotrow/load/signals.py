"""The end of a process by SIGINT (Ctrl-C), SIGTERM or SIGHUP.

The first signal asks for a proper end. At a second signal, or if the event loop is blocked, the process ends
at once and says which code it was executing. The handlers are Python's and not gevent's: gevent's handlers
run only when the event loop does, so they would not run during a `while True` in a scenario.
"""

from __future__ import annotations

import os
import signal
import sys
import sysconfig
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import gevent

from hotrow.console import report_error
from hotrow.errors import RunError
from hotrow.exit_codes import NOT_USABLE
from hotrow.interruption import listen

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

PATIENCE_S = 5.0
"""How long the event loop may take to handle a signal."""
_SHOW_CURSOR = "\x1b[?25h"
_LIBRARIES = (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), sysconfig.get_path("purelib"))


@dataclass(slots=True)
class Ending:
    """How a process ends after a signal.

    Args:
        end: ends the process properly; called in a greenlet with the name of the first signal.
        left: returns what remains of the run, for the message of an immediate end.
    """

    end: Callable[[str], None]
    left: Callable[[], str]
    _handled: bool = False
    _first_signal: str | None = None
    _terminal: list[object] | None = field(default_factory=lambda: _terminal_settings())  # noqa: PLW0108

    def install(self) -> None:
        """Set the handlers, again after Locust has set its own. Signals that are ignored stay ignored."""
        listen(self._on_signal)
        signal.signal(signal.SIGALRM, self._on_alarm)

    def _on_signal(self, number: signal.Signals, frame: FrameType | None) -> None:
        name = number.name
        if self._first_signal is not None:
            self._end_at_once(name, frame)
        self._first_signal = name
        signal.setitimer(signal.ITIMER_REAL, PATIENCE_S)
        gevent.get_hub().loop.run_callback_threadsafe(self._handle)

    def _handle(self) -> None:
        self._handled = True
        signal.setitimer(signal.ITIMER_REAL, 0)
        gevent.spawn(self.end, self._first_signal)

    def _on_alarm(self, _: int, frame: FrameType | None) -> None:
        if self._first_signal is not None and not self._handled:
            self._end_at_once(self._first_signal, frame)

    def _end_at_once(self, name: str, frame: FrameType | None) -> None:
        self._restore_terminal()
        report_error(RunError(f"{name}: ended at once, in {code_at(frame)}; {self.left()}"))
        sys.stderr.flush()
        os._exit(NOT_USABLE)

    def _restore_terminal(self) -> None:
        """Restore the terminal, as Locust and the progress bar would do at a proper end."""
        if self._terminal is None:
            return
        import termios  # noqa: PLC0415 - not on every platform, and only for a terminal

        with suppress(OSError, termios.error):
            termios.tcsetattr(0, termios.TCSADRAIN, self._terminal)  # type: ignore[arg-type]
        sys.stderr.write(_SHOW_CURSOR)


def code_at(frame: FrameType | None) -> str:
    """`run() (mine.py, line 12)`: the innermost code that is not part of a library."""
    outer = frame
    while outer is not None and outer.f_code.co_filename.startswith((*_LIBRARIES, "<")):
        outer = outer.f_back
    shown = outer or frame
    if shown is None:
        return "no Python code"
    name = Path(shown.f_code.co_filename).name
    return f"{shown.f_code.co_name}() ({name}, line {shown.f_lineno})"


def _terminal_settings() -> list[object] | None:
    if not (sys.stdin and sys.stdin.isatty()):
        return None
    import termios  # noqa: PLC0415 - the same

    with suppress(OSError, termios.error):
        return list(termios.tcgetattr(0))
    return None
