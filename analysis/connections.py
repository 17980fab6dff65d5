"""What connecting cost in a run, from the counts in the workers' health lines."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from analysis.timing import connect_quantiles, connect_waits_ms

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from analysis.reading import Run


def count_connections(run: Run) -> dict[str, dict[str, Any]]:
    """`connections` of a run, over all workers and regions; empty if no worker counted any.

    The counts and the waits of attempts cover the whole run, not only the measured intervals.
    """
    counts = [count for lines in run.health.values() for count in _last_counts(lines)]
    if not counts:
        return {}
    return {"connections": {**_sum(counts), "connect_ms": connect_quantiles(connect_waits_ms(run.attempts))}}


def _last_counts(lines: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """A worker's counts, region by region. They grow from line to line, so the last line has the totals."""
    return next((line["connections"] for line in reversed(lines) if line.get("connections")), ())


def _sum(counts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Counts and seconds added up. `token_s` becomes `signing_s`: reports withhold fields named `token`."""
    retries: Counter[str] = Counter()
    for count in counts:
        retries.update(count["retries"])
    return {
        "opened": sum(count["opened"] for count in counts),
        "retired": sum(count["retired"] for count in counts),
        "retries": dict(sorted(retries.items())),
        "slot_wait_s": sum(count["slot_wait_s"] for count in counts),
        "signing_s": sum(count["token_s"] for count in counts),
    }
