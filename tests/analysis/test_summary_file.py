"""From a run directory to summary.json: reading, refusing and writing."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from analysis.reading import read_run
from analysis.summarise import summarise, write_summary
from hotrow.attempt.record import Outcome
from hotrow.errors import RunError
from hotrow.run.ledger import append_event, append_health
from tests.support.measured import WALL_NS, run_json
from tests.support.run_files import MS, write_attempts

if TYPE_CHECKING:
    from pathlib import Path


CONFLICT = Outcome.CONFLICT


def _write_run(directory: Path, *, closed: bool = True) -> None:
    """A run directory with one committed and one conflicting attempt."""
    (directory / "run.json").write_text(json.dumps(run_json()))
    write_attempts(directory, [(MS, Outcome.COMMITTED, ""), (2 * MS, CONFLICT, "40001")])
    append_event(directory, {"event": "begin", "cell": 0, "begin_ns": WALL_NS})
    if closed:
        append_event(
            directory, {"event": "window", "cell": 0, "begin_ns": WALL_NS, "end_ns": WALL_NS + 10**9}
        )
        append_event(directory, {"event": "verdict", "cell": 0, "checks": []})
    append_health(directory, 0, {"wall_ns": WALL_NS + 1, "cell": 0, "lag_ms": 1.0, "cpu": 0.5})


def test_a_run_directory_becomes_a_summary_file(tmp_path: Path) -> None:
    """The values survive writing and reading, without NaN."""
    _write_run(tmp_path)
    summary = summarise(read_run(tmp_path))
    path = write_summary(tmp_path, summary)

    assert json.loads(path.read_text()) == summary
    assert summary["cells"][0]["attempts"]["total"] == 2
    client = summary["cells"][0]["client"]
    assert (client["cpu"], client["lag_ms_p99"], client["machine_cpu"]) == (0.5, 1.0, None)
    assert summary["cells"][0]["seconds"] == 1.0
    assert "cells" not in summary["run"]


def test_a_finding_of_the_rehearsal_is_a_warning_of_the_run(tmp_path: Path) -> None:
    """The finding in events.jsonl comes before the summary's own warnings."""
    _write_run(tmp_path)
    finding = {"code": "keys_differ", "message": "run() wrote what draw() did not", "advice": "Say it."}
    append_event(tmp_path, {"event": "rehearsal", "findings": [finding]})
    run = replace(read_run(tmp_path), torn_bytes=1)

    assert [warning["code"] for warning in summarise(run)["warnings"]] == ["keys_differ", "torn_tail"]
    assert summarise(run)["warnings"][0] == finding


def test_an_interval_that_never_closed_ends_with_its_last_attempt(tmp_path: Path) -> None:
    """A run that was killed keeps its measurements and is marked as interrupted."""
    _write_run(tmp_path, closed=False)
    (summarised,) = summarise(read_run(tmp_path))["cells"]

    assert summarised["attempts"]["total"] == 2
    assert summarised["seconds"] == pytest.approx(0.002)
    assert {"interrupted", "check_undecided"} <= {warning["code"] for warning in summarised["warnings"]}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "cannot be read"),
        ("{", "is not JSON"),
        ('{"format": 1}', "does not describe a run"),
        ('{"format": 2, "cells": [], "target": {}}', "format 2"),
    ],
)
def test_a_foreign_directory_is_refused_in_one_line(tmp_path: Path, text: str | None, says: str) -> None:
    """A missing, broken, foreign or newer run.json is a RunError with the name of the file."""
    if text is not None:
        (tmp_path / "run.json").write_text(text)
    with pytest.raises(RunError, match=says) as caught:
        read_run(tmp_path)

    assert "run.json" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_summary_with_nan_is_refused(tmp_path: Path) -> None:
    """JSON has no NaN; an earlier file stays."""
    (tmp_path / "summary.json").write_text("before")

    with pytest.raises(ValueError, match="JSON"):
        write_summary(tmp_path, {"cells": [np.nan]})
    assert (tmp_path / "summary.json").read_text() == "before"
