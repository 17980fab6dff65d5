"""A cell in which most attempts were rejected is marked, and is not compared with others."""

from __future__ import annotations

from typing import Any

import pytest

from reports.charts.all_charts import charts
from reports.charts.panels import slots
from reports.charts.scatter import chart
from reports.output import html
from reports.output.terminal import cell_table, ending
from reports.words.cell_table import columns
from reports.words.sentences import choices, further_sentences, headline
from reports.words.series import middle, series
from reports.words.verdict_lines import banners
from tests.support.sample_summary import sample_summary


def sold_out(*levels: int, **changes: Any) -> dict[str, Any]:
    """A run on one hot row; at these levels 90 % of attempts were rejected, and goodput is 1/s."""
    summary = sample_summary(skews=("hot",), users=(1, 2, 8, 16, 32), **changes)
    for cell in summary["cells"]:
        cell["usable"] = True
        if cell["users"] in levels:
            cell["attempts"]["rejected"] = round(0.9 * cell["attempts"]["total"])
            cell["transactions"]["rejected"] = cell["attempts"]["rejected"]
            cell["goodput_per_s"] = {"value": 1.0, "low": 1.0, "high": 1.0}
    return summary


def test_no_sentence_compares_it() -> None:
    """Neither the headline nor the further sentences name the level at which the stock was gone."""
    summary = sold_out(32)

    sentences = [headline(summary), *further_sentences(summary), *choices(summary)]
    assert sentences
    assert not [sentence for sentence in sentences if "32 users" in sentence]


def test_it_is_marked() -> None:
    """It is marked in the table's verdict, on the console, as a hollow point and in the run's facts."""
    summary = sold_out(32)
    cell = summary["cells"][-1]

    (verdict,) = [column for column in columns(summary["cells"]) if column.head == "verdict"]
    assert verdict.below is not None
    assert verdict.below(cell) == "mostly rejected"
    assert list(cell_table(summary, 80).columns[-1].cells)[-1].plain == "rejected"  # type: ignore[union-attr]
    assert "business rule rejected most attempts in 1 of 5 cells" in ending(summary)
    goodput = next(one for one in charts(summary) if one.name == "goodput")
    assert goodput.panels[0].lines[0].hollow == (False, False, False, False, True)


def test_it_is_none_of_the_best() -> None:
    """A rejection is fast, so its p99 would win every comparison."""
    summary = sold_out(32)
    summary["cells"][-1]["latency_ms"]["p99"] = 0.1
    drawn = chart(slots(series(summary["cells"])), ("", ""))

    assert drawn is not None
    assert not [point for front in drawn.panels[0].fronts for point in front if point[1] == 0.1]


def test_of_repeats_another_one_stands_for_the_level() -> None:
    """The first repeat emptied the stock, so only that repeat makes the line."""
    cells = [{**sold_out()["cells"][0], "repeat": n} for n in range(3)]
    for cell in cells[1:]:
        cell["attempts"] = {**cell["attempts"], "rejected": cell["attempts"]["total"]}

    assert middle(cells, lambda cell: cell["goodput_per_s"]["value"])["repeat"] == 0


def test_if_all_cells_are_sold_out_there_is_no_comparison() -> None:
    """The headline says so instead of a goodput of 0/s."""
    summary = sold_out(1, 2, 8, 16, 32)

    assert headline(summary) == (
        "The business rule rejected most attempts in every usable cell, so there is nothing to compare."
    )
    assert further_sentences(summary) == ()
    assert choices(summary) == []
    assert "mostly rejected" in html.page(summary, charts(summary))


@pytest.mark.parametrize("levels", [(), (32,)])
def test_other_cells_have_no_such_line(levels: tuple[int, ...]) -> None:
    """A run without such a cell has no such line."""
    assert any(banner.severity == "doubtful" for banner in banners(sold_out(*levels))) is bool(levels)
