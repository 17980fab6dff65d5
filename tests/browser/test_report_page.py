"""report.html in a real browser: opened from disk, offline."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from reports.charts.all_charts import charts
from reports.output import html
from tests.support.browser import visit
from tests.support.sample_summary import sample_summary

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from tests.support.browser import Visit

pytestmark = pytest.mark.browser

VALUES_BELOW = """(button) => {
  const [rows, at] = [button.closest("table").tBodies[0].rows, button.parentNode.cellIndex];
  return [...rows].map((row) => row.cells[at].dataset.value);
}"""
UNDRAWN = ".plot:not(:has(.main-svg))"
HOT = "hot  (D_eff 1)"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a report on disk."""
    summary = sample_summary(invalid=True, full=True)
    path: Path = tmp_path_factory.mktemp("report") / "report.html"
    html.write(summary, charts(summary), path)
    return path.as_uri()


@pytest.fixture(scope="module")
def opened(browser: Browser, url: str) -> Visit:
    """The report in a wide window, with all charts drawn."""
    seen = visit(browser, url)
    wait_until_drawn(seen.page)
    return seen


def wait_until_drawn(page: Page) -> None:
    """Wait until every plot is there."""
    from playwright.sync_api import expect  # noqa: PLC0415 - only where there is a browser

    expect(page.locator(UNDRAWN)).to_have_count(0)


def layout(page: Page, chart: str, axis: str) -> list[float]:
    """The range of an axis of a chart's first panel."""
    found: list[float] = json.loads(
        page.evaluate(f"JSON.stringify(document.querySelector('#{chart} .plot').layout.{axis}.range)")
    )
    return found


def traces(page: Page, chart: str) -> list[dict[str, Any]]:
    """The traces of a chart's first panel."""
    found: list[dict[str, Any]] = json.loads(
        page.evaluate(f"JSON.stringify(document.querySelector('#{chart} .plot').data)")
    )
    return found


def test_the_page_draws_every_chart_without_error_and_request(opened: Visit, url: str) -> None:
    """It needs no network, and nothing is written to the console."""
    assert opened.page.locator(".plot").count() > 0
    assert opened.errors == []
    assert opened.requests == [url]


def test_a_line_that_is_off_takes_its_rings_and_both_axes_fit_the_rest(opened: Visit) -> None:
    """Without the hot row, goodput begins higher and latency ends lower; a second press restores all."""
    page, name = opened.page, "goodput-latency"
    before = layout(page, name, "xaxis"), layout(page, name, "yaxis")
    rings = [trace for trace in traces(page, name) if "customdata" in trace]
    chip = page.locator(f"#{name} .key button", has_text="hot")

    chip.click()
    fitted = layout(page, name, "xaxis"), layout(page, name, "yaxis")
    left = [trace for trace in traces(page, name) if "customdata" in trace]
    chip.click()

    assert any(HOT in trace["customdata"] for trace in rings)
    assert not any(HOT in trace["customdata"] for trace in left)
    assert fitted[0][0] > before[0][0]
    assert fitted[1][1] < before[1][1]
    assert (layout(page, name, "xaxis"), layout(page, name, "yaxis")) == before


def test_a_press_on_a_heading_sorts_and_a_second_one_turns_the_order(opened: Visit) -> None:
    """Absent values stay last in both orders."""
    page = opened.page
    head = page.locator("thead button", has_text="p99")

    def column() -> list[str]:
        values: list[str] = head.evaluate(VALUES_BELOW)
        return values

    head.click()
    up = column()
    head.click()
    down = column()

    numbers = [float(text) for text in up if text]
    assert numbers == sorted(numbers)
    assert [float(text) for text in down if text] == numbers[::-1]
    assert (up[-1], down[-1]) == ("", "")
