"""Warnings while a scenario's code takes long: they name the step and the line."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

import pytest

from hotrow.scenario.slow import warn_while_slow
from tests.support.liars import Honest

if TYPE_CHECKING:
    from collections.abc import Iterator


class Endless(Honest):
    """A scenario with a method that never ends by itself."""

    def spin(self) -> None:
        while True:
            pass


class Heard(Exception):  # noqa: N818 - no error
    """The handler that was set before was called."""


@pytest.fixture
def alarm() -> Iterator[None]:
    """A handler that was set before; it ends an endless loop."""

    def hear(*_: object) -> None:
        raise Heard

    before = signal.signal(signal.SIGALRM, hear)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0.0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.usefixtures("alarm")
def test_an_endless_loop_is_named_with_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    """The warning is one line. The handler that was set before is called too, and is restored."""
    scenario = Endless()

    with pytest.raises(Heard), warn_while_slow(scenario, "draw()", 0.01, detail=lambda: ", by itself"):
        scenario.spin()

    output = capsys.readouterr().err
    assert output.startswith("hotrow: draw() of mine has taken 0 s so far, by itself, in spin() (")
    assert f"{__file__}, line " in output
    assert output.count("\n") == 1
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    with pytest.raises(Heard):
        signal.raise_signal(signal.SIGALRM)


@pytest.mark.usefixtures("alarm")
def test_an_alarm_that_is_set_is_left_alone() -> None:
    """It may have been set before or during the block, for example to wait for the end of the process."""
    scenario = Endless()
    signal.setitimer(signal.ITIMER_REAL, 1000.0)
    with warn_while_slow(scenario, "draw()", first_s=2000.0):
        before = signal.getitimer(signal.ITIMER_REAL)[0]
    signal.setitimer(signal.ITIMER_REAL, 0.0)
    with warn_while_slow(scenario, "draw()", first_s=2000.0):
        signal.setitimer(signal.ITIMER_REAL, 1000.0)
    after = signal.getitimer(signal.ITIMER_REAL)[0]

    assert 0 < before <= 1000
    assert 0 < after <= 1000


def test_another_thread_gets_no_warnings() -> None:
    """Python allows signal handlers only in the main thread; the code runs without warnings."""
    done = []

    def work() -> None:
        with warn_while_slow(Endless(), "draw()"):
            done.append(1)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    assert done == [1]
