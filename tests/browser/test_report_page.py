"""report.html in a real browser: opened from disk, offline."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reports.charts.all_charts import charts
from reports.output import html
from tests.support.browser import visit
from tests.support.sample_summary import sample_summary

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

    from tests.support.browser import Visit

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a report on disk."""
    summary = sample_summary(invalid=True, full=True)
    path: Path = tmp_path_factory.mktemp("report") / "report.html"
    html.write(summary, charts(summary), path)
    return path.as_uri()


@pytest.fixture(scope="module")
def opened(browser: Browser, url: str) -> Visit:
    """The report in a wide window."""
    return visit(browser, url)


def test_the_page_draws_every_chart_without_error_and_request(opened: Visit, url: str) -> None:
    """It needs no network, and nothing is written to the console."""
    plots = opened.page.locator(".plot").count()

    assert plots > 0
    assert opened.page.locator(".plot .main-svg").count() >= plots
    assert opened.errors == []
    assert opened.requests == [url]
