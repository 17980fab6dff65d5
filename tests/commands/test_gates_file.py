"""`--gates FILE`, from the command line to the exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from hotrow.commands.main import main
from tests.support.commands import run
from tests.support.run_files import write_run

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

KEPT = {"skew": ["uniform"], "max_conflict_rate": 0.1}
"""25 % of the attempts of a written run conflict."""


def hotrow(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


@pytest.fixture
def gates(tmp_path: Path) -> Path:
    """A file of gates for a uniform skew."""
    path = tmp_path / "gates.toml"
    path.write_text('[[gate]]\nskew = "uniform"\nmax_conflict_rate = 0.1\n')
    return path


def test_a_run_is_judged_by_a_file(tmp_path: Path, gates: Path) -> None:
    """The line names the table of the file."""
    done = hotrow("check", str(write_run(tmp_path / "run")), "--gates", str(gates))

    assert done.exit_code == 1
    assert "gate 1: max_conflict_rate 0.1: failed: 0.25 in cell 0" in done.output


def test_a_run_is_judged_again_by_the_rules_it_was_made_with(tmp_path: Path) -> None:
    """They are in run.json; a new file replaces them, a new limit does not."""
    judged_by = write_run(tmp_path / "run", gates=[KEPT])
    wider = tmp_path / "wider.toml"
    wider.write_text("[[gate]]\nmax_conflict_rate = 0.3\n")

    assert hotrow("check", str(judged_by)).exit_code == 1
    assert hotrow("check", str(judged_by), "--max-p99-ms", "1000").exit_code == 1
    assert hotrow("check", str(judged_by), "--gates", str(wider)).exit_code == 0


def test_a_file_that_matches_no_cell_of_a_run_is_refused(tmp_path: Path, gates: Path) -> None:
    """It would pass whatever was measured."""
    done = hotrow("check", str(write_run(tmp_path / "run", skew="hot")), "--gates", str(gates))

    assert done.exit_code == 2
    assert done.stderr == (
        "hotrow: --gates: gate 1: matches no cell: no cell has skew uniform; the cells have hot\n"
    )


@pytest.mark.parametrize("table", [{"max_conflict_rate": "high"}, {"users": None, "max_p99_ms": 1}, {}])
def test_rules_in_run_json_that_were_changed_are_refused(table: dict[str, Any], tmp_path: Path) -> None:
    """In one line: neither a traceback nor a gate that always passes."""
    done = hotrow("check", str(write_run(tmp_path / "run", gates=[table])))

    assert done.exit_code == 2
    assert done.stderr.startswith("hotrow: run.json: gate 1: ")


@pytest.mark.usefixtures("hotrow_home")
@pytest.mark.parametrize(
    "words",
    [
        ["locust", "-f", "locustfiles/counter.py", "--headless", "-u", "1", "-t", "1s", "--skew", "hot"],
        ["hotrow", "sweep", "counter", "--users", "1", "--duration", "1s", "--skew", "hot"],
    ],
)
def test_a_run_that_a_rule_does_not_match_does_not_start(
    words: list[str], tmp_path: Path, gates: Path
) -> None:
    """No directory is made, and the exit code is that of wrong usage."""
    done = run(*words, "-H", "local", "--out", str(tmp_path / "out"), "--gates", str(gates))

    assert done.returncode == 2
    assert "no cell has skew uniform; the cells have hot" in done.stderr
    assert list((tmp_path / "out").glob("*")) == []
