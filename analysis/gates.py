"""Gates: the limits by which a run is judged, and the exit code of a run."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from analysis.fairness import is_uneven
from hotrow.exit_codes import FINE, GATE_FAILED, INVARIANT_VIOLATED, NOT_USABLE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

MAX_ERROR_RATE = 0.01
"""Default limit of transactions failed / finished."""
_UNJUDGED = ("check_undecided", "interrupted")
"""Warnings of cells whose outcome is unknown."""
NEVER_RIGHT = ("22", "42")
"""SQLSTATE classes of which no error passes unless --max-error-rate is passed: data exceptions, and syntax
errors or names that do not exist. They are faults of the scenario, not of the load."""


@dataclass(frozen=True, slots=True)
class Gates:
    """The limits; None is no limit. A measurement equal to its limit passes."""

    max_conflict_rate: float | None = None
    """Conflicts / attempts."""
    max_give_up_rate: float | None = None
    """Transactions given up / finished."""
    max_error_rate: float | None = None
    """Transactions failed / finished; None means `MAX_ERROR_RATE`, and no error of a `NEVER_RIGHT` class."""
    max_p99_ms: float | None = None
    """p99 latency of committed transactions."""
    min_goodput_per_s: float | None = None
    """Committed transactions per second."""
    expect_violations: bool = False
    """Whether at least one cell must violate an invariant, for a run that shows what goes wrong."""


@dataclass(frozen=True, slots=True)
class Breach:
    """One gate that a cell, or the run as a whole, did not pass. Its text is one line for a reader."""

    gate: str
    """The option, such as `--max-conflict-rate`."""
    cell: int | None
    """The cell's id; None if the gate is the whole run's."""
    limit: float | None
    """None if the option has no value."""
    measured: float | None
    """None if the cell has no such value. That is not a pass, but a measurement that is not usable."""
    where: str
    """The cell or cells, in words."""
    why: str = ""
    """The cause of the measured value, if known."""

    def __str__(self) -> str:
        """Such as `--max-conflict-rate 0.1: 0.52 measured in cell 3 (counter, hot, 8 users, none)`."""
        if self.limit is None:
            return f"{self.gate}: no violation was found in {self.where}"
        measured = "nothing" if self.measured is None else f"{self.measured:.4g}"
        text = f"{self.gate} {self.limit:g}: {measured} measured in {self.where}"
        return f"{text}: {self.why}" if self.why else text

    def as_json(self) -> dict[str, Any]:
        """The entry of `gates.breaches` in summary.json."""
        fields = {"gate": self.gate, "cell": self.cell, "limit": self.limit, "measured": self.measured}
        return {**fields, "text": str(self)}


@dataclass(frozen=True, slots=True)
class Doubt:
    """A gate that a cell passed for a reason that proves little."""

    gate: str
    cell: int
    limit: float
    measured: float
    text: str
    """One line for a reader, such as `--max-conflict-rate 0.1: met in cell 3 (…), but …`."""

    def as_json(self) -> dict[str, Any]:
        """The entry of `gates.doubts` in summary.json."""
        return asdict(self)


def judged(summary: Mapping[str, Any], gates: Gates, breaches: Sequence[Breach]) -> dict[str, Any]:
    """`gates` of summary.json: the limits, the breached ones, and those that were met but prove little."""
    return {
        "limits": asdict(gates),
        "breaches": [breach.as_json() for breach in breaches],
        "doubts": [doubt.as_json() for doubt in doubts(summary, gates)],
    }


def check_gates(summary: Mapping[str, Any], gates: Gates) -> list[Breach]:
    """Every gate that was not passed, cell by cell and then of the whole run; `summary` is summary.json."""
    breaches = [
        breach
        for cell in summary["cells"]
        for breach in (*_breaches(cell, gates), *_failures(cell, gates.max_error_rate))
    ]
    if gates.expect_violations and _is_known_right(summary):
        breaches.append(Breach("--expect-violations", None, None, 0, "any cell"))
    return breaches


def doubts(summary: Mapping[str, Any], gates: Gates) -> list[Doubt]:
    """Every gate that was met only because a few users had nearly all commits and the others starved.

    Users who never commit do not conflict with those who do, and latency does not include them.
    """
    return [
        Doubt(gate, cell["id"], limit, measured, _doubted(gate, limit, measured, cell))
        for cell in summary["cells"]
        if is_uneven(cell["fairness"], cell["transactions"]["committed"])
        for gate, limit, measured, is_ceiling in _measured(cell, gates)
        if limit is not None and measured is not None and _is_met(measured, limit, is_ceiling)
    ]


def _doubted(gate: str, limit: float, measured: float, cell: Mapping[str, Any]) -> str:
    fairness = cell["fairness"]
    return (
        f"{gate} {limit:g}: met in {_where(cell)} ({measured:.4g}), but a few users had most of the commits "
        f"(Jain's index {fairness['jain']:.2f}; the median user committed {fairness['commits_median']:g}, "
        f"the luckiest {fairness['commits_max']:g})"
    )


def _measured(
    cell: Mapping[str, Any], gates: Gates
) -> tuple[tuple[str, float | None, float | None, bool], ...]:
    """(option, limit, measured value, whether the limit is an upper one) of each gate on a single value."""
    return (
        ("--max-conflict-rate", gates.max_conflict_rate, cell["conflict_rate"]["value"], True),
        ("--max-give-up-rate", gates.max_give_up_rate, cell["give_up_rate"]["value"], True),
        ("--max-p99-ms", gates.max_p99_ms, cell["latency_ms"]["p99"], True),
        ("--min-goodput", gates.min_goodput_per_s, cell["goodput_per_s"]["value"], False),
    )


def _is_met(measured: float, limit: float, is_ceiling: bool) -> bool:
    return measured <= limit if is_ceiling else measured >= limit


def _breaches(cell: Mapping[str, Any], gates: Gates) -> Iterator[Breach]:
    for gate, limit, measured, is_ceiling in _measured(cell, gates):
        if limit is not None and (measured is None or not _is_met(measured, limit, is_ceiling)):
            yield Breach(gate, cell["id"], limit, measured, _where(cell))


def _failures(cell: Mapping[str, Any], max_error_rate: float | None) -> Iterator[Breach]:
    """The breach of `--max-error-rate` by a cell, if any.

    Without that option a cell in which no transaction finished passes, and errors of a `NEVER_RIGHT` class
    do not.
    """
    rate = cell["error_rate"]["value"]
    limit = MAX_ERROR_RATE if max_error_rate is None else max_error_rate
    errors = [error for error in cell["errors"] if error["outcome"] == "error"]
    wrong = [
        error for error in errors if max_error_rate is None and (error["sqlstate"] or "")[:2] in NEVER_RIGHT
    ]
    if rate is None and max_error_rate is not None:
        yield Breach("--max-error-rate", cell["id"], limit, None, _where(cell))
    elif rate is not None and rate > limit:
        yield Breach("--max-error-rate", cell["id"], limit, rate, _where(cell), _why(errors))
    elif wrong:
        share = sum(error["attempts"] for error in wrong) / cell["attempts"]["total"]
        yield Breach("--max-error-rate", cell["id"], 0.0, share, _where(cell), _why(wrong))


def _why(errors: Sequence[Mapping[str, Any]]) -> str:
    """The most frequent error in words, and the number of attempts that ended in other errors."""
    if not errors:
        return ""
    first, more = errors[0], sum(error["attempts"] for error in errors[1:])
    error = " ".join(str(part) for part in (first["sqlstate"], first["message"]) if part)
    place = f" ({first['place']})" if first["place"] else ""
    others = f", and {more} attempts in other errors" if more else ""
    return f"{first['attempts']} attempts in {error or 'an error without SQLSTATE'}{place}{others}"


def _where(cell: Mapping[str, Any]) -> str:
    knobs = [f"{name.replace('_', ' ')} {value}" for name, value in cell["knobs"].items()]
    users = f"{cell['users']} user{'' if cell['users'] == 1 else 's'}"
    words = [cell["scenario"], *knobs, cell["skew"], users, cell["retry"]]
    return f"cell {cell['id']} ({', '.join(words)})"


def exit_code(
    summary: Mapping[str, Any], breaches: Sequence[Breach], *, expect_violations: bool = False
) -> int:
    """The exit code of a run: the first of these that applies.

    3: a check found wrong data, and that was not expected. 1: a gate was measured and not passed. 4: a cell
    is not usable, was not measured or was not judged, a file is damaged, or a gate had nothing to measure.
    0: none of these.
    """
    if _is_violated(summary) and not expect_violations:
        return INVARIANT_VIOLATED
    if any(breach.measured is not None for breach in breaches):
        return GATE_FAILED
    if breaches or not _is_judged(summary) or not all(cell["usable"] for cell in summary["cells"]):
        return NOT_USABLE
    return FINE


def _is_known_right(summary: Mapping[str, Any]) -> bool:
    """Whether every planned cell was measured and checked, and none violates an invariant."""
    return _is_judged(summary) and not _is_violated(summary)


def _is_violated(summary: Mapping[str, Any]) -> bool:
    return any(cell["verdict"]["valid"] is False for cell in summary["cells"])


def _is_judged(summary: Mapping[str, Any]) -> bool:
    """Whether there are cells, all planned cells were measured to their end, and their checks are decided."""
    cells = summary["cells"]
    missing = not cells or not summary.get("usable", True) or _has(summary, "cells_missing")
    return not missing and not any(_has(cell, code) for cell in cells for code in _UNJUDGED)


def _has(summary: Mapping[str, Any], code: str) -> bool:
    """Whether a cell, or the run, has a warning with this code."""
    return any(warning["code"] == code for warning in summary["warnings"])
