"""One run under test: started as a user starts it, watched from outside, and ended in any case."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from hotrow.run.ledger import HEADER
from tests.chaos.witness import MARK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

BIN = Path(sys.executable).parent
WITNESS_FILE = Path(__file__).with_name("witness.py")
_POLL_S = 0.02


class NeverCameError(Exception):
    """An event that a case waited for did not happen in time."""


@dataclass
class Trial:
    """A run of `hotrow sweep` with its own folder and table of witnesses."""

    name: str
    folder: Path
    """The folder for the run's results and log."""
    words: Sequence[str]
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    moments: dict[str, float] = field(default_factory=dict)

    @property
    def out(self) -> Path:
        """The folder passed as `--out`."""
        return self.folder / "out"

    @property
    def pid(self) -> int:
        """The process id of the client; with `--processes`, of the master."""
        assert self.process is not None
        return self.process.pid

    @property
    def directory(self) -> Path | None:
        """The run's directory; None until it exists."""
        return next(iter(self.out.glob("*-witness*")), None)

    def start(self) -> None:
        """Start the run in a new session, with its output in a file."""
        words = [str(BIN / "hotrow"), "sweep", str(WITNESS_FILE), *self.words, "--out", str(self.out)]
        with (self.folder / "output").open("wb") as log:
            self.process = subprocess.Popen(
                words,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=os.environ | self.environment | {MARK: f"hotrow_chaos.{self.name}"},
                start_new_session=True,
            )
        self.moments["start"] = time.monotonic()

    def output(self) -> str:
        """The output so far, stdout and stderr together."""
        return (self.folder / "output").read_text(errors="replace")

    def workers(self) -> list[int]:
        """The process ids of the forked workers, oldest first."""
        children = psutil.Process(self.pid).children()
        return [
            child.pid for child in children if MARK in _environment(child) and "postgres" not in child.name()
        ]

    def is_measuring(self) -> bool:
        """Whether a cell has begun and every process of the client has written attempts."""
        directory = self.directory
        if directory is None or not (directory / "events.jsonl").exists():
            return False
        sizes = [path.stat().st_size for path in directory.glob("attempts-*.bin")]
        workers = self.words[self.words.index("--processes") + 1] if "--processes" in self.words else "1"
        begun = '"begin"' in (directory / "events.jsonl").read_text()
        return begun and len(sizes) == int(workers) and all(size > HEADER.itemsize for size in sizes)

    def wait_until(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        """Wait for a condition, which `what` describes.

        Raises NeverCameError if it does not come true in time or if the run ends first.
        """
        deadline = time.monotonic() + seconds
        while not condition():
            if self.process is not None and self.process.poll() is not None:
                raise NeverCameError(f"it ended with {self.process.returncode} before {what}")
            if time.monotonic() > deadline:
                raise NeverCameError(f"{what}: not within {seconds:.0f} s")
            time.sleep(_POLL_S)

    def wait_for_end(self, seconds: float) -> int | None:
        """Wait for the end; return the exit code, or None if the run did not end in time."""
        assert self.process is not None
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
        self.moments["end"] = time.monotonic()
        return self.process.returncode

    def left(self) -> list[psutil.Process]:
        """The run's processes that still live, except those of the stand-in's server."""
        mark = f"hotrow_chaos.{self.name}"
        return [
            process
            for process in psutil.process_iter()
            if _environment(process).get(MARK) == mark
            and "postgres" not in process.name()
            and _lives(process)
        ]

    def end(self) -> None:
        """Kill all remaining processes of the run."""
        for process in self.left():
            with suppress(psutil.NoSuchProcess):
                process.kill()
        if self.process is not None:
            with suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGCONT)
            self.process.wait(20)


@contextmanager
def trial(folder: Path, name: str, words: Sequence[str], environment: dict[str, str]) -> Iterator[Trial]:
    """A trial in a new folder; afterwards its processes are killed and the folder is removed."""
    folder.mkdir()
    new = Trial(name=name, folder=folder, words=words, environment=environment)
    try:
        yield new
    finally:
        new.end()
        shutil.rmtree(folder, ignore_errors=True)


def _environment(process: psutil.Process) -> dict[str, str]:
    try:
        return process.environ()
    except psutil.Error:
        return {}


def _lives(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
