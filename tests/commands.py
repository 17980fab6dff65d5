"""Starts our own commands as a user does, and reads what they leave."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
TIMEOUT_S = 120


def run(*words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run a command of the environment that the tests run in, and wait for it."""
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


def only_run(out: Path) -> Path:
    """The one run directory under `out`."""
    (directory,) = out.iterdir()
    return directory


def summary_of(directory: Path) -> dict[str, Any]:
    """The summary.json of a run."""
    summary: dict[str, Any] = json.loads((directory / "summary.json").read_text())
    return summary
