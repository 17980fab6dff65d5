"""The cost of a run on Aurora DSQL: CloudWatch's minutes beside hotrow's attempts. Pure.

CloudWatch has one value per metric and minute, and a run seldom begins and ends on a full minute. Amounts of
the whole run are sums over every minute that it touches. They include all its load, and also what else the
cluster did in the first and the last minute (the tables are filled in the first). Rates, per attempt or per
commit, use only the minutes that the run fills, from its first attempt to its last. If it fills none, they
use all minutes that it touches, and `basis` says so. A minute that has no TotalDPU yet is left out of both.

    dollars per million commits = dollars per million DPU x DPU / commits
    of that, for conflicts      = the same x attempts that ended in a conflict / attempts

The second formula assumes that an attempt in vain costs as much as one that commits. An attempt in vain
writes nothing, so this is an upper bound.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.counts import lasted_ns
from hotrow.attempt.record import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

FORMAT = 1
"""Version of cost.json. History: 1 — first format."""
FILE = "cost.json"
MINUTE_NS = 60_000_000_000
TOTAL = "TotalDPU"
PARTS = ("WriteDPU", "ReadDPU", "ComputeDPU", "MultiRegionWriteDPU")
CONFLICTS = "OccConflicts"
COMMIT_LATENCY = "CommitLatency"
TRANSACTIONS = "TotalTransactions"
METRICS = (TOTAL, *PARTS, CONFLICTS, TRANSACTIONS, COMMIT_LATENCY)
_HOST = re.compile(r"([a-z0-9]+)\.dsql(?:-[a-z0-9]+)?\.([a-z0-9-]+)\.on\.aws")
_CONFLICTING = (Outcome.CONFLICT, Outcome.SCHEMA_CONFLICT)
FORMULA = (
    "dollars per million commits = price x DPU / commits; for conflicts = that x conflicting attempts / "
    "attempts (an upper bound: it assumes that an attempt in vain costs as much as one that commits)"
)

Series = dict[int, float]
"""CloudWatch's values by minute; a minute is numbered by its begin, in minutes since the epoch."""


@dataclass(frozen=True, slots=True)
class Metered:
    """CloudWatch's values for one cluster. A metric without values is missing."""

    region: str
    id: str
    dimension: str | None
    """The dimension under which values were found; None if there are no values."""
    series: Mapping[str, Series]


@dataclass(frozen=True, slots=True)
class Span:
    """The time in which a run's attempts were made, [begin_ns, end_ns) of wall-clock ns."""

    begin_ns: int
    end_ns: int

    @property
    def touched(self) -> range:
        """Every minute that holds a part of the run."""
        return range(self.begin_ns // MINUTE_NS, -(-self.end_ns // MINUTE_NS))

    @property
    def whole(self) -> range:
        """The minutes that the run fills."""
        return range(-(-self.begin_ns // MINUTE_NS), self.end_ns // MINUTE_NS)


@dataclass(frozen=True, slots=True)
class ClusterName:
    """The region and id by which CloudWatch knows a cluster."""

    region: str
    id: str


def clusters_of(meta: Mapping[str, Any]) -> tuple[ClusterName, ...]:
    """The clusters that a run.json names in `target.clusters`, or else by their hosts in the command.

    Empty if the run was not on Aurora DSQL.
    """
    if meta["target"].get("kind") != "dsql":
        return ()
    listed = meta["target"].get("clusters") or ()
    hosts = [str(cluster.get("host", "")) for cluster in listed] or [str(meta.get("command", ""))]
    names = [
        ClusterName(str(cluster["region"]), str(cluster["id"]))
        for cluster in listed
        if cluster.get("id") and cluster.get("region")
    ]
    if listed and len(names) == len(listed):
        return tuple(names)
    matches = (match for host in hosts for match in _HOST.finditer(host))
    return tuple(dict.fromkeys(ClusterName(region=match[2], id=match[1]) for match in matches))


def span_of(attempts: NDArray[np.void]) -> Span | None:
    """The time from the first attempt's start to the last one's end; None without attempts."""
    if not len(attempts):
        return None
    return Span(int(attempts["started"].min()), int(_ended_ns(attempts).max()) + 1)


def reckon(
    attempts: NDArray[np.void], metered: Sequence[Metered], price: float, span: Span
) -> dict[str, Any]:
    """cost.json of a run; docs/cost.md describes its fields.

    `attempts` are all records of the run, in wall-clock ns. `price` is in dollars per million DPU. Absent is
    null, never 0.
    """
    metered_minutes = _minutes_of(metered, TOTAL)
    basis = "whole minutes" if set(span.whole) & metered_minutes else "all minutes touched"
    minutes = sorted(metered_minutes & set(span.whole if basis == "whole minutes" else span.touched))
    return {
        "format": FORMAT,
        "price_dollars_per_million_dpu": price,
        "clusters": [
            {"region": cluster.region, "id": cluster.id, "dimension": cluster.dimension}
            for cluster in metered
        ],
        "run": _whole_run(metered, span, metered_minutes, price),
        "basis": basis if minutes else None,
        "rates": _rates(attempts, metered, minutes, price) if minutes else None,
        "formula": FORMULA,
    }


def write_cost(directory: Path, cost: Mapping[str, Any]) -> Path:
    """Write `cost` as cost.json into a run's directory, whole or not at all.

    Returns:
        The path of cost.json.

    Raises:
        OSError: it cannot be written.
    """
    path = directory / FILE
    partial = directory / f"{FILE}.partial"
    partial.write_text(json.dumps(cost, indent=2, allow_nan=False) + "\n")
    return partial.replace(path)


def read_cost(directory: Path) -> dict[str, Any] | None:
    """The cost.json of a run's directory; None if there is none in this format."""
    try:
        cost = json.loads((directory / FILE).read_text())
    except (OSError, ValueError):
        return None
    return cost if isinstance(cost, dict) and cost.get("format") == FORMAT else None


def _whole_run(
    metered: Sequence[Metered], span: Span, metered_minutes: set[int], price: float
) -> dict[str, Any]:
    """Amounts over every minute that the run touches."""
    minutes = sorted(set(span.touched) & metered_minutes)
    dpu = _sum(metered, TOTAL, minutes)
    return {
        "begin_utc": _utc(span.touched.start),
        "end_utc": _utc(span.touched.stop),
        "minutes": len(span.touched),
        "minutes_with_data": len(minutes),
        "seconds_of_first_minute": _seconds_of_first(span),
        "seconds_of_last_minute": _seconds_of_last(span),
        "dpu": {"total": dpu, **{name: _sum(metered, name, minutes) for name in PARTS}},
        "dollars": None if dpu is None else price * dpu / 1e6,
        "occ_conflicts": _sum(metered, CONFLICTS, minutes),
        "commit_latency_ms_p50": _median(metered, COMMIT_LATENCY, minutes),
    }


def _rates(
    attempts: NDArray[np.void], metered: Sequence[Metered], minutes: Sequence[int], price: float
) -> dict[str, Any]:
    """CloudWatch's sums over these minutes beside the attempts that ended in them."""
    attempts = attempts[np.isin(_ended_ns(attempts) // MINUTE_NS, minutes)]
    total = len(attempts)
    committed = int(np.count_nonzero(attempts["outcome"] == Outcome.COMMITTED))
    conflicting = int(np.count_nonzero(np.isin(attempts["outcome"], _CONFLICTING)))
    dpu = _sum(metered, TOTAL, minutes)
    per_million = None if dpu is None or not committed else price * dpu / committed
    share = conflicting / total if total else None
    return {
        "minutes": len(minutes),
        "dpu": dpu,
        "attempts": total,
        "committed": committed,
        "conflicts": conflicting,
        "occ_conflicts": _sum(metered, CONFLICTS, minutes),
        "transactions": _sum(metered, TRANSACTIONS, minutes),
        "dpu_per_attempt": None if dpu is None or not total else dpu / total,
        "dollars_per_million_commits": per_million,
        "conflict_share": share,
        "conflict_dollars_per_million_commits": None
        if per_million is None or share is None
        else per_million * share,
    }


def _ended_ns(attempts: NDArray[np.void]) -> NDArray[np.int64]:
    """The end of each attempt. An attempt belongs to the minute of its end, as its conflict does."""
    return np.asarray(attempts["started"] + lasted_ns(attempts).astype(np.int64))


def _minutes_of(metered: Iterable[Metered], name: str) -> set[int]:
    """The minutes for which every cluster has a value."""
    minutes = [set(cluster.series.get(name, ())) for cluster in metered]
    return set.intersection(*minutes) if minutes else set()


def _values(metered: Iterable[Metered], name: str, minutes: Sequence[int]) -> list[float]:
    return [
        cluster.series[name][minute]
        for cluster in metered
        if name in cluster.series
        for minute in minutes
        if minute in cluster.series[name]
    ]


def _sum(metered: Iterable[Metered], name: str, minutes: Sequence[int]) -> float | None:
    values = _values(metered, name, minutes)
    return sum(values) if values else None


def _median(metered: Iterable[Metered], name: str, minutes: Sequence[int]) -> float | None:
    values = _values(metered, name, minutes)
    return float(np.median(values)) if values else None


def _seconds_of_first(span: Span) -> float:
    """How many seconds of its first minute the run fills."""
    first_ends_ns = min((span.touched.start + 1) * MINUTE_NS, span.end_ns)
    return (first_ends_ns - span.begin_ns) / 1e9


def _seconds_of_last(span: Span) -> float:
    last_begins_ns = max((span.touched.stop - 1) * MINUTE_NS, span.begin_ns)
    return (span.end_ns - last_begins_ns) / 1e9


def _utc(minute: int) -> str:
    return datetime.fromtimestamp(minute * 60, UTC).isoformat(timespec="minutes")
