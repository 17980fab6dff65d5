"""The runs that this server has ended: their findings, and the files of theirs that the page may serve."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hotrow.load.current_run import EndedRun

MAX_RUNS = 20
"""How many runs are served, the last ones."""
_FIRST = ("report.html", "summary.json", "summary.md", "junit.xml")
"""The files that are named before the pictures."""
_SERVED = frozenset({".html", ".json", ".md", ".xml", ".png"})
"""The kinds of files that are served: no records, and no weights of a user's keys."""


def served_files(directory: Path) -> list[str]:
    """The names of a run's files that the page serves: the report first, pictures last."""
    names = {path.name for path in directory.iterdir() if path.suffix in _SERVED and path.is_file()}
    return [name for name in _FIRST if name in names] + sorted(
        name for name in names.difference(_FIRST) if name.endswith(".png")
    )


def find(runs: Sequence[EndedRun], name: str, file: str) -> Path | None:
    """The path of a file of one of the last runs; None if it may not be served."""
    for run in runs[-MAX_RUNS:]:
        if run.directory.name == name and file in served_files(run.directory):
            return run.directory / file
    return None


@lru_cache(maxsize=MAX_RUNS)
def described(run: EndedRun) -> dict[str, Any]:
    """The findings of a run and the names of its files; without findings if it has no summary."""
    from hotrow.finish import findings  # noqa: PLC0415 - a process without a page does without

    about = {"name": run.directory.name, "exit_code": run.exit_code, "files": served_files(run.directory)}
    try:
        summary = json.loads((run.directory / "summary.json").read_text("utf-8"))
        return {**about, **findings(summary, run.exit_code)}
    except (OSError, ValueError, KeyError):
        return {**about, "verdict": "the run has no summary", "headline": ""}
