"""Advice: from measured differences that are larger than chance, and never against itself."""

from __future__ import annotations

import re
from typing import Any

import pytest

from reports.charts.all_charts import charts
from reports.output import html
from reports.words.recommendations import recommendations
from reports.words.sentences import further_sentences, headline
from reports.words.side_by_side import merge
from tests.reports.test_contradictions import random_run
from tests.support.sample_summary import RETRY, sample_summary


def advice(summary: dict[str, Any]) -> list[str]:
    return [f"{one.action} {one.evidence}" for one in recommendations(summary)]


def estimate(value: float, half: float) -> dict[str, float]:
    return {"value": value, "low": value - half, "high": value + half}


def sharded(one: float, sixteen: float, half: float = 1.0) -> dict[str, Any]:
    """Two cells: 1 and 16 shards, with these goodputs."""
    summary = sample_summary(skews=("hot",), users=(8,), knobs=({"shards": 1}, {"shards": 16}), full=True)
    for cell, goodput in zip(summary["cells"], (one, sixteen), strict=True):
        cell |= {"usable": True, "goodput_per_s": estimate(goodput, half)}
        cell["latency_ms"] = dict.fromkeys(cell["latency_ms"], 10.0) | {"n": 1000}
    return summary


def policies(none: float, jitter: float) -> dict[str, Any]:
    """Two cells: no retry and full jitter, with these give-up rates."""
    summary = sample_summary(skews=("hot",), users=(8,), retries=("none", RETRY), full=True)
    for cell, rate in zip(summary["cells"], (none, jitter), strict=True):
        cell |= {"usable": True, "give_up_rate": estimate(rate, 0.001), "goodput_per_s": estimate(100, 5)}
    return summary


def test_a_knob_is_advised_by_the_goodput_that_it_gave() -> None:
    """With the ratio, both values and where it was measured."""
    (line,) = advice(sharded(100.0, 570.0))

    assert line == (
        "Choose --shards 16. It gave 5.7 times the goodput of --shards 1: 570/s against 100/s "
        "(one hot row, 8 users)."
    )


@pytest.mark.parametrize(
    ("sixteen", "half"), [(110.0, 1.0), (150.0, 30.0)], ids=["too little", "intervals overlap"]
)
def test_a_difference_that_may_be_chance_is_no_advice(sixteen: float, half: float) -> None:
    """A gain of a tenth, or one within the intervals."""
    assert advice(sharded(100.0, sixteen, half)) == []


def test_the_price_of_a_gain_is_named() -> None:
    """More goodput may come with a longer tail."""
    summary = sharded(100.0, 570.0)
    summary["cells"][1]["latency_ms"]["p99"] = 40.0

    assert "570/s against 100/s, but p99 latency was 40 ms against 10 ms" in advice(summary)[0]


def test_a_policy_is_advised_by_how_seldom_it_gave_up() -> None:
    """Goodput is named beside it."""
    assert advice(policies(0.2, 0.002))[0] == (
        "Retry with full-jitter. It gave up on 0.20 % of transactions, policy none on 20.0 %; goodput was "
        "100/s against 100/s (one hot row, 8 users)."
    )


def test_policies_that_give_up_alike_are_not_compared() -> None:
    """Half a percentage point is no reason."""
    assert not any(line.startswith("Retry") for line in advice(policies(0.007, 0.002)))


def test_a_key_with_a_large_share_of_many_conflicts_is_named_with_its_table() -> None:
    """Of several tables none is named, because the key may be that of any."""
    summary = sample_summary(skews=("zipf:1.2",), users=(8,), full=True)
    (cell,) = summary["cells"]
    cell |= {"usable": True, "hot_keys": [{"key": 3333, "conflicts": 84, "share": 0.84, "attempts": 200}]}
    cell["attempts"]["conflict"] = 100
    summary["run"]["tables"] = ["account"]
    (named,) = advice(summary)
    summary["run"]["tables"] = ["account", "entry"]

    assert named == (
        "Write the hottest row less often, or spread it over several rows. The hottest row, `account` key "
        "3333, had 84.0 % of the conflicts (zipf:1.2 over 1,000 keys, 8 users)."
    )
    assert "The hottest row, key 3333, had" in advice(summary)[0]


@pytest.mark.parametrize("conflicts", [1, 49])
def test_a_key_of_a_cell_with_few_conflicts_is_none(conflicts: int) -> None:
    """A single conflict is always 100 % of its key's."""
    summary = sample_summary(skews=("zipf:1.2",), users=(8,), full=True)
    (cell,) = summary["cells"]
    hot = [{"key": 1, "conflicts": conflicts, "share": 1.0, "attempts": 200}]
    cell |= {"usable": True, "hot_keys": hot}
    cell["attempts"]["conflict"] = conflicts

    assert advice(summary) == []


def test_more_users_that_only_wait_are_advised_against() -> None:
    """Goodput had stopped growing, and p99 went on rising."""
    (line,) = advice(sample_summary(full=True))

    assert line.startswith(
        "Keep to 8 users on this skew. With 16 users goodput was 102/s against 108/s, and p99"
    )


def test_targets_are_not_improved() -> None:
    """Two targets are compared, and nobody can choose the other one by an option."""
    both = [sample_summary(full=True, conflicts=kind) for kind in ("commit", "locks")]

    assert advice(merge(both)) == []


def test_the_page_has_it_before_the_charts() -> None:
    """After the findings."""
    summary = sharded(100.0, 570.0)

    text = html.page(summary, charts(summary))

    assert (
        text.index("Findings")
        < text.index("<b>Choose --shards 16.</b> It gave")
        < text.index('id="conflict-rate"')
    )


@pytest.mark.parametrize("first", range(0, 300, 100))
def test_no_advice_contradicts_a_sentence_or_another_advice(first: int) -> None:
    """A failure has the seeds of the runs that do."""
    assert {seed: found for seed in range(first, first + 100) if (found := against(random_run(seed)))} == {}


def against(summary: dict[str, Any]) -> list[str]:
    """What contradicts the advice of a run."""
    lines = advice(summary)
    text = " ".join([headline(summary), *further_sentences(summary)])
    policy = {match[1] for line in lines if (match := re.match(r"Retry with ([\w-]+)", line))}
    told = {match[1] for line in lines for match in re.finditer(r"retry ([\w-]+)\)", line)}
    over = [share for line in lines for share in re.findall(r"taken ([\d.]+) %", line) if float(share) > 100]
    fewer = any(line.startswith("Keep to") for line in lines)
    grows = "still growing" in text and "stopped growing" not in text and "did not grow" not in text
    alone = len(summary["cells"]) and not any(cell["usable"] for cell in summary["cells"]) and lines
    return [
        *over,
        *(["another policy"] if policy and told - policy else []),
        *(["growing"] if fewer and grows and "On one hot row" in headline(summary) else []),
        *(["no usable cell"] if alone else []),
        *(["twice"] if len({line.split(".")[0] for line in lines}) < len(lines) else []),
    ]
