"""Signals: they end a process that waits and one that loops, and at once at the second signal."""

from __future__ import annotations

import select
import signal
import subprocess
import sys

import pytest

from tests.support.commands import ROOT

pytestmark = pytest.mark.server  # each test starts a process

PROCESS = """
import sys, time
import locust
import gevent
from hotrow.load import signals
from hotrow.load.signals import Ending

signals.PATIENCE_S = 0.2

def end(name):
    print("ended properly by", name, flush=True)
    STUCK or ended.set()

def work():
    print("ready", flush=True)
    while LOOPS:
        pass
    gevent.sleep(600)

LOOPS, STUCK = "loops" in sys.argv, "stuck" in sys.argv
ended = gevent.event.Event()
Ending(end, lambda: "nothing is left").install()
gevent.spawn(work)
ended.wait()
"""


def started(*words: str) -> subprocess.Popen[str]:
    """A process with the handlers, waiting for a signal."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROCESS, *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert line_of(process) == "ready\n"
    return process


def line_of(process: subprocess.Popen[str]) -> str:
    """The next line that it prints; nothing if none comes within a minute."""
    assert process.stdout is not None
    there, _, _ = select.select([process.stdout], [], [], 60)
    return process.stdout.readline() if there else ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_ends_it_properly(number: signal.Signals) -> None:
    """The event loop is free and handles the signal."""
    process = started()
    process.send_signal(number)
    out, err = process.communicate(timeout=60)

    assert (out, err, process.returncode) == (f"ended properly by {number.name}\n", "", 0)


def test_a_loop_that_never_lets_go_is_ended_and_named() -> None:
    """`while True` in a scenario blocks the event loop: one signal is enough, and the message says where."""
    process = started("loops")
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)

    assert (out, process.returncode) == ("", 4)
    assert err.startswith("hotrow: SIGTERM: ended at once, in work()")
    assert err.endswith("; nothing is left\n")


def test_a_second_signal_does_not_wait() -> None:
    """A proper end that hangs is cut off, and the message says what remains of the run."""
    process = started("stuck")
    process.send_signal(signal.SIGINT)
    assert line_of(process) == "ended properly by SIGINT\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)

    assert process.returncode == 4
    assert "SIGINT: ended at once" in err
    assert "nothing is left" in err


def test_an_ignored_signal_stays_ignored() -> None:
    """Under `nohup` SIGHUP is ignored."""
    ignoring = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n" + PROCESS
    process = subprocess.Popen(
        [sys.executable, "-c", ignoring], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert line_of(process) == "ready\n"
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=60)

    assert out == "ended properly by SIGTERM\n"
