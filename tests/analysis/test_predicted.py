"""The prediction of a cell in summary.json, and the cases without one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from analysis.summarise import summarise
from hotrow.attempt.record import Outcome
from tests.support.measured import WALL_NS, attempt, cell, run_of, steady_commits
from tests.support.simulated import World, simulate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from analysis.reading import Run


def _only_cell(run: Run) -> dict[str, Any]:
    (summary,) = summarise(run)["cells"]
    return summary


def _busy(rejected: int = 0) -> list[NDArray[np.void]]:
    """800 attempts of eight users in 1 s, of which this many are rejected; no conflicts."""
    return [
        attempt(n, n, Outcome.REJECTED if n < rejected else Outcome.COMMITTED, user=n % 8) for n in range(800)
    ]


def test_skew_comes_with_d_eff_and_p_max() -> None:
    """D_eff and p_max of the skew. If its file is missing, both are null and nothing is predicted."""
    uniform = _only_cell(run_of(steady_commits(200, 1.0)))
    lost = _only_cell(run_of(steady_commits(200, 1.0), cells=[cell(skew="file:gone.csv")]))

    assert (uniform["d_eff"], uniform["p_max"]) == (pytest.approx(100), pytest.approx(0.01))
    assert (lost["d_eff"], lost["p_max"], lost["predicted"]["conflict_rate"]) == (None, None, None)


@pytest.mark.parametrize("retry", ["none", "full-jitter", "fixed:base=5ms,max=unlimited"])
@pytest.mark.parametrize("users", [2, 16])
def test_the_prediction_meets_a_measured_hot_row(retry: str, users: int) -> None:
    """On a simulated hot row the closed form is within 3 points of the rate and 5 % of the goodput."""
    world = World(users, retry=retry)
    attempts = simulate(world, 20_000, seed=2)
    attempts["started"] += WALL_NS
    attempts["scheduled"] += WALL_NS
    end_ms = (int(attempts["started"].max()) - WALL_NS) / 1e6
    planned = cell(skew="hot", keys=world.keys, users=users, retry=retry)
    summarised = _only_cell(run_of(attempts, cells=[planned], window_ms=(end_ms / 10, end_ms)))

    assert summarised["predicted"]["conflict_rate"] == pytest.approx(
        summarised["conflict_rate"]["value"], abs=0.03
    )
    assert summarised["predicted"]["goodput_per_s"] == pytest.approx(
        summarised["goodput_per_s"]["value"], rel=0.05
    )


def test_a_key_spread_over_rows_is_as_many_keys() -> None:
    """Four shards of one hot row are predicted as four hot rows; D_eff and p_max stay."""
    sharded, hot4 = (
        _only_cell(run_of(_busy(), cells=[cell(users=8, **settings)]))
        for settings in ({"skew": "hot", "rows_per_key": 4}, {"skew": "hot:4"})
    )

    assert sharded["predicted"] == hot4["predicted"]
    assert 0.2 < sharded["predicted"]["conflict_rate"] < 0.8
    assert (sharded["d_eff"], sharded["p_max"]) == (1, 1)


def test_rows_of_a_key_that_every_transaction_takes_are_one_draw() -> None:
    """Each transaction takes two keys; one is hot, has four rows, and one of these is taken."""
    both, one = (
        _only_cell(run_of(_busy(), cells=[cell(users=8, skew="hot", rows_per_key=4, keys_per_transaction=n)]))
        for n in (2, 1)
    )

    assert both["predicted"] == one["predicted"]


def test_nothing_is_predicted_where_transactions_write_other_than_they_draw() -> None:
    """run.json says that the closed form does not apply."""
    summarised = _only_cell(run_of(_busy(), cells=[cell(users=8, closed_form=False)]))

    assert summarised["predicted"] == {"conflict_rate": None, "goodput_per_s": None}


def test_nothing_is_predicted_of_a_budget() -> None:
    """Retries with a budget depend on other transactions."""
    summarised = _only_cell(run_of(_busy(), cells=[cell(users=8, retry="budget")]))

    assert summarised["predicted"] == {"conflict_rate": None, "goodput_per_s": None}


@pytest.mark.parametrize(("rejected", "predicted"), [(40, True), (41, False)])
def test_nothing_is_predicted_where_many_are_rejected(rejected: int, predicted: bool) -> None:
    """The model allows up to 5 % rejections of 800 attempts."""
    summarised = _only_cell(run_of(_busy(rejected), cells=[cell(users=8)]))

    assert (summarised["predicted"]["conflict_rate"] is not None) is predicted
