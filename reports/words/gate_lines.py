"""The gates of a run in a few lines: each one that was not met, and one line per gate that was. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MAX_LINES = 20
"""Lines about gates that were not met, or met only in appearance: a sweep has many cells."""


@dataclass(frozen=True, slots=True)
class GateLine:
    """One line about one or several checks of a gate."""

    verdict: str
    """`met`, `doubtful`, `failed` or `not measured`."""
    text: str


def gate_lines(gates: Mapping[str, Any]) -> list[GateLine]:
    """Describe `gates` of a summary (format 1): what failed, what is doubtful, then what was met.

    Every line has limit, verdict and measured value. A gate that several cells met has one line, with the
    cell that is nearest to the limit.
    """
    wrong = [*gates["breaches"], *gates["doubts"]]
    more = len(wrong) - MAX_LINES
    left_out = [GateLine("failed", f"and {more} more gates; summary.json has all")] if more > 0 else []
    met = [check for check in gates.get("checks", ()) if check["verdict"] == "met"]
    return [
        *(GateLine(check["verdict"], check["text"]) for check in wrong[:MAX_LINES]),
        *left_out,
        *(GateLine("met", _nearest(checks)) for checks in by_gate(met).values()),
    ]


def by_gate(
    checks: Iterable[Mapping[str, Any]],
) -> dict[tuple[str, float | None], list[Mapping[str, Any]]]:
    """The checks by gate and limit, in the order of the first ones."""
    found: dict[tuple[str, float | None], list[Mapping[str, Any]]] = {}
    for check in checks:
        found.setdefault((check["gate"], check["limit"]), []).append(check)
    return found


def _nearest(checks: Sequence[Mapping[str, Any]]) -> str:
    """The line of the check that is nearest to its limit."""
    if len(checks) == 1:
        return str(checks[0]["text"])
    nearest = min(checks, key=lambda check: abs((check["limit"] or 0.0) - (check["measured"] or 0.0)))
    return f"{nearest['text']} (nearest to the limit of {len(checks)} cells)"
