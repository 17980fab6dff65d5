"""The end of a run: summary, pictures, page, gates and exit code."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Console

from analysis.gates import Gates, check_gates, exit_code, judged
from analysis.reading import read_run
from analysis.summarise import summarise, write_summary
from hotrow.errors import UsageError
from hotrow.exit_codes import FINE, GATE_FAILED, INVARIANT_VIOLATED, NOT_USABLE, worst
from hotrow.run.options import read_gates
from reports.output.bundle import write_reports
from reports.output.terminal import show
from reports.words.series import cell_name
from reports.words.side_by_side import merge
from reports.words.verdict_lines import violations

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_LINES_MOST = 20
"""About gates; a sweep has many cells."""
_MEANING = {
    FINE: "fine",
    GATE_FAILED: "a gate failed",
    INVARIANT_VIOLATED: "an invariant was violated: the data is wrong",
    NOT_USABLE: "the measurement is not usable",
}


def finish_run(directory: Path, gates: Gates) -> int:
    """Summarise a run, judge it, draw it, say what was found and return the exit code of design.md."""
    summary, code = _judged(summarise(read_run(directory)), gates)
    write_summary(directory, summary)
    show(_console(), summary, write_reports(directory, summary))
    for line in (*_judgement(summary["gates"]), *_warnings(summary)):
        print(f"hotrow: {line}", file=sys.stderr)
    return code


def report_run(directory: Path, given: Mapping[str, Any]) -> int:
    """`finish_run` with the gates that the run was made with; those `given` (texts) take their places.

    Raises:
        RunError: it is no run.
        UsageError: a gate cannot be.
    """
    return finish_run(directory, _gates(read_run(directory).meta, given))


def finish_side_by_side(
    directories: Sequence[Path], out: Path, given: Mapping[str, Any] | None = None
) -> int:
    """Draw several runs of one scenario on one page in `out`, say what was found, return the worst exit code.

    Each is judged by its own gates; those `given` take their places.

    Raises:
        RunError: one of them is no run.
        UsageError: they are not of one scenario, or one is given twice.
    """
    if len({directory.resolve() for directory in directories}) < len(directories):
        raise UsageError("a run is given twice; give each once")
    runs = [read_run(directory) for directory in directories]
    found = [_judged(summarise(run), _gates(run.meta, given or {})) for run in runs]
    summary = merge([summary for summary, _ in found])
    out.mkdir(parents=True, exist_ok=True)
    write_summary(out, summary)
    show(_console(), summary, write_reports(out, summary))
    for line in (*_judgement(summary["gates"]), *_warnings(summary)):
        print(f"hotrow: {line}", file=sys.stderr)
    return worst(code for _, code in found)


def check_run(directory: Path, given: Mapping[str, Any], *, as_json: bool) -> int:
    """Judge a run by its own gates, or those `given` in their places; return the exit code of design.md.

    Raises:
        RunError: it is no run.
        UsageError: a gate cannot be.
    """
    run = read_run(directory)
    summary, code = _judged(summarise(run), _gates(run.meta, given))
    if as_json:
        found = {"violations": _violations(summary), "warnings": _warnings(summary)}
        print(json.dumps({"exit_code": code, **summary["gates"], **found}, indent=2))
        return code
    lines = (
        *(f"violated: {line}" for line in violations(summary)),
        *_judgement(summary["gates"]),
        *(_warnings(summary) if code == NOT_USABLE else ()),
    )
    for line in lines:
        print(f"hotrow: {line}")
    print(_meaning(code, summary))
    return code


def _gates(meta: Mapping[str, Any], given: Mapping[str, Any]) -> Gates:
    """The gates in a run's own options, each replaced by what is given instead."""
    options = meta.get("options")
    own = options if isinstance(options, Mapping) else {}
    return Gates(**read_gates({**own, **{name: value for name, value in given.items() if value}}))


def _judged(summary: dict[str, Any], gates: Gates) -> tuple[dict[str, Any], int]:
    """The summary with `gates`, and the exit code."""
    breaches = check_gates(summary, gates)
    code = exit_code(summary, breaches, expect_violations=gates.expect_violations)
    return {**summary, "gates": judged(summary, gates, breaches)}, code


def _judgement(gates: Mapping[str, Any]) -> list[str]:
    """Gates that were not passed, then those that were met but say little: a line each, up to a number."""
    lines = [found["text"] for found in (*gates["breaches"], *gates["doubts"])]
    more = len(lines) - _LINES_MOST
    return [*lines[:_LINES_MOST], *([f"and {more} more gates; summary.json has all"] if more > 0 else [])]


def _violations(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every check that found wrong data, for a machine."""
    names = ("name", "count", "first", "worst", "last")
    return [
        {"cell": cell["id"], **{name: check.get(name) for name in names}}
        for cell in summary["cells"]
        for check in cell["verdict"]["checks"]
        if check["valid"] is False
    ]


def _meaning(code: int, summary: Mapping[str, Any]) -> str:
    """The exit code in words."""
    expected = code == FINE and summary["gates"]["limits"]["expect_violations"]
    return "fine: wrong data was found, as expected" if expected else _MEANING[code]


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


def _console() -> Console:
    """The user's console; if output goes to a file or a log, lines of 120."""
    console = Console()
    return console if console.is_terminal else Console(width=120)
