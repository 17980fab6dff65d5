"""The curve that all skews share is the model's closed form for uniform keys."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.keysets import key_sets
from analysis.model import Loop, predict
from analysis.one_curve import one_curve
from hotrow.attempt.retry import parse_retry

KEYS = 10_000


@pytest.mark.parametrize("ratio", [0.0, 0.01, 1.0, 31.0])
def test_one_key_has_a_formula(ratio: float) -> None:
    """It is x / (1 + x): two users on one row conflict in half of their attempts."""
    assert one_curve(ratio, 1) == pytest.approx(ratio / (1 + ratio), abs=1e-9)


@pytest.mark.parametrize("keys", [1, 2, 3])
@pytest.mark.parametrize("ratio", [0.01, 0.3, 4.0])
def test_it_is_the_model_for_many_uniform_keys(ratio: float, keys: int) -> None:
    """No retry, no time outside the window."""
    sets = key_sets(np.array([1 / KEYS]), np.array([float(KEYS)]), keys)
    loop = Loop(users=1 + round(ratio * KEYS), window_s=1.0, outside_s=0.0)

    expected = predict(sets, loop, parse_retry("none"), redraw=False).conflict_rate

    assert one_curve(ratio, keys) == pytest.approx(expected, abs=0.002)
