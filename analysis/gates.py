"""Gates: limits that a run is judged by, and the exit code that says how it went."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

FINE = 0
GATE_FAILED = 1
INVARIANT_VIOLATED = 3
NOT_USABLE = 4


@dataclass(frozen=True, slots=True)
class Gates:
    """The limits; None is no limit. A measurement on its limit passes."""

    max_conflict_rate: float | None = None
    """Conflicts / attempts."""
    max_give_up_rate: float | None = None
    """Transactions given up / finished."""
    max_p99_ms: float | None = None
    """p99 latency of committed transactions."""
    min_goodput_per_s: float | None = None
    """Committed transactions a second."""


@dataclass(frozen=True, slots=True)
class Breach:
    """One gate that one cell did not pass; its text is one line for a person."""

    gate: str
    """As the option is written: `--max-conflict-rate`."""
    cell: int
    limit: float
    measured: float | None
    """None where the cell has no such value: that is not a pass, but a measurement that is not usable."""
    where: str
    """The cell in words."""

    def __str__(self) -> str:
        """Such as `--max-conflict-rate 0.1: 0.52 measured in cell 3 (counter, hot, 8 users, none)`."""
        found = "nothing" if self.measured is None else f"{self.measured:.4g}"
        return f"{self.gate} {self.limit:g}: {found} measured in cell {self.cell} ({self.where})"

    def as_json(self) -> dict[str, Any]:
        """For a machine."""
        return {"gate": self.gate, "cell": self.cell, "limit": self.limit, "measured": self.measured}


def check_gates(summary: Mapping[str, Any], gates: Gates) -> list[Breach]:
    """Every gate that a cell of `summary` (summary.json) did not pass, cell by cell."""
    return [breach for cell in summary["cells"] for breach in _breaches(cell, gates)]


def _breaches(cell: Mapping[str, Any], gates: Gates) -> Iterator[Breach]:
    for gate, limit, measured, is_ceiling in (
        ("--max-conflict-rate", gates.max_conflict_rate, cell["conflict_rate"]["value"], True),
        ("--max-give-up-rate", gates.max_give_up_rate, give_up_rate(cell), True),
        ("--max-p99-ms", gates.max_p99_ms, cell["latency_ms"]["p99"], True),
        ("--min-goodput", gates.min_goodput_per_s, cell["goodput_per_s"]["value"], False),
    ):
        if limit is None:
            continue
        if measured is None or (measured > limit if is_ceiling else measured < limit):
            yield Breach(gate, cell["id"], limit, measured, _where(cell))


def give_up_rate(cell: Mapping[str, Any]) -> float | None:
    """gave_up / (started - cut_off) of a cell; None where no transaction finished."""
    transactions = cell["transactions"]
    finished = transactions["started"] - transactions["cut_off"]
    return transactions["gave_up"] / finished if finished else None


def _where(cell: Mapping[str, Any]) -> str:
    users = cell["users"]
    return f"{cell['scenario']}, {cell['skew']}, {users} user{'' if users == 1 else 's'}, {cell['retry']}"


def exit_code(summary: Mapping[str, Any], breaches: Sequence[Breach]) -> int:
    """The exit code of a run: the worst of what was found, in this order.

    3: a check found wrong data. 1: a gate was measured and not passed. 4: a cell is not usable, was not
    measured or not judged, or a gate had nothing to measure. 0: none of these.
    """
    cells = summary["cells"]
    if any(cell["verdict"]["valid"] is False for cell in cells):
        return INVARIANT_VIOLATED
    if any(breach.measured is not None for breach in breaches):
        return GATE_FAILED
    missing = not cells or _has(summary, "cells_missing")
    if missing or breaches or any(not cell["usable"] or _has(cell, "check_undecided") for cell in cells):
        return NOT_USABLE
    return FINE


def _has(warned: Mapping[str, Any], code: str) -> bool:
    return any(warning["code"] == code for warning in warned["warnings"])
