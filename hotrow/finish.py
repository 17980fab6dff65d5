"""The end of a run: summary, pictures, page, gates and exit code."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from analysis.gates import Gates, check_gates, exit_code, judged
from analysis.reading import read_run
from analysis.summarise import summarise, write_summary
from hotrow.errors import UsageError
from hotrow.exit_codes import FINE, GATE_FAILED, INVARIANT_VIOLATED, NOT_USABLE, worst
from hotrow.run.gate_rules import refuse_idle
from hotrow.run.options import GATES_FILE, read_gates
from reports.output.github import workflow_commands
from reports.output.junit import junit
from reports.output.markdown import markdown
from reports.output.terminal import show
from reports.words.gate_lines import gate_lines
from reports.words.sentences import further_sentences, headline
from reports.words.series import cell_names
from reports.words.side_by_side import merge
from reports.words.verdict_lines import violations

if TYPE_CHECKING:
    from collections.abc import Sequence

_STYLES = {"met": "green", "doubtful": "yellow", "failed": "bold red", "not measured": "bold red"}
_MEANING = {
    FINE: "fine",
    GATE_FAILED: "a gate failed",
    INVARIANT_VIOLATED: "an invariant was violated: the data is wrong",
    NOT_USABLE: "the measurement is not usable",
}


@dataclass(frozen=True, slots=True)
class Telling:
    """Where a run's findings go, besides its files."""

    github: bool = False
    """Also as annotations, and in the summary of the job, of GitHub Actions."""
    stdout_is_data: bool = False
    """Standard output belongs to a program that reads it, so that all text goes to standard error."""


def finish_run(
    directory: Path, gates: Gates, telling: Telling | None = None, *, no_report: bool = False
) -> int:
    """Summarise, judge and draw a run, print the findings, and return its exit code (docs/exit-codes.md)."""
    summary, code = _judged(summarise(read_run(directory)), gates)
    _publish(directory, summary, telling, no_report=no_report)
    return code


def report_run(directory: Path, limits: Mapping[str, Any], telling: Telling | None = None) -> int:
    """`finish_run` with the gates that the run was made with; `limits` (texts by option) replace them.

    Raises:
        RunError: the directory is not a run.
        UsageError: a gate has a limit that it does not take.
    """
    run = read_run(directory)
    summary, code = _judged(summarise(run), _gates(run.meta, limits))
    _publish(directory, summary, telling)
    return code


def finish_side_by_side(
    directories: Sequence[Path],
    out: Path,
    limits: Mapping[str, Any] | None = None,
    telling: Telling | None = None,
) -> int:
    """Draw several runs of one scenario on one page in `out`, print the findings, return the worst exit code.

    Each run is judged by its own gates; `limits` (texts by option) replace them.

    Raises:
        RunError: one of the directories is not a run.
        UsageError: the runs are of several scenarios, or one is given twice.
    """
    if len({directory.resolve() for directory in directories}) < len(directories):
        raise UsageError("a run is given twice; give each once")
    runs = [read_run(directory) for directory in directories]
    judgements = [_judged(summarise(run), _gates(run.meta, limits or {})) for run in runs]
    summary = merge([summary for summary, _ in judgements])
    out.mkdir(parents=True, exist_ok=True)
    _publish(out, summary, telling)
    return worst(code for _, code in judgements)


def check_run(
    directory: Path, limits: Mapping[str, Any], *, as_json: bool, telling: Telling | None = None
) -> int:
    """Judge a run by its own gates, and return its exit code (docs/exit-codes.md).

    `limits` (texts by option) replace the run's own limits.

    Raises:
        RunError: the directory is not a run.
        UsageError: a gate has a limit that it does not take.
    """
    run = read_run(directory)
    summary, code = _judged(summarise(run), _gates(run.meta, limits))
    if telling is not None and telling.github:
        _tell_github(summary)
    if as_json:
        findings = {"violations": _violations(summary), "warnings": _warnings(summary)}
        print(json.dumps({"exit_code": code, **summary["gates"], **findings}, indent=2))
        return code
    lines = [Text(f"hotrow: violated: {line}", style="bold red") for line in violations(summary)]
    lines += _judgement(summary["gates"])
    lines += [Text(f"hotrow: {line}") for line in (_warnings(summary) if code == NOT_USABLE else ())]
    _print(Console(), [*lines, Text(_meaning(code, summary))])
    return code


def findings(summary: Mapping[str, Any], code: int) -> dict[str, Any]:
    """What a finished run found, in lines for another page; `code` is its exit code."""
    return {
        "exit_code": code,
        "verdict": _meaning(code, summary),
        "headline": headline(summary),
        "sentences": list(further_sentences(summary)),
        "violations": list(violations(summary)),
        "gates": [{"verdict": line.verdict, "text": line.text} for line in gate_lines(summary["gates"])],
        "warnings": _warnings(summary),
    }


def _publish(
    directory: Path, summary: dict[str, Any], telling: Telling | None, *, no_report: bool = False
) -> None:
    """Write the files of a judged summary, and print its findings."""
    write_summary(directory, summary)
    page = directory / "summary.json" if no_report else _draw(directory, summary)
    _write_verdicts(directory, summary)
    _tell(summary, page, telling or Telling())


def _tell(summary: Mapping[str, Any], page: Path, telling: Telling) -> None:
    """Print the findings: the table on standard output, gates and warnings on standard error."""
    show(_console(telling), summary, page)
    warnings = [Text(f"hotrow: {line}") for line in _warnings(summary)]
    _print(Console(stderr=True), [*_judgement(summary["gates"]), *warnings])
    if telling.github:
        _tell_github(summary, page.parent)


def _print(console: Console, lines: Sequence[Text]) -> None:
    for line in lines:
        console.print(line, soft_wrap=True)


def _tell_github(summary: Mapping[str, Any], directory: Path | None = None) -> None:
    """Print annotations, and append the findings to the summary of the job, if GitHub has named its file.

    Annotations go to standard error, which GitHub reads too, because standard output may be JSON.
    """
    for line in workflow_commands(summary):
        print(line, file=sys.stderr)
    file = os.environ.get("GITHUB_STEP_SUMMARY")
    if not file:
        return
    try:
        with Path(file).open("a", encoding="utf-8") as job_summary:
            job_summary.write(markdown(summary, _pictures(directory)) + "\n")
    except OSError as error:
        print(f"hotrow: GITHUB_STEP_SUMMARY: cannot be written ({error.strerror})", file=sys.stderr)


def _draw(directory: Path, summary: Mapping[str, Any]) -> Path:
    """Write the pictures and the page; the path of the page."""
    from reports.output.bundle import write_reports  # noqa: PLC0415 - a second, which a summary alone need not take

    return write_reports(directory, summary)


def _write_verdicts(directory: Path, summary: Mapping[str, Any]) -> None:
    """Write junit.xml and summary.md, for CI systems and for a pull request."""
    (directory / "junit.xml").write_text(junit(summary), encoding="utf-8")
    (directory / "summary.md").write_text(markdown(summary, _pictures(directory)), encoding="utf-8")


def _pictures(directory: Path | None) -> list[str]:
    """The names of the pictures in a run's directory."""
    return [] if directory is None else sorted(path.name for path in directory.glob("*.png"))


def _gates(meta: Mapping[str, Any], limits: Mapping[str, Any]) -> Gates:
    """The gates in a run's own options; `limits` replace them.

    Raises:
        UsageError: a limit is not valid, or a new rule matches no cell of the run.
    """
    options = meta.get("options")
    texts = options if isinstance(options, Mapping) else {}
    given = {name: value for name, value in limits.items() if value}
    gates = Gates(**read_gates({**texts, **given}, meta.get("gates")))
    if GATES_FILE.name in given:
        refuse_idle(GATES_FILE.flag, gates.rules, meta["cells"], meta.get("kinds") or ())
    return gates


def _judged(summary: dict[str, Any], gates: Gates) -> tuple[dict[str, Any], int]:
    """The summary with `gates`, and the exit code."""
    checks = check_gates(summary, gates)
    code = exit_code(summary, checks, expect_violations=gates.expect_violations)
    return {**summary, "gates": judged(gates, checks)}, code


def _judgement(gates: Mapping[str, Any]) -> list[Text]:
    """The lines about gates; on a terminal, those that failed are red."""
    return [Text(f"hotrow: {line.text}", style=_STYLES[line.verdict]) for line in gate_lines(gates)]


def _violations(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every check that found wrong data, as JSON values."""
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
    return "fine: wrong data was found, as expected" if expected else _MEANING.get(code, "an error")


def _warnings(summary: Mapping[str, Any]) -> list[str]:
    """One line per kind of warning: the first cell that has it, and how many more cells have it."""
    messages: dict[str, list[str]] = {}
    name_of = cell_names(summary["cells"])
    for cell in summary["cells"]:
        name = name_of(cell)
        for warning in cell["warnings"]:
            messages.setdefault(warning["code"], []).append(f"{name}: {warning['message']}")
    for warning in summary["warnings"]:
        messages.setdefault(warning["code"], []).append(warning["message"])
    return [
        f"{code}: {lines[0]}" + (f" (and {len(lines) - 1} more)" if len(lines) > 1 else "")
        for code, lines in messages.items()
    ]


def _console(telling: Telling) -> Console:
    """The user's console; lines of 120 characters if the output goes to a file."""
    console = Console(stderr=telling.stdout_is_data)
    return console if console.is_terminal else Console(width=120, stderr=telling.stdout_is_data)
