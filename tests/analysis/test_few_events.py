"""Sentences need enough events."""

from __future__ import annotations

from typing import Any

import pytest

from reports.charts.panels import slots
from reports.charts.scatter import chart
from reports.words.sentences import choices, further_sentences, headline
from reports.words.series import series
from tests.support.sample_summary import sample_summary


def run_with(**changes: Any) -> dict[str, Any]:
    """A run whose cells are all usable."""
    summary = sample_summary(skews=("hot",), users=(2, 8), full=True, **changes)
    for cell in summary["cells"]:
        cell["usable"] = True
        cell["latency_ms"]["p99"] = cell["latency_ms"]["p99"] or 50.0
    return summary


def text_of(summary: dict[str, Any]) -> str:
    return " ".join([headline(summary), *further_sentences(summary), *choices(summary)])


@pytest.mark.parametrize(("commits", "quoted"), [(19, False), (20, True)])
def test_the_p99_of_a_few_commits_is_not_quoted(commits: int, quoted: bool) -> None:
    """With 19 transactions the p99 is the slowest one, and the best of a skew is best by chance."""
    summary = run_with(retries=("none", "immediate"))
    for cell in summary["cells"]:
        cell["latency_ms"]["n"] = commits
    drawn = chart(slots(series(summary["cells"])), ("", ""))

    assert ("p99 latency of commits" in text_of(summary)) is quoted
    assert drawn is not None
    for cell in summary["cells"]:
        cell["give_up_rate"], cell["fairness"]["jain"] = {"value": 0.0, "low": 0.0, "high": 0.0}, 1.0
    drawn = chart(slots(series(summary["cells"])), ("", ""))
    assert drawn is not None
    assert any(panel.fronts for panel in drawn.panels) is quoted


@pytest.mark.parametrize(("attempts", "quoted"), [(99, False), (100, True)])
def test_the_closed_form_is_not_judged_by_a_few_attempts(attempts: int, quoted: bool) -> None:
    """With 30 attempts a difference of 40 points is chance."""
    summary = run_with()
    for cell in summary["cells"]:
        cell["attempts"]["total"] = attempts

    assert ("The closed form differs" in text_of(summary)) is quoted


def test_a_kind_with_few_attempts_has_no_rate() -> None:
    """One conflict in one attempt is not 100 %."""
    summary = run_with(kinds=("order", "transfer"))
    for cell in summary["cells"]:
        cell["kinds"][1]["attempts"]["total"] = 1
        cell["kinds"][1]["conflict_rate"]["value"] = 1.0

    (by_kind,) = [
        sentence for sentence in further_sentences(summary) if sentence.startswith("Conflict rate by kind")
    ]
    assert by_kind.endswith("transfer \N{EN DASH} (1 attempt).")


@pytest.mark.parametrize(("committed", "quoted"), [(39, False), (40, True)])
def test_unfairness_needs_enough_commits(committed: int, quoted: bool) -> None:
    """8 users need 40 commits: with fewer, some users have none by chance."""
    summary = run_with()
    for cell in summary["cells"]:
        cell["transactions"]["committed"] = committed
        cell["fairness"] = {**cell["fairness"], "users": 8, "jain": 0.4, "max_over_median": 9.0}

    assert ("Commits were spread unevenly" in text_of(summary)) is quoted


@pytest.mark.parametrize(("ended", "quoted"), [(19, False), (20, True)])
def test_a_give_up_rate_needs_enough_transactions(ended: int, quoted: bool) -> None:
    """One transaction that gave up is not 100 %."""
    summary = run_with()
    for cell in summary["cells"]:
        cell["transactions"] |= {"started": ended, "cut_off": 0, "gave_up": 1}

    assert ("gave up" in text_of(summary)) is quoted
