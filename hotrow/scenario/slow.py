"""Warnings while a scenario's own code takes long, for example because of `while True` or `time.sleep`."""

from __future__ import annotations

import signal
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from hotrow.scenario.contract import Scenario

FIRST_WARNING_S = 10.0
"""The time until the first warning."""
WARNING_INTERVAL_S = 30.0
"""The time between two warnings."""


@contextmanager
def warn_while_slow(
    scenario: Scenario, what: str, first_s: float = FIRST_WARNING_S, *, detail: Callable[[], str] = str
) -> Iterator[None]:
    """While the block runs, say on standard error from time to time how long it takes, and in which line.

    `what` names the step, `detail` adds to each warning. The warnings come from an alarm signal, because the
    scenario's code may let nothing else run. A handler that was set before is called too. There are no
    warnings if an alarm is set already, or in another thread than the main one.
    """
    if signal.getitimer(signal.ITIMER_REAL)[0]:
        yield
        return
    began_s = time.monotonic()
    previous_handler = signal.getsignal(signal.SIGALRM) or signal.SIG_DFL

    def warn(number: int, frame: FrameType | None) -> None:
        taken_s = time.monotonic() - began_s
        sys.stderr.write(
            f"hotrow: {what} of {scenario.name} has taken {taken_s:.0f} s so far"
            f"{detail()}{_line_under_way(scenario, frame)}; Ctrl-C ends it\n"
        )
        sys.stderr.flush()
        if callable(previous_handler):
            previous_handler(number, frame)

    try:
        signal.signal(signal.SIGALRM, warn)
    except ValueError:
        yield
        return
    signal.setitimer(signal.ITIMER_REAL, first_s, WARNING_INTERVAL_S)
    try:
        yield
    finally:
        left_s, interval_s = signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, previous_handler)
        if not interval_s:  # an alarm that the block set itself
            signal.setitimer(signal.ITIMER_REAL, left_s)


def _line_under_way(scenario: Scenario, frame: FrameType | None) -> str:
    """The innermost line of the scenario's file that is being executed, if any."""
    file = getattr(sys.modules.get(type(scenario).__module__), "__file__", None)
    while frame is not None and frame.f_code.co_filename != file:
        frame = frame.f_back
    return "" if frame is None else f", in {frame.f_code.co_name}() ({file}, line {frame.f_lineno})"
