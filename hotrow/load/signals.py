"""What a process does when it is told to end: by SIGINT (Ctrl-C), SIGTERM or SIGHUP.

The first signal asks for a proper end. If nothing can hear it, because something blocks the event loop, or at
the second signal, the process ends at once and says what it was in. The handlers are Python's and not
gevent's: gevent's run only when the event loop does, so `while True` in a scenario would be deaf to them.
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
"""How long the event loop may take to hear of a signal."""
_SHOW_CURSOR = "\x1b[?25h"
_LIBRARIES = (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), sysconfig.get_path("purelib"))


@dataclass(slots=True)
class Ending:
    """How one process ends.

    Args:
        end: ends it properly; called in a greenlet with the name of the first signal.
        left: says, for who ends it at once, what is left of the run.
    """

    end: Callable[[str], None]
    left: Callable[[], str]
    _heard: bool = False
    _asked: str | None = None
    _terminal: list[object] | None = field(default_factory=lambda: _terminal_settings())  # noqa: PLW0108

    def install(self) -> None:
        """Take the signals over; again after Locust has set its own. What the user ignores stays ignored."""
        listen(self._on_signal)
        signal.signal(signal.SIGALRM, self._on_alarm)

    def _on_signal(self, number: signal.Signals, frame: FrameType | None) -> None:
        name = number.name
        if self._asked is not None:
            self._end_at_once(name, frame)
        self._asked = name
        signal.setitimer(signal.ITIMER_REAL, PATIENCE_S)
        gevent.get_hub().loop.run_callback_threadsafe(self._hear)

    def _hear(self) -> None:
        self._heard = True
        signal.setitimer(signal.ITIMER_REAL, 0)
        gevent.spawn(self.end, self._asked)

    def _on_alarm(self, _: int, frame: FrameType | None) -> None:
        if self._asked is not None and not self._heard:
            self._end_at_once(self._asked, frame)

    def _end_at_once(self, name: str, frame: FrameType | None) -> None:
        self._restore_terminal()
        report_error(RunError(f"{name}: ended at once, in {place_of(frame)}; {self.left()}"))
        sys.stderr.flush()
        os._exit(NOT_USABLE)

    def _restore_terminal(self) -> None:
        """Locust and the progress bar change the terminal and would undo that at a proper end."""
        if self._terminal is None:
            return
        import termios  # noqa: PLC0415 - not on every platform, and only for a terminal

        with suppress(OSError, termios.error):
            termios.tcsetattr(0, termios.TCSADRAIN, self._terminal)  # type: ignore[arg-type]
        sys.stderr.write(_SHOW_CURSOR)


def place_of(frame: FrameType | None) -> str:
    """`run() (mine.py, line 12)`: the innermost code that is no library's."""
    found = frame
    while found is not None and found.f_code.co_filename.startswith((*_LIBRARIES, "<")):
        found = found.f_back
    shown = found or frame
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
