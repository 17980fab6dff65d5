"""The distribution of a cell's latency, from all of its samples."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from analysis.cell_findings import MIN_COMMITS

if TYPE_CHECKING:
    from numpy.typing import NDArray

BODY = tuple(round(1 - 0.05 * step, 2) for step in range(19))
"""Shares from 1 to 0.1, evenly spaced."""
PER_DECADE = 8
"""Shares per factor of ten in the tail, evenly spaced in their logarithm."""


def latency_curve(latency_ms: NDArray[np.float64]) -> list[list[float]]:
    """Pairs [share of the transactions that took longer, ms], the share descending from 1.

    The first pair has the smallest sample and the last one the share 1/n or a little more, as for p99.9,
    which needs 1,000 samples. The ms are quantiles with linear interpolation. Empty with fewer than 20
    samples.

    `latency_ms`: float64[n], the latency of the committed transactions.
    """
    if len(latency_ms) < MIN_COMMITS:
        return []
    shares = (*BODY, *_tail(len(latency_ms)))
    values = np.quantile(latency_ms, [1 - share for share in shares])
    return [[share, float(value)] for share, value in zip(shares, values, strict=True)]


def _tail(n: int) -> list[float]:
    """Shares below 0.1 and not below 1/n."""
    steps = math.floor(PER_DECADE * (math.log10(n) - 1) + 1e-9)
    return [float(f"{0.1 * 10 ** (-step / PER_DECADE):.4g}") for step in range(1, steps + 1)]
