"""What is known of an observed run beside its rates: transactions in flight, and what conflicted. Pure.

Who sent the transactions, how they choose their rows and when they retry is not known. So nothing is
predicted, and a conflict is attributed to every table and statement of its transaction, not to one of them.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis import intervals
from hotrow.attempt.record import RETRYABLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from analysis.counts import Counts
    from hotrow.run.statement_log import StatementLine, StatementLog

MIN_ATTEMPTS = 20
"""A level of concurrency with fewer attempts is left out: its rate would be left to chance."""
MAX_ROWS = 50
"""Tables and statements that are listed."""
_CONFLICTS = list(map(int, RETRYABLE))


def summarise_observed(log: StatementLog, attempts: NDArray[np.void], counts: Counts) -> dict[str, Any]:
    """`observed` of a cell, as JSON values.

    Args:
        log: the statements of the run.
        attempts: all records of the cell.
        counts: the counts of the measured interval.
    """
    return {
        "in_flight": _in_flight(attempts, counts),
        "tables": _rows(_by_table(log), counts, ("table", "access")),
        "statements": _rows(_by_statement(log), counts, ("text",)),
        "transactions": [
            {"name": kind.name, "statements": [_text(log, number) for number in kind.statements]}
            for kind in log.kinds
        ],
    }


def mean_in_flight(attempts: NDArray[np.void]) -> NDArray[np.float64]:
    """How many attempts were under way on average while each attempt was, itself included; float64[n].

    With N(t) the number under way at time t, it is the integral of N over the attempt / its duration.
    """
    begin = attempts["started"].astype(np.int64)
    end = begin + np.maximum((attempts["body"] + attempts["commit"]).astype(np.int64), 1)
    times = np.concatenate([begin, end])
    order = np.argsort(times, kind="stable")
    times = times[order]
    number = np.cumsum(np.where(order < len(begin), 1, -1))
    area = np.concatenate([[0.0], np.cumsum(number[:-1] * np.diff(times).astype(np.float64))])
    between = area[np.searchsorted(times, end)] - area[np.searchsorted(times, begin)]
    return np.asarray(between / (end - begin))


def _in_flight(attempts: NDArray[np.void], counts: Counts) -> dict[str, Any]:
    if not len(counts.attempts):
        return {"mean": None, "max": None, "levels": []}
    known = mean_in_flight(counts.attempts)
    levels = np.rint(known).astype(np.int64)
    edges = _edges(int(levels.max()))
    conflicting = np.isin(counts.attempts["outcome"], _CONFLICTS)
    batch = counts.batches(intervals.BATCHES)
    rows = []
    for low, high in edges:
        chosen = (levels >= low) & (levels <= high)
        total = int(chosen.sum())
        if total < MIN_ATTEMPTS:
            continue
        rows.append(
            {
                "from": low,
                "to": high,
                "mean": float(known[chosen].mean()),
                "attempts": total,
                "conflicts": int((chosen & conflicting).sum()),
                "conflict_rate": _share(batch, chosen, conflicting),
            }
        )
    busy_ns = float((attempts["body"] + attempts["commit"]).sum())
    return {
        "mean": busy_ns / (counts.interval.end_ns - counts.interval.begin_ns),
        "max": int(levels.max()),
        "levels": rows,
    }


def _edges(highest: int) -> list[tuple[int, int]]:
    """Levels of concurrency: 1, 2, 3, 4 to 5, 6 to 7, 8 to 11, 12 to 15 and so on."""
    edges = [(1, 1), (2, 2), (3, 3)]
    size = 4
    while edges[-1][1] < highest:
        edges += [(size, size + size // 2 - 1), (size + size // 2, 2 * size - 1)]
        size *= 2
    return [(low, high) for low, high in edges if low <= highest]


def _by_table(log: StatementLog) -> dict[tuple[str, ...], set[int]]:
    """By table and access: the kinds of transaction with this access, each under its strongest."""
    found: dict[tuple[str, ...], set[int]] = {}
    for kind in log.kinds:
        lines = [log.statements[number] for number in kind.statements if number in log.statements]
        seen: set[str] = set()
        for access in ("writes", "locks", "reads"):
            for name in dict.fromkeys(_names(lines, access)):
                if name not in seen:
                    seen.add(name)
                    found.setdefault((name, access), set()).add(kind.kind)
    return found


def _names(lines: Iterable[StatementLine], access: str) -> list[str]:
    return [name for line in lines for name in getattr(line, access)]


def _by_statement(log: StatementLog) -> dict[tuple[str, ...], set[int]]:
    found: dict[tuple[str, ...], set[int]] = {}
    for kind in log.kinds:
        for number in kind.statements:
            found.setdefault((_text(log, number),), set()).add(kind.kind)
    return found


def _text(log: StatementLog, number: int) -> str:
    return log.statements[number].text if number in log.statements else "further statements"


def _rows(
    kinds_of: Mapping[tuple[str, ...], set[int]], counts: Counts, names: Sequence[str]
) -> list[dict[str, Any]]:
    """One row per key: the attempts of its kinds, and how many of these conflicted; most conflicts first."""
    kinds = counts.attempts["kind"]
    conflicting = np.isin(counts.attempts["outcome"], _CONFLICTS)
    batch = counts.batches(intervals.BATCHES) if len(kinds) else np.empty(0, np.int64)
    all_conflicts = int(conflicting.sum())
    rows: list[dict[str, Any]] = []
    for key, numbers in kinds_of.items():
        chosen = np.isin(kinds, list(numbers))
        total, conflicts = int(chosen.sum()), int((chosen & conflicting).sum())
        if total:
            rows.append(
                {
                    **dict(zip(names, key, strict=True)),
                    "attempts": total,
                    "conflicts": conflicts,
                    "share": conflicts / all_conflicts if all_conflicts else None,
                    "conflict_rate": _share(batch, chosen, conflicting),
                }
            )
    return sorted(rows, key=lambda row: (-row["conflicts"], -row["attempts"]))[:MAX_ROWS]


def _share(
    batch: NDArray[np.int64], chosen: NDArray[np.bool_], hits: NDArray[np.bool_]
) -> dict[str, float | None]:
    attempts, conflicts = (
        np.bincount(batch[which], minlength=intervals.BATCHES).astype(np.float64)
        for which in (chosen, chosen & hits)
    )
    return asdict(intervals.share(conflicts, attempts))
