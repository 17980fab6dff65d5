"""`hotrow sweep` from end to end: cells, figures and pictures, and two sweeps at the same time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from hotrow.run.seal import broken_files
from tests.support.commands import exit_code, finished, only_run, run, start, summary_of

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("hotrow_home")

CELLS = [
    "--skew",
    "uniform,hot",
    "--users",
    "1,4",
    "--keys",
    "1000",
    "--duration",
    "1.5s",
    "--warmup",
    "300ms",
]


@pytest.fixture(scope="module")
def swept(hotrow_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of one small sweep without retries and without a report."""
    assert hotrow_home
    out = tmp_path_factory.mktemp("swept")
    done = run("hotrow", "sweep", "counter", *CELLS, "--retry", "none", "--no-report", "--out", str(out))
    assert exit_code(done) == 0, done.stderr
    return only_run(out)


def test_every_cell_is_measured(swept: Path) -> None:
    """Every combination of skew and users runs, in order, for the requested time."""
    cells = summary_of(swept)["cells"]

    assert [(cell["skew"], cell["users"]) for cell in cells] == [
        ("uniform", 1),
        ("uniform", 4),
        ("hot", 1),
        ("hot", 4),
    ]
    assert all(1.4 < cell["seconds"] < 2.5 for cell in cells)


def test_the_equations_hold(swept: Path) -> None:
    """Every count adds up, and no acknowledged increment is lost."""
    cells = summary_of(swept)["cells"]

    assert len(cells) == 4
    for cell in cells:
        ended = {name: count for name, count in cell["transactions"].items() if name != "started"}
        assert cell["transactions"]["started"] == sum(ended.values())
        outcomes = {name: count for name, count in cell["attempts"].items() if name != "total"}
        assert cell["attempts"]["total"] == sum(outcomes.values())
        assert cell["verdict"]["valid"] is True


def test_one_hot_row_conflicts_as_the_closed_form_says(swept: Path) -> None:
    """One user never conflicts. Of four users' attempts 75% conflict on one row, hardly any on 1,000."""
    alone, spread, hot_alone, hot = (
        cell["conflict_rate"]["value"] for cell in (summary_of(swept)["cells"][i] for i in (0, 1, 2, 3))
    )

    assert alone == hot_alone == 0
    assert spread < 0.05
    assert hot == pytest.approx(0.75, abs=0.05)


def test_run_json_says_what_was_run(swept: Path) -> None:
    """The run can be understood without its command line."""
    meta = json.loads((swept / "run.json").read_text())

    assert meta["target"]["latency"] == {"rtt_ms": 2.0, "commit_ms": 5.0}
    assert meta["scenario"] == "counter"
    assert len(meta["cells"]) == 4


def test_the_last_event_seals_the_files(swept: Path) -> None:
    """The seal names all files with measurements, and they are unchanged."""
    sealed = json.loads((swept / "events.jsonl").read_text().splitlines()[-1])["files"]

    assert sealed.keys() == {"attempts-0.bin", "events.jsonl", "health-0.jsonl", "run.json"}
    assert broken_files(swept, sealed) == []


def test_a_run_without_a_report_can_be_drawn_later(swept: Path) -> None:
    """`--no-report` leaves no picture. `hotrow report` draws all, and gives the same summary again."""
    before, undrawn = summary_of(swept), {path.name for path in swept.iterdir()}
    (swept / "summary.json").unlink()

    done = run("hotrow", "report", str(swept))

    assert exit_code(done) == 0, done.stderr
    assert not [name for name in undrawn if name.endswith((".png", ".html"))]
    assert {"report.html", "conflict-rate.png"} <= {path.name for path in swept.iterdir()}
    assert "report.html" in done.stdout
    assert summary_of(swept) == before


def test_check_judges(swept: Path) -> None:
    """A broken gate exits 1 and is named; a gate that holds exits 0."""
    failed = run("hotrow", "check", str(swept), "--max-conflict-rate", "0.1")
    passed = run("hotrow", "check", str(swept), "--max-conflict-rate", "0.9")

    assert (exit_code(failed), exit_code(passed)) == (1, 0)
    assert "--max-conflict-rate" in failed.stdout


def test_two_sweeps_at_the_same_time(tmp_path: Path) -> None:
    """Both work, each in a schema of its own. Neither sees the other's increments."""
    words = ["sweep", "counter", "--skew", "hot", "--users", "4", "--duration", "1500ms", "--warmup", "200ms"]
    processes = [start("hotrow", *words, "--no-report", "--out", str(tmp_path / name)) for name in "ab"]

    ended = [finished(process) for process in processes]

    assert [exit_code(done) for done in ended] == [0, 0], ended
    for name in "ab":
        (cell,) = summary_of(only_run(tmp_path / name))["cells"]
        assert cell["verdict"]["valid"] is True
