"""What a cell of a sample has besides its own figures: those of its regions, kinds, users, tries and keys."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST_TRIES = 11


def regions(cell: dict[str, Any], names: Sequence[str]) -> list[dict[str, Any]]:
    """What each region did: an equal share of the cell's users, with rates and times of its own."""
    return [_region(cell, index, name, len(names)) for index, name in enumerate(names)]


def _region(cell: dict[str, Any], index: int, name: str, places: int) -> dict[str, Any]:
    users = cell["users"] // places + (index < cell["users"] % places)
    share = users / cell["users"]
    rate = cell["conflict_rate"]["value"] * (1 - 0.15 * (places - 1 - index)) if users else None
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
        **{each: _farther(cell[each], share, index) for each in ("latency_ms", "attempt_ms", "commit_ms")},
        "connect_ms": {"n": 0, "p50": None, "p99": None, "max": None},
    }


def _farther(times_ms: dict[str, Any], share: float, index: int) -> dict[str, Any]:
    n = round(share * times_ms["n"])
    return {
        name: n if name == "n" else None if value is None or n == 0 else value * (1 + 1.4 * index)
        for name, value in times_ms.items()
    }


def kinds(cell: dict[str, Any], names: Sequence[str]) -> list[dict[str, Any]]:
    """What each kind did: equal shares of the transactions; the later ones conflict more and take longer."""
    return [
        {"kind": index, **{name: value for name, value in part.items() if name not in {"region", "users"}}}
        for index, part in enumerate(
            _region({**cell, "users": len(names)}, index, name, len(names))
            for index, name in enumerate(names)
        )
    ]


def details(cell: dict[str, Any]) -> dict[str, Any]:
    """What older runs do not have, made from the cell's own conflict rate."""
    transactions, rate = cell["transactions"], cell["conflict_rate"]["value"]
    finished = transactions["started"] - transactions["cut_off"]
    share = transactions["gave_up"] / finished if finished else 0.0
    return {
        "knobs": cell.get("knobs", {}),
        "give_up_rate": _around(share, 0.02, 1),
        "commit_on_attempt": _tries(transactions["committed"], rate, retried=cell["retry"] != "none"),
        "fairness": _fairness(transactions["committed"], cell["users"], rate),
        "hot_keys": _hot_keys(cell),
    }


def violations(count: int) -> dict[str, Any]:
    """Where a check found so many: the first, the worst and the last."""
    places = {"first": 17, "worst": 4, "last": 99}
    return {
        place: {"id": number, "before": 1000, "after": 1000 - number} if count else None
        for place, number in places.items()
    }


def _tries(committed: int, rate: float, *, retried: bool) -> dict[str, Any]:
    """A geometric distribution, cut off where policies give up."""
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
    """Among one user there is none; the more conflicts, the less alike."""
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
    """Each next key has half of the conflicts that are left."""
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
