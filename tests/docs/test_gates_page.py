"""docs/gates.md: its file of gates fits its sweep, and it names every limit and setting."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from hotrow.commands.sweep import sweep
from hotrow.run.gate_rules import refuse_idle
from hotrow.run.options import GATES, GATES_FILE, SKEW, USERS
from hotrow.run.plan import Settings, plan_cells
from scenarios.read_mostly import ReadMostly
from tests.support.commands import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PAGE = (ROOT / "docs" / "gates.md").read_text()


def block(language: str) -> str:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)[0]


def test_the_file_fits_the_sweep(tmp_path: Path) -> None:
    """Each of its tables matches a cell of the command below it."""
    file = tmp_path / "gates.toml"
    file.write_text(block("toml"))
    words = shlex.split(block("sh"))
    command = sweep.make_context("sweep", [str(file) if word == "gates.toml" else word for word in words[2:]])
    settings = Settings(
        skews=SKEW.read_in_sweep(command.params["skew"]),
        keys=100,
        levels=USERS.read(command.params["users"]),
        retry="none",
        knobs={},
        redraw=False,
        repeats=1,
        warmup_s=0.0,
        duration_s=1.0,
    )
    cells = [cell.as_json() for cell in plan_cells(settings, ReadMostly(), 1)]

    rules = GATES_FILE.read(str(file))

    assert len(rules) > 1
    refuse_idle("--gates", rules, cells, ReadMostly.kinds)


def test_every_limit_is_in_the_table() -> None:
    """A new gate needs a row."""
    rows = re.findall(r"^\| `(--[a-z0-9-]+)` \|", PAGE, re.MULTILINE)

    assert rows == [option.flag for option in GATES.values()]
