"""Gates: the limits by which a run is judged, and the exit code of a run."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from analysis.fairness import is_uneven
from hotrow.exit_codes import FINE, GATE_FAILED, INVARIANT_VIOLATED, NOT_USABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from hotrow.run.gate_rules import Rule

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
    rules: tuple[Rule, ...] = ()
    """Limits for some cells only. A cell must also keep the limits above."""


Verdict = Literal["met", "doubtful", "failed", "not measured"]
"""`doubtful`: met for a reason that proves little. `not measured`: no pass, but an unusable measurement."""


@dataclass(frozen=True, slots=True)
class GateCheck:
    """One gate, and how one cell, or the whole run, did by it."""

    gate: str
    """The option, such as `--max-conflict-rate`, or rule and limit, such as `gate 2: max_conflict_rate`."""
    cell: int | None
    """The cell's id; None if the gate is the whole run's."""
    limit: float | None
    """None if the option has no value."""
    measured: float | None
    """None if the cell has no such value."""
    verdict: Verdict
    where: str
    """The cell or cells, in words."""
    why: str = ""
    """The cause of the measured value, or why it proves little, if known."""

    def __str__(self) -> str:
        """Option, limit, verdict, measured value and cell in one line.

        Such as `--max-conflict-rate 0.1: failed: 0.52 in cell 3 (counter, hot, 8 users, none)`.
        """
        verdict = "met" if self.verdict == "doubtful" else self.verdict
        if self.limit is None:
            return f"{self.gate}: {verdict}: {self.where}"
        if self.measured is None:
            return f"{self.gate} {self.limit:g}: {verdict} in {self.where}"
        text = f"{self.gate} {self.limit:g}: {verdict}: {self.measured:.4g} in {self.where}"
        return f"{text}: {self.why}" if self.why else text

    def as_json(self) -> dict[str, Any]:
        """The entry of `gates.checks` in summary.json."""
        names = ("gate", "cell", "limit", "measured", "verdict")
        return {**{name: getattr(self, name) for name in names}, "text": str(self)}


def judged(gates: Gates, checks: Sequence[GateCheck]) -> dict[str, Any]:
    """`gates` of summary.json: the limits, every check, and of these the breached and the doubtful ones."""
    return {
        "limits": {each.name: getattr(gates, each.name) for each in fields(gates) if each.name != "rules"},
        "rules": [rule.as_json() for rule in gates.rules],
        "checks": [check.as_json() for check in checks],
        "breaches": [check.as_json() for check in missed(checks)],
        "doubts": [check.as_json() for check in checks if check.verdict == "doubtful"],
    }


def missed(checks: Iterable[GateCheck]) -> list[GateCheck]:
    """The checks that were not passed, those without a measured value among them."""
    return [check for check in checks if check.verdict in {"failed", "not measured"}]


def check_gates(summary: Mapping[str, Any], gates: Gates) -> list[GateCheck]:
    """Check every gate that has a limit, cell by cell and then of the whole run.

    The error rate has a limit even if none was asked for. `summary` is summary.json.
    """
    checks = [check for cell in summary["cells"] for check in _checks(cell, gates)]
    if gates.expect_violations:
        checks += _violations(summary)
    return checks


def _checks(cell: Mapping[str, Any], gates: Gates) -> Iterator[GateCheck]:
    """Every gate on one cell: those for all cells, then the rules that match it.

    A rule with a limit of errors for all kinds of transaction replaces the limit that holds by default.
    """
    whole = _Part(cell, cell, _where(cell))
    rules = [rule for rule in gates.rules if rule.matches(cell)]
    yield from _values(whole, _limits(gates), _option)
    if gates.max_error_rate is not None or not any(_replaces_default(rule) for rule in rules):
        yield from _failures(whole, "--max-error-rate", gates.max_error_rate)
    for rule in rules:
        part = whole if rule.kind is None else _of_kind(cell, rule.kind)
        name = partial("{}: {}".format, _title(rule))
        yield from _values(part, rule.limits, name)
        if "max_error_rate" in rule.limits:
            yield from _failures(part, name("max_error_rate"), rule.limits["max_error_rate"])


def _title(rule: Rule) -> str:
    return f"gate {rule.number}" if rule.kind is None else f"gate {rule.number}, kind {rule.kind}"


def _replaces_default(rule: Rule) -> bool:
    return rule.kind is None and "max_error_rate" in rule.limits


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _limits(gates: Gates) -> dict[str, float | None]:
    """By name, as in a rule: the limits for all cells on single values."""
    return {
        "max_conflict_rate": gates.max_conflict_rate,
        "max_give_up_rate": gates.max_give_up_rate,
        "max_p99_ms": gates.max_p99_ms,
        "min_goodput": gates.min_goodput_per_s,
    }


@dataclass(frozen=True, slots=True)
class _Part:
    """What a gate judges: a cell, or its transactions of one kind."""

    cell: Mapping[str, Any]
    values: Mapping[str, Any]
    """The cell, or the entry of its `kinds`; empty if it has no such kind."""
    where: str
    kind: str | None = None

    def errors(self) -> list[Mapping[str, Any]]:
        """The errors of these transactions."""
        return [
            error
            for error in self.cell["errors"]
            if error["outcome"] == "error" and self.kind in {None, error["kind"]}
        ]

    def measured(self, name: str, field: str) -> float | None:
        """A value in summary.json; None if there is none."""
        value: float | None = (self.values.get(name) or {}).get(field)
        return value


def _of_kind(cell: Mapping[str, Any], kind: str) -> _Part:
    values: Mapping[str, Any] = next((part for part in cell.get("kinds", ()) if part["name"] == kind), {})
    return _Part(cell, values, _where(cell), kind)


_VALUES = (
    ("max_conflict_rate", "conflict_rate", "value"),
    ("max_give_up_rate", "give_up_rate", "value"),
    ("max_p99_ms", "latency_ms", "p99"),
    ("min_goodput", "goodput_per_s", "value"),
)
"""Name of the limit, and where the measured value is in a cell, for each gate on a single value."""


def _values(
    part: _Part, limits: Mapping[str, float | None], naming: Callable[[str], str]
) -> Iterator[GateCheck]:
    """The gates on single values.

    One that is met is doubtful if a few users had nearly all commits and the others starved: users who never
    commit do not conflict with those who do, and latency does not include them.
    """
    cell = part.cell
    uneven = is_uneven(cell["fairness"], cell["transactions"]["committed"])
    for name, field, value in _VALUES:
        limit, measured = limits.get(name), part.measured(field, value)
        if limit is None:
            continue
        verdict: Verdict = _verdict(limit, measured, is_ceiling=name.startswith("max"))
        is_doubtful = uneven and verdict == "met"
        yield GateCheck(
            naming(name),
            cell["id"],
            limit,
            measured,
            "doubtful" if is_doubtful else verdict,
            part.where,
            _unevenness(cell["fairness"]) if is_doubtful else "",
        )


def _verdict(limit: float, measured: float | None, *, is_ceiling: bool) -> Verdict:
    if measured is None:
        return "not measured"
    return "met" if (measured <= limit if is_ceiling else measured >= limit) else "failed"


def _unevenness(fairness: Mapping[str, Any]) -> str:
    return (
        f"but a few users had most of the commits (Jain's index {fairness['jain']:.2f}; the median user "
        f"committed {fairness['commits_median']:g}, the luckiest {fairness['commits_max']:g})"
    )


def _failures(part: _Part, gate: str, max_error_rate: float | None) -> Iterator[GateCheck]:
    """The gate on errors.

    Without a limit, a cell in which no transaction finished is not checked, and no error of a `NEVER_RIGHT`
    class passes.
    """
    rate, is_asked_for = part.measured("error_rate", "value"), max_error_rate is not None
    limit = MAX_ERROR_RATE if max_error_rate is None else max_error_rate
    errors = part.errors()
    wrong = [] if is_asked_for else [error for error in errors if _is_never_right(error)]
    number, where = part.cell["id"], part.where
    if rate is None and is_asked_for:
        yield GateCheck(gate, number, limit, None, "not measured", where)
    elif rate is not None and rate > limit:
        yield GateCheck(gate, number, limit, rate, "failed", where, _why(errors))
    elif wrong:
        share = sum(error["attempts"] for error in wrong) / part.cell["attempts"]["total"]
        yield GateCheck(gate, number, 0.0, share, "failed", where, _why(wrong))
    elif rate is not None:
        yield GateCheck(gate, number, limit, rate, "met", where)


def _is_never_right(error: Mapping[str, Any]) -> bool:
    return (error["sqlstate"] or "")[:2] in NEVER_RIGHT


def _violations(summary: Mapping[str, Any]) -> list[GateCheck]:
    """Whether a run that should show wrong data did; nothing if that is not known."""
    number = sum(cell["verdict"]["valid"] is False for cell in summary["cells"])
    if number:
        cells = "1 cell has" if number == 1 else f"{number} cells have"
        return [GateCheck("--expect-violations", None, None, number, "met", f"{cells} wrong data")]
    if not _is_judged(summary):
        return []
    return [GateCheck("--expect-violations", None, None, 0, "failed", "no check found wrong data")]


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
    summary: Mapping[str, Any], checks: Sequence[GateCheck], *, expect_violations: bool = False
) -> int:
    """The exit code of a run: the first of these that applies.

    3: a check found wrong data, and that was not expected. 1: a gate failed. 4: a cell is not usable, was not
    measured or was not judged, a file is damaged, or a gate had nothing to measure. 0: none of these.
    """
    verdicts = {check.verdict for check in checks}
    if _is_violated(summary) and not expect_violations:
        return INVARIANT_VIOLATED
    if "failed" in verdicts:
        return GATE_FAILED
    if "not measured" in verdicts or not _is_judged(summary):
        return NOT_USABLE
    return FINE if all(cell["usable"] for cell in summary["cells"]) else NOT_USABLE


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
