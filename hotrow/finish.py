"""The end of a run: summary, pictures, page, gates and exit code."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from rich.console import Console

from analysis.gates import NOT_USABLE, Gates, check_gates, exit_code
from analysis.load import read_run
from analysis.summarise import summarise, write_summary
from hotrow.errors import UsageError
from reports.report import write_reports
from reports.series import cell_name
from reports.targets import merge
from reports.terminal import show

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
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
    for line in (*map(str, breaches), *_warnings(summary)):
        print(f"hotrow: {line}", file=sys.stderr)
    return exit_code(summary, breaches, expect_violations=gates.expect_violations)


def finish_side_by_side(directories: Sequence[Path], out: Path) -> None:
    """Draw several runs of one scenario on one page in `out`, and say what was found.

    Raises:
        RunError: one of them is no run.
        UsageError: they are not of one scenario, or one is given twice.
    """
    if len({directory.resolve() for directory in directories}) < len(directories):
        raise UsageError("a run is given twice; give each once")
    summary = merge([summarise(read_run(directory)) for directory in directories])
    out.mkdir(parents=True, exist_ok=True)
    write_summary(out, summary)
    show(_console(), summary, write_reports(out, summary))


def _warnings(summary: Mapping[str, Any]) -> list[str]:
    """Each kind of warning once, with the first cell that has it and how many others do."""
    found: dict[str, list[str]] = {}
    for cell in summary["cells"]:
        where = cell_name(cell, summary["cells"])
        for warning in cell["warnings"]:
            found.setdefault(warning["code"], []).append(f"{where}: {warning['message']}")
    for warning in summary["warnings"]:
        found.setdefault(warning["code"], []).append(warning["message"])
    return [
        f"{code}: {lines[0]}" + (f" (and {len(lines) - 1} more)" if len(lines) > 1 else "")
        for code, lines in found.items()
    ]


def check_run(directory: Path, gates: Gates, *, as_json: bool) -> int:
    """Judge a summarised run against limits; return the exit code of design.md."""
    summary = summarise(read_run(directory))
    breaches = check_gates(summary, gates)
    code = exit_code(summary, breaches, expect_violations=gates.expect_violations)
    if as_json:
        print(
            json.dumps({"exit_code": code, "breaches": [breach.as_json() for breach in breaches]}, indent=2)
        )
    else:
        for line in (*map(str, breaches), *(_warnings(summary) if code == NOT_USABLE else ())):
            print(f"hotrow: {line}")
        print(_MEANING[code])
    return code


def _console() -> Console:
    """The user's console; where output goes to a file or a log, lines of 120."""
    console = Console()
    return console if console.is_terminal else Console(width=120)


def report_error(error: HotrowError) -> None:
    """The one line that a refusal gets."""
    print(f"hotrow: {error}", file=sys.stderr)
