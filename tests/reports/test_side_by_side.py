"""Runs on several targets in one report."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from hotrow.errors import UsageError
from reports.charts.all_charts import charts
from reports.output import html, png, terminal
from reports.words import facts
from reports.words.sentences import further_sentences, headline
from reports.words.side_by_side import merge
from tests.support.sample_summary import sample_summary

if TYPE_CHECKING:
    from pathlib import Path


def of(conflicts: str, **settings: Any) -> dict[str, Any]:
    """A run on one hot row."""
    return sample_summary(full=True, skews=("hot",), users=(2, 8, 16), conflicts=conflicts, **settings)


@pytest.fixture
def both() -> dict[str, Any]:
    """A run on the stand-in and a run on plain PostgreSQL, merged."""
    return merge([of("commit"), of("locks")])


def test_every_chart_has_a_line_per_target(both: dict[str, Any]) -> None:
    """The lines are in the order of the runs, each with its own figures."""
    chart = charts(both)[0]
    local, plain = chart.panels[0].lines

    assert (local.label, plain.label) == ("local", "postgresql")
    assert plain.y == tuple(cell["conflict_rate"]["value"] for cell in of("locks")["cells"])
    assert local.predicted_x
    assert not plain.predicted_x


def test_the_headline_says_in_a_few_words_what_happened_on_each(both: dict[str, Any]) -> None:
    """One target conflicts and the other waits, at the highest level that is usable on both."""
    assert headline(both) == (
        "On one hot row with 8 users: local had 80.9 % conflicts; postgresql waited up to 73.5 ms (p99)."
    )


def test_the_first_sentence_has_the_figures_of_each(both: dict[str, Any]) -> None:
    """It has conflict rates and times of attempts."""
    sentence = further_sentences(both)[0]

    assert sentence.startswith("On one hot row with 8 users: local: 8")
    assert "of attempts conflicted, attempts took" in sentence
    assert "postgresql: 0 % of attempts conflicted, attempts waited: p50" in sentence


def test_the_headline_of_many_targets_is_a_range() -> None:
    """Their names would fill the page."""
    many = [of("commit", seed=seed) for seed in range(5)]
    for number, summary in enumerate(many):
        summary["run"]["target"]["label"] = f"target {number}"

    sentence = headline(merge(many))

    assert len(sentence) < 120
    assert sentence.startswith("On one hot row with 8 users, 8")


def test_different_levels_are_named_as_such() -> None:
    """There is nothing to compare."""
    one, other = of("commit"), sample_summary(full=True, skews=("hot",), users=(3, 5), conflicts="locks")

    assert headline(merge([one, other])) == (
        "On one hot row, the targets were measured with different numbers of users."
    )


def test_waiting_has_a_chart_of_its_own(both: dict[str, Any]) -> None:
    """It has p50 and p99 of attempts; a run without waiting has no such chart."""
    chart = next(chart for chart in charts(both) if chart.name == "attempt-time")

    assert [(line.label, line.meaning) for line in chart.panels[0].lines] == [
        ("local", "p50"),
        ("local", "p99"),
        ("postgresql", "p50"),
        ("postgresql", "p99"),
    ]
    assert "attempt-time" not in [chart.name for chart in charts(of("commit"))]


def test_words_about_locks_name_the_target_that_has_them(both: dict[str, Any]) -> None:
    """`This target` would be wrong for the other target."""
    subtitles = [chart.subtitle for chart in charts(both)]
    sentences = [
        *subtitles,
        *(meaning for _, meaning in facts.terms(both["run"])),
        *further_sentences(both),
        headline(both),
    ]

    assert not any("This target" in text for text in sentences)
    assert any("postgresql waits for row locks" in text for text in subtitles)
    assert {"dashed line", "row locks"} <= {term for term, _ in facts.terms(both["run"])}


def test_facts_that_differ_are_joined(both: dict[str, Any]) -> None:
    """Different facts come with the targets' names; equal facts are there once."""
    known = dict(facts.facts(both))

    assert known["target"] == "local: local (rtt 2 ms, commit 5 ms); postgresql: postgresql db.example"
    assert known["server"] == "18.1"
    assert known["conflicts"] == "local: at COMMIT; postgresql: the second writer waits for a row lock"


def test_warnings_of_a_run_name_its_target(both: dict[str, Any]) -> None:
    """Otherwise a reader would not know which run ended early."""
    assert [warning["message"].partition(":")[0] for warning in both["warnings"]] == ["local", "postgresql"]


def test_targets_of_one_kind_are_named_by_their_difference() -> None:
    """This is the profile if the rest of the label is equal, or a number if all is equal."""
    slow, fast = of("commit"), of("commit")
    fast["run"]["target"]["label"] = "local (rtt 0 ms, commit 5 ms)"

    assert {cell["target"] for cell in merge([slow, fast])["cells"]} == {"rtt 2 ms", "rtt 0 ms"}
    again = {cell["target"] for cell in merge([slow, slow])["cells"]}
    assert again == {"run 1", "run 2"}


def test_think_times_that_differ_are_shown() -> None:
    """A fact that is a number in one run is a text for two runs."""
    slow, fast = of("commit"), of("locks")
    slow["run"]["think_s"] = 0.5

    chart = charts(merge([slow, fast]))[0]

    assert "think time 0.5 / 0.0 s" in chart.footer[0]


def test_different_scenarios_do_not_merge() -> None:
    """Their lines cannot be compared."""
    with pytest.raises(UsageError, match="counter, transfer"):
        merge([of("commit"), of("commit", scenario="transfer")])


def test_one_run_stays_as_it_is() -> None:
    """So a command needs no special case."""
    assert merge([of("commit")]) == of("commit")


def test_the_report_and_the_console_show_both(both: dict[str, Any], tmp_path: Path) -> None:
    """Attempt times have a picture, and the target has a column on the page and on the console."""
    drawn = charts(both)
    png.draw([chart for chart in drawn if chart.name in {"conflict-rate", "attempt-time"}], tmp_path)
    page = html.page(both, drawn)
    stream = io.StringIO()
    terminal.show(Console(file=stream, width=160), both, tmp_path / "report.html")

    assert (tmp_path / "attempt-time.png").is_file()
    assert '<button type="button">target</button>' in page
    assert stream.getvalue().splitlines()[1].startswith("target")
