"""`hotrow new`: the file that it writes runs at once, and no file is overwritten."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hotrow.errors import UsageError
from hotrow.scenario.loading import find_scenario
from hotrow.scenario.template import write_scenario
from hotrow.tables.rehearsal import rehearse
from hotrow.targets.session import BLOCKING
from tests.support.commands import exit_code, only_run, run, summary_of
from tests.support.playing import staged

if TYPE_CHECKING:
    from pathlib import Path


def test_what_is_written_runs_under_locust(hotrow_home: Path, tmp_path: Path) -> None:
    """`locust -f` runs the file, its knob is an option, and its check passes."""
    assert hotrow_home
    path = write_scenario("seat_booking", tmp_path)
    words = ["--headless", "-H", "local", "-u", "2", "-r", "2", "-t", "1s", "--warmup", "100ms"]

    done = run(
        "locust",
        "-f",
        str(path),
        *words,
        "--seats",
        "9000",
        "--only-summary",
        "--no-report",
        "--out",
        str(tmp_path / "r"),
    )

    assert exit_code(done) in {0, 4}, done.stderr
    (cell,) = summary_of(only_run(tmp_path / "r"))["cells"]
    assert cell["verdict"]["valid"] is True
    assert cell["knobs"] == {"seats": 9000}


def test_what_is_written_runs_in_a_sweep(hotrow_home: Path, tmp_path: Path) -> None:
    """`hotrow sweep` runs the same file, although it has a user class, and takes a list for its knob."""
    assert hotrow_home
    path = write_scenario("seat_booking", tmp_path)
    words = ["--users", "1", "--skew", "hot", "--duration", "300ms", "--warmup", "100ms"]

    done = run(
        "hotrow",
        "sweep",
        str(path),
        *words,
        "--seats",
        "7000,9000",
        "--no-report",
        "--out",
        str(tmp_path / "r"),
    )

    assert exit_code(done) in {0, 4}, done.stderr
    cells = summary_of(only_run(tmp_path / "r"))["cells"]
    assert [cell["verdict"]["valid"] for cell in cells] == [True, True]


@pytest.mark.usefixtures("hotrow_home")
def test_what_is_written_rejects_and_passes_its_checks(tmp_path: Path) -> None:
    """A sold-out show rejects, no show goes below zero, and the rehearsal has no findings."""
    scenario_type = find_scenario(str(write_scenario("matinee", tmp_path)), {})
    with staged(scenario_type(seats=10), keys=1) as stage:
        before = stage.observe()
        findings = rehearse(stage.scenario, stage.target, stage.run_schema.schema, BLOCKING, keys=1, seed=1)
        played = stage.play(20)
        verdicts = stage.check(before, played.tally())

    assert findings == []
    assert [verdict.valid for verdict in verdicts] == [True, True]
    assert 0 < played.tally().committed < 20


@pytest.mark.parametrize("name", ["booking", "two_words"])
def test_what_is_written_is_clean(name: str, tmp_path: Path) -> None:
    """The default rules and format of ruff accept the file, for short and long names."""
    path = str(write_scenario(name, tmp_path))

    done = [run("ruff", *words, "--isolated", path) for words in (["check"], ["format", "--check"])]

    assert [process.returncode for process in done] == [0, 0], [process.stdout for process in done]


@pytest.mark.parametrize(
    "name", ["1st", "a b", "class", "Upper", "../up", "", "json", "hotrow", "scenarios", "locust"]
)
def test_a_name_that_is_not_valid_is_refused(name: str, tmp_path: Path) -> None:
    """The name of no module, or of another module, is refused in one line, and no file is written."""
    with pytest.raises(UsageError) as refused:
        write_scenario(name, tmp_path)

    assert "\n" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """A file that exists stays unchanged."""
    (tmp_path / "booking.py").write_text("mine")

    with pytest.raises(UsageError, match="exists already"):
        write_scenario("booking", tmp_path)

    assert (tmp_path / "booking.py").read_text() == "mine"


def test_a_missing_directory_is_reported(tmp_path: Path) -> None:
    """The message is one line."""
    with pytest.raises(UsageError, match=r"booking\.py: cannot be written"):
        write_scenario("booking", tmp_path / "nowhere")


def test_a_scenario_file_may_import_its_parts_first() -> None:
    """The modules that a scenario imports do not import psycopg, so locust can still come before it."""
    code = "import hotrow.scenario, hotrow.knob, hotrow.errors, sys; sys.exit('psycopg' in sys.modules)"

    assert run("python", "-c", code).returncode == 0
