"""The chart of what the users' time went into."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reports.charts.all_charts import charts
from tests.support.sample_summary import sample_summary

if TYPE_CHECKING:
    from reports.charts.marks import Chart


def spent(**settings: Any) -> Chart:
    """The chart of a full sample."""
    return next(
        chart for chart in charts(sample_summary(full=True, **settings)) if chart.name == "time-spent"
    )


def test_every_stack_is_full() -> None:
    """The parts lie on each other without gaps, from 0 to 100 %."""
    for panel in spent().panels:
        assert panel.bars[0].low == (0.0,) * 6
        assert panel.bars[-1].high == (1.0,) * 6
        for lower, upper in zip(panel.bars, panel.bars[1:], strict=False):
            assert lower.high == upper.low


def test_a_part_is_its_share_of_the_time() -> None:
    """The height is seconds of the part / users times seconds."""
    summary = sample_summary(full=True, skews=("uniform", "hot"), users=(4, 8))
    cell = next(cell for cell in summary["cells"] if cell["skew"] == "hot" and cell["users"] == 4)
    chart = next(chart for chart in charts(summary) if chart.name == "time-spent")
    bar = next(bar for bar in chart.panels[1].bars if bar.label == "attempts that conflicted")

    assert bar.high[0] - bar.low[0] == pytest.approx(
        cell["user_time_s"]["conflicts"] / cell["user_time_s"]["total"]
    )


def test_parts_that_nowhere_matter_are_in_other() -> None:
    """The sample has no think time and no connecting; with think time in a single cell all panels show it."""
    labels = [bar.label for bar in spent().panels[0].bars]
    assert labels == [
        "first attempts that committed",
        "retries that committed",
        "attempts that conflicted",
        "backoff",
        "other",
    ]

    summary = sample_summary(full=True)
    summary["cells"][3]["user_time_s"] |= {"think": 1.0, "other": 0.6}
    chart = next(chart for chart in charts(summary) if chart.name == "time-spent")
    assert {"think time" in [bar.label for bar in panel.bars] for panel in chart.panels} == {True}


def test_an_unusable_stack_is_pale() -> None:
    """The last cell of the sample is not usable, and the key says what pale means."""
    chart = spent()

    assert chart.panels[-1].bars[0].pale == (False,) * 5 + (True,)
    assert [sign for sign, _ in chart.key] == ["pale"]
    assert "NOT USABLE" in chart.panels[-1].bars[0].remarks[-1]


def test_the_sentence_names_the_largest_parts_of_the_hottest_line() -> None:
    """At the highest level that is usable."""
    assert "With hot (D_eff 1) at 16 users: " in spent().subtitle
    assert "attempts that conflicted" in spent().alt


def test_one_level_has_a_stack_per_line() -> None:
    """One panel whose axis names the lines."""
    chart = spent(users=(8,))

    assert len(chart.panels) == 1
    assert [name for _, name in chart.x.ticks][::3] == ["uniform  (D_eff 1,000)", "hot  (D_eff 1)"]
    assert chart.panels[0].bars[0].x == (0.0, 1.0, 2.0, 3.0)


def test_an_older_summary_has_no_such_chart() -> None:
    """It does not know where the time went."""
    assert "time-spent" not in [chart.name for chart in charts(sample_summary())]
