"""Invariants and gates as a table: limit, measured value and verdict of each, over all cells. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from reports.words import wording as words
from reports.words.gate_lines import by_gate
from reports.words.series import cell_names

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from reports.words.wording import Cell

    Check = Mapping[str, Any]

Status = Literal["failed", "unknown", "doubtful", "passed"]
_WORST_FIRST: tuple[Status, ...] = ("failed", "unknown", "doubtful", "passed")
_STATUS: Mapping[str, Status] = MappingProxyType(
    {"failed": "failed", "not measured": "unknown", "doubtful": "doubtful", "met": "passed"}
)
_WRITERS: Mapping[str, Callable[[float | None], str]] = MappingProxyType(
    {
        "--max-conflict-rate": words.share,
        "--max-give-up-rate": words.share,
        "--max-error-rate": words.share,
        "--max-p99-ms": words.milliseconds,
        "--min-goodput": words.per_second,
    }
)
_FIRST: Mapping[Status, str] = MappingProxyType({"failed": "worst", "doubtful": "one", "passed": "nearest"})
"""What the cell is that a row names."""
_FLOOR = "--min-"
"""Gates whose names begin so have a lower limit."""


@dataclass(frozen=True, slots=True)
class VerdictRow:
    """One invariant, or one gate with one limit, over all cells, as words."""

    status: Status
    """`unknown`: a check that could not decide, or a gate that had nothing to measure."""
    verdict: str
    name: str
    limit: str
    measured: str
    """The worst value of all cells."""
    where: str
    """The cell with the worst value, and in how many cells the verdict holds."""


def verdict_rows(summary: Mapping[str, Any]) -> tuple[VerdictRow, ...]:
    """Every invariant, then every gate; the worst verdicts first. Older summaries have no gates."""
    cells = summary["cells"]
    invariants = _grouped(((check["name"],), cell, check) for cell in cells for check in _checks(cell))
    name_of = cell_names(cells)
    names = {cell["id"]: name_of(cell) for cell in cells}
    gates = by_gate((summary.get("gates") or {}).get("checks", ()))
    rows = [
        *(_invariant(name, found, names) for (name,), found in invariants.items()),
        *(_gate(*gate, checks, names) for gate, checks in gates.items()),
    ]
    return tuple(sorted(rows, key=lambda row: _WORST_FIRST.index(row.status)))


def _checks(cell: Cell) -> Sequence[Check]:
    checks: Sequence[Check] = cell["verdict"]["checks"]
    return checks


def _grouped(entries: Any) -> dict[tuple[Any, ...], list[tuple[Cell, Check]]]:
    groups: dict[tuple[Any, ...], list[tuple[Cell, Check]]] = {}
    for key, cell, check in entries:
        groups.setdefault(key, []).append((cell, check))
    return groups


def _invariant(name: str, found: Sequence[tuple[Cell, Check]], names: Mapping[int, str]) -> VerdictRow:
    wrong = [cell["id"] for cell, check in found if check["valid"] is False]
    open_ = [cell["id"] for cell, check in found if check["valid"] is None]
    total = sum(check["count"] for _, check in found if check["valid"] is False)
    status: Status = "failed" if wrong else "unknown" if open_ else "passed"
    verdict = {"failed": "violated", "unknown": "undecided", "passed": "held"}[status]
    held = words.counted(total, "violation") if not open_ or wrong else words.ABSENT
    ids = wrong or open_ or [cell["id"] for cell, _ in found]
    return VerdictRow(
        status,
        verdict,
        name,
        "0 violations",
        held,
        _where(ids, len(found), names, "unknown" if status == "passed" else status),
    )


def _gate(gate: str, limit: float | None, checks: Sequence[Check], names: Mapping[int, str]) -> VerdictRow:
    status = min((_STATUS[check["verdict"]] for check in checks), key=_WORST_FIRST.index)
    same = [check for check in checks if _STATUS[check["verdict"]] == status]
    worst = _worst(gate, same)
    verdict = "met, but" if status == "doubtful" else str(worst["verdict"])
    write = _WRITERS.get(_option(gate), words.number)
    ordered = [worst, *(check for check in same if check is not worst)]
    ids = [check["cell"] for check in ordered if check["cell"] is not None]
    return VerdictRow(
        status,
        verdict,
        gate,
        write(limit),
        write(worst["measured"]),
        _where(ids, len(checks), names, status) if ids else str(worst["text"]),
    )


def _option(gate: str) -> str:
    """The option of a gate; one of a file, such as `gate 2: max_p99_ms`, has its limit at its end."""
    return "--" + gate.rpartition(": ")[2].removeprefix("--").replace("_", "-")


def _worst(gate: str, checks: Sequence[Check]) -> Check:
    """The check farthest on the wrong side, or nearest to it. Checks without a value come last."""
    sign = -1.0 if _option(gate).startswith(_FLOOR) else 1.0
    return max(
        checks,
        key=lambda check: float("-inf") if check["measured"] is None else sign * float(check["measured"]),
    )


def _where(ids: Sequence[int], total: int, names: Mapping[int, str], status: Status) -> str:
    """In how many cells this verdict holds, and the first of them: `3 of 24 cells; worst: hot, 8 users`."""
    first = names.get(ids[0], words.ABSENT)
    if total == 1:
        return first
    count = f"all {words.counted(total, 'cell')}" if len(ids) == total else f"{len(ids)} of {total:,} cells"
    return f"{count}; {_FIRST[status]}: {first}" if status in _FIRST else count
