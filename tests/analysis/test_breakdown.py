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


def two_places() -> list[NDArray[np.void]]:
    """Near: two commits of 10 ms. Far: a commit of 50 ms at its second try, and a transaction given up."""
    far: dict[str, Any] = {"user": 1, "region": 1, "times_ms": (0.0, 20.0, 30.0)}
    return [
        attempt(1, 10),
        attempt(2, 30),
        attempt(3, 100, CONFLICT, final=False, **far),
        attempt(3, 200, number=2, scheduled_ms=100, **far),
        attempt(4, 300, CONFLICT, **far),
    ]


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


def test_each_region_has_its_own_figures() -> None:
    """Counts, rates and quantiles by hand, in the order of run.json's regions."""
    (cell,) = summarise(run_of(two_places(), regions=EAST))["cells"]
    near, far = cell["regions"]

    assert [(each["region"], each["name"], each["users"]) for each in (near, far)] == [
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
    """The attempts of one region, alone in a run of one place, give the very same figures."""
    attempts = two_places()
    (cell,) = summarise(run_of(attempts, regions=EAST))["cells"]

    assert len(cell["regions"]) == 2
    for index, region in enumerate(cell["regions"]):
        own = [record for record in attempts if record["region"] == index]
        (alone,) = summarise(run_of(own))["cells"]
        assert {name: region[name] for name in ALIKE} == {name: alone[name] for name in ALIKE}


def test_a_region_without_users_is_absent_and_not_zero() -> None:
    """No attempt there: counts are 0, rates and times null."""
    (cell,) = summarise(run_of(steady_commits(200, 1.0), regions=EAST))["cells"]
    far = cell["regions"][1]

    assert (far["users"], far["attempts"]["total"], far["transactions"]["started"]) == (0, 0, 0)
    assert far["conflict_rate"] == {"value": None, "low": None, "high": None}
    assert far["latency_ms"]["p50"] is None
    json.dumps(cell, allow_nan=False)


@pytest.mark.parametrize("regions", [(), ("us-east-1",)])
def test_one_place_has_no_regions(regions: tuple[str, ...]) -> None:
    """Nothing is said twice."""
    (cell,) = summarise(run_of(steady_commits(200, 1.0), regions=regions))["cells"]

    assert "regions" not in cell


def test_a_run_from_before_there_were_regions_has_none() -> None:
    """Its run.json does not say, and its summary is as it was."""
    run = run_of(steady_commits(200, 1.0))
    (cell,) = summarise(replace(run, meta={**run.meta, "target": {"conflicts": "commit"}}))["cells"]

    assert "regions" not in cell


@pytest.mark.parametrize(
    ("users", "warned"), [((1, 2), False), ((2, 0), True), ((20, 18), False), ((20, 17), True)]
)
def test_users_dealt_unevenly_are_warned_of(users: tuple[int, int], warned: bool) -> None:
    """By one, or by a tenth, is as even as it gets; by more, the cell compares with no other."""
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
    """An attempt of a part that the run does not have, or a transaction of two parts: no figures."""
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
