"""What a run found, in sentences that claim no more than was measured. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, Literal

from reports import words
from reports.series import Series, by_level, middle, series, short_retries, varied

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from reports.words import Cell

_AT_BEST = 0.95
"""Goodput has stopped growing at the first level that reaches this share of the highest one measured."""
_FALLEN = 0.9
_MOST_NAMED = 5

State = Literal["valid", "invalid", "unchecked", "unusable"]


@dataclass(frozen=True, slots=True)
class Banner:
    """A verdict on the whole run: its state, a sentence, and the cells that it is about."""

    state: State
    text: str
    details: tuple[str, ...] = ()


def headline(summary: Mapping[str, Any]) -> str:
    """The finding in one sentence: what contention did to the hottest line, in usable cells only."""
    if not summary["cells"]:
        return "Nothing was measured."
    usable = _usable(summary)
    if not usable:
        return "No cell is usable: see the warnings before quoting any figure."
    lines = series(usable)
    hottest = [line for line in lines if line.cells[0]["d_eff"] == lines[-1].cells[0]["d_eff"]]
    sentence = _sentence if len(hottest) == 1 else _range
    waits = " This target waits for row locks, and decides when the wait is over." if _locks(summary) else ""
    return f"{sentence(hottest, locks=_locks(summary))}{waits}"


def findings(summary: Mapping[str, Any]) -> tuple[str, ...]:
    """Further sentences: the spread-out line beside the hot one, the model's fit, give-ups, lost answers.

    Between them what the regions did on the hot line; at the end what replaced sessions took.
    """
    usable = _usable(summary)
    if not usable:
        return ()
    lines = series(usable)
    spread = "" if len(lines) == 1 or varied(usable) else _sentence(lines[:1], locks=_locks(summary))
    sentences = (
        spread,
        _regions(lines[-1]),
        _fit(usable),
        _gave_up(usable),
        _unknown(usable),
        _resolved(usable),
        _replaced(summary),
    )
    return tuple(sentence for sentence in sentences if sentence)


def banners(summary: Mapping[str, Any]) -> tuple[Banner, ...]:
    """The verdict on correctness, then (where there are any) the cells that must not be quoted."""
    cells = summary["cells"]
    unusable = [cell for cell in cells if not cell["usable"]]
    if not unusable:
        return (_verdict(cells),)
    text = f"{_of(len(unusable), cells)} not usable: drawn hollow, not to be quoted. The warnings say why."
    return (_verdict(cells), Banner("unusable", text, _names(unusable, cells)))


def cell_name(cell: Cell, cells: Sequence[Cell]) -> str:
    """A cell's name within its run: `hot, 8 users`, with what else varies."""
    retries = short_retries(cells)
    names = {
        "scenario": str(cell["scenario"]),
        "keys": f"{words.count(cell['keys'])} keys",
        "retry": words.retry_words(retries[cell["retry"]]),
        "redraw": words.redraw_words(cell["redraw"]),
    }
    repeat = [f"repeat {cell['repeat']}"] if any(other["repeat"] != cell["repeat"] for other in cells) else []
    return ", ".join(
        [str(cell["skew"]), words.users(cell["users"]), *(names[name] for name in varied(cells)), *repeat]
    )


def stopped_growing(line: Series) -> Cell | None:
    """The cell of the lowest concurrency with goodput within 5 % of the line's best; None for one level."""
    cells = _per_level(line, _goodput)
    present = [cell for cell in cells if _goodput(cell) is not None]
    if len(present) < 2:  # noqa: PLR2004 - growth needs two levels
        return None
    best = max(_goodput(cell) or 0.0 for cell in present)
    return next(cell for cell in present if (_goodput(cell) or 0.0) >= _AT_BEST * best)


def _sentence(lines: Sequence[Series], *, locks: bool) -> str:
    """What happened on one line as its concurrency rose."""
    line = lines[0]
    parts = [part for part in (_waiting(line) if locks else _conflicts(line), _growth(line)) if part]
    return f"On {words.skew_words(line.cells[0])}, {'; '.join(parts)}." if parts else "Nothing was measured."


def _range(lines: Sequence[Series], *, locks: bool) -> str:
    """What the lines of one skew did at the highest concurrency that all reached: the least and the most."""
    shared = set.intersection(*({users for users, _ in by_level(line.cells)} for line in lines))
    value = _p99 if locks else _conflict_rate
    found = [(line, _at(line, max(shared), value)) for line in lines] if shared else []
    present = sorted(((of, line.variant) for line, of in found if of is not None), key=lambda pair: pair[0])
    if not present:
        return _sentence(lines[-1:], locks=locks)
    low, high = (
        f"{(words.milliseconds if locks else words.share)(of)} ({name})"
        for of, name in (present[0], present[-1])
    )
    what = f"p99 latency was {low} to {high}" if locks else f"{low} to {high} of attempts conflicted"
    return f"On {words.skew_words(lines[-1].cells[0])}, {what} at {words.users(max(shared))}."


def _at(line: Series, users: int, value: Callable[[Cell], float | None]) -> float | None:
    return value(middle(dict(by_level(line.cells))[users], value))


def _regions(line: Series) -> str:
    """What each region did at the highest concurrency of a line; of one place there is nothing to say."""
    cell = _per_level(line, _conflict_rate)[-1]
    regions = cell.get("regions", ())
    found = [
        f"{name} {words.share(_conflict_rate(region))} (goodput {words.per_second(_goodput(region))})"
        for name, region in zip(
            words.region_names(region["name"] for region in regions), regions, strict=True
        )
    ]
    where = f"{words.skew_words(cell)} at {words.users(cell['users'])}"
    return f"By region, on {where}, attempts conflicted: {', '.join(found)}." if found else ""


def _conflicts(line: Series) -> str:
    cell = _per_level(line, _conflict_rate)[-1]
    rate = _conflict_rate(cell)
    if rate is None:
        return f"no attempt ended at {words.users(cell['users'])}"
    return f"{words.share(rate)} of attempts conflicted at {words.users(cell['users'])}"


def _waiting(line: Series) -> str:
    cells = [cell for cell in _per_level(line, _p99) if _p99(cell) is not None]
    if not cells:
        return ""
    first, last = cells[0], cells[-1]
    end = f"{words.milliseconds(_p99(last))} at {words.users(last['users'])}"
    if first is last:
        return f"p99 latency was {end}"
    return (
        f"p99 latency went from {words.milliseconds(_p99(first))} at {words.users(first['users'])} to {end}"
    )


def _growth(line: Series) -> str:
    """Where goodput stopped growing, and whether it fell after that."""
    cells = _per_level(line, _goodput)
    knee, last = stopped_growing(line), cells[-1]
    if knee is None:
        return f"goodput was {words.per_second(_goodput(last))}" if _goodput(last) is not None else ""
    at = f"{words.users(knee['users'])} ({words.per_second(_goodput(knee))})"
    if knee is last:
        return f"goodput was still growing at {at}"
    low = (_goodput(last) or 0.0) < _FALLEN * (_goodput(knee) or 0.0)
    fell = f" and fell to {words.per_second(_goodput(last))} at {words.users(last['users'])}" if low else ""
    grew = "did not grow beyond" if knee is cells[0] else "stopped growing at"
    return f"goodput {grew} {at}{fell}"


def _fit(cells: Sequence[Cell]) -> str:
    """How far the closed form is from the measured conflict rate."""
    both = [cell for cell in cells if _difference(cell) is not None]
    if not both:
        return ""
    worst = max(both, key=lambda cell: _difference(cell) or 0.0)
    points = [100 * (_difference(cell) or 0.0) for cell in both]
    return (
        f"The closed form differs from the measured conflict rate by up to {max(points):.1f} points "
        f"(median {median(points):.1f} over {_all(len(both), 'usable cell')}; "
        f"the most at {cell_name(worst, cells)})."
    )


def _difference(cell: Cell) -> float | None:
    measured, predicted = cell["conflict_rate"]["value"], cell["predicted"]["conflict_rate"]
    return None if measured is None or predicted is None else abs(measured - predicted)


def _gave_up(cells: Sequence[Cell]) -> str:
    retried = [cell for cell in cells if cell["retry"] != "none"]  # without retries every conflict gives up
    worst = max(retried, key=_gave_up_share, default=None)
    if worst is None or not _gave_up_share(worst):
        return ""
    return (
        f"Up to {words.share(_gave_up_share(worst))} of transactions gave up (at {cell_name(worst, cells)})."
    )


def _gave_up_share(cell: Cell) -> float:
    ended = cell["transactions"]["started"] - cell["transactions"]["cut_off"]
    return float(cell["transactions"]["gave_up"] / ended) if ended else 0.0


def _unknown(cells: Sequence[Cell]) -> str:
    total = sum(cell["transactions"]["unknown"] for cell in cells)
    lost = "The outcome of {} is unknown: the connection was lost while COMMIT was in flight."
    return lost.format(_all(total, "transaction")) if total else ""


def _resolved(cells: Sequence[Cell]) -> str:
    applied, not_applied, unknown = (
        sum(cell["in_doubt"][name] for cell in cells) for name in ("applied", "not_applied", "unknown")
    )
    if not applied + not_applied:
        return ""
    return (
        f"{_all(applied + not_applied, 'attempt')} lost the answer to COMMIT, and their receipts told: "
        f"{applied:,} had been applied, {not_applied:,} had not; "
        f"{unknown:,} {'is' if unknown == 1 else 'are'} left unknown."
    )


def _replaced(summary: Mapping[str, Any]) -> str:
    """Sessions that came of age: what replacing them took stands apart from latency."""
    counts = summary.get("connections")
    if not counts or not counts["retired"]:
        return ""
    one, waits = counts["retired"] == 1, counts["connect_ms"]
    replaced = (
        f"{_all(counts['retired'], 'session')} "
        f"{'was replaced before its' if one else 'were replaced before their'} age limit"
    )
    if not waits["n"]:
        return f"{replaced}."
    p50, longest = words.milliseconds(waits["p50"]), words.milliseconds(waits["max"])
    return f"{replaced}; waits for a connection (p50 {p50}, at most {longest}) are apart from latency."


def _verdict(cells: Sequence[Cell]) -> Banner:
    wrong = [cell for cell in cells if cell["verdict"]["valid"] is False]
    open_ = [cell for cell in cells if cell["verdict"]["valid"] is None]
    if wrong:
        text = f"Invalid: {_of(len(wrong), cells)} wrong: an invariant was violated."
        return Banner("invalid", text, _limited([_violation(cell, cells) for cell in wrong]))
    if open_:
        text = "Not checked: no cell has a verdict." if len(open_) == len(cells) else ""
        text = (
            text or f"Not wholly checked: {_of(len(open_), cells)} without a verdict; the others are valid."
        )
        return Banner("unchecked", text, _names(open_, cells) if len(open_) < len(cells) else ())
    return Banner("valid", f"Valid: every invariant held in {_all(len(cells), 'cell')}.")


def _violation(cell: Cell, cells: Sequence[Cell]) -> str:
    broken = [check for check in cell["verdict"]["checks"] if check["valid"] is False]
    told = "; ".join(f"{check['name']}: {_all(check['count'], 'violation')}" for check in broken)
    return f"{cell_name(cell, cells)}: {told}" if told else cell_name(cell, cells)


def _names(chosen: Sequence[Cell], cells: Sequence[Cell]) -> tuple[str, ...]:
    return _limited([cell_name(cell, cells) for cell in chosen])


def _limited(names: Sequence[str]) -> tuple[str, ...]:
    more = len(names) - _MOST_NAMED
    return (*names[:_MOST_NAMED], f"and {more} more") if more > 0 else tuple(names)


def _of(some: int, cells: Sequence[Cell]) -> str:
    return f"{some:,} of {_all(len(cells), 'cell')} {'is' if some == 1 else 'are'}"


def _all(many: int, noun: str) -> str:
    return f"{many:,} {noun}" + ("" if many == 1 else "s")


def _per_level(line: Series, value: Callable[[Cell], float | None]) -> list[Cell]:
    return [middle(cells, value) for _, cells in by_level(line.cells)]


def _conflict_rate(cell: Cell) -> float | None:
    value: float | None = cell["conflict_rate"]["value"]
    return value


def _goodput(cell: Cell) -> float | None:
    value: float | None = cell["goodput_per_s"]["value"]
    return value


def _p99(cell: Cell) -> float | None:
    value: float | None = cell["latency_ms"]["p99"]
    return value


def _usable(summary: Mapping[str, Any]) -> list[Cell]:
    return [cell for cell in summary["cells"] if cell["usable"]]


def _locks(summary: Mapping[str, Any]) -> bool:
    return bool(summary["run"]["target"]["conflicts"] == "locks")
