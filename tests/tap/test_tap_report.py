"""The report of an observed run: what it says, and what it does not claim."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from analysis.reading import read_run
from analysis.summarise import summarise
from hotrow.attempt.record import Marker, Outcome
from hotrow.tap.tap_run import finish
from hotrow.tap.transaction_watch import Observed
from reports.charts.all_charts import charts
from reports.output import html
from reports.output.terminal import ending
from reports.words.observed_words import tables
from reports.words.sentences import further_sentences, headline
from tests.support.recorded import MS, new_recorder

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def summary(tmp_path: Path) -> dict[str, Any]:
    """A run of two connections: every second update conflicts, and the program tries again."""
    recorder = new_recorder(tmp_path, "shop")
    lines = [recorder.open_line(), recorder.open_line()]
    update = recorder.catalogue.statement(b"UPDATE stock SET n = 1")
    read = recorder.catalogue.statement(b"SELECT n FROM stock")
    for number in range(400):
        conflict = number % 4 == 1
        seen = Observed(
            started_ns=10 * number * MS,
            commit_sent_ns=(10 * number + 6) * MS,
            ended_ns=(10 * number + 15) * MS,
            outcome=Outcome.CONFLICT if conflict else Outcome.COMMITTED,
            marker=Marker.OC000 if conflict else Marker.NONE,
            sqlstate="40001" if conflict else "",
            statements=(update,) if number % 2 else (read,),
            digest=number % 2,
            whole=True,
        )
        recorder.record(lines[number % 2], seen)
    finish(recorder)
    summary = summarise(read_run(tmp_path))
    for cell in summary["cells"]:  # nobody has measured the load of this process
        cell["warnings"], cell["usable"] = [], True
    return summary


def test_the_headline_has_the_rate_and_the_number_in_flight(summary: dict[str, Any]) -> None:
    """And neither a skew nor a retry policy, which nobody knows."""
    assert headline(summary).startswith("25.0 % of 400 attempts conflicted, with 1.5 in flight on average")
    assert "observed" not in ending(summary)


def test_retries_are_called_inferred(summary: dict[str, Any]) -> None:
    """Their number is right: each conflict was followed by the same statement on its connection."""
    said = " ".join(further_sentences(summary))

    assert "Of 100 conflicts, 100 were followed by a retry and 0 were not. This is inferred" in said
    assert "Transactions that write `stock` had 100 % of all conflicts: 50.0 % of them" in said


def test_the_tables_name_what_conflicts(summary: dict[str, Any]) -> None:
    """Transactions, tables and statements, most conflicts first."""
    kinds, accessed, statements = tables(summary)

    assert [row[:4] for row in kinds.rows] == [
        ("UPDATE stock", "200", "100", "50.0 %"),
        ("SELECT stock", "200", "0", "0 %"),
    ]
    assert [row[:4] for row in accessed.rows] == [
        ("stock", "written", "200", "100"),
        ("stock", "read", "200", "0"),
    ]
    assert statements.rows[0][:3] == ("UPDATE stock SET n = ?", "200", "100")


def test_charts_and_page_do_not_claim_what_is_not_known(summary: dict[str, Any]) -> None:
    """No D_eff of an unknown skew, and no prediction."""
    drawn = charts(summary)
    names = [chart.name for chart in drawn]

    assert names[0] == "conflict-rate-in-flight"
    assert not {"conflict-rate", "heatmap", "goodput"} & set(names)
    assert all("D_eff" not in line.label for chart in drawn for panel in chart.panels for line in panel.lines)
    page = html.page(summary, drawn)
    assert "UPDATE stock SET n = ?" in page
    assert "closed form" not in page.partition("<script")[0]
