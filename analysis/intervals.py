"""95 % intervals for counts of events that come in bursts.

Conflicts come in bursts. Neighbouring attempts are therefore not independent, and the textbook intervals are
too narrow. The measured interval is cut into batches. The *design effect* is how much more the batches
scatter than independent events would. n events count as n / design effect. It is never taken below 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scipy import special

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

CONFIDENCE = 0.95
BATCHES = 25
"""Batches per interval: few enough to be longer than a burst, many enough to estimate their scatter."""

_UPPER = (1 + CONFIDENCE) / 2
_NORMAL = float(special.ndtri(_UPPER))
_TWO = 2


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its 95 % interval; all None if nothing was observed."""

    value: float | None = None
    low: float | None = None
    high: float | None = None


def wilson(hits: float, trials: float) -> tuple[float, float]:
    """The score interval for hits / trials; trials > 0. Neither needs to be a whole number.

    Source: E. B. Wilson, JASA 22, 1927.
    """
    share, z2 = hits / trials, _NORMAL**2 / trials
    middle = (share + z2 / 2) / (1 + z2)
    half = math.sqrt(z2 * (share * (1 - share) + z2 / 4)) / (1 + z2)
    low = 0.0 if hits <= 0 else max(0.0, middle - half)
    return low, 1.0 if hits >= trials else min(1.0, middle + half)


def poisson(count: float) -> tuple[float, float]:
    """The exact interval for the mean of a Poisson count. The count does not need to be a whole number.

    Half a chi-squared quantile with 2 n degrees of freedom is a gamma quantile of shape n.
    Source: F. Garwood, Biometrika 28, 1936.
    """
    low = float(special.gammaincinv(count, 1 - _UPPER)) if count > 0 else 0.0
    return low, float(special.gammaincinv(count + 1, _UPPER))


def design_effect(residuals: Floats, variance: float) -> float:
    """The variance that the batches show / the variance of independent events; at least 1.

    Args:
        residuals: float64[batches], count of each batch minus its expected count at the overall rate.
        variance: variance of the total if events were independent.

    The effect is multiplied by (t / z)^2, because a scatter estimated from few batches is itself uncertain.
    It is 1 if there is one batch or no variance.

    Source: E. L. Korn and B. I. Graubard, Survey Methodology 24, 1998.
    """
    batches = len(residuals)
    if batches < _TWO or variance <= 0:
        return 1.0
    scatter = batches / (batches - 1) * float((residuals**2).sum())
    student = float(special.stdtrit(batches - 1, _UPPER))
    return max(1.0, scatter / variance * (student / _NORMAL) ** 2)


def share(hits: Floats, trials: Floats) -> Estimate:
    """Sum of hits / sum of trials, at most 1; both float64[batches].

    The interval is Wilson's at n / design effect.
    """
    total, count = float(trials.sum()), float(hits.sum())
    if total == 0:
        return Estimate()
    value = count / total
    effect = design_effect((hits - value * trials)[trials > 0], total * value * (1 - value))
    low, high = wilson(count / effect, total / effect)
    return Estimate(value, low, high)


def ratio(counts: Floats, bases: Floats) -> Estimate:
    """Sum of counts / sum of bases; both float64[batches]. The ratio may exceed 1.

    The interval is Garwood's at count / design effect.
    """
    total, count = float(bases.sum()), float(counts.sum())
    if total == 0:
        return Estimate()
    effect = design_effect(counts - count / total * bases, count)
    low, high = poisson(count / effect)
    return Estimate(count / total, low * effect / total, high * effect / total)


def per_second(counts: Floats, seconds: float) -> Estimate:
    """Events per second, from counts in equal batches, float64[batches], that last `seconds` in all.

    The interval is Student's t. There is no interval from fewer than two batches. If there was no event, the
    upper end is Garwood's.
    """
    total = float(counts.sum())
    if len(counts) < _TWO:
        return Estimate(total / seconds)
    if total == 0:
        return Estimate(0.0, 0.0, poisson(0)[1] / seconds)
    batches = len(counts)
    half = float(special.stdtrit(batches - 1, _UPPER) * counts.std(ddof=1) * math.sqrt(batches))
    return Estimate(total / seconds, max(0.0, total - half) / seconds, (total + half) / seconds)
