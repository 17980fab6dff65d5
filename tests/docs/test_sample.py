"""docs/sample: a report that is committed stays readable, and the README shows it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from reports.charts.all_charts import charts
from reports.output import html
from tests.support.commands import ROOT

SAMPLE = ROOT / "docs" / "sample"
MAX_BYTES = 1_500_000
"""Of all files together: a clone should stay small, so the page itself, 5 MB, is not among them."""


@pytest.fixture(scope="module")
def summary() -> dict[str, Any]:
    """The summary of the sample."""
    read: dict[str, Any] = json.loads((SAMPLE / "summary.json").read_text("utf-8"))
    return read


def test_the_sample_is_small_and_has_no_page() -> None:
    """`make sample` leaves the page in build/."""
    sizes = {path.name: path.stat().st_size for path in SAMPLE.iterdir()}

    assert not any(name.endswith(".html") for name in sizes)
    assert sum(sizes.values()) < MAX_BYTES


def test_its_report_can_be_drawn_again(summary: dict[str, Any]) -> None:
    """A summary of an older version of hotrow still has a page."""
    text = html.page(summary, charts(summary))

    assert "<h1>On " in text
    assert len(summary["cells"]) > 10


def test_it_names_no_place_of_the_machine_that_made_it() -> None:
    """No absolute path and no user's name."""
    texts = [path.read_text("utf-8") for path in SAMPLE.glob("summary.*")]

    assert not [text for text in texts if re.search(r"(?<![\w:])/(?:home|root|tmp|work|Users)/", text)]


def test_the_readme_shows_two_pictures_of_it() -> None:
    """By relative paths, so that they are seen in a clone, too."""
    shown = re.findall(r"!\[[^\]]+\]\((docs/sample/[\w-]+\.png)\)", (ROOT / "README.md").read_text("utf-8"))

    assert len(shown) == 2
    assert all((ROOT / path).is_file() for path in shown)
