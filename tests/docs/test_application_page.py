"""docs/your-application.md: its two examples run unchanged, on every sort of target."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.commands import ROOT, exit_code, only_run, run, summary_of
from tests.support.dsql_endpoint import host_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE = (ROOT / "docs" / "your-application.md").read_text()
BANK, PSYCOPG, SQLALCHEMY = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
QUICK = ["--skew", "hot", "--users", "4", "--duration", "1500ms", "--warmup", "200ms", "--no-report"]


def measured(tmp_path: Path, *words: str) -> tuple[dict[str, Any], dict[str, Any], str]:
    """The cell of a sweep, run.json, and what was said."""
    done = run("hotrow", "sweep", str(tmp_path / "measure.py"), *QUICK, *words, "--out", str(tmp_path / "r"))
    assert exit_code(done) in {0, 4}, done.stderr
    directory = only_run(tmp_path / "r")
    (cell,) = summary_of(directory)["cells"]
    return cell, json.loads((directory / "run.json").read_text()), done.stderr


@pytest.fixture(params=["local", "plain", "dsql"])
def host(request: pytest.FixtureRequest, dsn: str) -> Iterator[str]:
    """A target; `dsql` is the endpoint of the stand-in."""
    assert dsn
    with host_of(request.param) as text:
        yield text


def test_the_psycopg_function_of_the_page_runs(host: str, tmp_path: Path) -> None:
    """With conflicts, retries and give-ups of its own."""
    (tmp_path / "bank.py").write_text(BANK)
    (tmp_path / "measure.py").write_text(PSYCOPG)

    cell, described, _ = measured(tmp_path, "-H", host)

    assert cell["verdict"]["valid"] is True
    assert cell["transactions"]["committed"] > 0
    assert cell["transactions"]["gave_up"] > 0
    assert cell["attempts"]["conflict"] > cell["transactions"]["gave_up"]
    assert cell["retry"] == "application"
    assert described["target"]["begin"] == "apart"
    assert "begin apart" in described["target"]["label"]
    assert not {"retry", "redraw", "receipts"} & set(described["options"])
    assert "--retry" not in described["reproduce"]


def test_the_sqlalchemy_function_of_the_page_runs(host: str, tmp_path: Path) -> None:
    """It does not try again, so each conflict is a give-up."""
    (tmp_path / "measure.py").write_text(SQLALCHEMY)

    cell, _, _ = measured(tmp_path, "-H", host)

    assert cell["verdict"]["valid"] is True
    assert cell["transactions"]["committed"] > 0
    assert cell["attempts"]["conflict"] == cell["transactions"]["gave_up"] > 0


def test_options_about_retries_are_refused(hotrow_home: Path, tmp_path: Path) -> None:
    """In one line, before anything starts."""
    assert hotrow_home

    words = ["--retry", "none", "--redraw", "--receipts"]
    done = run("hotrow", "sweep", "app-transfer", *QUICK, *words, "--out", str(tmp_path / "r"))

    assert done.returncode == 2
    assert "--retry, --redraw, --receipts: app-transfer is an AppScenario" in done.stderr
    assert not list(tmp_path.glob("r/*"))
