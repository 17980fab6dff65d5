"""SIGINT (Ctrl-C), SIGTERM and SIGHUP while no load is running."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hotrow.exit_codes import NOT_USABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def listen(hear: Callable[[signal.Signals, FrameType | None], None]) -> None:
    """Call `hear` when one of the signals comes, between two steps of the interpreter.

    A signal that is ignored stays ignored, such as SIGHUP under `nohup`.
    """
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda received, frame: hear(signal.Signals(received), frame))


@contextmanager
def signals_delayed() -> Iterator[None]:
    """Deliver signals that come meanwhile at the end of the block; outside of the main thread do nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pending: list[int] = []
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    heard = [number for number, handler in handlers.items() if callable(handler)]
    for number in heard:
        signal.signal(number, lambda received, _: pending.append(received))
    try:
        yield
    finally:
        for number in heard:
            signal.signal(number, handlers[number])
        for received in pending:
            signal.raise_signal(received)


def end_while_starting() -> None:
    """On a signal, end the process with one line and exit code 4, until the load has its own handlers."""

    def end(number: signal.Signals, _: FrameType | None) -> None:
        sys.stderr.write(f"hotrow: interrupted by {number.name} while starting: nothing was measured\n")
        sys.stderr.flush()
        os._exit(NOT_USABLE)

    listen(end)
