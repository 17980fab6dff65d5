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
    expect_violations: bool = False
    """Whether some cell has to violate an invariant: a run that shows what goes wrong."""


@dataclass(frozen=True, slots=True)
class Breach:
    """One gate that a cell, or the run as a whole, did not pass; its text is one line for a person."""

    gate: str
    """As the option is written: `--max-conflict-rate`."""
    cell: int | None
    """None where it is the run's."""
    limit: float | None
    """None where the option has no value."""
    measured: float | None
    """None where the cell has no such value: that is not a pass, but a measurement that is not usable."""
    where: str
    """In words."""

    def __str__(self) -> str:
        """Such as `--max-conflict-rate 0.1: 0.52 measured in cell 3 (counter, hot, 8 users, none)`."""
        if self.limit is None:
            return f"{self.gate}: no violation was found in {self.where}"
        found = "nothing" if self.measured is None else f"{self.measured:.4g}"
        return f"{self.gate} {self.limit:g}: {found} measured in {self.where}"

    def as_json(self) -> dict[str, Any]:
        """For a machine."""
        return {"gate": self.gate, "cell": self.cell, "limit": self.limit, "measured": self.measured}


def check_gates(summary: Mapping[str, Any], gates: Gates) -> list[Breach]:
    """Every gate that a cell of `summary` (summary.json) did not pass, cell by cell; then the run's."""
    found = [breach for cell in summary["cells"] for breach in _breaches(cell, gates)]
    if gates.expect_violations and _is_known_right(summary):
        found.append(Breach("--expect-violations", None, None, 0, "any cell"))
    return found


def _breaches(cell: Mapping[str, Any], gates: Gates) -> Iterator[Breach]:
    for gate, limit, measured, is_ceiling in (
        ("--max-conflict-rate", gates.max_conflict_rate, cell["conflict_rate"]["value"], True),
        ("--max-give-up-rate", gates.max_give_up_rate, cell["give_up_rate"]["value"], True),
        ("--max-p99-ms", gates.max_p99_ms, cell["latency_ms"]["p99"], True),
        ("--min-goodput", gates.min_goodput_per_s, cell["goodput_per_s"]["value"], False),
    ):
        if limit is None:
            continue
        if measured is None or (measured > limit if is_ceiling else measured < limit):
            yield Breach(gate, cell["id"], limit, measured, _where(cell))


def _where(cell: Mapping[str, Any]) -> str:
    knobs = [f"{name.replace('_', ' ')} {value}" for name, value in cell["knobs"].items()]
    users = f"{cell['users']} user{'' if cell['users'] == 1 else 's'}"
    words = [cell["scenario"], *knobs, cell["skew"], users, cell["retry"]]
    return f"cell {cell['id']} ({', '.join(words)})"


def exit_code(
    summary: Mapping[str, Any], breaches: Sequence[Breach], *, expect_violations: bool = False
) -> int:
    """The exit code of a run: the worst of what was found, in this order.

    3: a check found wrong data, and that was not expected. 1: a gate was measured and not passed. 4: a cell
    is not usable, was not measured or not judged, or a gate had nothing to measure. 0: none of these.
    """
    if _is_violated(summary) and not expect_violations:
        return INVARIANT_VIOLATED
    if any(breach.measured is not None for breach in breaches):
        return GATE_FAILED
    if breaches or not _is_judged(summary) or not all(cell["usable"] for cell in summary["cells"]):
        return NOT_USABLE
    return FINE


def _is_known_right(summary: Mapping[str, Any]) -> bool:
    """Whether no cell violates anything, nor may one that is missing or undecided."""
    return _is_judged(summary) and not _is_violated(summary)


def _is_violated(summary: Mapping[str, Any]) -> bool:
    return any(cell["verdict"]["valid"] is False for cell in summary["cells"])


def _is_judged(summary: Mapping[str, Any]) -> bool:
    """Whether there are cells, all that were planned, and the checks of each decided."""
    cells = summary["cells"]
    missing = not cells or _has(summary, "cells_missing")
    return not missing and not any(_has(cell, "check_undecided") for cell in cells)


def _has(warned: Mapping[str, Any], code: str) -> bool:
    return any(warning["code"] == code for warning in warned["warnings"])
