"""Sentences that compare lines, targets, regions, kinds or users. Pure."""

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
    hottest_row,
    jain,
    limit,
    max_over_median,
    quotable_p99,
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
        "errors": ("attempts that failed with errors and the pauses after them", "{} of the users' time"),
        "rejected": ("attempts that the business rule rejected", "{} of the users' time"),
        "latency": ("the time that commits take", "{} of the users' time"),
        "lock_waits": ("waits for row locks and the commits themselves", "{} of the users' time"),
        "between": ("time between attempts", "{} of the users' time"),
        "think": ("time between attempts, such as think time", "{} of the users' time"),
    }
)
"""What holds goodput back, and the meaning of its share."""
_MAX_LIMIT_LINES = 4
"""One sentence describes no more lines than this."""
_MAX_NAMED_TARGETS = 3
"""A headline names the targets if there are no more than this."""
_MAX_FAIR_ADVANTAGE = 3.0
"""A sentence reports the luckiest user with more than this many times the commits of the median user."""


def hottest(lines: Sequence[Series]) -> list[Series]:
    """The lines of the hottest skew, in their order."""
    return [line for line in lines if line.cells[0]["d_eff"] == lines[-1].cells[0]["d_eff"]]


def spread(lines: Sequence[Series], *, locks: bool) -> str:
    """The range of the lines of one skew, at the highest level that all reached: conflict rate or p99."""
    users = _shared(lines)
    if users is None:
        return ""
    measure = (quotable_p99, words.milliseconds) if locks else (conflict_rate, words.share)
    values = _range(lines, users, *measure)
    result = f"p99 latency was {values}" if locks else f"{values} of attempts conflicted"
    return f"On {words.skew_words(lines[-1].cells[0])}, {result} at {words.users(users)}." if values else ""


def target_headline(lines: Sequence[Series], run: Mapping[str, Any]) -> str:
    """What happened on each target on one skew, in a few words; with many targets, the range over them."""
    users = _shared(lines)
    where = words.skew_words(lines[-1].cells[0])
    if users is None:
        return f"On {where}, the targets were measured with different numbers of users."
    by_name = _by_target(lines)
    where += f" with {words.users(users)}"
    if len(by_name) > _MAX_NAMED_TARGETS:
        rates = _range(lines, users, conflict_rate, words.share)
        return f"On {where}, {rates or words.ABSENT} of attempts conflicted."
    parts = [_briefly(name, of_target, users, run) for name, of_target in by_name.items()]
    return f"On {where}: {'; '.join(parts)}."


def _briefly(name: str, lines: Sequence[Series], users: int, run: Mapping[str, Any]) -> str:
    """One target in a few words: its conflict rate, or if it waits for row locks, its p99."""
    if targets.locks(run, lines[0].cells[0]):
        return f"{name} waited up to {_ends(lines, users, attempt_ms_p99, words.milliseconds)} (p99)"
    return f"{name} had {_ends(lines, users, conflict_rate, words.share)} conflicts"


def _ends(lines: Sequence[Series], users: int, value: Value, write: Write) -> str:
    """The lowest and the highest value over the lines, without their names."""
    values = [value(middle(dict(by_level(line.cells))[users], value)) for line in lines]
    present = sorted(one for one in values if one is not None)
    return " to ".join(dict.fromkeys(map(write, (present[0], present[-1])))) if present else words.ABSENT


def _by_target(lines: Sequence[Series]) -> dict[str, list[Series]]:
    """The lines of each target, in the order of the lines."""
    names = dict.fromkeys(str(line.cells[0]["target"]) for line in lines)
    return {name: [line for line in lines if line.cells[0]["target"] == name] for name in names}


def by_target(lines: Sequence[Series], run: Mapping[str, Any]) -> str:
    """The result of each target on one skew: conflicts, or latency if the target waits for row locks."""
    users = _shared(lines)
    by_name = _by_target(lines)
    results = [f"{name}: {_one_target(of_target, users, run)}" for name, of_target in by_name.items()]
    where = words.skew_words(lines[-1].cells[0]) + (
        f" with {words.users(users)}" if users is not None else ""
    )
    return f"On {where}: {'; '.join(results)}."


def alternatives(lines: Sequence[Series]) -> str:
    """The ranges of goodput, p99 and give-ups over the policies and knobs on one skew."""
    users = _shared(lines)
    if len(lines) == 1 or users is None:
        return ""
    measures: tuple[tuple[str, Value, Write], ...] = (
        ("goodput was", goodput_per_s, words.per_second),
        ("p99 latency of commits", quotable_p99, words.milliseconds),
        ("transactions given up", give_up_rate, words.share),
    )
    ranges = [(name, _range(lines, users, value, write)) for name, value, write in measures]
    results = ", ".join(f"{name} {text}" for name, text in ranges if text)
    where = f"{words.skew_words(lines[-1].cells[0])} at {words.users(users)}"
    return f"On {where}, {results}." if results else ""


def by_part(line: Series, field: str, noun: str) -> str:
    """The conflict rate of each region or kind at the highest level of a line; empty if there is only one."""
    cell = middle(by_level(line.cells)[-1][1], conflict_rate)
    parts = cell.get(field) or ()
    names = words.region_names(part["name"] for part in parts)
    rates = [
        f"{name} {words.share(conflict_rate(part))} (goodput {words.per_second(goodput_per_s(part))})"
        if part["attempts"]["total"] >= MIN_USABLE_ATTEMPTS
        else f"{name} {words.ABSENT} ({words.counted(part['attempts']['total'], 'attempt')})"
        for name, part in zip(names, parts, strict=True)
    ]
    variant = f" ({line.variant})" if line.variant else ""
    where = f"{words.skew_words(cell)} at {words.users(cell['users'])}{variant}"
    return f"Conflict rate by {noun}, on {where}: {', '.join(rates)}." if rates else ""


def unfair(cells: Sequence[Cell]) -> str:
    """The lead of the luckiest user over the median one, if it is large and not left to chance."""
    known = [cell for cell in cells if _is_known(cell)]
    if not known:
        return ""
    worst = max(known, key=lambda cell: _advantage(cell) or 0.0)
    advantage = _advantage(worst)
    if advantage is None or advantage <= _MAX_FAIR_ADVANTAGE:
        return ""
    lead = (
        "at least half of the users committed nothing"
        if advantage == float("inf")
        else f"one user committed {words.number(advantage)} times as often as the median user"
    )
    where, index = cell_name(worst, cells), words.number(jain(worst))
    return f"Commits were spread unevenly over the users: at {where}, {lead} (Jain's index {index})."


def limits(lines: Sequence[Series], *, thinks: bool) -> str:
    """What held goodput back on each line, at the highest level that all lines reached.

    `thinks`: whether users pause between two transactions.
    """
    users = _shared(lines)
    if users is None:
        return ""
    by_limit: dict[str, list[tuple[str, float | None]]] = {}
    rows = set()
    for line in lines:
        cell = middle(dict(by_level(line.cells))[users], goodput_per_s)
        held_back = limit(cell)
        rows.add(words.key_name(row) if (row := hottest_row(cell)) else "")
        if held_back is not None:
            name = "think" if held_back[0] == "between" and thinks else held_back[0]
            by_limit.setdefault(name, []).append((line.variant, held_back[1]))
    if not by_limit or (len(by_limit) > 1 and len(lines) > _MAX_LIMIT_LINES):
        return ""
    only = len(by_limit) == 1
    named = f", {rows.pop()}" if len(rows) == 1 and all(rows) else ""
    causes = "; ".join(_limit_words(name, variants, named, only=only) for name, variants in by_limit.items())
    where = f"{words.skew_words(lines[-1].cells[0])} at {words.users(users)}"
    return f"On {where}, goodput was held back by {causes}."


def _limit_words(name: str, variants: Sequence[tuple[str, float | None]], row: str, *, only: bool) -> str:
    """One limit and the lines that it held back: (variant, share).

    `row` names the hottest row, if it is the same on all lines. `only`: whether it held back all lines.
    """
    noun, meaning = _LIMITS[name]
    noun += row if name == "hottest_row" else ""
    if only:
        shares = sorted({share for _, share in variants if share is not None})
        ends = dict.fromkeys(words.share(share) for share in (shares[0], shares[-1]))
        return f"{noun}{' on every line' if len(variants) > 1 else ''} ({meaning.format(' to '.join(ends))})"
    texts = [f"{variant} ({meaning.format(words.share(share))})" for variant, share in variants]
    return f"{noun} with {words.joined(texts)}"


def _is_known(cell: Cell) -> bool:
    """Whether enough transactions committed to judge fairness."""
    shares = cell.get("fairness")
    return shares is not None and is_enough(shares, cell["transactions"]["committed"])


def _advantage(cell: Cell) -> float | None:
    """Commits of the luckiest user / those of the median user; infinite if the median user has none."""
    value = max_over_median(cell)
    return float("inf") if value is None and jain(cell) is not None else value


def _one_target(lines: Sequence[Series], users: int | None, run: Mapping[str, Any]) -> str:
    """One target at `users`, or if no level is common to all targets, at the highest one of its lines."""
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
    """The lowest and highest value over the lines, with the lines' names; empty if no line has a value."""
    values = [(value(middle(dict(by_level(line.cells))[users], value)), line.variant) for line in lines]
    present = sorted(((one, name) for one, name in values if one is not None), key=lambda pair: pair[0])
    if not present:
        return ""
    (low, lowest), (high, highest) = present[0], present[-1]
    if len(present) == 1:
        return write(low) if len(lines) == 1 else f"{write(low)} ({lowest})"
    return (
        write(low) if write(low) == write(high) else f"{write(low)} ({lowest}) to {write(high)} ({highest})"
    )
