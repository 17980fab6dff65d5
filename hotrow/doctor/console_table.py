"""A diagnosis on the console: a table that fits 80 columns, and a line that says what it comes to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from hotrow.doctor.checks import UNREACHABLE, Status

if TYPE_CHECKING:
    from hotrow.doctor.checks import Diagnosis, Finding

WIDTH = 80
_STYLES = {Status.OK: "green", Status.WARN: "yellow", Status.FAIL: "bold red", Status.SKIPPED: "dim"}


def table(diagnosis: Diagnosis) -> Table:
    """One row a check: its name, how it ended, what was seen, and below that what to do."""
    shown = Table(title=Text(diagnosis.target, style="bold"), title_justify="left", box=box.SIMPLE_HEAD)
    shown.pad_edge = False
    shown.add_column("check", no_wrap=True)
    shown.add_column("", no_wrap=True)
    shown.add_column("seen", overflow="fold")
    for each in diagnosis.checks:
        status = Text(each.finding.status.value, style=_STYLES[each.finding.status])
        shown.add_row(Text(each.name), status, _seen(each.finding))
    return shown


def ending(diagnosis: Diagnosis) -> str:
    """Such as `11 ok, 1 warn, 2 skipped: ready for a run`."""
    counts = [f"{diagnosis.count(each)} {each.value}" for each in Status if diagnosis.count(each)]
    verdict = {0: "ready for a run", UNREACHABLE: "not reached"}.get(
        diagnosis.exit_code, "not ready for a run"
    )
    return f"{', '.join(counts)}: {verdict}"


def unreachable_line(diagnosis: Diagnosis) -> str:
    """The first failure with its cure, for standard error."""
    first = diagnosis.failed[0].finding
    return f"cannot reach {diagnosis.target}: {first.seen}; {first.advice}"


def _seen(finding: Finding) -> Text:
    seen = Text(finding.seen)
    if finding.advice and finding.status is not Status.SKIPPED:
        seen.append(f"\n→ {finding.advice}", style="yellow" if finding.status is Status.WARN else "bold")
    return seen
