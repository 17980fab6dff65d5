"""Silences: times in which no attempt ended, because the server or the network stood still."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from analysis.counts import lasted_ns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from numpy.typing import NDArray

    from analysis.reading import MeasuredInterval

MIN_SILENCE_S = 1.0
"""A shorter pause is not a silence."""
_USUAL_TIMES = 20.0
"""Random ends of attempts leave no gap this many times as long as the 90 % quantile of gaps (e^-46)."""
_CYCLE_TIMES = 3.0
"""A closed loop leaves no gap this many times as long as the longest usual cycle of a user."""
_MAX_CLIENT_SHARE = 0.5
"""If the client stood still for a larger share of a gap, the gap is the client's."""


def silences(
    attempts: NDArray[np.void], interval: MeasuredInterval, think_s: float, client: Mapping[str, Any]
) -> list[dict[str, float]]:
    """The times in which no attempt ended although some usually would, in s of the measured interval.

    Args:
        attempts: all records of the cell.
        interval: its measured interval.
        think_s: the users' pause between two transactions.
        client: `client` of the cell's summary; its stalls do not count as silences.
    """
    length_s = interval.seconds
    ends_s = (attempts["started"] - interval.begin_ns) / 1e9 + _attempt_s(attempts)
    inside = np.sort(ends_s[(ends_s >= 0) & (ends_s < length_s)])
    if len(inside) == 0:
        return []
    edges = np.concatenate([[0.0], inside, [length_s]])
    gaps = np.diff(edges)
    longest = max(MIN_SILENCE_S, _USUAL_TIMES * float(np.quantile(gaps, 0.9)), _cycle_s(attempts, think_s))
    long_gaps = [
        {"begin_s": float(edges[index]), "end_s": float(edges[index + 1])}
        for index in np.flatnonzero(gaps > longest)
    ]
    return [gap for gap in long_gaps if not _is_clients(gap, client["stalls"])]


def _attempt_s(attempts: NDArray[np.void]) -> NDArray[np.float64]:
    return lasted_ns(attempts) / 1e9


def _cycle_s(attempts: NDArray[np.void], think_s: float) -> float:
    """Three times the cycle that nine of ten attempts stay below: the attempt and the pauses around it."""
    backoff_s = float(attempts["backoff"].max()) / 1e9
    connect_s = float(np.quantile(attempts["connect"], 0.9)) / 1e9
    attempt_s = float(np.quantile(_attempt_s(attempts), 0.9))
    return _CYCLE_TIMES * (attempt_s + backoff_s + connect_s + think_s)


def _is_clients(gap: Mapping[str, float], stalls: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the client itself stood still for most of the gap."""
    shared = [min(gap["end_s"], stall["end_s"]) - max(gap["begin_s"], stall["begin_s"]) for stall in stalls]
    return max(shared, default=0.0) > _MAX_CLIENT_SHARE * (gap["end_s"] - gap["begin_s"])
