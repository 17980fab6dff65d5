"""The cost of a run from plain values: whole, partial, late and absent minutes, and the formulas."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from analysis.dpu import (
    CONFLICTS,
    MINUTE_NS,
    TOTAL,
    ClusterName,
    Metered,
    Span,
    clusters_of,
    read_cost,
    reckon,
    span_of,
    write_cost,
)
from hotrow.attempt.record import ATTEMPT, Outcome
from reports.words import wording as words
from reports.words.dpu_lines import facts, notes, tell
from tests.support.local_home import python
from tests.support.measured import WALL_NS, attempt

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

FIRST = WALL_NS // MINUTE_NS
INTO_MS = (WALL_NS % MINUTE_NS) / 1e6
"""How far into a minute the test's clock starts: 26.667 s."""
MINUTE_MS = 60_000.0


def at(minute: float) -> float:
    """The time on the test's clock, in ms, this many minutes after the start of its first minute."""
    return minute * MINUTE_MS - INTO_MS


def attempts(*made: tuple[float, Outcome]) -> NDArray[np.void]:
    """Attempts that start at these minutes and take 10 ms."""
    return np.array(
        [attempt(number, at(minute), outcome) for number, (minute, outcome) in enumerate(made)], dtype=ATTEMPT
    )


def metered(dpu: dict[int, float], **others: dict[int, float]) -> Metered:
    """A cluster's metrics, by minute from the first."""
    series = {TOTAL: dpu, **others}
    placed = {
        name: {FIRST + minute: value for minute, value in values.items()} for name, values in series.items()
    }
    return Metered("us-east-1", "abc", "ClusterId", placed)


COMMITTED, CONFLICT = Outcome.COMMITTED, Outcome.CONFLICT
MADE = attempts(
    (0.75, COMMITTED),
    (1.25, COMMITTED),
    (1.50, CONFLICT),
    (1.75, COMMITTED),
    (2.25, CONFLICT),
    (2.50, COMMITTED),
    (3.50, COMMITTED),
)
"""Attempts in a quarter of minute 0, in minutes 1 and 2, and in half of minute 3."""
DPU = {0: 100.0, 1: 6.0, 2: 4.0, 3: 50.0}


def reckoned(cluster: Metered, made: NDArray[np.void] = MADE, price: float = 8.0) -> dict[str, Any]:
    span = span_of(made)
    assert span is not None
    return reckon(made, [cluster], price, span)


def test_rates_are_those_of_whole_minutes() -> None:
    """Rates use minutes 1 and 2 only, so the filling of the tables in minute 0 does not count."""
    rates = reckoned(metered(DPU, OccConflicts={1: 1.0, 2: 1.0}))["rates"]

    assert rates["minutes"] == 2
    assert (rates["dpu"], rates["attempts"], rates["committed"], rates["conflicts"]) == (10.0, 5, 3, 2)
    assert rates["occ_conflicts"] == 2.0
    assert rates["dpu_per_attempt"] == 2.0
    assert rates["dollars_per_million_commits"] == pytest.approx(8.0 * 10.0 / 3)
    assert rates["conflict_share"] == pytest.approx(0.4)
    assert rates["conflict_dollars_per_million_commits"] == pytest.approx(8.0 * 10.0 / 3 * 0.4)


def test_the_run_s_amounts_are_those_of_every_minute_it_touches() -> None:
    """The result also has the run's seconds of the first and the last minute."""
    run = reckoned(metered(DPU, WriteDPU={1: 2.0}))["run"]

    assert (run["minutes"], run["minutes_with_data"]) == (4, 4)
    assert run["dpu"] == {
        "total": 160.0,
        "WriteDPU": 2.0,
        "ReadDPU": None,
        "ComputeDPU": None,
        "MultiRegionWriteDPU": None,
    }
    assert run["dollars"] == pytest.approx(8.0 * 160.0 / 1e6)
    assert run["seconds_of_first_minute"] == pytest.approx(15.0, abs=0.01)
    assert run["seconds_of_last_minute"] == pytest.approx(30.0, abs=0.1)


def test_the_price_is_a_factor() -> None:
    """At twice the price the dollars double, and the DPU stay."""
    cheap, dear = (reckoned(metered(DPU), price=price) for price in (5.0, 10.0))

    assert dear["run"]["dollars"] == pytest.approx(2 * cheap["run"]["dollars"])
    assert dear["run"]["dpu"] == cheap["run"]["dpu"]


def test_a_short_run_has_rates_of_partial_minutes_and_a_note() -> None:
    """A run of 30 s has no whole minute."""
    cost = reckoned(metered({1: 10.0}), attempts((1.25, COMMITTED), (1.75, CONFLICT)))

    assert cost["basis"] == "all minutes touched"
    assert cost["rates"]["dpu_per_attempt"] == 5.0
    assert any("They are too high" in note for note in notes(cost))


def test_a_minute_that_is_not_there_yet_counts_on_neither_side() -> None:
    """Without a minute's DPU its attempts are left out too, or attempts would look cheap."""
    cost = reckoned(metered({0: 100.0, 1: 6.0}))

    assert (cost["rates"]["minutes"], cost["rates"]["attempts"]) == (1, 3)
    assert cost["rates"]["dpu_per_attempt"] == 2.0
    assert cost["run"]["minutes_with_data"] == 2
    assert any("2 of 4 minutes so far" in note for note in notes(cost))


def test_an_absent_metric_is_null_and_never_zero() -> None:
    """Without its metric the number of conflicts is unknown, and without TotalDPU the cost is."""
    cost = reckoned(metered({}, OccConflicts={}))
    shown = dict(facts(cost))

    assert cost["rates"] is None
    assert cost["basis"] is None
    assert cost["run"]["dpu"]["total"] is None
    assert cost["run"]["dollars"] is None
    assert cost["run"]["occ_conflicts"] is None
    assert {shown[name] for name in ("cost of the run", "DPU", "per million commits", "conflicts")} == {
        words.ABSENT
    }
    assert "0" not in "".join(shown[name] for name in ("cost of the run", "DPU per attempt"))


def test_a_measured_zero_is_zero() -> None:
    """CloudWatch reports 0 conflicts."""
    assert reckoned(metered(DPU, **{CONFLICTS: {1: 0.0, 2: 0.0}}))["rates"]["occ_conflicts"] == 0.0


def test_no_commit_has_no_price() -> None:
    """Nothing is divided by zero."""
    rates = reckoned(metered({1: 1.0, 2: 1.0}), attempts((0.9, CONFLICT), (1.5, CONFLICT), (3.1, CONFLICT)))[
        "rates"
    ]

    assert rates["committed"] == 0
    assert rates["dollars_per_million_commits"] is None
    assert rates["conflict_dollars_per_million_commits"] is None


def test_schema_conflicts_are_conflicts_and_errors_are_not() -> None:
    """Only attempts that lost to another transaction are conflicts."""
    made = attempts(
        (0.9, COMMITTED),
        (1.2, Outcome.SCHEMA_CONFLICT),
        (1.4, Outcome.ERROR),
        (1.6, COMMITTED),
        (2.1, COMMITTED),
    )

    assert reckoned(metered(DPU), made)["rates"]["conflicts"] == 1


def test_two_regions_are_summed_over_minutes_that_both_have() -> None:
    """If one region has no metrics, there is no sum."""
    span = span_of(MADE)
    assert span is not None
    one, other = metered(DPU), replace(metered({1: 1.0, 2: 2.0}), region="us-west-2")

    both = reckon(MADE, [one, other], 8.0, span)
    assert both["rates"]["dpu"] == 13.0
    assert (both["run"]["dpu"]["total"], both["run"]["minutes_with_data"]) == (13.0, 2)
    silent = Metered("us-west-2", "def", None, {})
    assert reckon(MADE, [one, silent], 8.0, span)["run"]["dpu"]["total"] is None


def test_an_attempt_belongs_to_the_minute_of_its_end() -> None:
    """So does its conflict."""
    made = attempts((0.9, COMMITTED), (1.99999, CONFLICT), (3.5, COMMITTED))

    rates = reckoned(metered({2: 1.0}), made)["rates"]

    assert (rates["minutes"], rates["attempts"], rates["conflicts"]) == (1, 1, 1)


def test_a_run_that_begins_and_ends_on_the_minute_touches_no_other() -> None:
    """All its minutes are whole."""
    span = Span(FIRST * MINUTE_NS, (FIRST + 2) * MINUTE_NS)

    assert span.touched == span.whole == range(FIRST, FIRST + 2)


def test_without_attempts_there_is_no_span() -> None:
    """There is no time to ask CloudWatch about."""
    assert span_of(np.array([], dtype=ATTEMPT)) is None


@pytest.mark.parametrize(
    ("meta", "expected"),
    [
        (
            {"target": {"kind": "dsql", "clusters": [{"host": "h", "region": "r", "id": "i"}]}},
            [ClusterName("r", "i")],
        ),
        (
            {
                "target": {
                    "kind": "dsql",
                    "clusters": [{"host": "abc.dsql.us-east-1.on.aws", "region": "us-east-1"}],
                }
            },
            [ClusterName("us-east-1", "abc")],
        ),
        (
            {
                "target": {"kind": "dsql"},
                "command": "locust -H dsql://abc.dsql.us-east-1.on.aws,def.dsql.us-west-2.on.aws -u 1",
            },
            [ClusterName("us-east-1", "abc"), ClusterName("us-west-2", "def")],
        ),
        (
            {
                "target": {
                    "kind": "dsql",
                    "clusters": [{"host": "localhost", "region": "us-east-1", "id": None}],
                }
            },
            [],
        ),
        ({"target": {"kind": "local"}, "command": "hotrow sweep counter"}, []),
    ],
    ids=["listed", "by host", "by command", "the stand-in's endpoint", "the stand-in"],
)
def test_the_clusters_of_a_run(meta: dict[str, Any], expected: list[ClusterName]) -> None:
    """They come from run.json's list, or from its host or command; there may be none."""
    assert list(clusters_of(meta)) == expected


def test_run_json_has_the_ids_of_the_clusters() -> None:
    """`clusters_of` reads the ids from run.json. Hosts that are not AWS's have no id and no cost."""
    code = (
        "import json; "
        "from hotrow.targets.dsql.cluster import parse_clusters; "
        "hosts = ('abc.dsql.us-east-1.on.aws', 'localhost:1?region=us-east-1'); "
        "print(json.dumps([parse_clusters(f'dsql://{host}')[0].description() for host in hosts]))"
    )

    output, _ = python(code).communicate(timeout=60)

    aws, other = json.loads(output)
    assert clusters_of({"target": {"kind": "dsql", "clusters": [aws]}}) == (ClusterName("us-east-1", "abc"),)
    assert clusters_of({"target": {"kind": "dsql", "clusters": [other]}}) == ()


def test_cost_json_is_written_whole_and_read_back(tmp_path: Path) -> None:
    """No partial file is left, and a file of another format is ignored."""
    cost = reckoned(metered(DPU))

    path = write_cost(tmp_path, cost)

    assert read_cost(tmp_path) == cost
    assert [entry.name for entry in tmp_path.iterdir()] == ["cost.json"]
    path.write_text('{"format": 2}')
    assert read_cost(tmp_path) is None
    path.write_text("{")
    assert read_cost(tmp_path) is None


def test_the_words_say_both_counts_and_the_formula() -> None:
    """Hotrow's and CloudWatch's conflicts, the upper bound, the minutes and the formula."""
    text = "\n".join(
        tell(reckoned(metered(DPU, OccConflicts={1: 1.0, 2: 2.0}, CommitLatency={1: 5.0, 2: 7.0})))
    )

    assert "2 by hotrow, 3 by CloudWatch" in text
    assert "$10.67 at most: 40.0 % of attempts" in text
    assert "15 s of the first and 30 s of the last" in text
    assert "6 ms, by CloudWatch" in text
    assert "Formula: dollars per million commits = price x DPU / commits" in text
