"""What connecting took in a run, from the counts that its workers wrote into their health lines."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from analysis.timing import connect_quantiles, connect_waits_ms

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from analysis.reading import Run


def count_connections(run: Run) -> dict[str, dict[str, Any]]:
    """`connections` of a run, over all workers and regions; nothing where no worker counted any.

    What attempts waited is that of the whole run, as the counts are, and not of the measured intervals alone.
    """
    doors = [door for lines in run.health.values() for door in _last_counts(lines)]
    if not doors:
        return {}
    return {"connections": {**_sum(doors), "connect_ms": connect_quantiles(connect_waits_ms(run.attempts))}}


def _last_counts(lines: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """A worker's counts, region by region: they grow from line to line, so the last ones hold all."""
    return next((line["connections"] for line in reversed(lines) if line.get("connections")), ())


def _sum(doors: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Counts and seconds added up. `token_s` becomes `signing_s`: reports withhold what is named `token`."""
    each = list(doors)
    retries: Counter[str] = Counter()
    for door in each:
        retries.update(door["retries"])
    return {
        "opened": sum(door["opened"] for door in each),
        "retired": sum(door["retired"] for door in each),
        "retries": dict(sorted(retries.items())),
        "slot_wait_s": sum(door["slot_wait_s"] for door in each),
        "signing_s": sum(door["token_s"] for door in each),
    }
