"""Runs of several kinds of transaction, in the summary."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from analysis.summarise import summarise
from hotrow.attempt.record import Outcome
from tests.support.measured import attempt, contradiction, run_of, steady_commits

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BOTH = ("order", "transfer")
CONFLICT = Outcome.CONFLICT
ALIKE = (
    "transactions",
    "attempts",
    "conflict_rate",
    "retry_rate",
    "give_up_rate",
    "goodput_per_s",
    "attempts_per_s",
    "attempts_per_commit",
    "latency_ms",
    "attempt_ms",
    "commit_ms",
    "connect_ms",
)
"""What a kind says of itself as a cell does."""


def mixed() -> list[NDArray[np.void]]:
    """Two orders of 10 ms; a transfer that commits at its second try, and one that is given up."""
    slow = (0.0, 20.0, 30.0)
    return [
        attempt(1, 10),
        attempt(2, 30),
        attempt(3, 100, CONFLICT, final=False, kind=1, times_ms=slow),
        attempt(3, 200, number=2, scheduled_ms=100, kind=1, times_ms=slow),
        attempt(4, 300, CONFLICT, kind=1, times_ms=slow),
    ]


def test_each_kind_has_its_own_figures() -> None:
    """Counts, rates and quantiles by hand, in the order of run.json's kinds."""
    (cell,) = summarise(run_of(mixed(), kinds=BOTH))["cells"]
    order, transfer = cell["kinds"]

    assert [(each["kind"], each["name"]) for each in (order, transfer)] == [(0, "order"), (1, "transfer")]
    assert (order["attempts"]["total"], order["attempts"]["conflict"]) == (2, 0)
    assert (transfer["transactions"]["committed"], transfer["transactions"]["gave_up"]) == (1, 1)
    assert transfer["conflict_rate"]["value"] == pytest.approx(2 / 3)
    assert (order["give_up_rate"]["value"], transfer["give_up_rate"]["value"]) == (0, 0.5)
    assert (order["goodput_per_s"]["value"], transfer["goodput_per_s"]["value"]) == pytest.approx((2, 1))
    assert (order["latency_ms"]["p50"], transfer["latency_ms"]["p50"]) == pytest.approx((10, 150), rel=1e-6)


def test_a_kind_counts_by_the_rules_of_a_cell() -> None:
    """The attempts of one kind, alone in a run of one kind, give the very same figures."""
    attempts = mixed()
    (cell,) = summarise(run_of(attempts, kinds=BOTH))["cells"]

    assert len(cell["kinds"]) == 2
    for index, kind in enumerate(cell["kinds"]):
        own = [record for record in attempts if record["kind"] == index]
        (alone,) = summarise(run_of(own))["cells"]
        assert {name: kind[name] for name in ALIKE} == {name: alone[name] for name in ALIKE}


def test_kinds_and_regions_split_the_same_cell() -> None:
    """Each adds up to the cell by itself."""
    far = attempt(5, 400, region=1, kind=1)
    (cell,) = summarise(run_of([*mixed(), far], kinds=BOTH, regions=("near", "far")))["cells"]

    for part in ("kinds", "regions"):
        assert sum(each["attempts"]["total"] for each in cell[part]) == cell["attempts"]["total"] == 6


@pytest.mark.parametrize("kinds", [(), ("order",)])
def test_one_kind_is_not_said_twice(kinds: tuple[str, ...]) -> None:
    """Where all transactions are alike the cell says it all."""
    (cell,) = summarise(run_of(steady_commits(200, 1.0), kinds=kinds))["cells"]

    assert "kinds" not in cell


def test_a_run_from_before_there_were_kinds_has_none() -> None:
    """Its run.json does not say."""
    run = run_of(steady_commits(200, 1.0))
    meta = {name: value for name, value in run.meta.items() if name != "kinds"}
    (cell,) = summarise(replace(run, meta=meta))["cells"]

    assert "kinds" not in cell


@pytest.mark.parametrize(
    ("attempts", "says"),
    [
        ([attempt(1, 10, kind=2)], "attempts = sum over kinds"),
        (
            [attempt(1, 10, CONFLICT, final=False), attempt(1, 20, number=2, kind=1)],
            "transactions = sum over kinds",
        ),
    ],
)
def test_attempts_of_no_kind_or_a_transaction_of_two(attempts: list[NDArray[np.void]], says: str) -> None:
    """The kinds of a cell add up to the cell, or it has no figures."""
    assert says in contradiction(run_of(attempts, kinds=BOTH))
