"""Runs tests/load/in_gevent/check_*.py in a process where Locust is imported before psycopg, as in a load.

Locust patches the standard library for gevent; in the process of the other tests that must not happen.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import pytest

from tests.support.commands import ROOT

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.server  # the checks run in a process of their own

FOLDER = ROOT / "tests" / "load" / "in_gevent"
START = "import sys, hotrow.load, pytest; sys.exit(pytest.main(sys.argv[1:]))"


def _names(path: Path) -> list[str]:
    tree = ast.parse(path.read_text())
    return [
        f"{path.stem}::{node.name}"
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]


CHECKS = [name for path in sorted(FOLDER.glob("check_*.py")) for name in _names(path)]


@pytest.fixture(scope="module")
def failures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The error messages of each check; a check that did not run has no entry."""
    report = tmp_path_factory.mktemp("gevent") / "report.xml"
    words = ["-o", "python_files=check_*.py", "-p", "no:cacheprovider", f"--junitxml={report}", str(FOLDER)]
    words += ["-W", "ignore:Unclosed context:ResourceWarning"]  # Locust never closes its contexts
    done = subprocess.run(
        [sys.executable, "-c", START, *words],
        cwd=ROOT,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},  # Locust has a plugin for pytest
        capture_output=True,
        text=True,
        timeout=300,  # a hang; it takes 15 s of CPU, and a busy machine gives it little
        check=False,
    )
    assert report.exists(), done.stdout + done.stderr
    messages: dict[str, list[str]] = {}
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 - pytest has just written it
        name = f"{case.get('classname', '').rpartition('.')[2]}::{case.get('name', '').partition('[')[0]}"
        messages.setdefault(name, []).extend(
            failure.text or "" for kind in ("failure", "error", "skipped") for failure in case.iter(kind)
        )
    return messages


def test_there_are_checks() -> None:
    """The folder is not empty, so that the test below cannot pass by finding nothing."""
    assert len(CHECKS) > 20


@pytest.mark.parametrize("check", CHECKS)
def test_in_gevent(check: str, failures: dict[str, list[str]]) -> None:
    """The check ran, and nothing failed in it."""
    assert failures.get(check) == [], "\n".join(failures.get(check, ["it did not run"]))
