"""Compares the result of a case with the expected one and with the database."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.chaos.case import ABSENT
from tests.chaos.witness import CONSERVES, COUNTS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.chaos.case import Case
    from tests.chaos.trial import Trial
    from tests.chaos.truth import Process

BUSY = frozenset({"client_saturated", "client_stalled"})
"""Warnings that mean that the machine was too busy, unless the fault was to stop the client."""
_SPOILERS = frozenset(
    {"too_few_samples", "no_conflict_where_certain", "records_lost"}
    | {"interrupted", "cells_missing", "check_undecided"}
)
"""All other warnings that lead to exit code 4; see docs/exit-codes.md."""
GOODPUT_OFF_MAX = 0.25
"""The largest relative difference, because the measured interval is shorter than the whole load."""


@dataclass(slots=True)
class Result:
    """The result of a case: one line of the table."""

    case: str
    expected: str
    code: str = ""
    verdict: str = ""
    lost: str = ""
    took_s: float = 0.0
    wrong: list[str] = field(default_factory=list)
    note: str = ""


def judge(
    case: Case,
    trial: Trial,
    *,
    code: int | None,
    output: str,
    truth: Mapping[int, Process] | None,
    fault_s: float,
) -> Result:
    """Compare a trial with its case. `output` is the output of the run and its report."""
    summary = read_summary(trial.directory)
    result = Result(
        case.name, "/".join(map(str, sorted(case.codes))), code="hangs" if code is None else str(code)
    )
    result.took_s = trial.moments["end"] - fault_s
    _judge_code(case, code, output, result)
    if "Traceback" in output:
        result.wrong.append("a traceback")
    if case.says and not re.search(case.says, output + json.dumps(summary)):
        result.wrong.append(f"does not say {case.says!r}")
    lines = re.findall("^hotrow: .*", output, re.MULTILINE)
    if case.one_line and len(lines) != 1:
        result.wrong.append(f"{len(lines)} lines: {' // '.join(lines)}")
    if result.took_s > case.within_s:
        result.wrong.append(f"ended after {result.took_s:.1f} s, not {case.within_s:.0f} s")
    counting, conserving = (verdict_of(summary, check) for check in (COUNTS, CONSERVES))
    result.verdict = f"{_shown(counting)} {_shown(conserving)}"
    for value, allowed, what in (
        (counting, case.counting, "counting"),
        (conserving, case.conserving, "other"),
    ):
        if value not in allowed:
            result.wrong.append(f"the {what} check says {_shown(value)}")
    if truth is not None:
        _judge_records(case, truth, counting, result)
        if case.same_goodput:
            _judge_goodput(summary, truth, result)
    return result


def _judge_code(case: Case, code: int | None, output: str, result: Result) -> None:
    if code in case.codes:
        return
    warned = set(re.findall(r"^hotrow: ([a-z_]+): ", output, re.MULTILINE))
    if code == 4 and 0 in case.codes and warned & BUSY and not warned & _SPOILERS:
        result.note = "busy machine"
        return
    result.wrong.append("hangs" if code is None else f"exit code {code}")


def _judge_records(case: Case, truth: Mapping[int, Process], counting: object, result: Result) -> None:
    lost = sum(process.lost for process in truth.values())
    lost_s = max((process.lost_s for process in truth.values()), default=0.0)
    rows = sum(len(process.committed_s) for process in truth.values())
    result.lost = f"{lost} of {rows}" + (f", {lost_s:.2f} s" if lost else "")
    if lost and (lost_s > case.loses_s or not case.loses_s):
        result.wrong.append(f"{lost} records of {lost_s:.2f} s are lost")
    if lost and counting is True:
        result.wrong.append("valid although records are lost")
    if any(process.invented for process in truth.values()):
        result.wrong.append("acknowledged what the database does not have")
    if not rows and not case.immediately:
        result.wrong.append("nothing was committed")


def _judge_goodput(summary: Mapping[str, Any], truth: Mapping[int, Process], result: Result) -> None:
    """Compare goodput in the measured interval with the rate of witnesses over the whole load."""
    moments = [moment for process in truth.values() for moment in process.committed_s]
    rate = len(moments) / (max(moments) - min(moments))
    for cell in summary.get("cells", ()):
        goodput = (
            cell["goodput_per_s"]["value"]
            if isinstance(cell["goodput_per_s"], dict)
            else cell["goodput_per_s"]
        )
        if not goodput or abs(goodput / rate - 1) > GOODPUT_OFF_MAX:
            result.wrong.append(f"goodput {goodput}/s, by the witnesses {rate:.0f}/s")


def read_summary(directory: Path | None) -> dict[str, Any]:
    """The content of summary.json; empty if there is none."""
    path = None if directory is None else directory / "summary.json"
    summary: dict[str, Any] = json.loads(path.read_text()) if path is not None and path.exists() else {}
    return summary


def verdict_of(summary: Mapping[str, Any], check: str) -> object:
    """The verdict of a check in the run's only cell: True, False, None (undecided) or ABSENT (no cell)."""
    for cell in summary.get("cells", ()):
        for verdict in cell["verdict"]["checks"]:
            if verdict["name"] == check:
                return verdict["valid"]
        return cell["verdict"]["valid"]
    return ABSENT


def _shown(value: object) -> str:
    return {True: "valid", False: "INVALID", None: "undecided"}.get(value, "none")  # type: ignore[call-overload, no-any-return]
