"""Runs with several regions or kinds of transaction, in the summary."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from analysis.summarise import summarise
from hotrow.attempt.record import Outcome
from tests.support.measured import attempt, contradiction, run_of, steady_commits

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BOTH = ("order", "transfer")
EAST = ("us-east-1", "us-east-2")
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
"""The fields that a region or a kind shares with its cell."""


def two_regions() -> list[NDArray[np.void]]:
    """Near: two commits of 10 ms. Far: a commit of 50 ms at its second try, and one transaction gives up."""
    far: dict[str, Any] = {"user": 1, "region": 1, "times_ms": (0.0, 20.0, 30.0)}
    return [
        attempt(1, 10),
        attempt(2, 30),
        attempt(3, 100, CONFLICT, final=False, **far),
        attempt(3, 200, number=2, scheduled_ms=100, **far),
        attempt(4, 300, CONFLICT, **far),
    ]


def mixed() -> list[NDArray[np.void]]:
    """Two orders of 10 ms, a transfer that commits at its second try, and one that gives up."""
    slow = (0.0, 20.0, 30.0)
    return [
        attempt(1, 10),
        attempt(2, 30),
        attempt(3, 100, CONFLICT, final=False, kind=1, times_ms=slow),
        attempt(3, 200, number=2, scheduled_ms=100, kind=1, times_ms=slow),
        attempt(4, 300, CONFLICT, kind=1, times_ms=slow),
    ]


def test_each_kind_has_its_own_figures() -> None:
    """Counts, rates and quantiles calculated by hand, in the order of run.json's kinds."""
    (cell,) = summarise(run_of(mixed(), kinds=BOTH))["cells"]
    order, transfer = cell["kinds"]

    assert [(kind["kind"], kind["name"]) for kind in (order, transfer)] == [(0, "order"), (1, "transfer")]
    assert (order["attempts"]["total"], order["attempts"]["conflict"]) == (2, 0)
    assert (transfer["transactions"]["committed"], transfer["transactions"]["gave_up"]) == (1, 1)
    assert transfer["conflict_rate"]["value"] == pytest.approx(2 / 3)
    assert (order["give_up_rate"]["value"], transfer["give_up_rate"]["value"]) == (0, 0.5)
    assert (order["goodput_per_s"]["value"], transfer["goodput_per_s"]["value"]) == pytest.approx((2, 1))
    assert (order["latency_ms"]["p50"], transfer["latency_ms"]["p50"]) == pytest.approx((10, 150), rel=1e-6)


def test_a_kind_counts_by_the_rules_of_a_cell() -> None:
    """The attempts of one kind give the same figures in a run of one kind."""
    attempts = mixed()
    (cell,) = summarise(run_of(attempts, kinds=BOTH))["cells"]

    assert len(cell["kinds"]) == 2
    for index, kind in enumerate(cell["kinds"]):
        of_kind = [record for record in attempts if record["kind"] == index]
        (alone,) = summarise(run_of(of_kind))["cells"]
        assert {name: kind[name] for name in ALIKE} == {name: alone[name] for name in ALIKE}


def test_kinds_and_regions_split_the_same_cell() -> None:
    """The kinds add up to the cell, and so do the regions."""
    far = attempt(5, 400, region=1, kind=1)
    (cell,) = summarise(run_of([*mixed(), far], kinds=BOTH, regions=("near", "far")))["cells"]

    for part in ("kinds", "regions"):
        assert sum(figures["attempts"]["total"] for figures in cell[part]) == cell["attempts"]["total"] == 6


@pytest.mark.parametrize("kinds", [(), ("order",)])
def test_one_kind_has_no_figures_of_its_own(kinds: tuple[str, ...]) -> None:
    """If all transactions are of one kind, only the cell has figures."""
    (cell,) = summarise(run_of(steady_commits(200, 1.0), kinds=kinds))["cells"]

    assert "kinds" not in cell


def test_a_run_from_before_there_were_kinds_has_none() -> None:
    """Its run.json has no kinds."""
    run = run_of(steady_commits(200, 1.0))
    meta = {name: value for name, value in run.meta.items() if name != "kinds"}
    (cell,) = summarise(replace(run, meta=meta))["cells"]

    assert "kinds" not in cell


def test_each_region_has_its_own_figures() -> None:
    """Counts, rates and quantiles calculated by hand, in the order of run.json's regions."""
    (cell,) = summarise(run_of(two_regions(), regions=EAST))["cells"]
    near, far = cell["regions"]

    assert [(region["region"], region["name"], region["users"]) for region in (near, far)] == [
        (0, "us-east-1", 1),
        (1, "us-east-2", 1),
    ]
    assert (near["attempts"]["total"], near["attempts"]["conflict"]) == (2, 0)
    assert (far["attempts"]["total"], far["attempts"]["conflict"]) == (3, 2)
    assert (far["transactions"]["committed"], far["transactions"]["gave_up"]) == (1, 1)
    assert far["conflict_rate"]["value"] == pytest.approx(2 / 3)
    assert 0 < far["conflict_rate"]["low"] < 2 / 3 < far["conflict_rate"]["high"] < 1
    assert far["retry_rate"]["value"] == pytest.approx(1 / 2)
    assert (near["goodput_per_s"]["value"], far["goodput_per_s"]["value"]) == pytest.approx((2, 1))
    assert (near["latency_ms"]["p50"], far["latency_ms"]["p50"]) == pytest.approx((10, 150), rel=1e-6)
    assert far["attempt_ms"]["max"] == pytest.approx(50, rel=1e-6)


def test_a_region_counts_by_the_rules_of_a_cell() -> None:
    """The attempts of one region give the same figures in a run of one region."""
    attempts = two_regions()
    (cell,) = summarise(run_of(attempts, regions=EAST))["cells"]

    assert len(cell["regions"]) == 2
    for index, region in enumerate(cell["regions"]):
        in_region = [record for record in attempts if record["region"] == index]
        (alone,) = summarise(run_of(in_region))["cells"]
        assert {name: region[name] for name in ALIKE} == {name: alone[name] for name in ALIKE}


def test_a_region_without_users_is_absent_and_not_zero() -> None:
    """Without attempts in a region its counts are 0, and its rates and times are null."""
    (cell,) = summarise(run_of(steady_commits(200, 1.0), regions=EAST))["cells"]
    far = cell["regions"][1]

    assert (far["users"], far["attempts"]["total"], far["transactions"]["started"]) == (0, 0, 0)
    assert far["conflict_rate"] == {"value": None, "low": None, "high": None}
    assert far["latency_ms"]["p50"] is None
    json.dumps(cell, allow_nan=False)


@pytest.mark.parametrize("regions", [(), ("us-east-1",)])
def test_one_region_has_no_figures_of_its_own(regions: tuple[str, ...]) -> None:
    """If the target has one region, only the cell has figures."""
    (cell,) = summarise(run_of(steady_commits(200, 1.0), regions=regions))["cells"]

    assert "regions" not in cell


def test_a_run_from_before_there_were_regions_has_none() -> None:
    """Its run.json has no regions."""
    run = run_of(steady_commits(200, 1.0))
    (cell,) = summarise(replace(run, meta={**run.meta, "target": {"conflicts": "commit"}}))["cells"]

    assert "regions" not in cell


@pytest.mark.parametrize(
    ("users", "warned"), [((1, 2), False), ((2, 0), True), ((20, 18), False), ((20, 17), True)]
)
def test_an_uneven_distribution_of_users_is_a_warning(users: tuple[int, int], warned: bool) -> None:
    """A difference of one user or a tenth is no warning; above that the cell has a warning."""
    attempts = [
        attempt(1000 * region + number, number, user=1000 * region + number, region=region)
        for region, many in enumerate(users)
        for number in range(many)
    ]
    (cell,) = summarise(run_of(attempts, regions=EAST))["cells"]

    assert ("regions_uneven" in {warning["code"] for warning in cell["warnings"]}) is warned


@pytest.mark.parametrize(("field", "names"), [("region", EAST), ("kind", BOTH)])
@pytest.mark.parametrize(
    ("parts", "message"), [([2], "attempts = sum over"), ([0, 1], "transactions = sum over")]
)
def test_parts_add_up_to_their_cell(
    field: str, names: tuple[str, ...], parts: list[int], message: str
) -> None:
    """There are no figures if an attempt has an unknown part, or a transaction has two parts."""
    last = len(parts)
    attempts = [
        attempt(
            1,
            10 * number,
            Outcome.COMMITTED if number == last else CONFLICT,
            number=number,
            final=number == last,
            **{field: part},
        )
        for number, part in enumerate(parts, start=1)
    ]

    assert f"{message} {field}s" in contradiction(run_of(attempts, **{f"{field}s": names}))
