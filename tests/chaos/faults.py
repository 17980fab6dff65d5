"""What is done to a run while it measures. Each fault returns when it is over."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from tests.support.local_home import crash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.chaos.trial import Trial

    Fault = Callable[[Trial], None]

FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")
_BALLAST = "ballast"


def nothing(_: Trial) -> None:
    """Let it run."""


def send(number: signal.Signals, *, after_s: float = 1.0) -> Fault:
    """A signal to the client, or to the master of several."""

    def fault(trial: Trial) -> None:
        time.sleep(after_s)
        os.kill(trial.pid, number)

    return fault


def interrupt_twice(trial: Trial) -> None:
    """Ctrl-C, and again before it can have ended."""
    time.sleep(1.0)
    os.kill(trial.pid, signal.SIGINT)
    time.sleep(0.1)
    with suppress(ProcessLookupError):
        os.kill(trial.pid, signal.SIGINT)


def kill_worker(trial: Trial) -> None:
    """One of the workers, without a word."""
    time.sleep(1.0)
    os.kill(trial.workers()[0], signal.SIGKILL)


def stop_client(seconds: float) -> Fault:
    """The client stands still, as on a machine that swaps or sleeps."""
    return lambda trial: _stand_still([psutil.Process(trial.pid)], seconds)


def stop_worker(seconds: float) -> Fault:
    """One of the workers stands still."""
    return lambda trial: _stand_still([psutil.Process(trial.workers()[0])], seconds)


def stop_server(seconds: float) -> Fault:
    """The server stands still, every backend of it."""

    def fault(_: Trial) -> None:
        postmaster = psutil.Process(postmaster_pid())
        _stand_still([postmaster, *postmaster.children()], seconds)

    return fault


def _stand_still(processes: list[psutil.Process], seconds: float) -> None:
    time.sleep(1.0)
    try:
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.suspend()
        time.sleep(seconds)
    finally:
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.resume()


def kill_server(_: Trial) -> None:
    """The server and its backends, all at one instant."""
    time.sleep(1.0)
    crash(postmaster_pid())


def kill_postmaster(_: Trial) -> None:
    """The postmaster alone; its backends see it gone."""
    time.sleep(1.0)
    os.kill(postmaster_pid(), signal.SIGKILL)


def postmaster_pid() -> int:
    """Of the stand-in in this home."""
    (file,) = Path(os.environ["HOTROW_HOME"]).glob("local/*/data/postmaster.pid")
    return int(file.read_text().split()[0])


def kill_endpoint(_: Trial) -> None:
    """The endpoint, without a word to its clients."""
    time.sleep(1.0)
    (state,) = Path(os.environ["HOTROW_HOME"]).glob("local/*/endpoint/state.json")
    os.kill(json.loads(state.read_text())["pid"], signal.SIGKILL)


def fill_disk(seconds: float | None) -> Fault:
    """The disk with the results takes nothing for so long; None is for good."""

    def fault(trial: Trial) -> None:
        time.sleep(1.0)
        ballast = trial.out / _BALLAST
        until = None if seconds is None else time.monotonic() + seconds
        while until is None or time.monotonic() < until:
            _fill(ballast)  # again and again: what the run gave free is taken too
            if until is None and trial.process is not None and trial.process.poll() is not None:
                return
            time.sleep(0.05)
        ballast.unlink()

    return fault


def _fill(ballast: Path) -> None:
    with suppress(OSError), ballast.open("ab", buffering=0) as file:
        while file.write(bytes(65536)):
            pass


def step_clock(hours: float) -> Fault:
    """The wall clock of the client, not its monotonic one, jumps; see `faked_clock`."""

    def fault(trial: Trial) -> None:
        time.sleep(2.0)
        (trial.folder / "clock").write_text(f"{hours * 3600:+.0f}\n")

    return fault


def remove_results(trial: Trial) -> None:
    """Somebody cleans up."""
    time.sleep(1.0)
    assert trial.directory is not None
    shutil.rmtree(trial.directory)


@contextmanager
def small_disk(trial: Trial) -> Iterator[None]:
    """A file system of 24 MB for the results: enough for a report."""
    trial.out.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(trial.out)], check=True)
    try:
        yield
    finally:
        trial.end()
        subprocess.run(["umount", "-l", str(trial.out)], check=True)


@contextmanager
def faked_clock(trial: Trial) -> Iterator[None]:
    """A wall clock that `step_clock` moves; the machine's own is left alone."""
    clock = trial.folder / "clock"
    clock.write_text("+0\n")
    trial.environment |= {
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }
    yield


def cannot_mount() -> str | None:
    """Why there can be no small disk; None if there can."""
    return None if os.geteuid() == 0 and shutil.which("mount") else "a tmpfs needs root"


def cannot_fake_clock() -> str | None:
    """Why the clock cannot be moved; None if it can."""
    return None if FAKETIME.exists() else "libfaketime is not installed"
