"""A run directory as one value, read without a database."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hotrow.attempt import FORMAT
from hotrow.clock import align, align_health, offsets_in
from hotrow.error_log import read_errors
from hotrow.errors import RunError
from hotrow.ledger import read_events, read_health, read_ledger

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Window:
    """The measured window of a cell, [begin_ns, end_ns) of wall-clock ns."""

    begin_ns: int
    end_ns: int
    closed: bool = True
    """False if a signal or a crash cut it short; after a crash it ends with the cell's last attempt."""

    @property
    def seconds(self) -> float:
        """How long it is."""
        return (self.end_ns - self.begin_ns) / 1e9


@dataclass(frozen=True, eq=False, slots=True)
class Run:
    """All that a run left behind."""

    meta: Mapping[str, Any]
    """run.json, whole."""
    cells: Sequence[Mapping[str, Any]]
    """The cells of run.json, in its order."""
    attempts: NDArray[np.void]
    """`ATTEMPT` records of all cells; each worker's in the order they ended; times are wall-clock ns."""
    windows: Mapping[int, Window]
    """By cell id; cells that were never measured have none."""
    verdicts: Mapping[int, Sequence[Mapping[str, Any]]]
    """By cell id: the checks. A cell that was not judged has none."""
    health: Mapping[int, Sequence[Mapping[str, Any]]]
    """By worker: one mapping a second."""
    torn_bytes: int
    rehearsal: Sequence[Mapping[str, Any]] = ()
    """What the rehearsal of the scenario found before the run: warnings, as they stand in summary.json."""
    errors: Sequence[Mapping[str, Any]] = ()
    """What the first error of each sort in a cell said; runs of older versions have none."""


def read_run(directory: Path) -> Run:
    """Read run.json, attempts, events and health of `directory`.

    Raises:
        RunError: the directory is missing, or not a run of this format.
    """
    meta = _read_meta(directory)
    ledger = read_ledger(directory)
    events = read_events(directory)
    offsets = offsets_in(events)
    align(ledger.attempts, offsets)
    verdicts = {event["cell"]: event["checks"] for event in events if event.get("event") == "verdict"}
    return Run(
        meta=meta,
        cells=[_with_users_seen(cell, events) for cell in meta["cells"]],
        attempts=ledger.attempts,
        windows=_windows(events, ledger.attempts),
        verdicts=verdicts,
        health=align_health(read_health(directory), offsets),
        torn_bytes=ledger.torn_bytes,
        rehearsal=[
            found for event in events if event.get("event") == "rehearsal" for found in event["findings"]
        ],
        errors=read_errors(directory),
    )


def _read_meta(directory: Path) -> dict[str, Any]:
    path = directory / "run.json"
    try:
        meta = json.loads(path.read_text())
    except OSError as error:
        runs = ", ".join(str(inside.parent) for inside in sorted(path.parent.glob("*/run.json"))[:4])
        give = f"give one of the runs in it: {runs}" if runs else "give the directory of a run"
        raise RunError(f"{path}: cannot be read ({error.strerror}); {give}") from error
    except ValueError as error:
        raise RunError(f"{path}: is not JSON") from error
    if not isinstance(meta, dict) or not {"format", "cells", "target"} <= meta.keys():
        raise RunError(f"{path}: is not the description of a run of hotrow")
    if meta["format"] != FORMAT:
        raise RunError(f"{path}: a run of format {meta['format']!r}; this hotrow reads format {FORMAT}")
    return meta


def _with_users_seen(cell: Mapping[str, Any], events: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
    """A cell with the users that its window had: at the web page they can be changed during a run."""
    seen = [event["users"] for event in events if event.get("cell") == cell["id"] and "users" in event]
    return {**cell, "users": seen[-1]} if seen else cell


def _windows(events: Iterable[Mapping[str, Any]], attempts: NDArray[np.void]) -> dict[int, Window]:
    """The last window written for each cell; one that only began ends with the cell's last attempt."""
    windows: dict[int, Window] = {}
    for event in events:
        cell = event.get("cell")
        if event.get("event") == "window" and cell is not None:
            windows[cell] = Window(event["begin_ns"], event["end_ns"], closed="interrupted" not in event)
        elif event.get("event") == "begin" and cell is not None:
            windows[cell] = _open_window(event["begin_ns"], attempts[attempts["cell"] == cell])
    return {cell: window for cell, window in windows.items() if window.end_ns > window.begin_ns}


def _open_window(begin_ns: int, attempts: NDArray[np.void]) -> Window:
    last_ns = int(attempts["started"].max()) + 1 if len(attempts) else begin_ns
    return Window(begin_ns, last_ns, closed=False)
