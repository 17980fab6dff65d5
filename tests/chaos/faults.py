"""The faults: what is done to a run while it measures. Each function returns when its fault is over."""

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
    """No fault."""


def send(number: signal.Signals, *, after_s: float = 1.0) -> Fault:
    """Send a signal to the client, or to the master if there are several processes."""

    def fault(trial: Trial) -> None:
        time.sleep(after_s)
        os.kill(trial.pid, number)

    return fault


def interrupt_twice(trial: Trial) -> None:
    """Send SIGINT, and again 0.1 s later, before the run can have ended."""
    time.sleep(1.0)
    os.kill(trial.pid, signal.SIGINT)
    time.sleep(0.1)
    with suppress(ProcessLookupError):
        os.kill(trial.pid, signal.SIGINT)


def kill_worker(trial: Trial) -> None:
    """Kill one of the workers with SIGKILL."""
    time.sleep(1.0)
    os.kill(trial.workers()[0], signal.SIGKILL)


def stop_client(seconds: float) -> Fault:
    """Suspend the client, as a machine that swaps or sleeps does."""
    return lambda trial: _stand_still([psutil.Process(trial.pid)], seconds)


def stop_worker(seconds: float) -> Fault:
    """Suspend one of the workers."""
    return lambda trial: _stand_still([psutil.Process(trial.workers()[0])], seconds)


def stop_server(seconds: float) -> Fault:
    """Suspend the server with all its backends."""

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
    """Kill the server and all its backends at once."""
    time.sleep(1.0)
    crash(postmaster_pid())


def kill_postmaster(_: Trial) -> None:
    """Kill only the postmaster. Its backends notice that it is gone."""
    time.sleep(1.0)
    os.kill(postmaster_pid(), signal.SIGKILL)


def postmaster_pid() -> int:
    """The process id of the postmaster of the stand-in in HOTROW_HOME."""
    (file,) = Path(os.environ["HOTROW_HOME"]).glob("local/*/data/postmaster.pid")
    return int(file.read_text().split()[0])


def kill_endpoint(_: Trial) -> None:
    """Kill the endpoint with SIGKILL."""
    time.sleep(1.0)
    (state,) = Path(os.environ["HOTROW_HOME"]).glob("local/*/endpoint/state.json")
    os.kill(json.loads(state.read_text())["pid"], signal.SIGKILL)


def fill_disk(seconds: float | None) -> Fault:
    """Keep the disk with the results full for `seconds`; None means until the run ends."""

    def fault(trial: Trial) -> None:
        time.sleep(1.0)
        ballast = trial.out / _BALLAST
        until = None if seconds is None else time.monotonic() + seconds
        while until is None or time.monotonic() < until:
            _fill(ballast)  # repeated, so that space the run frees is taken too
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
    """Make the wall clock of the client jump, but not its monotonic clock; see `faked_clock`."""

    def fault(trial: Trial) -> None:
        time.sleep(2.0)
        (trial.folder / "clock").write_text(f"{hours * 3600:+.0f}\n")

    return fault


def remove_results(trial: Trial) -> None:
    """Remove the run's directory, as a person who cleans up would."""
    time.sleep(1.0)
    assert trial.directory is not None
    shutil.rmtree(trial.directory)


@contextmanager
def small_disk(trial: Trial) -> Iterator[None]:
    """A file system of 24 MB for the results, which is enough for a report."""
    trial.out.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(trial.out)], check=True)
    try:
        yield
    finally:
        trial.end()
        subprocess.run(["umount", "-l", str(trial.out)], check=True)


@contextmanager
def faked_clock(trial: Trial) -> Iterator[None]:
    """A faked wall clock for the run, which `step_clock` moves. The machine's clock stays as it is."""
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
    """The reason why no small file system can be mounted; None if one can."""
    return None if os.geteuid() == 0 and shutil.which("mount") else "a tmpfs needs root"


def cannot_fake_clock() -> str | None:
    """The reason why the clock cannot be moved; None if it can."""
    return None if FAKETIME.exists() else "libfaketime is not installed"
