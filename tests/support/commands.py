"""Starts our own commands as a user does, and reads the run directories they leave."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.warm import run_warm

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
TIMEOUT_S = 120
OTHER_SPOILERS = {"cells_missing", "no_conflict_where_certain"}
"""Warnings that make a measurement unusable, and are no consequence of a busy machine."""
BUSY = {"client_saturated", "client_stalled"}
"""Warnings that other load on the machine causes."""


def run(*words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run a command of the tests' own environment and wait for it.

    The process of a `locust` or `hotrow` has imported its libraries before (`tests.support.warm`). `start`
    gives a command a process of its own.
    """
    if words[0] in {"locust", "hotrow"}:
        return run_warm(words, cwd, TIMEOUT_S)
    return subprocess.run(
        [str(BIN / words[0]), *words[1:]],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def start(*words: str, cwd: Path = ROOT) -> subprocess.Popen[str]:
    """Start a command and return at once."""
    return subprocess.Popen(
        [str(BIN / words[0]), *words[1:]], cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finished(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    """Output and exit code of a started command, once it has ended."""
    out, err = process.communicate(timeout=TIMEOUT_S)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def exit_code(done: subprocess.CompletedProcess[str]) -> int:
    """The exit code; a 4 becomes 0 if its only reason is that this machine was too busy to measure."""
    lines = (done.stdout + done.stderr).splitlines()
    codes = {line.split(": ")[1] for line in lines if line.startswith("hotrow: ")}
    busy = done.returncode == 4 and bool(codes & BUSY) and not codes & OTHER_SPOILERS
    return 0 if busy else done.returncode


def only_run(out: Path) -> Path:
    """The one run directory under `out`."""
    (directory,) = out.iterdir()
    return directory


def summary_of(directory: Path) -> dict[str, Any]:
    """The summary.json of a run."""
    summary: dict[str, Any] = json.loads((directory / "summary.json").read_text())
    return summary
