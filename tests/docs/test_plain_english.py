"""The words of the house: phrases that were mended once stay away, and each page is in the index."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.support.commands import ROOT

if TYPE_CHECKING:
    from pathlib import Path

SUFFIXES = {".py", ".md", ".j2", ".html", ".sql", ".txt", ".probes"}
FOLDERS = ("hotrow", "analysis", "reports", "scenarios", "locustfiles", "tests", "bench", "docs")
MAX_CHARACTERS = 120
MATRIX = "probe.md"
"""Its table is printed by `hotrow probe --markdown`."""

RATE = re.compile(
    r"\b(attempts|commits|transactions|times|rows|users|cells?|points?) a "
    r"(second|transaction|commit|user|cell|row|key|minute)\b"
)
"""A rate without "per"."""
PHRASES = re.compile("hangs" + " on|without " + "further ado|that there " + "is not", re.IGNORECASE)
ABSENT = re.compile(r"(?<!docs/)(?<!\()\b(design|house|model|engine-room)\.md\b")
"""Files that are not in the repository."""


def _texts() -> list[Path]:
    inside = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*")]
    return [path for path in (*ROOT.glob("*.md"), *inside) if path.suffix in SUFFIXES]


@pytest.mark.parametrize("pattern", [RATE, PHRASES, ABSENT], ids=["rate", "phrase", "absent file"])
def test_a_phrase_that_was_mended_stays_away(pattern: re.Pattern[str]) -> None:
    """Rates are per second, and no page refers to a file that its reader does not have."""
    texts = [path for path in _texts() if path.name != "test_plain_english.py"]
    lines = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in texts
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if pattern.search(line)
    ]

    assert len(texts) > 400
    assert lines == []


@pytest.mark.parametrize(
    ("pattern", "text"),
    [(RATE, "100 attempts " + "a second"), (PHRASES, "it hangs " + "on this"), (ABSENT, "see design.md")],
)
def test_the_patterns_find_what_they_are_for(pattern: re.Pattern[str], text: str) -> None:
    """The test above can fail."""
    assert pattern.search(text)


def test_lines_of_markdown_are_short() -> None:
    """At most 120 characters, so that a page can be read and compared in any editor."""
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
    long = [
        f"{page.name}:{number}: {len(line)} characters"
        for page in pages
        for number, line in enumerate(page.read_text().splitlines(), 1)
        if len(line) > MAX_CHARACTERS and not (page.name == MATRIX and line.startswith("| "))
    ]

    assert len(pages) > 10
    assert long == []


def test_the_index_names_every_page() -> None:
    """docs/README.md says of each page what it is for."""
    index = (ROOT / "docs" / "README.md").read_text()
    pages = {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"}
    linked = re.findall(r"\]\(([a-z-]+\.md)\)", index)

    assert len(pages) > 10
    assert sorted(set(linked)) == sorted(pages)
