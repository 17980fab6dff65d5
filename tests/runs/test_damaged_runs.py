"""Damaged runs: refused in one line, or summarised with warnings, but never accepted as usable."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from analysis.reading import read_run
from analysis.summarise import summarise
from hotrow.run.ledger import append_event
from tests.support.measured import WALL_NS
from tests.support.run_files import write_run
from tests.support.run_fuzz import judge, try_damage, whole_run

if TYPE_CHECKING:
    from pathlib import Path

VERDICT: dict[str, Any] = {
    "event": "verdict",
    "cell": 0,
    "checks": [{"name": "sum", "valid": True, "count": 0, "details": {}}],
}


def _codes(run: Path) -> set[str]:
    """The codes of all warnings about a run and its cells."""
    summary = summarise(read_run(run))
    parts = [summary, *summary["cells"]]
    return {warning["code"] for part in parts for warning in part["warnings"]}


def _add(run: Path, **changes: Any) -> None:
    append_event(run, {**VERDICT, **changes})


@pytest.fixture(name="run")
def _run(tmp_path: Path) -> Path:
    """A run as older versions wrote it: without record counts in its verdict, and without a seal."""
    return write_run(tmp_path / "run", checks=VERDICT["checks"])


def test_an_undamaged_run_is_fine(tmp_path: Path, run: Path) -> None:
    """The exit code is 0 for a sealed run and for one of an older version."""
    assert (judge(whole_run(tmp_path / "whole")).code, judge(run).code) == (0, 0)


def test_damaged_in_40_ways(tmp_path: Path) -> None:
    """A changed run never exits 0. `python -m bench.fuzz_runs` tries 1,000 damages."""
    whole = whole_run(tmp_path / "whole")
    for seed in range(40):
        trial = try_damage(whole, tmp_path / "damaged", random.Random(seed))  # noqa: S311 - chosen damages
        assert trial.ended.code in ({2, 4} if trial.changed else {0}), (seed, trial)


def test_a_ledger_that_was_cut_at_a_record(run: Path) -> None:
    """The verdict contains the number of records and of acknowledged commits; both are counted again."""
    _add(run, records={"0": 200}, acknowledged={"committed": 150, "unknown": 0})
    path = run / "attempts-0.bin"
    path.write_bytes(path.read_bytes()[: 64 * 150])

    (cell,) = summarise(read_run(run))["cells"]
    (lost,) = [warning["message"] for warning in cell["warnings"] if warning["code"] == "records_lost"]
    assert "records of worker 0 were lost from" in lost
    assert "51 are missing" in lost
    assert cell["usable"] is False
    assert judge(run).code == 4


def test_records_that_acknowledge_something_else(run: Path) -> None:
    """The number of records is as in the verdict, but the number of commits is not."""
    _add(run, records={"0": 200}, acknowledged={"committed": 151, "unknown": 0})

    assert "records_lost" in _codes(run)


def test_records_that_were_known_to_be_lost(run: Path) -> None:
    """The run itself recorded that a worker was killed."""
    append_event(
        run, {"event": "lost", "worker": 1, "cell": 0, "reason": "killed", "from_ns": WALL_NS, "to_ns": None}
    )

    assert "records_lost" in _codes(run)


@pytest.mark.parametrize(
    "place",
    [
        pytest.param((59, 9), id="outcome that does not exist"),
        pytest.param((59, 1), id="commit that is a conflict without SQLSTATE"),
        pytest.param((61, 9), id="flag that does not exist"),
        pytest.param((61, 0), id="commit that is not final"),
        pytest.param((62, 5), id="kind that does not exist"),
        pytest.param((63, 5), id="region that does not exist"),
        pytest.param((23, 255), id="duration below 0"),
        pytest.param((15, 64), id="time in the next century"),
    ],
)
def test_an_impossible_record(run: Path, place: tuple[int, int]) -> None:
    """Its cell is not usable, even without a seal that would show the change."""
    path, (byte, value) = run / "attempts-0.bin", place
    content = bytearray(path.read_bytes())
    content[64 * 5 + byte] = value
    path.write_bytes(content)

    assert "records_impossible" in _codes(run)
    assert judge(run).code == 4


@pytest.mark.parametrize("valid", ["no", 0, 1, [], {}])
def test_a_verdict_that_is_neither_yes_nor_no(run: Path, valid: object) -> None:
    """`"valid": "no"` is not a boolean: the line is ignored, with a warning."""
    lines = (run / "events.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    events[-1]["checks"][0]["valid"] = valid
    (run / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))

    assert {"lines_unreadable", "check_undecided"} <= _codes(run)
    assert judge(run).code == 4


@pytest.mark.parametrize(
    "line", ["{", "[]", "NaN", '{"event": "window", "cell": 7, "begin_ns": 1, "end_ns": 2}']
)
def test_one_bad_line_costs_that_line(run: Path, line: str) -> None:
    """The cell keeps its figures and its verdict, but the run is not usable."""
    with (run / "events.jsonl").open("a") as file:
        file.write(line + "\n")
    summary = summarise(read_run(run))

    assert summary["cells"][0]["verdict"]["valid"] is True
    assert summary["usable"] is False
    assert judge(run).code == 4


def test_intervals_that_overlap(tmp_path: Path) -> None:
    """Cells are measured one after another, so two overlapping intervals cannot both be right."""
    run = write_run(tmp_path / "run", checks=VERDICT["checks"])
    meta = json.loads((run / "run.json").read_text())
    meta["cells"].append({**meta["cells"][0], "id": 1})
    (run / "run.json").write_text(json.dumps(meta))
    append_event(
        run, {"event": "window", "cell": 1, "begin_ns": WALL_NS + 10, "end_ns": WALL_NS + 2_000_000_000}
    )

    assert "windows_overlap" in _codes(run)


def test_a_run_without_its_end(run: Path) -> None:
    """A complete run ends with a seal. A run without one was killed, or its end was cut off."""
    _add(run, records={"0": 200}, acknowledged={"committed": 150, "unknown": 0})

    assert "not_sealed" in _codes(run)
    assert judge(run).code == 4
