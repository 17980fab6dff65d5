"""What violated an invariant, and which keys met the conflicts: on the page and on the console."""

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
    """A run of which the second cell has one check."""
    summary = sample_summary(skews=("hot",), users=(2, 8), full=True)
    for cell in summary["cells"]:
        cell.update(usable=True, verdict={"valid": True, "checks": []})
    summary["cells"][1]["verdict"] = {"valid": check["valid"], "checks": [check]}
    return summary


def console_of(summary: dict[str, Any]) -> str:
    """What a wide console shows."""
    stream = io.StringIO()
    terminal.show(Console(file=stream, width=300), summary, Path("report.html"))
    return stream.getvalue()


def test_an_invalid_check_names_first_worst_and_last() -> None:
    """With the check, how many, and values that can be found in the database: no comma at thousands."""
    check = {**CHECK, "count": 3}
    check |= {"first": {"id": 1}, "worst": {"id": 12345, "off_by": 7}, "last": {"id": 1}}
    told = "hot, 8 users: total unchanged: 3 violations: id 1 (first and last); id 12345, off by 7 (worst)"

    summary = judged(check)

    assert banners(summary)[0].details == (told,)
    assert told in console_of(summary)
    assert told in html.page(summary, charts(summary))


def test_a_violation_that_stands_alone_needs_no_place() -> None:
    """First, worst and last are the same one."""
    alone = {"id": 5}

    (detail,) = banners(judged({**CHECK, "first": alone, "worst": alone, "last": alone}))[0].details

    assert detail.endswith("1 violation: id 5")


def test_an_older_check_shows_what_it_went_by() -> None:
    """It has no violations of its own, but details."""
    assert banners(judged(CHECK))[0].details[0].endswith("1 violation: before 10, after 9")


def test_a_check_that_could_not_decide_says_why() -> None:
    """The error that it raised."""
    summary = judged({**CHECK, "valid": None, "details": {"error": "KeyError: 'total'"}})

    assert banners(summary)[0].details == ("hot, 8 users: total unchanged: KeyError: 'total'",)
    assert "KeyError: 'total'" in console_of(summary)


def test_the_console_does_not_list_cells_of_which_it_knows_no_more() -> None:
    """They stand in the table above."""
    summary = judged({**CHECK, "valid": None, "details": {}})

    assert banners(summary)[0].details == ("hot, 8 users",)
    assert "\n  hot, 8 users\n" not in console_of(summary)


def test_hot_keys_are_those_of_each_line_s_worst_cell() -> None:
    """The cell with the most conflicts first, at most three keys each; what is not usable is not quoted."""
    summary = sample_summary(skews=("zipf:1.2", "hot"), users=(2, 8, 16), full=True)

    rows = hot_keys(summary)

    assert [row.cell for row in rows] == ["hot, 8 users", "zipf:1.2, 16 users", "", ""]
    assert rows[0].share == "100 %"
    assert rows[1].key == "0"


def test_the_page_has_their_table_and_the_console_a_line() -> None:
    """An older run has neither."""
    summary = sample_summary(skews=("zipf:1.2",), users=(2, 8, 16), full=True)
    older = sample_summary(skews=("zipf:1.2",), users=(2, 8))

    assert 'id="hot-keys"' in html.page(summary, charts(summary))
    assert "at zipf:1.2, 8 users: key 0 " in console_of(summary)
    assert 'id="hot-keys"' not in html.page(older, charts(older))
    assert "hottest key" not in console_of(older)


@pytest.mark.parametrize(("conflicts", "told"), [(1, False), (49, False), (60, True)])
def test_few_conflicts_tell_nothing_of_a_key(conflicts: int, told: bool) -> None:
    """One conflict is not "key 1727: 100 % of conflicts"."""
    summary = sample_summary(skews=("zipf:0.8",), users=(2, 8), full=True)
    for cell in summary["cells"]:
        cell["attempts"]["conflict"] = conflicts
        cell["hot_keys"] = [{"key": 1727, "conflicts": conflicts, "share": 1.0, "attempts": 99}]

    assert bool(hot_keys(summary)) is told
    assert bool(hottest_line(summary)) is told


def test_a_key_with_few_conflicts_is_not_listed() -> None:
    """Of 60 spread over many keys."""
    summary = sample_summary(skews=("zipf:0.8",), users=(2, 8), full=True)
    for cell in summary["cells"]:
        cell["attempts"]["conflict"] = 60
        cell["hot_keys"] = [
            {"key": key, "conflicts": many, "share": many / 60, "attempts": 99}
            for key, many in ((3, 10), (4, 9))
        ]

    assert [row.key for row in hot_keys(summary)] == ["3"]
