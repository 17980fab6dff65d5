"""A diagnosis on the console: a table that fits 80 columns, and a summary line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from hotrow.doctor.checks import UNREACHABLE, Status

if TYPE_CHECKING:
    from hotrow.doctor.checks import CheckResult, Diagnosis

WIDTH = 80
_STYLES = {Status.OK: "green", Status.WARN: "yellow", Status.FAIL: "bold red", Status.SKIPPED: "dim"}


def table(diagnosis: Diagnosis) -> Table:
    """One row per check: name, status, and the message with the advice below it."""
    checks = Table(title=Text(diagnosis.target, style="bold"), title_justify="left", box=box.SIMPLE_HEAD)
    checks.pad_edge = False
    checks.add_column("check", no_wrap=True)
    checks.add_column("status", no_wrap=True)
    checks.add_column("result", overflow="fold")
    for result in diagnosis.results:
        status = Text(result.status.value, style=_STYLES[result.status])
        checks.add_row(Text(result.name), status, _message(result))
    return checks


def summary(diagnosis: Diagnosis) -> str:
    """The number of checks per status and the verdict: `11 ok, 1 warn, 2 skipped: ready for a run`."""
    counts = [f"{diagnosis.count(status)} {status.value}" for status in Status if diagnosis.count(status)]
    verdict = {0: "ready for a run", UNREACHABLE: "not reached"}.get(
        diagnosis.exit_code, "not ready for a run"
    )
    return f"{', '.join(counts)}: {verdict}"


def unreachable_line(diagnosis: Diagnosis) -> str:
    """The first failure and its advice on one line, for standard error."""
    finding = diagnosis.failures[0].finding
    return f"cannot reach {diagnosis.target}: {finding.message}; {finding.advice}"


def _message(result: CheckResult) -> Text:
    message, advice = Text(result.finding.message), result.finding.advice
    if advice and result.status is not Status.SKIPPED:
        message.append(f"\n→ {advice}", style="yellow" if result.status is Status.WARN else "bold")
    return message
