"""The results of a run in sentences that claim no more than was measured. Pure."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

from analysis.cell_findings import MIN_ATTEMPTS
from analysis.gates import MAX_ERROR_RATE
from hotrow.simulated_run import is_simulated
from reports.words import comparisons, observed_words
from reports.words import side_by_side as targets
from reports.words import wording as words
from reports.words.metrics import conflict_rate, error_rate, goodput_per_s, is_comparable, limit, quotable_p99
from reports.words.series import Series, by_level, cell_name, middle, series, varied

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from reports.words.wording import Cell

_AT_BEST = 0.95
"""Goodput has stopped growing at the first level that reaches this share of the highest goodput measured."""
_FALLEN = 0.9
"""Goodput has fallen if it is below this share of the goodput at which it stopped growing."""
_MIN_ENDED = 20
"""With fewer transactions the share that gave up is left to chance."""


def headline(summary: Mapping[str, Any]) -> str:
    """The main result in one sentence: what contention did to the hottest line, in comparable cells only."""
    usable = _comparable(summary)
    if not usable:
        return _nothing_to_say(summary)
    if observed_words.is_observed(summary["run"]):
        return f"{observed_words.headline(usable)}{_failed(usable)}"
    run, hottest = summary["run"], comparisons.hottest(series(usable))
    if "target" in varied(usable):
        return comparisons.target_headline(hottest, run)
    subject = targets.waiting(run)
    waits = (
        f" {subject} for row locks: the second writer continues or fails when the first one has ended."
        if subject
        else ""
    )
    sentence = (
        _sentence(hottest[0], run) if len(hottest) == 1 else comparisons.spread(hottest, locks=bool(subject))
    )
    sentence = sentence or _sentence(hottest[-1], run)
    if is_simulated(run):
        return f"In a simulation: {sentence[:1].lower()}{sentence[1:]}"
    return f"{sentence}{waits}{_failed(usable)}"


def _nothing_to_say(summary: Mapping[str, Any]) -> str:
    """Why no cell can be compared."""
    if not summary["cells"]:
        return "Nothing was measured."
    if _usable(summary):
        return (
            "The business rule rejected most attempts in every usable cell, so there is nothing to compare."
        )
    return "No cell is usable. Read the warnings before you quote any figure."


def further_sentences(summary: Mapping[str, Any]) -> tuple[str, ...]:
    """The sentences below the headline, in this order.

    The most spread-out line, or each target; the policies and knobs on the hottest skew and what held goodput
    back; regions and kinds; fairness; the fit of the closed form; give-ups; lost answers to COMMIT; replaced
    sessions.
    """
    usable = _comparable(summary)
    if not usable:
        known = (_unknown(_usable(summary)), _resolved(_usable(summary)), _replaced(summary))
        return tuple(sentence for sentence in known if sentence)
    if observed_words.is_observed(summary["run"]):
        return (*observed_words.sentences(usable), *filter(None, [_unknown(_usable(summary))]))
    lines = series(usable)
    sentences = (
        "" if len(lines) == 1 or varied(usable) else _sentence(lines[0], summary["run"]),
        comparisons.by_target(comparisons.hottest(lines), summary["run"])
        if "target" in varied(usable)
        else "",
        *choices(summary),
        comparisons.by_part(lines[-1], "regions", "region"),
        comparisons.by_part(_most_conflicting(comparisons.hottest(lines)), "kinds", "kind"),
        comparisons.unfair(usable),
        _fit(usable),
        _gave_up(usable),
        _unknown(_usable(summary)),
        _resolved(_usable(summary)),
        _replaced(summary),
    )
    return tuple(sentence for sentence in sentences if sentence)


def choices(summary: Mapping[str, Any]) -> list[str]:
    """Sentences on the hottest skew: the effect of policies and knobs, and what held goodput back."""
    usable = _comparable(summary)
    if not usable or observed_words.is_observed(summary["run"]):
        return []
    hottest = comparisons.hottest(series(usable))
    thinks = summary["run"].get("think_s") not in {None, 0}
    sentences = (comparisons.alternatives(hottest), comparisons.limits(hottest, thinks=thinks))
    return [sentence for sentence in sentences if sentence]


def stopped_growing(line: Series) -> Cell | None:
    """The cell of the lowest level whose goodput is within 5 % of the line's best; None for one level."""
    cells = _per_level(line, goodput_per_s)
    present = [cell for cell in cells if goodput_per_s(cell) is not None]
    if len(present) < 2:  # noqa: PLR2004 - growth needs two levels
        return None
    best = max(goodput_per_s(cell) or 0.0 for cell in present)
    return next(cell for cell in present if (goodput_per_s(cell) or 0.0) >= _AT_BEST * best)


def _most_conflicting(lines: Sequence[Series]) -> Series:
    """The line on which most attempts conflicted at its highest concurrency."""
    return max(lines, key=lambda line: conflict_rate(_per_level(line, conflict_rate)[-1]) or 0.0)


def _sentence(line: Series, run: Mapping[str, Any]) -> str:
    """The results of one line as its concurrency rises."""
    locks = targets.locks(run, line.cells[0])
    parts = [part for part in (_waiting(line) if locks else _conflicts(line), _growth(line)) if part]
    where = words.skew_words(line.cells[0])
    if line.variant not in where:  # `where` names the keys already
        where += f" ({line.variant})"
    return f"On {where}, {'; '.join(parts)}." if parts else "Nothing was measured."


def _conflicts(line: Series) -> str:
    cell = _per_level(line, conflict_rate)[-1]
    rate = conflict_rate(cell)
    if rate is None:
        return f"no attempt ended at {words.users(cell['users'])}"
    return f"{words.share(rate)} of attempts conflicted at {words.users(cell['users'])}"


def _waiting(line: Series) -> str:
    cells = [cell for cell in _per_level(line, quotable_p99) if quotable_p99(cell) is not None]
    if not cells:
        return ""
    first, last = cells[0], cells[-1]
    end = f"{words.milliseconds(quotable_p99(last))} at {words.users(last['users'])}"
    if first is last:
        return f"p99 latency was {end}"
    start = f"{words.milliseconds(quotable_p99(first))} at {words.users(first['users'])}"
    return f"p99 latency went from {start} to {end}"


def _growth(line: Series) -> str:
    """The level at which goodput stopped growing, and whether goodput fell after that."""
    cells = _per_level(line, goodput_per_s)
    knee, last = stopped_growing(line), cells[-1]
    if knee is None:
        return (
            f"goodput was {words.per_second(goodput_per_s(last))}" if goodput_per_s(last) is not None else ""
        )
    at = f"{words.users(knee['users'])} ({words.per_second(goodput_per_s(knee))})"
    if knee is last:
        held_back = limit(last)  # a row that is always taken allows no more goodput
        is_full = held_back is not None and held_back[0] == "hottest_row"
        return f"goodput was {'highest' if is_full else 'still growing'} at {at}"
    has_fallen = (goodput_per_s(last) or 0.0) < _FALLEN * (goodput_per_s(knee) or 0.0)
    end = f" and fell to {words.per_second(goodput_per_s(last))} at {words.users(last['users'])}"
    growth = "did not grow beyond" if knee is cells[0] else "stopped growing at"
    return f"goodput {growth} {at}{end if has_fallen else ''}"


def _fit(cells: Sequence[Cell]) -> str:
    """The difference between the closed form and the measured conflict rate."""
    enough = [cell for cell in cells if cell["attempts"]["total"] >= MIN_ATTEMPTS]
    both = [cell for cell in enough if _difference(cell) is not None]
    if not both:
        return ""
    worst = max(both, key=lambda cell: _difference(cell) or 0.0)
    points = [100 * (_difference(cell) or 0.0) for cell in both]
    if len(both) == 1:
        where = cell_name(worst, cells)
        return (
            f"The closed form differs from the measured conflict rate by {points[0]:.1f} percentage points "
            f"(at {where})."
        )
    return (
        f"The closed form differs from the measured conflict rate by up to {max(points):.1f} percentage "
        f"points (at {cell_name(worst, cells)}; median {median(points):.1f} over "
        f"{words.counted(len(both), 'usable cell')})."
    )


def _difference(cell: Cell) -> float | None:
    measured, predicted = cell["conflict_rate"]["value"], cell["predicted"]["conflict_rate"]
    return None if measured is None or predicted is None else abs(measured - predicted)


def _failed(cells: Sequence[Cell]) -> str:
    """The share of failed transactions, if it exceeds the default limit: it qualifies every other figure."""
    worst = max(cells, key=lambda cell: error_rate(cell) or 0.0)
    rate = error_rate(worst)
    if rate is None or rate <= MAX_ERROR_RATE:
        return ""
    share = f"Up to {words.share(rate)}" if len(cells) > 1 else words.share(rate)
    return f" {share} of transactions failed with errors."


def _gave_up(cells: Sequence[Cell]) -> str:
    retried = [
        cell for cell in cells if cell["retry"] != "none"
    ]  # without retries every conflict is a give-up
    worst = max(retried, key=_gave_up_share, default=None)
    if worst is None or not _gave_up_share(worst):
        return ""
    retries = "With retries, up" if len(retried) < len(cells) else "Up"
    return (
        f"{retries} to {words.share(_gave_up_share(worst))} of transactions gave up "
        f"(at {cell_name(worst, cells)})."
    )


def _gave_up_share(cell: Cell) -> float:
    ended = cell["transactions"]["started"] - cell["transactions"]["cut_off"]
    return float(cell["transactions"]["gave_up"] / ended) if ended >= _MIN_ENDED else 0.0


def _unknown(cells: Sequence[Cell]) -> str:
    total = sum(cell["transactions"]["unknown"] for cell in cells)
    lost = "The outcome of {} is unknown: the connection was lost while COMMIT was in flight."
    return lost.format(words.counted(total, "transaction")) if total else ""


def _resolved(cells: Sequence[Cell]) -> str:
    applied, not_applied, unknown = (
        sum(cell["in_doubt"][name] for cell in cells) for name in ("applied", "not_applied", "unknown")
    )
    if not applied + not_applied:
        return ""
    looked_up = applied + not_applied
    return (
        f"{words.counted(looked_up, 'attempt')} lost the answer to COMMIT and "
        f"{'was looked up by its receipt' if looked_up == 1 else 'were looked up by their receipts'}: "
        f"{applied:,} had been applied, {not_applied:,} had not; "
        f"{unknown:,} {'is' if unknown == 1 else 'are'} still unknown."
    )


def _replaced(summary: Mapping[str, Any]) -> str:
    """The number of sessions that were replaced before their age limit, and the waits that this caused."""
    counts = summary.get("connections")
    if not counts or not counts["retired"]:
        return ""
    is_one, waits = counts["retired"] == 1, counts["connect_ms"]
    replaced = (
        f"{words.counted(counts['retired'], 'session')} "
        f"{'was replaced before its' if is_one else 'were replaced before their'} age limit"
    )
    if not waits["n"]:
        return f"{replaced}."
    p50, longest = words.milliseconds(waits["p50"]), words.milliseconds(waits["max"])
    return f"{replaced}; latency excludes waits for a connection (p50 {p50}, at most {longest})."


def _per_level(line: Series, value: Callable[[Cell], float | None]) -> list[Cell]:
    return [middle(cells, value) for _, cells in by_level(line.cells)]


def _comparable(summary: Mapping[str, Any]) -> list[Cell]:
    return [cell for cell in summary["cells"] if is_comparable(cell)]


def _usable(summary: Mapping[str, Any]) -> list[Cell]:
    return [cell for cell in summary["cells"] if cell["usable"]]
