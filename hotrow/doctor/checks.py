"""Checks and their results as values. A check that crashes has failed."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from hotrow.doctor.causes import explain
from hotrow.finding import Finding
from hotrow.masking import hide_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

SESSION = "session"
"""The check that opens a session. If it fails, nothing is known about the server."""
UNREACHABLE = 2


class Status(Enum):
    """How a check ended."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Assessment:
    """What a check concludes. `advice` is empty only if there is nothing to do."""

    status: Status
    message: str
    """What was observed; for `skipped`, the reason."""
    advice: str = ""
    measurements: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """The figures for machines, each named with its unit last."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check of a target. It is skipped if one of the checks in `needs` has failed."""

    name: str
    assess: Callable[[], Assessment]
    needs: tuple[str, ...] = ()
    context: str = ""
    """Precedes the text of an error: host and port, or user and region."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of one check. The finding's code is the check's name."""

    status: Status
    finding: Finding
    measurements: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The name of the check."""
        return self.finding.code


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The results of all checks of one target. `target` is its label, which contains no secrets."""

    target: str
    target_type: str
    results: tuple[CheckResult, ...]

    @property
    def failures(self) -> tuple[CheckResult, ...]:
        """The checks that failed, in their order."""
        return tuple(result for result in self.results if result.status is Status.FAIL)

    @property
    def exit_code(self) -> int:
        """0 if nothing failed, 1 if a check failed, 2 if no session could be opened."""
        reached = any(
            result.name == SESSION and result.status in {Status.OK, Status.WARN} for result in self.results
        )
        return UNREACHABLE if not reached else int(bool(self.failures))

    def count(self, status: Status) -> int:
        """The number of checks with this status."""
        return sum(result.status is status for result in self.results)

    def as_json(self) -> dict[str, Any]:
        """The diagnosis as JSON values; a missing value is null."""
        return {
            "target": self.target,
            "kind": self.target_type,
            "exit_code": self.exit_code,
            "checks": [
                {
                    "check": result.name,
                    "status": result.status.value,
                    "seen": result.finding.message,
                    "advice": result.finding.advice or None,
                    "measured": dict(result.measurements),
                }
                for result in self.results
            ],
        }


def ok(message: str, **measurements: Any) -> Assessment:
    """The target is as a run needs it."""
    return Assessment(Status.OK, message, "", measurements)


def warn(message: str, advice: str, **measurements: Any) -> Assessment:
    """A run works, but the user should know about this or fix it."""
    return Assessment(Status.WARN, message, advice, measurements)


def fail(message: str, advice: str, **measurements: Any) -> Assessment:
    """A run would fail, or would measure something else."""
    return Assessment(Status.FAIL, message, advice, measurements)


def skipped(reason: str) -> Assessment:
    """The check does not apply, or could not be made."""
    return Assessment(Status.SKIPPED, reason)


def run_checks(checks: Sequence[Check], secrets: Sequence[str] = ()) -> Iterator[CheckResult]:
    """Run the checks in order and yield each result, with `secrets` hidden.

    A check is skipped if a check that it needs has failed, or was itself skipped for that reason. Its message
    names the check that failed first.
    """
    root_causes: dict[str, str] = {}
    for check in checks:
        root_cause = next((root_causes[need] for need in check.needs if need in root_causes), None)
        if root_cause is None:
            assessment = _assess(check)
        else:
            assessment = Assessment(
                Status.SKIPPED, f"needs {root_cause}, which failed", f"fix {root_cause} first"
            )
        if root_cause is not None or assessment.status is Status.FAIL:
            root_causes[check.name] = root_cause or check.name
        yield _result(check.name, assessment, secrets)


def _assess(check: Check) -> Assessment:
    try:
        return check.assess()
    except Exception as error:  # noqa: BLE001 - any crash is a failed check, and the next check still runs
        explanation = explain(error)
        message = f"{check.context}: {explanation.cause}" if check.context else explanation.cause
        return fail(message, explanation.fix)


def _result(name: str, assessment: Assessment, secrets: Sequence[str]) -> CheckResult:
    message, advice = (hide_secrets(text, secrets) for text in (assessment.message, assessment.advice))
    return CheckResult(assessment.status, Finding(name, message, advice), assessment.measurements)
