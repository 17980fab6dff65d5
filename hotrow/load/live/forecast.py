"""The closed form's value for the cell that is open, from its digests."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import gevent
import numpy as np

from analysis.expected import ABSENT, MAX_REJECTED_SHARE, expect_of
from analysis.model import Effort, Loop
from hotrow.load.live.frequencies import quantiles

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hotrow.keys.spaces import Spaces
    from hotrow.keys.table import Table
    from hotrow.load.live.digest import Sample

MIN_ATTEMPTS = 100
"""Fewer attempts say too little about conflict window and cycle."""
_QUANTILES = 8
"""How many quantiles describe the distribution of the conflict window; the summary takes 32."""
_TOLERANCE = 1e-4
"""Enough for a line on a chart, at a third of the rounds."""
_REST = 4.0
"""After each round transactions have this many times as long as the round took."""


def forecast(
    cell: Mapping[str, Any], table: Table | Spaces | None, total: Sample, think_s: float
) -> dict[str, float | None]:
    """Predicted conflict rate and goodput; None if the closed form does not hold or little was measured.

    Args:
        cell: the cell from run.json, with its present number of users.
        table: its skew, laid out over its keys; None if the target does not decide conflicts at COMMIT.
        total: the attempts of its measured interval so far.
        think_s: the users' pause between two transactions.
    """
    if table is None or total["attempts"] < MIN_ATTEMPTS:
        return dict(ABSENT)
    if total["rejected"] > MAX_REJECTED_SHARE * total["attempts"]:
        return dict(ABSENT)
    return expect_of(
        cell, table, loop_of(cell["users"], total, think_s), effort=Effort(_TOLERANCE, Breather().pause)
    )


def loop_of(users: int, total: Sample, think_s: float) -> Loop | None:
    """The loop that the users ran, as `analysis.expected` has it; None if window or cycle are unknown."""
    attempts, decided = total["attempts"], total["decided"]
    if total["window_ms"] <= 0 or not total["cycles"]:
        return None
    window_ms = total["window_ms"] / decided
    think_ms = think_s * 1e3 * (attempts - total["retries"]) / attempts
    paused_ms = window_ms + total["backoff_ms"] / attempts + think_ms
    middles = [(index + 0.5) / _QUANTILES for index in range(_QUANTILES)]
    windows = np.array(quantiles(total.window, middles), dtype=np.float64)
    return Loop(
        users=users,
        window_s=window_ms / 1e3,
        outside_s=max(0.0, total["cycle_ms"] / total["cycles"] - paused_ms) / 1e3,
        think_s=think_s,
        spread=windows / windows.mean(),
        reach=decided / attempts,
    )


class Breather:
    """Pauses in a long calculation, in proportion to the time that it takes."""

    def __init__(self) -> None:
        self._since_s = time.perf_counter()

    def pause(self) -> None:
        """Let transactions go on for a multiple of the time since the last pause."""
        gevent.sleep(_REST * (time.perf_counter() - self._since_s))
        self._since_s = time.perf_counter()
