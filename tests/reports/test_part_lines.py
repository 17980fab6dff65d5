"""Charts by kind of transaction, and the charts of give-ups and fairness."""

from __future__ import annotations

from typing import Any

from reports.charts.all_charts import Chart, charts
from reports.words.sentences import further_sentences
from tests.support.sample_summary import sample_summary

KINDS = ("order", "transfer")


def chart(name: str, **settings: Any) -> Chart:
    """One chart of a sample summary."""
    return next(chart for chart in charts(sample_summary(**settings)) if chart.name == name)


def test_kinds_have_three_charts_behind_those_that_they_split() -> None:
    """Conflict rate, goodput and latency have a chart by kind."""
    names = [chart.name for chart in charts(sample_summary(kinds=KINDS))]

    assert [name for name in names if "kind" in name] == [
        "conflict-rate-by-kind",
        "goodput-by-kind",
        "latency-by-kind",
    ]
    assert names.index("goodput-by-kind") == names.index("goodput") + 1


def test_a_line_per_kind_with_the_kind_s_own_figures() -> None:
    """The figures are those of the summary, level by level; nothing is predicted for a kind."""
    summary = sample_summary(kinds=KINDS, skews=("hot",))

    every = {chart.name: chart for chart in charts(summary)}
    drawn = every["goodput-by-kind"]
    order, transfer = every["conflict-rate-by-kind"].panels[0].lines

    assert (order.label, transfer.label) == KINDS
    assert transfer.y == tuple(cell["kinds"][1]["conflict_rate"]["value"] for cell in summary["cells"])
    assert order.y != transfer.y
    assert [line.label for line in drawn.panels[0].lines] == list(KINDS)
    assert not order.predicted_x
    assert drawn.panels[0].bands == ()


def test_a_sentence_has_the_hot_line_by_kind() -> None:
    """One sentence has all kinds; without kinds there is no such sentence."""
    sentences = [
        sentence
        for sentence in further_sentences(sample_summary(kinds=KINDS))
        if sentence.startswith("Conflict rate by kind")
    ]

    assert len(sentences) == 1
    assert "order 77." in sentences[0]
    assert not any("by kind" in sentence for sentence in further_sentences(sample_summary()))


def test_give_ups_have_their_interval() -> None:
    """The value and the ends come from the summary."""
    summary = sample_summary(full=True, skews=("hot",))

    line = next(chart for chart in charts(summary) if chart.name == "give-up-rate").panels[0].lines[0]

    assert line.y == tuple(cell["give_up_rate"]["value"] for cell in summary["cells"])
    assert line.high == tuple(cell["give_up_rate"]["high"] for cell in summary["cells"])


def test_a_policy_without_an_end_that_never_gave_up_has_no_such_chart() -> None:
    """No transaction can give up under this policy."""
    summary = sample_summary(full=True, skews=("hot",), retries=("immediate:max=unlimited",))
    for cell in summary["cells"]:
        cell["transactions"]["gave_up"] = 0

    assert "give-up-rate" not in [chart.name for chart in charts(summary)]


def test_fairness_runs_from_0_to_1_and_tells_who_was_ahead() -> None:
    """With one user fairness is absent."""
    drawn = chart("fairness", full=True, skews=("hot",))

    line = drawn.panels[0].lines[0]

    assert line.y[0] is None
    assert drawn.y.low == 0
    assert drawn.y.high >= 1
    assert line.remarks[1] == "most / median commits per user 1.57"
    assert "1/n if one of n users" in drawn.subtitle


def test_a_sentence_names_uneven_commits() -> None:
    """The sentence needs three times the median user's commits, in a usable cell."""
    hot = further_sentences(sample_summary(full=True, skews=("hot",)))
    uniform = further_sentences(sample_summary(full=True, skews=("uniform",)))

    assert [
        sentence
        for sentence in hot
        if "spread unevenly over the users: at hot, 16 users, one user committed 4." in sentence
    ]
    assert not any("unevenly" in sentence for sentence in uniform)
