"""Whether the records of a run are all there, and are what hotrow writes; pure."""

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
_DURATION_NS_MAX = 1e16
"""Four months: no attempt takes so long."""
_DAY_NS = 86_400_000_000_000
_FLAGS = int(Flag.FINAL | Flag.RESOLVED)


@dataclass(frozen=True, slots=True)
class Doubts:
    """What is wrong with the records of a run, in words, by cell; a cell that is not there is right."""

    lost: Mapping[int, str]
    """Records that were written, or may have been, and are not there."""
    impossible: Mapping[int, int]
    """How many records of a cell are none that hotrow writes. They count nowhere."""
    strays: int = 0
    """Such records that are of no cell of the run."""


NO_DOUBTS = Doubts({}, {})


def possible(
    attempts: NDArray[np.void],
    records: Mapping[int, int],
    cells: Sequence[Mapping[str, Any]],
    meta: Mapping[str, Any],
) -> NDArray[np.bool_]:
    """Which records hotrow can have written, bool[n], by their fields and what these say together.

    Args:
        attempts: of all cells, worker after worker.
        records: how many each worker has, in that order.
        cells: of run.json.
        meta: run.json.
    """
    outcome, sqlstate = attempts["outcome"], attempts["sqlstate"]
    final, resolved = ((attempts["flags"] & flag) != 0 for flag in (Flag.FINAL, Flag.RESOLVED))
    retryable = np.isin(outcome, [int(each) for each in RETRYABLE])
    fits = attempts["worker"] == np.repeat(list(records), list(records.values()))
    fits &= np.isin(attempts["cell"], [cell["id"] for cell in cells])
    fits &= (outcome < len(Outcome)) & (attempts["marker"] < len(Marker)) & (attempts["attempt"] > 0)
    fits &= attempts["flags"] <= _FLAGS
    fits &= attempts["kind"] < max(1, len(meta.get("kinds") or ()))
    fits &= attempts["region"] < max(1, len(meta["target"].get("regions") or ()))
    fits &= attempts["scheduled"] <= attempts["started"]
    for name in _DURATIONS:
        fits &= (attempts[name] >= 0) & (attempts[name] <= _DURATION_NS_MAX)  # NaN is neither
    fits &= final | retryable | (resolved & (outcome == Outcome.ERROR))
    fits &= ~resolved | np.isin(outcome, (Outcome.COMMITTED, Outcome.ERROR))
    fits &= ~retryable | (sqlstate != b"")
    fits &= ~np.isin(outcome, (Outcome.COMMITTED, Outcome.REJECTED)) | resolved | (sqlstate == b"")
    return np.asarray(fits & _are_sqlstates(sqlstate))


def _are_sqlstates(sqlstate: NDArray[np.bytes_]) -> NDArray[np.bool_]:
    """Which are empty, or five digits and capital letters, bool[n]."""
    letters = np.ascontiguousarray(sqlstate).view(np.uint8).reshape(len(sqlstate), sqlstate.dtype.itemsize)
    is_digit = (letters >= ord("0")) & (letters <= ord("9"))
    is_capital = (letters >= ord("A")) & (letters <= ord("Z"))
    return np.asarray((is_digit | is_capital).all(axis=1) | (letters == 0).all(axis=1))


def near(attempts: NDArray[np.void], intervals: Mapping[int, tuple[int, int]]) -> NDArray[np.bool_]:
    """Which attempts began within a day of their cell's measured interval, bool[n]; others cannot have."""
    earliest = np.full(MAX_CELLS, np.iinfo(np.int64).min)
    latest = np.full(MAX_CELLS, np.iinfo(np.int64).max)
    for cell, (begin_ns, end_ns) in intervals.items():
        earliest[cell], latest[cell] = begin_ns - _DAY_NS, end_ns + _DAY_NS
    started, cells = attempts["started"], attempts["cell"]
    return np.asarray((started >= earliest[cells]) & (started <= latest[cells]))


def find_lost(
    attempts: NDArray[np.void], records: Mapping[int, int], events: Iterable[Mapping[str, Any]]
) -> dict[int, str]:
    """Of each cell with records that were written, or may have been, and are not there: which, in words.

    Args:
        attempts: all that there are.
        records: how many each worker has.
        events: verdicts say how many there were then; `lost` says what was known to be lost. Runs of older
            versions say neither.
    """
    lost: dict[int, list[str]] = {}
    recounted = _recount(attempts)
    for event in events:
        cell = event.get("cell")
        if cell is None:
            continue
        told = []
        if event["event"] == "lost":
            told = [_since(event["worker"], event.get("from_ns"), event["reason"])]
        elif event["event"] == "verdict":
            told = _fewer(attempts, records, event.get("records") or {})
            told = told or _differing(recounted[cell], event.get("acknowledged"))
        lost.setdefault(cell, []).extend(told)
    return {cell: "; ".join(dict.fromkeys(told)) for cell, told in lost.items() if told}


def _fewer(attempts: NDArray[np.void], records: Mapping[int, int], then: Mapping[str, int]) -> list[str]:
    return [
        _since(
            int(worker), _last_ns(attempts, int(worker)), f"{count - records.get(int(worker), 0)} are missing"
        )
        for worker, count in then.items()
        if worker.isdecimal() and records.get(int(worker), 0) < count
    ]


def _last_ns(attempts: NDArray[np.void], worker: int) -> int | None:
    own = attempts["started"][attempts["worker"] == worker]
    return int(own.max()) if len(own) else None


def _recount(attempts: NDArray[np.void]) -> list[Acknowledged]:
    """What the records of each cell acknowledge, by the cell's id."""
    committed, unknown = (
        np.bincount(attempts["cell"][which], minlength=MAX_CELLS).tolist()
        for which in (are_committed(attempts), are_unknown(attempts))
    )
    return [Acknowledged(*counts) for counts in zip(committed, unknown, strict=True)]


def _differing(now: Acknowledged, then: Mapping[str, int] | None) -> list[str]:
    if then is None or (then["committed"], then["unknown"]) == now:
        return []
    told = (
        f"the records acknowledge {now.committed} commits and leave {now.unknown} unknown; when the data was "
        f"checked they were {then['committed']} and {then['unknown']}"
    )
    return [told]


def _since(worker: int, since_ns: int | None, reason: str) -> str:
    start = "the beginning" if since_ns is None else f"{_clock(since_ns)} UTC"
    return f"records of worker {worker} were lost from {start} on ({reason})"


def _clock(time_ns: int) -> str:
    try:
        return f"{datetime.fromtimestamp(time_ns / 1e9, UTC):%H:%M:%S}"
    except (ValueError, OverflowError, OSError):
        return "an unknown time"
