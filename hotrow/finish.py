"""The end of a run: summary, pictures, page, gates and exit code."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from rich.console import Console

from analysis.gates import Gates, check_gates, exit_code
from analysis.load import read_run
from analysis.summarise import summarise, write_summary
from reports.report import write_reports
from reports.terminal import show

if TYPE_CHECKING:
    from pathlib import Path

    from hotrow.errors import HotrowError

_MEANING = {
    0: "fine",
    1: "a gate failed",
    3: "an invariant was violated: the data is wrong",
    4: "the measurement is not usable",
}


def finish_run(directory: Path, gates: Gates) -> int:
    """Summarise a run, draw it, say what was found and return the exit code of design.md."""
    summary = summarise(read_run(directory))
    write_summary(directory, summary)
    report = write_reports(directory, summary)
    breaches = check_gates(summary, gates)
    show(_console(), summary, report)
    for breach in breaches:
        print(f"hotrow: {breach}", file=sys.stderr)
    return exit_code(summary, breaches)


def check_run(directory: Path, limits: dict[str, float | None], *, as_json: bool) -> int:
    """Judge a summarised run against limits; return the exit code of design.md."""
    summary = summarise(read_run(directory))
    breaches = check_gates(summary, Gates(**limits))
    code = exit_code(summary, breaches)
    if as_json:
        print(
            json.dumps({"exit_code": code, "breaches": [breach.as_json() for breach in breaches]}, indent=2)
        )
    else:
        for breach in breaches:
            print(f"hotrow: {breach}")
        print(_MEANING[code])
    return code


def _console() -> Console:
    """The user's console; where output goes to a file or a log, lines of 120."""
    console = Console()
    return console if console.is_terminal else Console(width=120)


def report_error(error: HotrowError) -> None:
    """The one line that a refusal gets."""
    print(f"hotrow: {error}", file=sys.stderr)
