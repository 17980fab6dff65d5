"""`hotrow sweep` on several targets: one run on each, and one page with all of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.commands import exit_code, run, summary_of

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("hotrow_home")

CELL = ["--skew", "hot", "--users", "4", "--retry", "none", "--duration", "1500ms", "--warmup", "300ms"]
HOSTS = ["-H", "local", "-H", "plain:isolation=read-committed"]


@pytest.fixture(scope="module")
def swept(hotrow_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a sweep on one hot row, on the stand-in and on plain PostgreSQL with row locks."""
    assert hotrow_home
    out = tmp_path_factory.mktemp("swept")
    done = run("hotrow", "sweep", "counter", *HOSTS, *CELL, "--out", str(out))
    assert exit_code(done) == 0, done.stderr
    (together,) = out.iterdir()
    return together


def test_each_target_has_a_run_of_its_own(swept: Path) -> None:
    """Each run can be analysed by itself, and has the whole command line."""
    runs = [json.loads(path.read_text()) for path in sorted(swept.glob("*/run.json"))]

    assert [meta["target"]["kind"] for meta in runs] == ["local", "postgresql"]
    assert all(meta["command"].startswith("hotrow sweep counter -H local -H plain") for meta in runs)


def test_conflicts_here_and_waiting_there(swept: Path) -> None:
    """On the stand-in 75% of attempts conflict at COMMIT. With row locks none does, but attempts wait."""
    local, plain = summary_of(swept)["cells"]

    assert local["conflict_rate"]["value"] > 0.65
    assert plain["conflict_rate"]["value"] == 0
    assert plain["attempt_ms"]["p50"] > 2 * local["attempt_ms"]["p50"]


def test_one_page_draws_both(swept: Path) -> None:
    """It says how often attempts conflicted and how they waited, and has a chart of attempt times."""
    page = (swept / "report.html").read_text()

    assert "of attempts conflicted, attempts took" in page
    assert "attempts waited" in page
    assert (swept / "attempt-time.png").exists()


def test_runs_can_be_drawn_together_again(swept: Path, tmp_path: Path) -> None:
    """`hotrow report` on both runs gives the same summary in another folder."""
    runs = sorted(str(path.parent) for path in swept.glob("*/run.json"))

    done = run("hotrow", "report", *runs, "--out", str(tmp_path / "both"))

    assert exit_code(done) == 0, done.stderr
    assert summary_of(tmp_path / "both") == summary_of(swept)


def test_a_target_that_fails_is_named(tmp_path: Path) -> None:
    """The exit code is the worst of all runs. The run on the other target is kept."""
    hosts = ["-H", "local", "-H", "postgresql://127.0.0.1:1/postgres"]

    done = run("hotrow", "sweep", "counter", *hosts, *CELL, "--no-report", "--out", str(tmp_path))

    assert done.returncode == 2
    assert "127.0.0.1" in done.stderr
    assert len(list(tmp_path.glob("*/*/summary.json"))) == 1
