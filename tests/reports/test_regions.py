"""Runs of several regions: in the summary, in the charts, in words."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from analysis.summarise import summarise
from hotrow.attempt.record import Outcome
from reports.charts.all_charts import Chart, charts
from reports.output import html
from reports.words import facts
from reports.words.sentences import further_sentences
from tests.support.measured import attempt, contradiction, run_of, steady_commits
from tests.support.sample_summary import USERS, sample_summary

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

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
"""What a region says of itself as a cell does."""


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


def regional(name: str, **settings: Any) -> Chart:
    """One chart of a sample of two regions."""
    return next(each for each in charts(sample_summary(regions=EAST, **settings)) if each.name == name)


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
    ("attempts", "says"),
    [
        ([attempt(1, 10, region=2)], "attempts = sum over regions"),
        (
            [attempt(1, 10, CONFLICT, final=False), attempt(1, 20, number=2, region=1)],
            "transactions = sum over regions",
        ),
    ],
)
def test_attempts_in_no_region_or_a_transaction_in_two(attempts: list[NDArray[np.void]], says: str) -> None:
    """The regions of a cell add up to the cell, or it has no figures."""
    assert says in contradiction(run_of(attempts, regions=EAST))


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


def test_two_more_charts_stand_behind_those_that_they_split() -> None:
    """Only where there are several regions; the others stay as they were."""
    one, two = charts(sample_summary()), charts(sample_summary(regions=EAST))
    names = [each.name for each in two]

    for split in ("conflict-rate", "latency"):
        assert names[names.index(split) + 1] == f"{split}-by-region"
    assert [name for name in names if "by-region" not in name] == [each.name for each in one]
    assert len(two) == len(one) + 2
    assert [each.panels for each in two if "by-region" not in each.name] == [each.panels for each in one]


def test_a_panel_a_line_and_in_it_a_line_a_region() -> None:
    """Values and intervals are those of the summary's regions, level by level; nothing is predicted."""
    summary = sample_summary(regions=EAST)
    hot = [cell["regions"] for cell in summary["cells"] if cell["skew"] == "hot"]

    chart = charts(summary)[1]
    near, far = chart.panels[3].lines

    assert [panel.title for panel in chart.panels][3] == "hot  (D_eff 1)"
    assert (near.label, far.label, near.x) == (*EAST, USERS)
    assert far.y == tuple(regions[1]["conflict_rate"]["value"] for regions in hot)
    assert far.low == tuple(regions[1]["conflict_rate"]["low"] for regions in hot)
    assert far.y[0] is None  # one user: nobody was there
    assert not any(line.predicted_x for panel in chart.panels for line in panel.lines)
    assert {panel.lines[1].tint for panel in chart.panels} == {far.tint} != {near.tint}


def test_latency_by_region_has_both_quantiles() -> None:
    """p50 solid and p99 dotted, each region's own; the axis reaches the slowest."""
    chart = regional("latency-by-region")

    strokes = {(line.label, line.meaning, line.stroke) for line in chart.panels[0].lines}
    assert strokes == {(name, *way) for name in EAST for way in (("p50", "solid"), ("p99", "dotted"))}
    tops = [y for panel in chart.panels for line in panel.lines for y in line.y if y is not None]
    assert max(tops) < chart.y.high


def test_a_single_line_needs_no_panel_s_title() -> None:
    """Its settings stand in the footer; policies that vary have a panel each."""
    (panel,) = regional("conflict-rate-by-region", skews=("hot",)).panels
    policies = regional("conflict-rate-by-region", skews=("hot",), retries=("none", "immediate"))

    assert panel.title == ""
    assert [each.title for each in policies.panels] == ["no retry", "retry immediate"]
    assert all(len(each.lines) == 2 for each in policies.panels)


def test_at_one_level_the_regions_stand_beside_each_other() -> None:
    """The axis names them."""
    chart = regional("conflict-rate-by-region", users=(8,))

    assert [name for _, name in chart.x.ticks] == list(EAST)


def test_a_chart_by_region_says_itself_in_a_sentence() -> None:
    """Line and region, at the highest level."""
    alt = regional("conflict-rate-by-region").alt

    assert alt.startswith(
        "Conflict rate by region, against concurrency. At 32 users: uniform  (D_eff 1,000), us-e"
    )
    assert "hot  (D_eff 1), us-east-2 94.9 %." in alt


def test_two_endpoints_of_one_region_are_told_apart() -> None:
    """By their number, or one line would hide the other."""
    summary = sample_summary(regions=("us-east-1", "us-east-1"), skews=("hot",))

    lines = charts(summary)[1].panels[0].lines

    assert [line.label for line in lines] == ["us-east-1 (1)", "us-east-1 (2)"]
    assert dict(facts.facts(summary))["regions"] == "us-east-1 (1) and us-east-1 (2)"
    assert any("us-east-1 (1) 7" in sentence for sentence in further_sentences(summary))


def test_the_page_shows_what_the_pictures_show() -> None:
    """Both charts, with their key by region, and the regions among the facts."""
    summary = sample_summary(regions=EAST)
    page = html.page(summary, charts(summary))

    for name in ("conflict-rate-by-region", "latency-by-region"):
        assert f'id="{name}"' in page
    assert 'data-line="us-east-2"' in page
    assert ("regions", "us-east-1 and us-east-2") in facts.facts(summary)
    assert "regions" not in dict(facts.facts(sample_summary()))


def test_the_hot_line_is_told_region_by_region() -> None:
    """At its highest usable level; of one place nothing is said."""
    told = [
        sentence for sentence in further_sentences(sample_summary(regions=EAST)) if "by region" in sentence
    ]

    assert len(told) == 1
    assert told[0].startswith("Conflict rate by region, on one hot row at 16 users: us-east-1 77.")
    assert ", us-east-2 91.0 % (goodput " in told[0]
    assert not any("by region" in sentence for sentence in further_sentences(sample_summary()))
