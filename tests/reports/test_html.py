"""The page is complete and self-contained, and names in it are harmless."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go
import pytest
from plotly.offline import get_plotlyjs

from reports.charts.all_charts import charts
from reports.output import html
from reports.output.bundle import write_reports
from reports.words import wording as words
from tests.support.sample_summary import sample_summary

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'{{ 7 * 7 }}</title>"
VOID = {"meta", "path", "circle", "rect", "br", "img", "link", "input"}


class Page(HTMLParser):
    """A parsed page: its elements, the texts by element, and the open elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.rows: list[str] = []
        """The id of the table of each row."""
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.elements.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append(
                next(other.get("id") or "" for name, other in reversed(self.elements) if name == "table")
            )
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close the innermost element, which must be this one."""
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note a text under its element."""
        if data.strip():
            self.texts.setdefault(self.open[-1] if self.open else "", []).append(data.strip())

    def rows_of(self, table: str) -> list[str]:
        """One entry per row of the table with this id."""
        return [row for row in self.rows if row == table]

    def count(self, tag: str, **wanted: str) -> int:
        """The number of elements with this tag and these attributes."""
        return sum(name == tag and wanted.items() <= attrs.items() for name, attrs in self.elements)


def page(summary: dict[str, Any]) -> str:
    """The page of a summary."""
    return html.page(summary, charts(summary))


@pytest.fixture(scope="module")
def sample() -> str:
    """The page of the sample."""
    return page(sample_summary(invalid=True))


@pytest.fixture(scope="module")
def parsed(sample: str) -> Page:
    """The page of the sample, parsed."""
    return Page(sample)


def test_every_element_is_closed(parsed: Page) -> None:
    """The page is well formed."""
    assert parsed.open == []


def test_the_finding_is_the_heading(parsed: Page) -> None:
    """The heading is the sentence on the hottest line."""
    assert parsed.texts["h1"][0].startswith("On one hot row, 91")


def test_every_cell_is_a_row_with_its_figures(parsed: Page) -> None:
    """The table has values, intervals and the three-valued verdict."""
    summary = sample_summary(invalid=True)

    assert len(parsed.rows_of("cell-table")) == 1 + len(summary["cells"])
    for cell in summary["cells"]:
        assert f"{100 * cell['conflict_rate']['value']:.2f}" in parsed.texts["td"]
        assert f"{cell['goodput_per_s']['value']:,.1f}" in parsed.texts["td"]
    assert parsed.texts["td"].count("INVALID") == 1
    assert parsed.texts["td"].count("not checked") == 1
    assert parsed.texts["small"].count("not usable") == 1
    assert words.ABSENT in parsed.texts["td"]


def test_an_absent_value_sorts_as_absent(sample: str) -> None:
    """Its sort key is empty, and the script puts such rows last."""
    assert f'data-value="">{words.ABSENT}</td>' in sample


def test_every_chart_is_there_with_its_words(parsed: Page) -> None:
    """Every plot has a description for readers who do not see it."""
    shown = charts(sample_summary(invalid=True))

    ids = [attrs["id"] for tag, attrs in parsed.elements if tag == "figure"]
    labels = [attrs["aria-label"] for tag, attrs in parsed.elements if attrs.get("role") == "img"]

    assert ids == [chart.name for chart in shown]
    assert labels == [chart.alt for chart in shown]


def test_nothing_is_fetched(parsed: Page) -> None:
    """Links lead to a place in the page or to a file that it contains, and its policy forbids loading."""
    fetching = [
        attrs
        for tag, attrs in parsed.elements
        if {"src", "srcset", "action", "data"} & set(attrs)
        or ("href" in attrs and not (tag == "a" and str(attrs["href"]).startswith(("#", "data:"))))
    ]
    policy = next(
        attrs["content"] for tag, attrs in parsed.elements if tag == "meta" and "http-equiv" in attrs
    )

    assert fetching == []
    assert policy is not None
    assert "default-src 'none'" in policy
    assert parsed.count("link") == 0


def test_plotly_is_inline_once_and_cannot_end_its_script(sample: str) -> None:
    """Plotly is by far the largest part of the page, so it must not be there twice."""
    bundle = get_plotlyjs()

    assert sample.count(bundle[:2000]) == 1
    assert len(sample) < len(bundle) + 400_000
    assert "</script" not in bundle.lower()
    assert "<!--" not in bundle


def test_figures_are_valid_plotly(parsed: Page) -> None:
    """Plotly's own validation accepts every property."""
    figures = [json.loads(text) for text in parsed.texts["script"] if text.startswith('{"data"')]

    for figure in figures:
        coloured = json.loads(re.sub(r'"@[a-z]+\d?(/[.\d]+)?"', '"#123456"', json.dumps(figure)))
        go.Figure(coloured)
    assert len(figures) == sum(len(chart.panels) for chart in charts(sample_summary(invalid=True)))


def test_hostile_names_are_texts(sample: str) -> None:
    """No scenario, skew, target or warning can bring markup, scripts or template code into the page."""
    summary = sample_summary(scenario=HOSTILE, users=(1, 8))
    summary["run"]["target"]["label"] = summary["run"]["command"] = HOSTILE
    summary["warnings"] = [{"code": HOSTILE, "message": HOSTILE, "advice": HOSTILE}]
    for cell in summary["cells"]:
        cell["skew"] = cell["skew"] + HOSTILE if cell["skew"] == "uniform" else cell["skew"]

    text = page(summary)
    hostile = Page(text)

    assert hostile.count("script") == Page(sample).count("script")
    assert hostile.count("img") == 0
    assert all(not name.startswith("on") for _, attrs in hostile.elements for name in attrs)
    assert "{{ 7 * 7 }}" in text
    assert any(HOSTILE in shown for shown in hostile.texts["dd"])


def test_no_line_ends_between_a_number_and_its_unit() -> None:
    """The sentences are HTML, so a name in them is escaped before a table's name becomes code."""
    text = str(html._prose("At 5 s, 84.0 % on `account` <b> in 5 steps"))

    assert (
        text
        == "At 5\N{NO-BREAK SPACE}s, 84.0\N{NO-BREAK SPACE}% on <code>account</code> &lt;b&gt; in 5 steps"
    )


def test_plotly_texts_hold_no_tags() -> None:
    """Plotly reads some HTML in its texts, such as links, so names are escaped for it too."""
    summary = sample_summary(users=(1, 8))
    for cell in summary["cells"]:
        cell["skew"] = f"<a href='javascript:x'>{cell['skew']}"

    texts = [text for text in Page(page(summary)).texts["script"] if text.startswith('{"data"')]
    traces = [trace for text in texts for trace in json.loads(text)["data"]]

    assert not any("<a" in hover for trace in traces for hover in trace.get("text", []))
    assert any("&lt;a href" in hover for trace in traces for hover in trace.get("text", []))


def test_no_secret_is_on_the_page() -> None:
    """Passwords in a label, a command or an option are left out."""
    summary = sample_summary(users=(1, 8))
    summary["run"]["target"]["label"] = "postgresql://app:hunter2@db.example/x"
    summary["run"]["command"] = "PGPASSWORD=hunter2 hotrow sweep -H 'host=db password=hunter2'"
    summary["run"]["options"] = {"host": "postgresql://app:hunter2@db.example", "token": "hunter2"}

    assert "hunter2" not in page(summary)


def test_a_target_with_locks_explains_waiting(sample: str) -> None:
    """The terms fit the target: without a closed form the dashed line is not explained."""
    locks = page(sample_summary(conflicts="locks", users=(1, 8)))

    assert "This target waits for row locks: the second writer continues" in locks
    assert "<dt>dashed line</dt>" in sample
    assert "<dt>dashed line</dt>" not in locks


def test_warnings_come_with_advice_and_their_cells(parsed: Page) -> None:
    """Each kind of warning is listed once, with its cells."""
    assert "Add workers (--processes), or use fewer users." in parsed.texts["p"]
    assert (
        "hot, 32 users: the client was the bottleneck: it used 97% of a core (limit 90%)"
        in parsed.texts["li"]
    )


def test_an_empty_run_has_a_page() -> None:
    """The run was stopped before its first cell. The page says so and has the command."""
    empty = Page(page({**sample_summary(), "cells": [], "warnings": []}))

    assert empty.texts["h1"] == ["Nothing was measured."]
    assert empty.count("figure") == 0
    assert "local (rtt 2 ms, commit 5 ms)" in empty.texts["dd"]


def test_reports_are_written_side_by_side(tmp_path: Path) -> None:
    """The page and the pictures are in the run's directory."""
    path = write_reports(tmp_path, sample_summary(users=(1, 8), skews=("uniform", "hot")))

    assert path == tmp_path / "report.html"
    assert {file.name for file in tmp_path.iterdir()} == {
        "report.html",
        "contention.png",
        "conflict-rate.png",
        "heatmap.png",
        "conflict-rate-collapsed.png",
        "retry-rate.png",
        "goodput.png",
        "latency.png",
        "goodput-latency.png",
        "wasted-share.png",
    }


def test_a_summary_of_absent_values_has_a_page_and_pictures(tmp_path: Path) -> None:
    """Without attempts and without the skew's file all values are absent, and nothing fails."""
    summary = sample_summary(users=(1, 8), skews=("uniform", "hot"))
    nothing = {"value": None, "low": None, "high": None}
    for cell in summary["cells"]:
        cell.update(
            conflict_rate=nothing, retry_rate=nothing, goodput_per_s=nothing, wasted_share=None, d_eff=None
        )
        cell["latency_ms"] = dict.fromkeys(cell["latency_ms"])
        cell["predicted"] = dict.fromkeys(cell["predicted"])

    text = write_reports(tmp_path, summary).read_text("utf-8")

    assert f"D_eff {words.ABSENT}" in text
    assert "null" not in Page(text).texts["td"]
    assert "None" not in Page(text).texts["td"]
