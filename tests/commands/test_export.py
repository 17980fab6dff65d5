"""`hotrow export`: JSON on standard output, or a reason why there is none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from hotrow.commands.main import main
from tests.support.run_files import write_run

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

NAME = "counter: uniform, 100 keys, 1 user, none"


def export(*words: str) -> Result:
    return CliRunner().invoke(main, ["export", *words])


def test_bencher_has_the_figures_of_the_run(tmp_path: Path) -> None:
    """150 commits in one second; a quarter of the attempts conflicted."""
    done = export(str(write_run(tmp_path / "run")))
    measures = json.loads(done.stdout)[NAME]

    assert done.exit_code == 0
    assert measures["conflict-rate"]["value"] == 0.25
    assert measures["goodput"]["value"] == pytest.approx(150)
    assert all(each.keys() <= {"value", "lower_value", "upper_value"} for each in measures.values())


@pytest.mark.parametrize(
    ("name", "measures"),
    [
        ("bigger-is-better", {"goodput"}),
        ("smaller-is-better", {"conflict rate", "give-up rate", "latency p50", "latency p99"}),
    ],
)
def test_github_action_benchmark_has_one_direction_per_file(
    name: str, measures: set[str], tmp_path: Path
) -> None:
    """Otherwise a drop of conflicts would raise an alert."""
    entries = json.loads(export(str(write_run(tmp_path / "run")), "--format", name).stdout)

    assert {entry["name"] for entry in entries} == {f"{NAME}: {measure}" for measure in measures}


def test_a_run_that_is_not_usable_is_not_exported(tmp_path: Path) -> None:
    """Its figures would become the base line of later runs."""
    done = export(str(write_run(tmp_path / "run", committed=3, conflicts=0)))

    assert (done.exit_code, done.stdout) == (4, "")
    assert done.stderr == "hotrow: nothing to export: no cell of this run is usable\n"


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    """In one line."""
    done = export(str(tmp_path))

    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
