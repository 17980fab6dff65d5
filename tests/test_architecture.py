"""The shape of the house: who imports whom, read from the sources."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest

from tests.commands import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PACKAGES = ("hotrow", "scenarios", "locustfiles", "analysis", "reports")
SHARED_WITH_ANALYSIS = {
    "acknowledged",
    "attempt",
    "clock",
    "error_log",
    "errors",
    "exit_codes",
    "json_lines",
    "ledger",
    "retry",
    "scenario",
    "seal",
    "skew",
}
RIM = {"hotrow/finish.py", "hotrow/cli.py", "hotrow/load/arguments.py"}
"""The modules of the engine that may use analysis and reports: they end a run and speak to the user."""


def sources() -> list[Path]:
    """Every source file of the packages."""
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """The dotted names that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def name_of(path: Path) -> str:
    """The file's path from the root."""
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize(
    ("library", "allowed"),
    [
        ("locust", ("hotrow/load/", "hotrow/sweeping.py")),
        ("gevent", ("hotrow/load/",)),
        ("psycopg", ("hotrow/targets/",)),
        ("boto3", ("hotrow/targets/",)),
        ("matplotlib", ("reports/png.py",)),
        ("plotly", ("reports/",)),
    ],
)
def test_a_library_stays_in_its_place(library: str, allowed: tuple[str, ...]) -> None:
    """Each big library is known to one part of the project only."""
    users = [
        name_of(path) for path in sources() if any(name.split(".")[0] == library for name in imports(path))
    ]

    assert [user for user in users if not user.startswith(allowed)] == []


def test_analysis_knows_only_the_record_of_the_engine() -> None:
    """A run can be re-analysed with no database and no load tool installed."""
    for path in (ROOT / "analysis").rglob("*.py"):
        for name in imports(path):
            parts = name.split(".")
            assert parts[0] not in {"scenarios", "locustfiles", "reports", "locust", "psycopg"}, name_of(path)
            assert parts[0] != "hotrow" or len(parts) == 1 or parts[1] in SHARED_WITH_ANALYSIS, name_of(path)


def test_reports_know_analysis_and_not_the_engine() -> None:
    """Pictures are drawn from a summary."""
    for path in (ROOT / "reports").rglob("*.py"):
        assert not {name.split(".")[0] for name in imports(path)} & {
            "scenarios",
            "locustfiles",
            "locust",
            "psycopg",
        }


def test_scenarios_know_only_the_engine_s_interface() -> None:
    """A scenario is written against `hotrow.scenario`, `hotrow.knob` and `hotrow.errors`, as a user's is."""
    for path in (ROOT / "scenarios").glob("*.py"):
        ours = {name.split(".")[1] for name in imports(path) if name.startswith("hotrow.")}
        assert ours <= {"scenario", "errors", "knob"}, name_of(path)


def test_nothing_imports_locustfiles() -> None:
    """They are the outermost layer."""
    assert [name_of(p) for p in sources() if any(n.split(".")[0] == "locustfiles" for n in imports(p))] == []


def test_only_the_rim_of_the_engine_uses_analysis_and_reports() -> None:
    """The engine does not depend on what reads its ledger."""
    users = {
        name_of(path)
        for path in (ROOT / "hotrow").rglob("*.py")
        if any(name.split(".")[0] in {"analysis", "reports"} for name in imports(path))
    }

    assert users <= RIM
