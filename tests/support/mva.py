"""Exact mean value analysis of a closed queueing network: an oracle for the closed forms of the model.

It models immediate, unlimited retries on the same keys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def throughput_per_s(p: Floats, counts: Floats, users: int, window_s: float, think_s: float = 0.0) -> Floats:
    """Throughput X(n) in commits per second for n = 1 .. users clients, float64[users].

    A key is a single server with exponential service of mean `window_s`. It is visited with probability `p`
    (float64[groups], with `counts` equal keys in each group; sum(p * counts) = 1). `think_s` is spent once
    per transaction. If `think_s` is 0, attempts per commit are n / (X(n) * window_s). X(n) never exceeds
    min(n / (window_s + think_s), 1 / (max(p) * window_s)).

    Source: M. Reiser and S. S. Lavenberg, "Mean-Value Analysis of Closed Multichain Queuing Networks",
    JACM 27(2), 1980.
    """
    queue = np.zeros_like(p)
    commits_per_s = np.empty(users)
    for n in range(1, users + 1):
        stay_s = window_s * (1.0 + queue)
        commits_per_s[n - 1] = n / (think_s + (counts * p * stay_s).sum())
        queue = commits_per_s[n - 1] * p * stay_s
    return commits_per_s
