"""Whether an interval was in its steady state: found by MSER-5, not assumed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

BATCH = 5
"""Observations a batch: the 5 of MSER-5."""
BINS = 200
"""Observations per interval: attempts begun in each 200th of it (25 ms of 5 s)."""
LATEST = 0.6
"""No cut is sought beyond: over the few batches left the statistic is small by chance (1 % false alarms)."""
STEADY_BY = 0.5
"""Where more than this share should be dropped, the interval is not steady."""


def truncation(observations: NDArray[np.float64]) -> float | None:
    """The share of a series, float64[n], that MSER-5 would drop as transient, in [0, 0.6].

    It minimises the squared standard error of the mean of what is left, over batches of five. None where
    there are fewer than four batches.

    Source: K. P. White, M. J. Cobb and S. C. Spratt, "A comparison of five steady-state truncation heuristics
    for simulation", Winter Simulation Conference, 2000.
    """
    batches = len(observations) // BATCH
    if batches < BATCH - 1:
        return None
    means = observations[: batches * BATCH].reshape(batches, BATCH).mean(axis=1)
    cuts = np.arange(int(batches * LATEST) + 1)
    errors = [means[cut:].var() / (batches - cut) for cut in cuts]
    return float(cuts[int(np.argmin(errors))] / batches)


def is_steady(starts_s: NDArray[np.float64], seconds: float) -> bool | None:
    """Whether attempts that began at `starts_s` (float64[n], from 0 to `seconds`) came at a settled rate.

    None where there were fewer than one a bin: too few to tell.
    """
    if len(starts_s) < BINS:
        return None
    counts, _ = np.histogram(starts_s, bins=BINS, range=(0.0, seconds))
    cut = truncation(counts.astype(np.float64))
    return None if cut is None else cut <= STEADY_BY
