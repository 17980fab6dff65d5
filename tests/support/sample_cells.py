"""Detailed figures for the cells of a sample summary: per region, kind, user, attempt number and key."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST_TRIES = 11
_SHARES = (1.0, 0.75, 0.5, 0.25, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001)


def regions(cell: dict[str, Any], names: Sequence[str]) -> list[dict[str, Any]]:
    """The figures of each region: an equal share of the cell's users, and rates and times of its own."""
    return [_region(cell, index, name, len(names)) for index, name in enumerate(names)]


def _region(cell: dict[str, Any], index: int, name: str, parts: int) -> dict[str, Any]:
    users = cell["users"] // parts + (index < cell["users"] % parts)
    share = users / cell["users"]
    rate = cell["conflict_rate"]["value"] * (1 - 0.15 * (parts - 1 - index)) if users else None
    counts = {name: round(share * count) for name, count in cell["attempts"].items()}
    absent: dict[str, float | None] = {"value": None, "low": None, "high": None}
    return {
        "region": index,
        "name": name,
        "users": users,
        "transactions": {name: round(share * count) for name, count in cell["transactions"].items()},
        "attempts": counts,
        "conflict_rate": absent if rate is None else _around(rate, 0.02, 1),
        "retry_rate": cell["retry_rate"] if users else absent,
        "goodput_per_s": _around(share * cell["goodput_per_s"]["value"], 1.0),
        "attempts_per_s": share * cell["attempts_per_s"],
        "attempts_per_commit": cell["attempts_per_commit"] if users else None,
        **{name: _farther(cell[name], share, index) for name in ("latency_ms", "attempt_ms", "commit_ms")},
        "connect_ms": {"n": 0, "p50": None, "p99": None, "max": None},
    }


def _farther(times_ms: dict[str, Any], share: float, index: int) -> dict[str, Any]:
    n = round(share * times_ms["n"])
    return {
        name: n if name == "n" else None if value is None or n == 0 else value * (1 + 1.4 * index)
        for name, value in times_ms.items()
    }


def kinds(cell: dict[str, Any], names: Sequence[str]) -> list[dict[str, Any]]:
    """Figures of each kind: equal shares of transactions. Later kinds conflict more and take longer."""
    return [
        {"kind": index, **{name: value for name, value in part.items() if name not in {"region", "users"}}}
        for index, part in enumerate(
            _region({**cell, "users": len(names)}, index, name, len(names))
            for index, name in enumerate(names)
        )
    ]


def details(cell: dict[str, Any]) -> dict[str, Any]:
    """The figures that older runs do not have, made from the cell's conflict rate."""
    transactions, rate = cell["transactions"], cell["conflict_rate"]["value"]
    finished = transactions["started"] - transactions["cut_off"]
    share = transactions["gave_up"] / finished if finished else 0.0
    return {
        "knobs": cell.get("knobs", {}),
        "give_up_rate": _around(share, 0.02, 1),
        "commit_on_attempt": _tries(transactions["committed"], rate, retried=cell["retry"] != "none"),
        "fairness": _fairness(transactions["committed"], cell["users"], rate),
        "hot_keys": _hot_keys(cell),
        "keys_per_transaction": 1,
        "user_time_s": _user_time_s(cell),
        "unsettled_s": 0.55 * cell["seconds"],
        "over_time": _over_time(cell),
        "latency_curve": _latency_curve(cell["latency_ms"]),
    }


def _user_time_s(cell: dict[str, Any]) -> dict[str, float]:
    """The users' time: attempts by how they ended, backoff, and a rest."""
    total = cell["users"] * cell["seconds"]
    waited = cell["backoff_share"] * 0.95 * total
    busy = 0.95 * total - waited
    lost = (cell["wasted_share"] or 0.0) * busy
    parts = {"first_attempts": 0.8 * (busy - lost), "later_attempts": 0.2 * (busy - lost), "conflicts": lost}
    rest = dict.fromkeys(("rejected", "errors", "connecting", "think"), 0.0)
    return {"total": total, **parts, **rest, "backoff": waited, "other": 0.05 * total}


def _over_time(cell: dict[str, Any]) -> dict[str, Any]:
    """The course in bins of half a second, two seconds of warm-up first; the rates swing by 5 %."""
    bins, bin_s = round(cell["seconds"] / 0.5) + 4, 0.5
    swings = [1 + 0.05 * math.sin(1.7 * number) for number in range(bins)]
    attempts = [round(cell["attempts_per_s"] * bin_s * swing) for swing in swings]
    rate, p99 = cell["conflict_rate"]["value"], cell["latency_ms"]["p99"]
    conflicts = [round(rate * count) for count in attempts]
    return {
        "begin_s": -2.0,
        "bin_s": bin_s,
        "attempts": attempts,
        "conflicts": conflicts,
        "committed": [count - lost for count, lost in zip(attempts, conflicts, strict=True)],
        "latency_ms_p99": [None if p99 is None else p99 * swing for swing in swings],
    }


def _latency_curve(times_ms: dict[str, Any]) -> list[list[float]]:
    """A logarithmic straight line through p50 and p99."""
    p50, p99 = times_ms["p50"], times_ms["p99"] or 2 * times_ms["p50"]
    return [[share, p50 * (p99 / p50) ** (math.log10(0.5 / share) / math.log10(50))] for share in _SHARES]


def violations(count: int) -> dict[str, Any]:
    """The first, the worst and the last of `count` violations; None for each if `count` is 0."""
    places = {"first": 17, "worst": 4, "last": 99}
    return {
        place: {"id": number, "before": 1000, "after": 1000 - number} if count else None
        for place, number in places.items()
    }


def _tries(committed: int, rate: float, *, retried: bool) -> dict[str, Any]:
    """Commits by attempt number: geometric, up to the number of attempts at which the policy gives up."""
    most = _MOST_TRIES if retried else 1
    weights = [rate**before for before in range(most)]
    counts = [
        [attempt, many]
        for attempt, weight in enumerate(weights, start=1)
        if (many := round(committed * weight / sum(weights)))
    ]
    tops = [attempt for attempt, _ in counts]
    return {
        "n": sum(many for _, many in counts),
        "p50": tops[0] if tops else None,
        "p99": tops[-1] if tops else None,
        "max": tops[-1] if tops else None,
        "counts": counts,
    }


def _fairness(committed: int, users: int, rate: float) -> dict[str, Any]:
    """Fairness between users, lower if there are more conflicts; None for a single user."""
    if users == 1 or not committed:
        return {"users": users, **dict.fromkeys(("jain", "max_over_median"))}
    median = committed / users
    return {
        "users": users,
        "jain": 1 - 0.6 * rate**2,
        "max_over_median": 1 + 4 * rate**2,
        "commits_min": round(median * (1 - rate)),
        "commits_median": median,
        "commits_max": round(median * (1 + 4 * rate**2)),
    }


def _hot_keys(cell: dict[str, Any]) -> list[dict[str, Any]]:
    """The ten hottest keys. Each has half of the conflicts that the keys before it have left over."""
    conflicts, attempts = cell["attempts"]["conflict"], cell["attempts"]["total"]
    if cell["skew"] == "hot":
        return [{"key": 0, "conflicts": conflicts, "share": 1.0, "attempts": attempts}] if conflicts else []
    return [
        {"key": key, "conflicts": many, "share": many / conflicts, "attempts": attempts >> (key + 2)}
        for key in range(10)
        if (many := conflicts >> (key + 1))
    ]


def _around(value: float, half: float, most: float = math.inf) -> dict[str, float]:
    return {"value": value, "low": max(0.0, value - half), "high": min(most, value + half)}
