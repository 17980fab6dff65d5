"""Signals that come at a bad moment are delivered after it."""

from __future__ import annotations

import signal
import threading

import pytest

from hotrow.interruption import signals_delayed


class HeardError(Exception):
    """Raised by the handler of the test."""


def raise_heard(*_: object) -> None:
    raise HeardError


def _work(number: signal.Signals, done: list[str]) -> None:
    with signals_delayed():
        signal.raise_signal(number)
        done.append("still in the block")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_delivered_at_the_end_of_the_block(
    number: signal.Signals,
) -> None:
    """What the block began is finished, and then the handler runs that was there before."""
    before = signal.signal(number, raise_heard)
    done: list[str] = []
    try:
        with pytest.raises(HeardError):
            _work(number, done)
        assert done == ["still in the block"]
        assert signal.getsignal(number) is raise_heard
    finally:
        signal.signal(number, before)


def test_an_ignored_signal_stays_ignored() -> None:
    """As SIGHUP under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals_delayed():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_outside_of_the_main_thread_nothing_is_done() -> None:
    """Only the main thread may set handlers; another one runs its block all the same."""
    before = signal.getsignal(signal.SIGINT)
    ran = []

    def block() -> None:
        with signals_delayed():
            ran.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=block)
    thread.start()
    thread.join()

    assert ran == [before]
