"""What is told to the user while runs are led: on standard error, in the web page's log and in its banner."""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING

from locust.log import LogReader

from hotrow.console import report_error
from hotrow.errors import in_print

if TYPE_CHECKING:
    from hotrow.errors import HotrowError

MAX_LINES = 50
"""How many lines are kept for the web page."""


class Notices:
    """The lines about the current run, or about the one that could not begin."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=MAX_LINES)

    @property
    def lines(self) -> list[str]:
        """The lines since the last `clear`, the last one at the end."""
        return list(self._lines)

    def clear(self) -> None:
        """Forget the lines, because another run is being prepared."""
        self._lines.clear()

    def tell(self, error: HotrowError) -> None:
        """Report an error, and keep its line."""
        self._lines.append(in_print(str(error)))
        report_error(error)
        _write_to_page_log(in_print(str(error)))


def _write_to_page_log(line: str) -> None:
    """Write a line to the log that the web page shows, and not to the console, which has it already."""
    record = logging.LogRecord("hotrow", logging.ERROR, __file__, 0, line, None, None)
    for handler in logging.getLogger().handlers:
        if isinstance(handler, LogReader):
            handler.handle(record)
