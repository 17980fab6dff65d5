"""One number of a cell at a time: what charts draw and sentences quote; None where it is absent. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis import cell_findings as findings

if TYPE_CHECKING:
    from reports.words.wording import Cell


def conflict_rate(cell: Cell) -> float | None:
    """Conflicts / attempts."""
    return _value(cell, "conflict_rate")


def goodput_per_s(cell: Cell) -> float | None:
    """Committed transactions a second."""
    return _value(cell, "goodput_per_s")


def give_up_rate(cell: Cell) -> float | None:
    """Transactions given up / finished; runs of older versions have none."""
    return _value(cell, "give_up_rate")


def error_rate(cell: Cell) -> float | None:
    """Transactions failed in errors / finished; runs of older versions have none."""
    return _value(cell, "error_rate")


def is_mostly_rejected(cell: Cell) -> bool:
    """Whether the business rule refused most attempts: the cell measures refusals, and compares with none."""
    return findings.is_mostly_rejected(cell["attempts"])


def is_comparable(cell: Cell) -> bool:
    """Whether a cell may be set beside others: it is usable, and most of its attempts were not refused."""
    return bool(cell["usable"]) and not is_mostly_rejected(cell)


def attempts_per_s(cell: Cell) -> float | None:
    """Attempts a second, whatever became of them."""
    value: float | None = cell["attempts_per_s"]
    return value


def wasted_share(cell: Cell) -> float | None:
    """Time in attempts that did not commit / time in all attempts."""
    value: float | None = cell["wasted_share"]
    return value


def latency_ms_p50(cell: Cell) -> float | None:
    """Half of the committed transactions took no longer."""
    return _value(cell, "latency_ms", "p50")


def latency_ms_p99(cell: Cell) -> float | None:
    """All but one in a hundred committed transactions took no longer."""
    return _value(cell, "latency_ms", "p99")


def told_p99(cell: Cell) -> float | None:
    """p99 latency as sentences tell it: absent if too few transactions committed to say anything of it."""
    return latency_ms_p99(cell) if (cell["latency_ms"]["n"] or 0) >= findings.MIN_COMMITS else None


def attempt_ms_p50(cell: Cell) -> float | None:
    """Half of the attempts took no longer."""
    return _value(cell, "attempt_ms", "p50")


def attempt_ms_p99(cell: Cell) -> float | None:
    """All but one in a hundred attempts took no longer."""
    return _value(cell, "attempt_ms", "p99")


def tries_p99(cell: Cell) -> float | None:
    """The attempt by which 99 % of the committed transactions had committed."""
    return _value(cell, "commit_on_attempt", "p99")


def jain(cell: Cell) -> float | None:
    """Jain's index of the users' commits: 1 where all committed alike, 1/n where one of n did."""
    return _value(cell, "fairness", "jain")


def max_over_median(cell: Cell) -> float | None:
    """Commits of the luckiest user / those of the median user."""
    return _value(cell, "fairness", "max_over_median")


def _value(cell: Cell, field: str, name: str = "value") -> float | None:
    value: float | None = (cell.get(field) or {}).get(name)
    return value


def limit(cell: Cell) -> tuple[str, float | None] | None:
    """What holds goodput back and the share that it was told by; runs of older versions have none."""
    found = cell.get("limit")
    if not found or found["name"] is None:
        return None
    name: str = found["name"]
    shares = found["user_time"] | {
        "hottest_row": found["hottest_row_busy"],
        "lock_waits": found["user_time"].get("latency"),
    }
    return name, shares[name]
