"""Times in which no attempt ended: the server, or the way to it, stood still."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from numpy.typing import NDArray

    from analysis.reading import MeasuredInterval

SILENCE_S_MIN = 1.0
"""A shorter pause is none."""
_USUAL_TIMES = 20.0
"""Ends of attempts that come by chance leave no gap of so many times the 90 % quantile of gaps (e^-46)."""
_CYCLE_TIMES = 3.0
"""Nor does a closed loop leave one of so many times the longest cycle that users usually have."""
_OWN_SHARE = 0.5
"""If the client itself stood still for more of a gap, the gap is the client's."""


def silences(
    attempts: NDArray[np.void], interval: MeasuredInterval, think_s: float, client: Mapping[str, Any]
) -> list[dict[str, float]]:
    """The times of the measured interval, in s of it, in which no attempt ended although some usually would.

    Args:
        attempts: all records of the cell.
        interval: its measured interval.
        think_s: what users pause between two transactions.
        client: of its summary; times in which a worker stood still are not the server's.
    """
    length_s = interval.seconds
    ends_s = (attempts["started"] - interval.begin_ns) / 1e9 + _attempt_s(attempts)
    inside = np.sort(ends_s[(ends_s >= 0) & (ends_s < length_s)])
    if len(inside) == 0:
        return []
    edges = np.concatenate([[0.0], inside, [length_s]])
    gaps = np.diff(edges)
    longest = max(SILENCE_S_MIN, _USUAL_TIMES * float(np.quantile(gaps, 0.9)), _cycle_s(attempts, think_s))
    found = [
        {"begin_s": float(edges[place]), "end_s": float(edges[place + 1])}
        for place in np.flatnonzero(gaps > longest)
    ]
    return [gap for gap in found if not _is_own(gap, client["stalls"])]


def _attempt_s(attempts: NDArray[np.void]) -> NDArray[np.float64]:
    return np.asarray(sum(attempts[part].astype(np.float64) for part in ("begin", "body", "commit")) / 1e9)


def _cycle_s(attempts: NDArray[np.void], think_s: float) -> float:
    """Three times what nine of ten attempts of a user take with the pauses around them."""
    backoff_s = float(attempts["backoff"].max()) / 1e9
    connect_s = float(np.quantile(attempts["connect"], 0.9)) / 1e9
    attempt_s = float(np.quantile(_attempt_s(attempts), 0.9))
    return _CYCLE_TIMES * (attempt_s + backoff_s + connect_s + think_s)


def _is_own(gap: Mapping[str, float], stalls: Sequence[Mapping[str, Any]]) -> bool:
    shared = [min(gap["end_s"], stall["end_s"]) - max(gap["begin_s"], stall["begin_s"]) for stall in stalls]
    return max(shared, default=0.0) > _OWN_SHARE * (gap["end_s"] - gap["begin_s"])
