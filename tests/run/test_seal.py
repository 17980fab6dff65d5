"""The seal of a run: it shows every change of its files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from hotrow.run.ledger import append_event, append_health, read_events
from hotrow.run.seal import broken_files, write_seal
from tests.support.damages import put_in_place

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any


FILES = ("attempts-0.bin", "events.jsonl", "health-0.jsonl", "run.json", "skew-01234567.csv")


@pytest.fixture(name="run")
def _run(tmp_path: Path) -> Path:
    (tmp_path / "run.json").write_text("{}")
    (tmp_path / "attempts-0.bin").write_bytes(bytes(200))
    (tmp_path / "skew-01234567.csv").write_text("0,1\n")
    (tmp_path / "report.html").write_text("drawn again at any time")
    append_event(tmp_path, {"event": "begin"})
    append_health(tmp_path, 0, {"cpu": 0.5})
    write_seal(tmp_path)
    return tmp_path


def _sealed(run: Path) -> dict[str, Any]:
    files: dict[str, Any] = read_events(run).objects[-1]["files"]
    return files


def test_a_run_is_as_it_was(run: Path) -> None:
    """The seal covers measurements and not reports; lines after it are no damage."""
    append_event(run, {"event": "later"})
    sealed = read_events(run).objects[1]["files"]

    assert list(sealed) == [
        "attempts-0.bin",
        "events.jsonl",
        "health-0.jsonl",
        "run.json",
        "skew-01234567.csv",
    ]
    assert broken_files(run, sealed) == []


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["bit", "cut", "longer", "gone", "pipe", "directory"])
def test_any_change_is_found(run: Path, name: str, damage: str) -> None:
    """One changed bit, one missing byte, a missing file, or something that is no regular file."""
    sealed, path = _sealed(run), run / name
    content = path.read_bytes()
    if damage == "bit":
        path.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    elif damage == "cut":
        path.write_bytes(content[: sealed[name]["bytes"] - 1])
    elif damage == "longer":
        path.write_bytes(b"x" + content)
    elif damage == "gone":
        path.unlink()
    else:
        put_in_place(path, damage)

    assert broken_files(run, sealed) == [name]


def test_a_name_in_a_seal_leads_nowhere_else(run: Path) -> None:
    """A manipulated seal cannot make hotrow read a file outside the run."""
    other = run.parent / "other.txt"
    other.write_text("x")
    entry = {"bytes": 1, "digest": json.dumps(None)}

    assert broken_files(run / ".", {"../other.txt": entry, str(other): entry}) == ["../other.txt", str(other)]
