"""What a run was judged by, as test cases: each gate, each invariant and each cell's measurement. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from reports.words import wording as words
from reports.words.series import cell_names
from reports.words.verdict_lines import check_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from reports.words.wording import Cell

Status = Literal["passed", "failed", "error", "skipped"]

_GATE_STATUS: Mapping[str, Status] = {
    "met": "passed",
    "failed": "failed",
    "doubtful": "passed",
    "not measured": "error",
}


@dataclass(frozen=True, slots=True)
class Case:
    """One test of a run."""

    group: Literal["gates", "invariants", "measurements"]
    name: str
    """One line with everything that a reader needs: GitLab shows nothing else."""
    status: Status
    """`error`: the measurement is not usable. `skipped`: nobody knows, as of an undecided check."""
    text: str = ""
    """More about a case that did not pass; empty if the name says it all."""


def cases(summary: Mapping[str, Any]) -> tuple[Case, ...]:
    """Every gate, invariant and measurement of a summary (format 1), in this order."""
    summary = words.redact(summary)
    cells, name_of = summary["cells"], cell_names(summary["cells"])
    return (
        *map(_gate, (summary.get("gates") or {}).get("checks", ())),
        *(case for cell in cells for case in _invariants(cell, name_of(cell))),
        *_measurements(summary, name_of),
    )


def _gate(check: Mapping[str, Any]) -> Case:
    return Case("gates", str(check["text"]), _GATE_STATUS[check["verdict"]], str(check["text"]))


def _invariants(cell: Cell, where: str) -> Iterator[Case]:
    for check in cell["verdict"]["checks"]:
        text = check_text(check)
        match check["valid"]:
            case True:
                yield Case("invariants", f"{check['name']} holds in {where}", "passed")
            case False:
                yield Case("invariants", f"{check['name']} is violated in {where}: {text}", "failed", text)
            case _:
                yield Case("invariants", f"{check['name']} is undecided in {where}", "skipped", text)
    if not cell["verdict"]["checks"]:
        yield Case("invariants", f"no invariant was checked in {where}", "skipped")


def _measurements(summary: Mapping[str, Any], name_of: Callable[[Cell], str]) -> Iterator[Case]:
    """Whether each cell is usable, and whether all that was planned was measured."""
    cells = summary["cells"]
    for cell in cells:
        where = name_of(cell)
        warnings = [f"{warning['code']}: {warning['message']}" for warning in cell["warnings"]]
        if cell["usable"]:
            yield Case("measurements", f"the measurement is usable: {where}", "passed")
        else:
            reason = "; ".join(warnings) or "no reason is known"
            yield Case("measurements", f"the measurement is not usable: {where}", "error", reason)
    usable = summary.get("usable", True) and cells
    for warning in summary["warnings"]:
        text = f"{warning['message']}. {warning['advice']}"
        if not usable or warning["code"] == "cells_missing":
            yield Case("measurements", f"{warning['code']}: {warning['message']}", "error", text)
    if not cells:
        yield Case("measurements", "no cell was measured", "error")
