"""AWS's linter and the stand-in refuse the same statements, except those that docs/dsql-lint.md lists."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.refusals import refusal

STATEMENTS = (Path(__file__).parent / "statements.sql").read_text().splitlines()
PAGE = Path(__file__).parents[2] / "docs" / "dsql-lint.md"
_ROW = re.compile(r"\| `(.+)` \| (linter|stand-in) \| (\d+) \|")
_REASON = re.compile(r"\| (\d+) \| (?:the stand-in|the linter|both): ")


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bool]:
    """Whether the linter finds something in each statement. Each has a file of its own."""
    program = shutil.which("dsql-lint", path=str(Path(sys.executable).parent))
    if program is None:
        pytest.skip("dsql-lint is not installed: there is no wheel for this platform")
    folder = tmp_path_factory.mktemp("lint")
    files = [folder / f"{number:03}.sql" for number in range(len(STATEMENTS))]
    for file, statement in zip(files, STATEMENTS, strict=True):
        file.write_text(f"{statement};\n")
    command = [program, "--format", "json", *map(str, files)]
    found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    linted = json.loads(found.stdout)["files"]
    return {
        statement: bool(answer["diagnostics"]) for statement, answer in zip(STATEMENTS, linted, strict=True)
    }


def test_there_are_enough_statements_of_all_kinds() -> None:
    """None comes twice."""
    assert len(set(STATEMENTS)) == len(STATEMENTS) > 300
    assert len({statement.split()[0] for statement in STATEMENTS}) > 40


def test_each_difference_is_known_and_has_a_reason(findings: dict[str, bool]) -> None:
    """A new difference fails, and so does one that is gone."""
    rows = _ROW.findall(PAGE.read_text())
    differences = {
        (statement, "linter" if found else "stand-in")
        for statement, found in findings.items()
        if found != bool(refusal(statement)[0])
    }

    assert differences == {(statement, by) for statement, by, _ in rows}
    assert {reason for _, _, reason in rows} == set(_REASON.findall(PAGE.read_text()))
