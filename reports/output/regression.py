"""A run as files for regression services: Bencher and github-action-benchmark. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reports.words import wording as words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from reports.words.wording import Cell


@dataclass(frozen=True, slots=True)
class Measure:
    """One number of a cell that a service follows."""

    name: str
    unit: str
    estimate: Callable[[Cell], Mapping[str, float | None]]
    """`value`, and `low` and `high` of its 95 % interval if there is one."""
    bigger_is_better: bool = False


MEASURES = (
    Measure("conflict rate", "conflicts per attempt", lambda cell: cell["conflict_rate"]),
    Measure("give-up rate", "give-ups per transaction", lambda cell: cell["give_up_rate"]),
    Measure("latency p50", "ms", lambda cell: {"value": cell["latency_ms"]["p50"]}),
    Measure("latency p99", "ms", lambda cell: {"value": cell["latency_ms"]["p99"]}),
    Measure("goodput", "commits per second", lambda cell: cell["goodput_per_s"], bigger_is_better=True),
)
"""What is exported of each usable cell; absent values are left out."""


def bencher(summary: Mapping[str, Any]) -> dict[str, dict[str, dict[str, float]]]:
    """The run in Bencher Metric Format: benchmark, measure, value and bounds.

    Source: Bencher, "Bencher Metric Format (BMF)".
    """
    found: dict[str, dict[str, dict[str, float]]] = {}
    for benchmark, measure, estimate in _measured(summary):
        names = {"value": "value", "low": "lower_value", "high": "upper_value"}
        metric = {names[end]: value for end, value in estimate.items() if end in names and value is not None}
        found.setdefault(benchmark, {})[measure.name.replace(" ", "-")] = metric
    return found


def github_action_benchmark(
    summary: Mapping[str, Any], *, bigger_is_better: bool
) -> list[dict[str, str | float]]:
    """The run for github-action-benchmark's `customBiggerIsBetter` or `customSmallerIsBetter`.

    That action takes one direction per file: goodput in the one, all else in the other.
    Source: github-action-benchmark, README, "Examples".
    """
    return [
        {
            "name": f"{benchmark}: {measure.name}",
            "unit": measure.unit,
            "value": float(estimate["value"] or 0.0),
            **_range(estimate),
        }
        for benchmark, measure, estimate in _measured(summary)
        if measure.bigger_is_better is bigger_is_better
    ]


def _measured(
    summary: Mapping[str, Any],
) -> Iterator[tuple[str, Measure, Mapping[str, float | None]]]:
    """Name of the benchmark, measure and estimate, for each value that usable cells have."""
    summary = words.redact(summary)
    for cell in summary["cells"]:
        if not cell["usable"]:
            continue
        name = _benchmark(cell)
        for measure in MEASURES:
            estimate = measure.estimate(cell)
            if estimate["value"] is not None:
                yield name, measure, estimate


def _benchmark(cell: Cell) -> str:
    """The name of a cell with all its settings, so that another sweep does not change it."""
    knobs = [f"{name.replace('_', ' ')} {value}" for name, value in (cell.get("knobs") or {}).items()]
    repeat = [f"repeat {cell['repeat']}"] if cell["repeat"] > 1 else []
    redraw = ["redrawn"] if cell["redraw"] else []
    users = words.counted(cell["users"], "user")
    settings = [*knobs, cell["skew"], f"{cell['keys']} keys", users, cell["retry"], *redraw, *repeat]
    return f"{cell['scenario']}: {', '.join(settings)}"


def _range(estimate: Mapping[str, float | None]) -> dict[str, str]:
    low, high = estimate.get("low"), estimate.get("high")
    return {} if low is None or high is None else {"range": f"\N{PLUS-MINUS SIGN} {(high - low) / 2:.4g}"}
