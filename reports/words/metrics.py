"""Single figures of a cell, for charts and sentences; None if a figure is absent. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis import cell_findings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reports.words.wording import Cell


def conflict_rate(cell: Cell) -> float | None:
    """Conflicts / attempts."""
    return _value(cell, "conflict_rate")


def goodput_per_s(cell: Cell) -> float | None:
    """Committed transactions per second; None in a mostly rejected cell, which measures no goodput."""
    return None if is_mostly_rejected(cell) else _value(cell, "goodput_per_s")


def give_up_rate(cell: Cell) -> float | None:
    """Transactions given up / finished; runs of older versions have none."""
    return _value(cell, "give_up_rate")


def error_rate(cell: Cell) -> float | None:
    """Transactions failed with errors / finished; runs of older versions have none."""
    return _value(cell, "error_rate")


def is_mostly_rejected(cell: Cell) -> bool:
    """Whether the business rule rejected most attempts. The cell then measures rejections.

    In an observed load a rollback on purpose is often the end of a transaction that only reads.
    """
    return "observed" not in cell and cell_findings.is_mostly_rejected(cell["attempts"])


def is_comparable(cell: Cell) -> bool:
    """Whether a cell may be compared with others: it is usable and not mostly rejected."""
    return bool(cell["usable"]) and not is_mostly_rejected(cell)


def attempts_per_s(cell: Cell) -> float | None:
    """Attempts per second, with any outcome."""
    value: float | None = cell["attempts_per_s"]
    return value


def wasted_share(cell: Cell) -> float | None:
    """Time in attempts that did not commit / time in all attempts."""
    value: float | None = cell["wasted_share"]
    return value


def latency_ms_p50(cell: Cell) -> float | None:
    """The latency that half of the committed transactions did not exceed."""
    return _value(cell, "latency_ms", "p50")


def latency_ms_p99(cell: Cell) -> float | None:
    """The latency that 99 % of the committed transactions did not exceed."""
    return _value(cell, "latency_ms", "p99")


def quotable_p99(cell: Cell) -> float | None:
    """p99 latency; None if too few transactions committed to quote it."""
    return latency_ms_p99(cell) if (cell["latency_ms"]["n"] or 0) >= cell_findings.MIN_COMMITS else None


def attempt_ms_p50(cell: Cell) -> float | None:
    """The time that half of the attempts did not exceed."""
    return _value(cell, "attempt_ms", "p50")


def attempt_ms_p99(cell: Cell) -> float | None:
    """The time that 99 % of the attempts did not exceed."""
    return _value(cell, "attempt_ms", "p99")


def tries_p99(cell: Cell) -> float | None:
    """The attempt by which 99 % of the committed transactions had committed."""
    return _value(cell, "commit_on_attempt", "p99")


def jain(cell: Cell) -> float | None:
    """Jain's index of the users' commits: 1 if all committed equally many, 1/n if one of n committed all."""
    return _value(cell, "fairness", "jain")


def max_over_median(cell: Cell) -> float | None:
    """Commits of the luckiest user / those of the median user."""
    return _value(cell, "fairness", "max_over_median")


def _value(cell: Cell, field: str, name: str = "value") -> float | None:
    value: float | None = (cell.get(field) or {}).get(name)
    return value


def limit(cell: Cell) -> tuple[str, float | None] | None:
    """(name, share) of what holds goodput back; runs of older versions have none."""
    entry = cell.get("limit")
    if not entry or entry["name"] is None:
        return None
    name: str = entry["name"]
    shares = entry["user_time"] | {
        "hottest_row": entry["hottest_row_busy"],
        "lock_waits": entry["user_time"].get("latency"),
    }
    return name, shares[name]


def hottest_row(cell: Cell) -> Mapping[str, Any] | None:
    """The key space and the key of the hottest row; None without key spaces, or if no row is known."""
    row: Mapping[str, Any] | None = (cell.get("limit") or {}).get("row")
    return row
