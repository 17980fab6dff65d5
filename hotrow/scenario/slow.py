"""What is said while a scenario's own code takes long, because of `while True` or `time.sleep`, say."""

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

FIRST_S = 10.0
"""After so long it is said for the first time."""
THEN_S = 30.0
"""And again each time so much longer."""


@contextmanager
def said_while_slow(
    scenario: Scenario, what: str, first_s: float = FIRST_S, *, detail: Callable[[], str] = str
) -> Iterator[None]:
    """Say on standard error, from time to time, that this is under way, with its `detail`, and in which line.

    By an alarm, because the code in question may let nothing else run. It asks whoever had the alarm before
    as well. If an alarm is set already, or cannot be (in another than the main thread), nothing is said.
    """
    if signal.getitimer(signal.ITIMER_REAL)[0]:
        yield
        return
    began_s = time.monotonic()
    before = signal.getsignal(signal.SIGALRM) or signal.SIG_DFL

    def say(number: int, frame: FrameType | None) -> None:
        taken_s = time.monotonic() - began_s
        sys.stderr.write(
            f"hotrow: {what} of {scenario.name} has taken {taken_s:.0f} s so far"
            f"{detail()}{_place(scenario, frame)}; Ctrl-C ends it\n"
        )
        sys.stderr.flush()
        if callable(before):
            before(number, frame)

    try:
        signal.signal(signal.SIGALRM, say)
    except ValueError:
        yield
        return
    signal.setitimer(signal.ITIMER_REAL, first_s, THEN_S)
    try:
        yield
    finally:
        left_s, every_s = signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
        if not every_s:  # somebody else's alarm, set meanwhile
            signal.setitimer(signal.ITIMER_REAL, left_s)


def _place(scenario: Scenario, frame: FrameType | None) -> str:
    """The innermost line of the scenario's file, if the interpreter is in one."""
    own = getattr(sys.modules.get(type(scenario).__module__), "__file__", None)
    while frame is not None and frame.f_code.co_filename != own:
        frame = frame.f_back
    return "" if frame is None else f", in {frame.f_code.co_name}() ({own}, line {frame.f_lineno})"
