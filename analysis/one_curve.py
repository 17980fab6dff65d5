"""The conflict rate of every skew as one curve over (users - 1) / D_eff. Pure."""

from __future__ import annotations

_HALVINGS = 50


def one_curve(ratio: float, keys_per_transaction: int) -> float:
    """The conflict rate of the closed form for a ratio (users - 1) / D_eff.

    Keys are uniform, nothing is retried, and all of the users' time lies in conflict windows of constant
    length. A key survives with probability s = 1 / (1 + k x s^(k-1)), where x is the ratio and k is
    `keys_per_transaction`: a rival counts only if its other keys survive. The rate is 1 - s^k. For one key
    it is x / (1 + x). It is what `analysis.model.predict` finds for many uniform keys.
    """
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        survival = (low + high) / 2
        rivals = keys_per_transaction * ratio * survival ** (keys_per_transaction - 1)
        if survival * (1 + rivals) < 1:
            low = survival
        else:
            high = survival
    return 1.0 - float(low**keys_per_transaction)
