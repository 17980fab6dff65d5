"""Cells added during a run, on the web page: an event has them, because run.json is never rewritten."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from analysis.reading import read_run
from analysis.summarise import summarise
from hotrow.run.ledger import append_event
from tests.support.measured import WALL_NS
from tests.support.run_files import MS, write_run

if TYPE_CHECKING:
    from pathlib import Path


def add(run: Path, **changes: Any) -> None:
    """Add a cell like the first one, with its interval and its verdict."""
    first = json.loads((run / "run.json").read_text())["cells"][0]
    cell = {**first, "id": 1, "users": 9, **changes}
    append_event(run, {"event": "added", "added": cell})
    begin_ns = WALL_NS + 2000 * MS
    append_event(run, {"event": "window", "cell": 1, "begin_ns": begin_ns, "end_ns": begin_ns + 1000 * MS})
    append_event(run, {"event": "verdict", "cell": 1, "checks": []})


def test_both_cells_are_in_the_summary(tmp_path: Path) -> None:
    """The first one keeps its attempts."""
    run = write_run(tmp_path / "run")
    add(run)

    summary = summarise(read_run(run))

    assert [(cell["id"], cell["users"]) for cell in summary["cells"]] == [(0, 1), (1, 9)]
    assert summary["cells"][0]["attempts"]["total"] == 200


@pytest.mark.parametrize("changes", [{"id": 0}, {"id": 7}, {"users": 0}, {"skew": "?"}])
def test_a_cell_that_cannot_be_one_is_left_out(tmp_path: Path, changes: dict[str, Any]) -> None:
    """Its number must be the next one, and its fields must be those of a cell."""
    run = write_run(tmp_path / "run")
    add(run, **changes)

    assert [cell["id"] for cell in read_run(run).cells] == [0]
