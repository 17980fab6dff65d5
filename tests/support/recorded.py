"""A recorder of a tap's run whose clock shows 0, without a tap."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hotrow.run.clock import RunClock
from hotrow.run.directory import write_observed_run_json
from hotrow.run.observed_run import observed_cell
from hotrow.tap.recorder import Recorder

if TYPE_CHECKING:
    from pathlib import Path

MS = 1_000_000
"""Nanoseconds per millisecond."""
_TARGET = {
    "kind": "local",
    "label": "local",
    "server_version": "",
    "isolation": "repeatable read",
    "latency": None,
    "conflicts": "commit",
}


def new_recorder(directory: Path, scenario: str) -> Recorder:
    """The recorder of a new run in this directory."""
    write_observed_run_json(directory, cell=observed_cell(scenario), target=_TARGET, options={}, reproduce="")
    return Recorder(directory, RunClock(wall_ns=10**18, perf_ns=0))
