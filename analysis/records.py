"""Checks on a run's records: whether all are present, and whether hotrow can have written them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from hotrow.attempt.record import MAX_CELLS, RETRYABLE, Flag, Marker, Outcome
from hotrow.run.acknowledged import Acknowledged, are_committed, are_unknown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

_DURATIONS = ("begin", "body", "commit", "backoff", "connect")
_MAX_DURATION_NS = 1e16
"""Four months; no attempt takes that long."""
_DAY_NS = 86_400_000_000_000
_FLAGS = int(Flag.FINAL | Flag.RESOLVED)


@dataclass(frozen=True, slots=True)
class Doubts:
    """What is wrong with the records of a run, by cell id. A cell without an entry is fine."""

    lost: Mapping[int, str]
    """Which records were written, or may have been, and are missing; in words."""
    impossible: Mapping[int, int]
    """How many records hotrow cannot have written. They are not counted anywhere."""
    strays: int = 0
    """How many such records belong to no cell of the run."""


NO_DOUBTS = Doubts({}, {})


def possible(
    attempts: NDArray[np.void],
    records: Mapping[int, int],
    cells: Sequence[Mapping[str, Any]],
    meta: Mapping[str, Any],
) -> NDArray[np.bool_]:
    """Which records hotrow can have written, bool[n], judged by their fields and how these fit together.

    Args:
        attempts: the records of all cells, worker after worker.
        records: how many records each worker has, in the same order.
        cells: the cells from run.json.
        meta: run.json.
    """
    outcome, sqlstate = attempts["outcome"], attempts["sqlstate"]
    final, resolved = ((attempts["flags"] & flag) != 0 for flag in (Flag.FINAL, Flag.RESOLVED))
    retryable = np.isin(outcome, list(map(int, RETRYABLE)))
    fits = attempts["worker"] == np.repeat(list(records), list(records.values()))
    fits &= np.isin(attempts["cell"], [cell["id"] for cell in cells])
    fits &= (outcome < len(Outcome)) & (attempts["marker"] < len(Marker)) & (attempts["attempt"] > 0)
    fits &= attempts["flags"] <= _FLAGS
    fits &= attempts["kind"] < max(1, len(meta.get("kinds") or ()))
    fits &= attempts["region"] < max(1, len(meta["target"].get("regions") or ()))
    fits &= attempts["scheduled"] <= attempts["started"]
    for name in _DURATIONS:
        fits &= (attempts[name] >= 0) & (attempts[name] <= _MAX_DURATION_NS)  # NaN is neither
    fits &= final | retryable | (resolved & (outcome == Outcome.ERROR))
    fits &= ~resolved | np.isin(outcome, (Outcome.COMMITTED, Outcome.ERROR))
    fits &= ~retryable | (sqlstate != b"")
    fits &= ~np.isin(outcome, (Outcome.COMMITTED, Outcome.REJECTED)) | resolved | (sqlstate == b"")
    return np.asarray(fits & _are_sqlstates(sqlstate))


def _are_sqlstates(sqlstate: NDArray[np.bytes_]) -> NDArray[np.bool_]:
    """Which texts are empty or consist of five digits and capital letters, bool[n]."""
    letters = np.ascontiguousarray(sqlstate).view(np.uint8).reshape(len(sqlstate), sqlstate.dtype.itemsize)
    is_digit = (letters >= ord("0")) & (letters <= ord("9"))
    is_capital = (letters >= ord("A")) & (letters <= ord("Z"))
    return np.asarray((is_digit | is_capital).all(axis=1) | (letters == 0).all(axis=1))


def near(attempts: NDArray[np.void], intervals: Mapping[int, tuple[int, int]]) -> NDArray[np.bool_]:
    """Which attempts began within a day of their cell's measured interval, bool[n]. Others are damaged."""
    earliest = np.full(MAX_CELLS, np.iinfo(np.int64).min)
    latest = np.full(MAX_CELLS, np.iinfo(np.int64).max)
    for cell, (begin_ns, end_ns) in intervals.items():
        earliest[cell], latest[cell] = begin_ns - _DAY_NS, end_ns + _DAY_NS
    started, cells = attempts["started"], attempts["cell"]
    return np.asarray((started >= earliest[cells]) & (started <= latest[cells]))


def find_lost(
    attempts: NDArray[np.void], records: Mapping[int, int], events: Iterable[Mapping[str, Any]]
) -> dict[int, str]:
    """The records that are missing although they were written or may have been; in words, by cell id.

    Args:
        attempts: all records that are present.
        records: how many records each worker has.
        events: the run's events. `verdict` holds how many records there were at that time. `lost` holds which
            were known to be lost. Runs of older versions have neither.
    """
    lost: dict[int, list[str]] = {}
    committed, unknown = (
        np.bincount(attempts["cell"][which], minlength=MAX_CELLS)
        for which in (are_committed(attempts), are_unknown(attempts))
    )
    for event in events:
        cell = event.get("cell")
        if cell is None:
            continue
        losses = []
        if event["event"] == "lost":
            losses = [_since(event["worker"], event.get("from_ns"), event["reason"])]
        elif event["event"] == "verdict":
            losses = _fewer(attempts, records, event.get("records") or {})
            losses = losses or _differing(
                Acknowledged(int(committed[cell]), int(unknown[cell])), event.get("acknowledged")
            )
        lost.setdefault(cell, []).extend(losses)
    return {cell: "; ".join(dict.fromkeys(losses)) for cell, losses in lost.items() if losses}


def _fewer(attempts: NDArray[np.void], records: Mapping[int, int], then: Mapping[str, int]) -> list[str]:
    return [
        _since(
            int(worker), _last_ns(attempts, int(worker)), f"{count - records.get(int(worker), 0)} are missing"
        )
        for worker, count in then.items()
        if worker.isdecimal() and records.get(int(worker), 0) < count
    ]


def _last_ns(attempts: NDArray[np.void], worker: int) -> int | None:
    started = attempts["started"][attempts["worker"] == worker]
    return int(started.max()) if len(started) else None


def _differing(now: Acknowledged, then: Mapping[str, int] | None) -> list[str]:
    if then is None or (then["committed"], then["unknown"]) == now:
        return []
    difference = (
        f"the records acknowledge {now.committed} commits and leave {now.unknown} unknown; when the data was "
        f"checked, the numbers were {then['committed']} and {then['unknown']}"
    )
    return [difference]


def _since(worker: int, since_ns: int | None, reason: str) -> str:
    start = "the beginning" if since_ns is None else f"{_clock(since_ns)} UTC"
    return f"records of worker {worker} were lost from {start} on ({reason})"


def _clock(time_ns: int) -> str:
    try:
        return f"{datetime.fromtimestamp(time_ns / 1e9, UTC):%H:%M:%S}"
    except (ValueError, OverflowError, OSError):
        return "an unknown time"
