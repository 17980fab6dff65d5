"""How well the client kept up in a measured interval: its lateness, its stalls and its CPU use."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from analysis.reading import MeasuredInterval

    Line = Mapping[str, Any]

SAMPLE_EVERY_MS = 10.0
"""Pause between two samples of a worker's event loop: it sleeps this long and notes how late it woke."""
MIN_STALL_MS = 100.0
"""A process that did nothing for at least this long stood still."""
MAX_STALLS = 10
"""The longest stalls are listed, at most this many."""
_PERIOD_MS = 1_000.0
"""A worker writes one line per second. The time since its last line is not covered by any line yet."""
_SLACK_MS = 50.0
"""Tolerated gap between two consecutive lines."""
_LATE_SHARE = 0.01
_HALVINGS = 60
_MS = 1e6


@dataclass(frozen=True, eq=False, slots=True)
class Timeline:
    """The health lines of one worker as arrays; times in ms of the run's clock."""

    begin_ms: NDArray[np.float64]
    """Begin of the time that each line covers; float64[lines]."""
    end_ms: NDArray[np.float64]
    cpu: NDArray[np.float64]
    machine_cpu: NDArray[np.float64]
    """Share of all cores in use; NaN if a line has no such value."""
    cores: int | None
    woke_ms: NDArray[np.float64]
    """When each sample ended; float64[samples]."""
    lag_ms: NDArray[np.float64]
    """How late each sample was."""


def read_client(
    health: Mapping[int, Sequence[Line]], cell: int, interval: MeasuredInterval
) -> dict[str, Any]:
    """`client` of a cell: the busiest and the latest worker, the stalls of workers and the machine's load.

    If a sleep of the event loop is late by g, an event that falls due meanwhile waits between g and 0. So the
    time in which an event is late by more than x is the sum of max(0, g - x) over the samples. Time that no
    line of a worker covers counts as a stall. Lines of older versions hold only the worst of about 100
    samples: the median of such maxima is the 99.3 % quantile of the samples (0.993^100 = 0.5).
    """
    if not any("lags_ms" in line for lines in health.values() for line in lines):
        return _of_maxima(health, cell, interval)
    edges = (interval.begin_ns / _MS, interval.end_ns / _MS)
    workers = {worker: _timeline(lines) for worker, lines in health.items() if lines}
    late = {worker: _lateness(line, edges) for worker, line in workers.items()}
    cpus = {worker: _mean(line, line.cpu, edges) for worker, line in workers.items()}
    known = [cpu for cpu in cpus.values() if cpu is not None]
    seen = [worker for worker, (began, _) in late.items() if cpus[worker] is not None or len(began)]
    p99 = {worker: _p99_ms(*late[worker], edges) for worker in seen}
    latest = max(p99, key=p99.__getitem__, default=None)
    machine = None if latest is None else workers[latest]
    return {
        "cpu": max(known, default=None),
        "lag_ms_p99": None if latest is None else p99[latest],
        "own_cores": sum(known) if known else None,
        "machine_cpu": None if machine is None else _mean(machine, machine.machine_cpu, edges),
        "cores": None if machine is None else machine.cores,
        "stalls": _stalls(late, edges),
    }


def _of_maxima(health: Mapping[int, Sequence[Line]], cell: int, interval: MeasuredInterval) -> dict[str, Any]:
    """`client` of a cell from lines that hold only the worst lag of each second."""
    workers = [
        [
            line
            for line in lines
            if line["cell"] == cell and interval.begin_ns < line["wall_ns"] <= interval.end_ns
        ]
        for lines in health.values()
    ]
    cpus = [float(np.mean([line["cpu"] for line in lines])) for lines in workers if lines]
    lags_ms = [float(np.median([line["lag_ms"] for line in lines])) for lines in workers if lines]
    unknown = dict.fromkeys(("own_cores", "machine_cpu", "cores"))
    return {
        "cpu": max(cpus, default=None),
        "lag_ms_p99": max(lags_ms, default=None),
        **unknown,
        "stalls": [],
    }


def _timeline(lines: Sequence[Line]) -> Timeline:
    """Arrays of a worker's lines. Samples are dated backwards from the end of their line.

    The last sample of a line ended less than 10 ms before the line was written.
    """
    ends = np.array([line["wall_ns"] / _MS for line in lines])
    seconds = np.array([line.get("seconds", 0.0) for line in lines])
    woke, lags = [np.empty(0)], [np.empty(0)]
    for end_ms, line in zip(ends, lines, strict=True):
        lag = np.array(line.get("lags_ms") or (), dtype=np.float64)
        after = np.cumsum((lag + SAMPLE_EVERY_MS)[::-1])[::-1] - (lag + SAMPLE_EVERY_MS)
        woke.append(end_ms - after)
        lags.append(lag)
    return Timeline(
        begin_ms=ends - seconds * 1e3,
        end_ms=ends,
        cpu=np.array([line["cpu"] for line in lines], dtype=np.float64),
        machine_cpu=np.array([line.get("machine_cpu", np.nan) for line in lines], dtype=np.float64),
        cores=next((line["cores"] for line in lines if line.get("cores")), None),
        woke_ms=np.concatenate(woke),
        lag_ms=np.concatenate(lags),
    )


def _mean(line: Timeline, values: NDArray[np.float64], edges: tuple[float, float]) -> float | None:
    """Mean over the measured interval, weighted by how much of it each line covers; None if no line does."""
    shared = np.minimum(line.end_ms, edges[1]) - np.maximum(line.begin_ms, edges[0])
    weights = np.where(np.isnan(values), 0.0, np.maximum(shared, 0.0))
    total = float(weights.sum())
    return float((np.nan_to_num(values) * weights).sum() / total) if total > 0 else None


def _lateness(line: Timeline, edges: tuple[float, float]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(begin, end) of each delay of the worker in the measured interval, in ms; both float64[n]."""
    gaps = _gaps(line, edges)
    began = np.concatenate([line.woke_ms - line.lag_ms, [begin for begin, _ in gaps]])
    ended = np.concatenate([line.woke_ms, [end for _, end in gaps]])
    inside = (ended > edges[0]) & (began < edges[1]) & (ended > began)
    return began[inside], ended[inside]


def _gaps(line: Timeline, edges: tuple[float, float]) -> list[tuple[float, float]]:
    """Times of the measured interval that no line covers, from the worker's first line on."""
    low, high = max(edges[0], float(line.begin_ms.min())), edges[1]
    gaps = []
    reached = low
    for begin, end in sorted(zip(line.begin_ms.tolist(), line.end_ms.tolist(), strict=True)):
        if begin > reached + _SLACK_MS and reached < high:
            gaps.append((reached, min(begin, high)))
        reached = max(reached, end)
    if high - reached > _PERIOD_MS + _SLACK_MS:  # a shorter rest belongs to a line that is not yet written
        gaps.append((reached, high))
    return [(begin, end) for begin, end in gaps if end - begin > _SLACK_MS]


def _p99_ms(began: NDArray[np.float64], ended: NDArray[np.float64], edges: tuple[float, float]) -> float:
    """The lateness that an event at a random moment of the measured interval exceeds in 1 of 100 cases."""
    most = ended - np.maximum(began, edges[0])
    least = np.maximum(ended - edges[1], 0.0)
    allowed_ms = _LATE_SHARE * (edges[1] - edges[0])

    def later_ms(limit: float) -> float:
        return float(np.maximum(most - np.maximum(least, limit), 0.0).sum())

    low, high = 0.0, float(most.max(initial=0.0))
    if later_ms(low) <= allowed_ms:
        return low
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if later_ms(middle) > allowed_ms else (low, middle)
    return high


def _stalls(
    late: Mapping[int, tuple[NDArray[np.float64], NDArray[np.float64]]], edges: tuple[float, float]
) -> list[dict[str, Any]]:
    """The longest stalls of the workers, in order of time; their times are in s of the measured interval."""
    stalls = [
        {
            "worker": worker,
            "begin_s": (max(begin, edges[0]) - edges[0]) / 1e3,
            "end_s": (min(end, edges[1]) - edges[0]) / 1e3,
        }
        for worker, (began, ended) in late.items()
        for begin, end in zip(began.tolist(), ended.tolist(), strict=True)
        if end - begin >= MIN_STALL_MS
    ]
    longest = sorted(stalls, key=lambda stall: stall["begin_s"] - stall["end_s"])[:MAX_STALLS]
    return sorted(longest, key=lambda stall: (stall["begin_s"], stall["worker"]))


def clock_step(health: Mapping[int, Sequence[Line]]) -> tuple[float, int] | None:
    """The largest step of the wall clock between two lines of a worker: (step in ms, time in ns).

    The time is on the run's clock. None if no line holds how late the wall clock is.
    """
    steps = [
        (line["late_wall_ms"] - before["late_wall_ms"], int(line["wall_ns"]))
        for lines in health.values()
        for before, line in pairwise(lines)
        if "late_wall_ms" in before and "late_wall_ms" in line
    ]
    return max(steps, key=lambda step: abs(step[0]), default=None)
