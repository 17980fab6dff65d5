"""Checks as values: what is looked at, what it needs, what was found. One that crashes is `fail`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from hotrow.doctor.causes import explain
from hotrow.masking import hide_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

SESSION = "session"
"""The check without which nothing can be said of the server."""
UNREACHABLE = 2


class Status(Enum):
    """How a check ended."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check saw; `advice` is what to do about it, empty only where there is nothing to do."""

    status: Status
    seen: str
    """For `skipped`: why."""
    advice: str = ""
    measured: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """The figures behind it, units last, for a machine."""


@dataclass(frozen=True, slots=True)
class Check:
    """One look at the target. `needs` are checks that must not have failed before it."""

    name: str
    look: Callable[[], Finding]
    needs: tuple[str, ...] = ()
    where: str = ""
    """What a reader must know to understand an error: the host and port, or the user and region."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A check and what it found."""

    name: str
    finding: Finding


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Everything found about one target; `target` is its label, free of secrets."""

    target: str
    kind: str
    checks: tuple[Checked, ...]

    @property
    def failed(self) -> tuple[Checked, ...]:
        """The checks that failed, in their order."""
        return tuple(each for each in self.checks if each.finding.status is Status.FAIL)

    @property
    def exit_code(self) -> int:
        """0 where nothing failed, 1 where a check failed, 2 where no session was to be had."""
        reached = any(
            each.name == SESSION and each.finding.status in {Status.OK, Status.WARN} for each in self.checks
        )
        return UNREACHABLE if not reached else int(bool(self.failed))

    def count(self, status: Status) -> int:
        """How many checks ended so."""
        return sum(each.finding.status is status for each in self.checks)

    def as_json(self) -> dict[str, Any]:
        """For a machine; absent is null."""
        return {
            "target": self.target,
            "kind": self.kind,
            "exit_code": self.exit_code,
            "checks": [
                {
                    "check": each.name,
                    "status": each.finding.status.value,
                    "seen": each.finding.seen,
                    "advice": each.finding.advice or None,
                    "measured": dict(each.finding.measured),
                }
                for each in self.checks
            ],
        }


def ok(seen: str, **measured: Any) -> Finding:
    """All is as a run wants it."""
    return Finding(Status.OK, seen, "", measured)


def warn(seen: str, advice: str, **measured: Any) -> Finding:
    """A run works, but something should be known or mended."""
    return Finding(Status.WARN, seen, advice, measured)


def fail(seen: str, advice: str, **measured: Any) -> Finding:
    """A run would fail, or measure something else."""
    return Finding(Status.FAIL, seen, advice, measured)


def skipped(why: str) -> Finding:
    """Not looked at, and why."""
    return Finding(Status.SKIPPED, why)


def look_at(checks: Sequence[Check], secrets: Sequence[str] = ()) -> Iterator[Checked]:
    """Each check's finding in turn; one whose need failed, or was left out for that, is skipped by name."""
    broken: dict[str, str] = {}
    for check in checks:
        cause = next((broken[need] for need in check.needs if need in broken), None)
        if cause is not None:
            finding = Finding(Status.SKIPPED, f"needs {cause}, which failed", f"mend {cause} first")
        else:
            finding = _look(check)
        if cause is not None or finding.status is Status.FAIL:
            broken[check.name] = cause or check.name
        yield Checked(check.name, _without_secrets(finding, secrets))


def _look(check: Check) -> Finding:
    try:
        return check.look()
    except Exception as error:  # noqa: BLE001 - whatever crashed, it is not ok, and the next check goes on
        explained = explain(error)
        return fail(f"{check.where}: {explained.cause}" if check.where else explained.cause, explained.fix)


def _without_secrets(finding: Finding, secrets: Sequence[str]) -> Finding:
    return replace(
        finding, seen=hide_secrets(finding.seen, secrets), advice=hide_secrets(finding.advice, secrets)
    )
