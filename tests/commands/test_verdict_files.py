"""junit.xml and summary.md lie in the directory of a run that was judged, with and without a report."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import pytest

from analysis.gates import Gates
from hotrow.finish import finish_run, finish_side_by_side
from tests.support.run_files import write_run

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of the pictures an empty one."""

    def draw(directory: Path, _: object) -> Path:
        (directory / "conflict-rate.png").touch()
        return directory / "report.html"

    monkeypatch.setattr("hotrow.finish._draw", draw)


def failures(directory: Path) -> list[str]:
    root = ET.parse(directory / "junit.xml").getroot()  # noqa: S314 - ours
    return [failure.text or "" for failure in root.iter("failure")]


@pytest.mark.parametrize(("no_report", "named"), [(False, True), (True, False)])
def test_a_run_leaves_its_test_results(no_report: bool, named: bool, tmp_path: Path) -> None:
    """A run without a report has no picture to name."""
    run = write_run(tmp_path / "run")

    assert finish_run(run, Gates(max_conflict_rate=0.1), no_report=no_report) == 1
    (failure,) = failures(run)
    assert failure.startswith("--max-conflict-rate 0.1: failed: 0.25 in cell 0")
    assert ("`conflict-rate.png`" in (run / "summary.md").read_text()) is named


def test_several_runs_leave_their_test_results_together(tmp_path: Path) -> None:
    """They are beside the page of these runs."""
    runs = [write_run(tmp_path / name, options={"max_conflict_rate": "0.1"}) for name in "ab"]

    assert finish_side_by_side(runs, tmp_path / "both") == 1
    assert [failure[:6] for failure in failures(tmp_path / "both")] == ["run 1:", "run 2:"]
    assert (tmp_path / "both" / "summary.md").exists()


def test_a_failed_gate_is_red_on_a_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And one that was met is green."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    finish_run(write_run(tmp_path / "run"), Gates(max_conflict_rate=0.1, max_p99_ms=1_000), no_report=True)
    shown = capsys.readouterr().err

    assert "\x1b[1;31mhotrow: --max-conflict-rate 0.1: failed: 0.25 in cell 0" in shown
    assert "\x1b[32mhotrow: --max-p99-ms 1000: met: " in shown
