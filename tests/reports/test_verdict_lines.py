"""Violations and the keys with the most conflicts, on the page and on the console."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from reports.charts.all_charts import charts
from reports.output import html, terminal
from reports.words.hot_key_table import hot_keys, hottest_line
from reports.words.verdict_lines import banners
from tests.support.sample_summary import sample_summary

CHECK = {"name": "total unchanged", "valid": False, "count": 1, "details": {"before": 10, "after": 9}}


def judged(check: dict[str, Any]) -> dict[str, Any]:
    """A run whose second cell has one check."""
    summary = sample_summary(skews=("hot",), users=(2, 8), full=True)
    for cell in summary["cells"]:
        cell.update(usable=True, verdict={"valid": True, "checks": []})
    summary["cells"][1]["verdict"] = {"valid": check["valid"], "checks": [check]}
    return summary


def console_of(summary: dict[str, Any]) -> str:
    """The output on a wide console."""
    stream = io.StringIO()
    terminal.show(Console(file=stream, width=300), summary, Path("report.html"))
    return stream.getvalue()


def test_an_invalid_check_names_first_worst_and_last() -> None:
    """It has the check, the number, and values as in the database, without commas in thousands."""
    check = {**CHECK, "count": 3}
    check |= {"first": {"id": 1}, "worst": {"id": 12345, "off_by": 7}, "last": {"id": 1}}
    line = "hot, 8 users: total unchanged: 3 violations: id 1 (first and last); id 12345, off by 7 (worst)"

    summary = judged(check)

    assert banners(summary)[0].details == (line,)
    assert line in console_of(summary)
    assert line in html.page(summary, charts(summary))


def test_a_violation_that_stands_alone_needs_no_place() -> None:
    """First, worst and last are the same violation."""
    alone = {"id": 5}

    (detail,) = banners(judged({**CHECK, "first": alone, "worst": alone, "last": alone}))[0].details

    assert detail.endswith("1 violation: id 5")


def test_an_older_check_shows_its_details() -> None:
    """It has details, but no violations."""
    assert banners(judged(CHECK))[0].details[0].endswith("1 violation: before 10, after 9")


def test_a_check_that_could_not_decide_says_why() -> None:
    """The line has the error that it raised."""
    summary = judged({**CHECK, "valid": None, "details": {"error": "KeyError: 'total'"}})

    assert banners(summary)[0].details == ("hot, 8 users: total unchanged: KeyError: 'total'",)
    assert "KeyError: 'total'" in console_of(summary)


def test_the_console_does_not_repeat_cells_without_details() -> None:
    """They are in the table above."""
    summary = judged({**CHECK, "valid": None, "details": {}})

    assert banners(summary)[0].details == ("hot, 8 users",)
    assert "\n  hot, 8 users\n" not in console_of(summary)


def test_hot_keys_are_those_of_each_line_s_worst_cell() -> None:
    """It is the usable cell with the most conflicts, with at most three keys."""
    summary = sample_summary(skews=("zipf:1.2", "hot"), users=(2, 8, 16), full=True)

    rows = hot_keys(summary)

    assert [row.cell for row in rows] == ["hot, 8 users", "zipf:1.2, 16 users", "", ""]
    assert rows[0].share == "100 %"
    assert rows[1].key == "0"


def test_the_page_has_their_table_and_the_console_a_line() -> None:
    """An older run has neither."""
    summary = sample_summary(skews=("zipf:1.2",), users=(2, 8, 16), full=True)
    older = sample_summary(skews=("zipf:1.2",), users=(2, 8))

    assert 'id="hottest-keys"' in html.page(summary, charts(summary))
    assert "at zipf:1.2, 8 users: key 0 " in console_of(summary)
    assert 'id="hottest-keys"' not in html.page(older, charts(older))
    assert "hottest key" not in console_of(older)


@pytest.mark.parametrize(("conflicts", "named"), [(1, False), (49, False), (60, True)])
def test_few_conflicts_name_no_key(conflicts: int, named: bool) -> None:
    """One conflict is not "key 1727: 100 % of conflicts"."""
    summary = sample_summary(skews=("zipf:0.8",), users=(2, 8), full=True)
    for cell in summary["cells"]:
        cell["attempts"]["conflict"] = conflicts
        cell["hot_keys"] = [{"key": 1727, "conflicts": conflicts, "share": 1.0, "attempts": 99}]

    assert bool(hot_keys(summary)) is named
    assert bool(hottest_line(summary)) is named


def test_a_key_with_few_conflicts_is_not_listed() -> None:
    """60 conflicts are spread over many keys."""
    summary = sample_summary(skews=("zipf:0.8",), users=(2, 8), full=True)
    for cell in summary["cells"]:
        cell["attempts"]["conflict"] = 60
        cell["hot_keys"] = [
            {"key": key, "conflicts": many, "share": many / 60, "attempts": 99}
            for key, many in ((3, 10), (4, 9))
        ]

    assert [row.key for row in hot_keys(summary)] == ["3"]


def test_a_run_that_was_cut_short_says_after_how_many_cells() -> None:
    """Of three planned cells one is whole, one was cut short and one is missing."""
    summary = {**judged({**CHECK, "valid": True}), "planned_cells": 3}
    summary["cells"][1]["warnings"] = [{"code": "interrupted", "message": "by SIGTERM", "advice": ""}]

    (banner,) = [banner for banner in banners(summary) if banner.severity == "interrupted"]

    assert banner.text == "Interrupted after 1 of 3 cells: the others were not measured to their end."
    assert banner.details == ("hot, 8 users: cut short after 8.0 s",)
    assert banner.text in console_of(summary)


def test_a_run_that_measured_nothing_says_so() -> None:
    """The page and the console have the same sentence."""
    summary = {**sample_summary(), "cells": [], "planned_cells": 24}

    assert "Interrupted after 0 of 24 cells: nothing was measured." in html.page(summary, [])
    assert "Interrupted after 0 of 24 cells: nothing was measured." in console_of(summary)


def test_a_whole_run_is_not_interrupted() -> None:
    """Every planned cell was measured to its end."""
    summary = {**judged({**CHECK, "valid": True}), "warnings": [], "planned_cells": 2}

    assert all(banner.severity != "interrupted" for banner in banners(summary))
