"""The guarded web page: its cases run in a process that Locust has patched, as this one must not be."""

from __future__ import annotations

import subprocess
import sys

from tests.commands import ROOT


def test_the_cases_of_the_web_page() -> None:
    """Every case of `web_page_cases.py` passes; what they are is said there."""
    words = ["--noconftest", "-p", "no:cacheprovider", "-p", "hotrow.load", "tests/web_page_cases.py"]

    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
