"""Sentences that set lines, targets, regions, kinds or users side by side. Pure."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from analysis.cell_findings import MIN_USABLE_ATTEMPTS
from analysis.fairness import is_enough
from reports.words import side_by_side as targets
from reports.words import wording as words
from reports.words.metrics import (
    attempt_ms_p50,
    attempt_ms_p99,
    conflict_rate,
    give_up_rate,
    goodput_per_s,
    jain,
    limit,
    max_over_median,
    told_p99,
)
from reports.words.series import Series, by_level, cell_name, middle

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from reports.words.series import Value
    from reports.words.wording import Cell

    Write = Callable[[float | None], str]

_LIMITS = MappingProxyType(
    {
        "hottest_row": ("the hottest row", "taken {} of the time"),
        "backoff": ("backoff", "{} of the users' time"),
        "conflicts": ("attempts that lost to others", "{} of the users' time"),
        "errors": ("attempts that failed in errors, with the pauses after them", "{} of the users' time"),
        "rejected": ("attempts that the business rule refused", "{} of the users' time"),
        "latency": ("the time that commits take", "{} of the users' time"),
        "lock_waits": ("waits for row locks and commits themselves", "{} of the users' time"),
        "between": ("what lies between attempts", "{} of the users' time"),
        "think": ("what lies between attempts, such as think time", "{} of the users' time"),
    }
)
"""What holds goodput back, and what its share is of."""
_MAX_LIMIT_LINES = 4
"""More lines than that are not a sentence."""
_UNFAIR = 3.0
"""From this many times the median user's commits on, the luckiest user is told of."""


def hottest(lines: Sequence[Series]) -> list[Series]:
    """The lines of the hottest skew, in their order."""
    return [line for line in lines if line.cells[0]["d_eff"] == lines[-1].cells[0]["d_eff"]]


def spread(lines: Sequence[Series], *, locks: bool) -> str:
    """What the lines of one skew did at the highest concurrency that all reached: the least and the most."""
    users = _shared(lines)
    if users is None:
        return ""
    found = _range(lines, users, *((told_p99, words.milliseconds) if locks else (conflict_rate, words.share)))
    what = f"p99 latency was {found}" if locks else f"{found} of attempts conflicted"
    return f"On {words.skew_words(lines[-1].cells[0])}, {what} at {words.users(users)}." if found else ""


def by_target(lines: Sequence[Series], run: Mapping[str, Any]) -> str:
    """What happened on each target on one skew: conflicts here, waiting there."""
    users = _shared(lines)
    names = dict.fromkeys(str(line.cells[0]["target"]) for line in lines)
    told = [
        _one_target([line for line in lines if line.cells[0]["target"] == name], users, run) for name in names
    ]
    where = words.skew_words(lines[-1].cells[0]) + (
        f" with {words.users(users)}" if users is not None else ""
    )
    return f"On {where}: {'; '.join(f'{name}: {one}' for name, one in zip(names, told, strict=True))}."


def alternatives(lines: Sequence[Series]) -> str:
    """What policies and knobs made of goodput, p99 and give-ups on one skew: the least and the most."""
    users = _shared(lines)
    if len(lines) == 1 or users is None:
        return ""
    measures: tuple[tuple[str, Value, Write], ...] = (
        ("goodput was", goodput_per_s, words.per_second),
        ("p99 latency of commits", told_p99, words.milliseconds),
        ("transactions given up", give_up_rate, words.share),
    )
    found = [(name, _range(lines, users, value, write)) for name, value, write in measures]
    told = ", ".join(f"{name} {text}" for name, text in found if text)
    where = f"{words.skew_words(lines[-1].cells[0])} at {words.users(users)}"
    return f"On {where}, {told}." if told else ""


def by_part(line: Series, field: str, noun: str) -> str:
    """What each region or kind did at the highest concurrency of a line; nothing where there is but one."""
    cell = middle(by_level(line.cells)[-1][1], conflict_rate)
    parts = cell.get(field) or ()
    names = words.region_names(part["name"] for part in parts)
    found = [
        f"{name} {words.share(conflict_rate(part))} (goodput {words.per_second(goodput_per_s(part))})"
        if part["attempts"]["total"] >= MIN_USABLE_ATTEMPTS
        else f"{name} {words.ABSENT} ({words.counted(part['attempts']['total'], 'attempt')})"
        for name, part in zip(names, parts, strict=True)
    ]
    variant = f" ({line.variant})" if line.variant else ""
    where = f"{words.skew_words(cell)} at {words.users(cell['users'])}{variant}"
    return f"By {noun}, on {where}, attempts conflicted: {', '.join(found)}." if found else ""


def unfair(cells: Sequence[Cell]) -> str:
    """How far the luckiest user was ahead of the median one, if that is far and no chance."""
    known = [cell for cell in cells if _is_known(cell)]
    if not known:
        return ""
    worst = max(known, key=lambda cell: _advantage(cell) or 0.0)
    advantage = _advantage(worst)
    if advantage is None or advantage <= _UNFAIR:
        return ""
    ahead = (
        "half of the users or more committed nothing"
        if advantage == float("inf")
        else f"one user committed {words.number(advantage)} times as often as the median user"
    )
    where, index = cell_name(worst, cells), words.number(jain(worst))
    return f"Commits were dealt unevenly: at {where}, {ahead} (Jain's index {index})."


def limits(lines: Sequence[Series], *, thinks: bool) -> str:
    """What held goodput back at the highest concurrency that all lines reached, and on which line what.

    `thinks`: whether users pause between two transactions.
    """
    users = _shared(lines)
    if users is None:
        return ""
    held: dict[str, list[tuple[str, float | None]]] = {}
    for line in lines:
        found = limit(middle(dict(by_level(line.cells))[users], goodput_per_s))
        if found is not None:
            name = "think" if found[0] == "between" and thinks else found[0]
            held.setdefault(name, []).append((line.variant, found[1]))
    if not held or (len(held) > 1 and len(lines) > _MAX_LIMIT_LINES):
        return ""
    told = "; ".join(_held(name, lines_held, alone=len(held) == 1) for name, lines_held in held.items())
    return (
        f"What held goodput back on {words.skew_words(lines[-1].cells[0])} at {words.users(users)}: {told}."
    )


def _held(name: str, lines: Sequence[tuple[str, float | None]], *, alone: bool) -> str:
    """One limit and the lines that it held back: (variant, share); `alone` where it held all of them back."""
    noun, of = _LIMITS[name]
    if alone:
        shares = sorted({share for _, share in lines if share is not None})
        ends = dict.fromkeys(words.share(share) for share in (shares[0], shares[-1]))
        return f"{noun}{' on every line' if len(lines) > 1 else ''} ({of.format(' to '.join(ends))})"
    told = [f"{variant} ({of.format(words.share(share))})" for variant, share in lines]
    return f"{noun} with {words.joined(told)}"


def _is_known(cell: Cell) -> bool:
    """Whether so many transactions committed that it says something how they were dealt."""
    shares = cell.get("fairness")
    return shares is not None and is_enough(shares, cell["transactions"]["committed"])


def _advantage(cell: Cell) -> float | None:
    """Commits of the luckiest user over those of the median one; infinite where the median one has none."""
    value = max_over_median(cell)
    return float("inf") if value is None and jain(cell) is not None else value


def _one_target(lines: Sequence[Series], users: int | None, run: Mapping[str, Any]) -> str:
    """One target at `users`, or at the highest level that its own lines share where no level is common."""
    level = _shared(lines) if users is None else users
    if level is None:
        return words.ABSENT
    rate = _range(lines, level, conflict_rate, words.share) or words.ABSENT
    p50, p99 = (
        _range(lines, level, value, words.milliseconds) or words.ABSENT
        for value in (attempt_ms_p50, attempt_ms_p99)
    )
    at = f" at {words.users(level)}" if users is None else ""
    if targets.locks(run, lines[0].cells[0]):
        return f"{rate} of attempts conflicted{at}, attempts waited: p50 {p50}, p99 {p99}"
    return f"{rate} of attempts conflicted{at}, attempts took {p50} (p50)"


def _shared(lines: Sequence[Series]) -> int | None:
    """The highest concurrency that all lines reached."""
    shared = set.intersection(*({users for users, _ in by_level(line.cells)} for line in lines))
    return max(shared, default=None)


def _range(lines: Sequence[Series], users: int, value: Value, write: Write) -> str:
    """The least and the most of a value over lines, with their names; empty where it is absent."""
    found = [(value(middle(dict(by_level(line.cells))[users], value)), line.variant) for line in lines]
    present = sorted(((of, name) for of, name in found if of is not None), key=lambda pair: pair[0])
    if not present:
        return ""
    (low, lowest), (high, highest) = present[0], present[-1]
    if len(present) == 1:
        return write(low) if len(lines) == 1 else f"{write(low)} ({lowest})"
    return (
        write(low) if write(low) == write(high) else f"{write(low)} ({lowest}) to {write(high)} ({highest})"
    )
