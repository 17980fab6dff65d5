"""`--github`: annotations on standard error, and the findings in the summary of the job."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from hotrow.commands.main import main
from hotrow.run.options import is_for_github
from tests.support.run_files import write_run

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

GATED = {"max_conflict_rate": "0.1"}


def hotrow(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


@pytest.fixture
def job_summary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that GitHub names for the summary of a job."""
    path = tmp_path / "job.md"
    path.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(path))
    return path


@pytest.mark.parametrize("by_environment", [False, True])
def test_a_failed_gate_is_annotated_and_the_job_has_the_table(
    by_environment: bool, tmp_path: Path, job_summary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given, or on by itself in a job of GitHub Actions. The summary of earlier steps stays."""
    if by_environment:
        monkeypatch.setenv("GITHUB_ACTIONS", "true")
    done = hotrow(
        "check",
        str(write_run(tmp_path / "run", options=GATED)),
        *([] if by_environment else ["--github"]),
    )

    assert done.exit_code == 1
    gate = "--max-conflict-rate 0.1: failed: 0.25 in cell 0"
    assert done.stderr.startswith(f"::error title=hotrow%3A Gate::{gate}")
    assert job_summary.read_text().startswith("before\n## hotrow: counter on local\n")


def test_json_stays_json(tmp_path: Path, job_summary: Path) -> None:
    """Annotations do not go where a program reads."""
    done = hotrow("check", str(write_run(tmp_path / "run", options=GATED)), "--json", "--github")

    assert json.loads(done.stdout)["exit_code"] == 1
    assert "::error" in done.stderr
    assert "Gates" in job_summary.read_text()


def test_a_report_names_the_charts(
    tmp_path: Path, job_summary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are beside the file in the artifact."""
    monkeypatch.setattr("hotrow.finish._draw", lambda directory, _summary: directory / "report.html")
    run = write_run(tmp_path / "run")
    (run / "conflict-rate.png").touch()

    assert hotrow("report", str(run), "--github").exit_code == 0
    assert "`conflict-rate.png`" in job_summary.read_text()


def test_a_summary_that_cannot_be_written_changes_no_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line says so."""
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path))

    done = hotrow("check", str(write_run(tmp_path / "run")), "--github")

    assert done.exit_code == 0
    assert "hotrow: GITHUB_STEP_SUMMARY: cannot be written (Is a directory)" in done.stderr


def test_elsewhere_nothing_is_annotated(
    tmp_path: Path, job_summary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other systems set the variable to other values, or not at all."""
    monkeypatch.setenv("GITHUB_ACTIONS", "false")
    done = hotrow("check", str(write_run(tmp_path / "run", options=GATED)))

    assert "::error" not in done.output
    assert job_summary.read_text() == "before\n"
    assert not is_for_github(asked=False)
