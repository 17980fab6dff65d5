"""A headless Chromium, driven by Playwright: pages as a reader sees them, and what they did wrong.

Playwright's sync API runs on greenlets, so it is used only in processes that gevent has not patched.
"""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, ConsoleMessage, Page, Request

PROGRAMS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
WIDE, NARROW = 1280, 380
"""Widths in px of a laptop's window and of a phone."""
SERIOUS = {"moderate", "serious", "critical"}
"""The levels of axe's findings that are defects."""
OWN_SCHEMES = ("data:", "blob:")


@dataclass
class Visit:
    """One page that is open, with its errors and requests since it was opened."""

    page: Page
    errors: list[str] = field(default_factory=list)
    """Uncaught exceptions and errors on the console."""
    requests: list[str] = field(default_factory=list)
    """Addresses that were asked for, the page's own first; data and blob addresses are left out."""


def program() -> str | None:
    """The path of a Chromium: that of HOTROW_CHROMIUM, or the first on PATH; None if there is none."""
    chosen = os.environ.get("HOTROW_CHROMIUM")
    return chosen or next((path for name in PROGRAMS if (path := shutil.which(name))), None)


@contextmanager
def launched(path: str) -> Iterator[Browser]:
    """Start a headless browser, and stop it at the end."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only if a test needs it

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        try:
            yield browser
        finally:
            browser.close()


def visit(browser: Browser, url: str, *, width: int = WIDE, dark: bool = False, **context: Any) -> Visit:
    """Open a page in a context of its own, in a window 900 px high."""
    opened = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
        **context,
    )
    page = opened.new_page()
    seen = Visit(page)
    page.on("console", lambda message: _note_console(seen, message))
    page.on("pageerror", lambda error: seen.errors.append(str(error)))
    page.on("request", lambda request: _note_request(seen, request))
    page.goto(url)
    return seen


def violations(page: Page) -> list[str]:
    """The findings of axe that are defects, one line per element."""
    from axe_playwright_python.sync_playwright import Axe  # noqa: PLC0415 - only if a test needs it

    return [
        f"{finding['impact']} {finding['id']}: {node['html'][:160]}"
        for finding in Axe().run(page).response["violations"]
        if finding["impact"] in SERIOUS
        for node in finding["nodes"]
    ]


def overflow_px(page: Page) -> int:
    """By how many pixels the page is wider than its window; 0 if it needs no horizontal scrolling."""
    width = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return int(width)


def _note_console(seen: Visit, message: ConsoleMessage) -> None:
    if message.type == "error":
        seen.errors.append(message.text)


def _note_request(seen: Visit, request: Request) -> None:
    if not request.url.startswith(OWN_SCHEMES):
        seen.requests.append(request.url)
