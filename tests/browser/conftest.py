"""The browser of these tests. Where there is none, they are skipped and say why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.browser import PROGRAMS, launched, program

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium for one module; while it runs, its thread can run no other event loop."""
    path = program()
    if path is None:
        pytest.skip(f"no browser: install Debian's chromium or set HOTROW_CHROMIUM ({', '.join(PROGRAMS)})")
    pytest.importorskip("playwright.sync_api", reason="no Playwright: `make setup` installs it")
    with launched(path) as started:
        yield started
