"""Whether a measured interval was in its steady state, tested by MSER-5."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

BATCH = 5
"""Observations per batch: the 5 of MSER-5."""
BINS = 200
"""Observations per interval: the attempts that began in each 200th of it (25 ms of 5 s)."""
MAX_CUT = 0.6
"""Largest cut that is considered. Beyond it too few batches are left: the statistic would be small by chance
(1 % false alarms)."""
MAX_STEADY_CUT = 0.5
"""If a larger share should be dropped, the interval is not steady."""


def truncation(observations: NDArray[np.float64]) -> float | None:
    """The share of a series, float64[n], that MSER-5 would drop as transient, in [0, 0.6].

    It minimises the squared standard error of the mean of the rest, over batches of five. None if there are
    fewer than four batches.

    Source: K. P. White, M. J. Cobb and S. C. Spratt, "A comparison of five steady-state truncation heuristics
    for simulation", Winter Simulation Conference, 2000.
    """
    batches = len(observations) // BATCH
    if batches < BATCH - 1:
        return None
    means = observations[: batches * BATCH].reshape(batches, BATCH).mean(axis=1)
    cuts = np.arange(int(batches * MAX_CUT) + 1)
    errors = [means[cut:].var() / (batches - cut) for cut in cuts]
    return float(cuts[int(np.argmin(errors))] / batches)


def transient(starts_s: NDArray[np.float64], seconds: float) -> float | None:
    """The share of an interval that MSER-5 would drop from the rate of attempts, in [0, 0.6].

    None if there are fewer attempts than bins: that is too few to decide. `starts_s` is float64[n], from 0 to
    `seconds`.
    """
    if len(starts_s) < BINS:
        return None
    counts, _ = np.histogram(starts_s, bins=BINS, range=(0.0, seconds))
    return truncation(counts.astype(np.float64))


def is_steady(cut: float | None) -> bool | None:
    """Whether an interval of which `transient` drops this share had a settled rate; None if it is unknown."""
    return None if cut is None else cut <= MAX_STEADY_CUT
