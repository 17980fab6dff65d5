"""What to change, from what the run measured: differences that are larger than chance. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from analysis.fairness import is_uneven
from reports.words import wording as words
from reports.words.comparisons import hottest
from reports.words.hot_key_table import known_keys
from reports.words.metrics import goodput_per_s, hottest_row, is_comparable, limit, quotable_p99
from reports.words.sentences import stopped_growing
from reports.words.series import by_level, middle, series, setting, setting_words, short_retries, varied

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from reports.words.series import Plain, Series
    from reports.words.wording import Cell

_MAX_ADVICE = 5
_NO_CHOICE = frozenset({"target", "scenario", "keys"})
"""Settings that describe what was measured: nobody can choose them to have fewer conflicts."""
_MIN_GAIN = 1.2
"""A smaller ratio of goodputs is no reason to change anything."""
_MIN_FEWER_GIVE_UPS = 0.01
_MIN_SLOWER = 1.5
"""p99 counts as higher from this ratio on."""
_MIN_KEY_SHARE = 0.2
"""A key with a smaller share of the conflicts is one of many."""
_MIN_BACKOFF_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One thing to do, and what was measured for it."""

    action: str
    evidence: str


def recommendations(summary: Mapping[str, Any]) -> tuple[Recommendation, ...]:
    """At most five, each from comparable cells of the hottest skew: knobs, policy, row, users, backoff.

    Empty if the run varied nothing that made a difference beyond chance. A run with several targets has none,
    because a target is compared with another one, not improved.
    """
    usable = [cell for cell in summary["cells"] if is_comparable(cell)]
    if not usable or "target" in varied(usable):
        return ()
    lines = hottest(series(usable))
    cells = [cell for line in lines for cell in line.cells]
    policy = _policy(cells)
    # all other advice is about the lines of that policy, so that no two pieces of advice exclude each other
    lines = [line for line in lines if not policy or line.cells[0]["retry"] == policy[0]["retry"]]
    best = _best_line(lines)
    found = [
        *_knobs([cell for line in lines for cell in line.cells], usable),
        *([_of_policy(*policy, usable)] if policy else []),
        *_hottest_row(summary, best, usable),
        *_users(best, usable),
        *_backoff(best, usable),
    ]
    return tuple(found[:_MAX_ADVICE])


def _best_line(lines: Sequence[Series]) -> Series:
    """The line with the highest goodput of a cell."""
    return max(lines, key=lambda line: max(goodput_per_s(cell) or 0.0 for cell in line.cells))


def _at_most_users(line: Series) -> Cell:
    """The cell of a line with the most users; of repeats, the one with the median goodput."""
    repeats: tuple[Cell, ...] = by_level(line.cells)[-1][1]
    return middle(repeats, goodput_per_s)


def _knobs(cells: Sequence[Cell], usable: Sequence[Cell]) -> Iterator[Recommendation]:
    """The best value of each knob against the worst one, at otherwise equal settings."""
    for name in varied(cells):
        if name in _NO_CHOICE or name == "retry":
            continue
        pairs = [(max(group, key=_goodput), min(group, key=_goodput)) for group in _alternatives(cells, name)]
        gains = [(good, bad) for good, bad in pairs if _is_more(good, bad)]
        if not gains:
            continue
        good, bad = max(gains, key=lambda pair: _goodput(pair[0]))
        yield Recommendation(
            f"Choose {_choice(good, name)}.",
            f"It gave {words.number(_goodput(good) / _goodput(bad), 2)} times the goodput of "
            f"{_choice(bad, name)}: {_against(good, bad)}{_price(good, bad)} ({_where(good, name, usable)}).",
        )


def _policy(cells: Sequence[Cell]) -> tuple[Cell, Cell] | None:
    """A cell of the policy that gives up least, and one of that which gives up most; None if all are alike.

    Of several policies that give up equally seldom, the one with the highest goodput.
    """
    if "retry" not in varied(cells):
        return None
    pairs = []
    for group in _alternatives(cells, "retry"):
        known = [cell for cell in group if _give_ups(cell) is not None]
        worst = max(known, key=lambda cell: _give_ups(cell) or 0.0, default=None)
        better = [cell for cell in known if worst is not None and _gives_up_less(cell, worst)]
        if worst is not None and better:
            least = min(better, key=lambda cell: _give_ups(cell) or 0.0)
            equal = [cell for cell in better if not _gives_up_less(least, cell)]
            pairs.append((max(equal, key=_goodput), worst))
    return max(pairs, key=lambda pair: _goodput(pair[0]), default=None)


def _of_policy(good: Cell, bad: Cell, usable: Sequence[Cell]) -> Recommendation:
    names = short_retries(usable)
    fairness = good.get("fairness")
    uneven = fairness is not None and is_uneven(fairness, good["transactions"]["committed"])
    return Recommendation(
        f"Retry with {names[good['retry']]}.",
        f"It gave up on {words.share(_give_ups(good))} of transactions, policy {names[bad['retry']]} on "
        f"{words.share(_give_ups(bad))}; goodput was {_against(good, bad)}"
        f"{', but a few users had most of the commits' if uneven else ''} ({_where(good, 'retry', usable)}).",
    )


def _hottest_row(
    summary: Mapping[str, Any], line: Series, usable: Sequence[Cell]
) -> Iterator[Recommendation]:
    """The hottest row, if it limits the best line or has a large share of the conflicts."""
    cell = _at_most_users(line)
    keys = known_keys(cell)
    row = _row_name(summary["run"], hottest_row(cell) or (keys[0] if keys else None))
    held_back = limit(cell)
    where = _where(cell, "", usable)
    if held_back is not None and held_back[0] == "hottest_row" and held_back[1] is not None:
        yield Recommendation(
            "Spread the hottest row over several rows, or shorten the transaction.",
            f"{row} was taken {words.share(held_back[1])} of the time, so neither more users nor faster "
            f"retries raise goodput ({where}).",
        )
    elif keys and keys[0]["share"] >= _MIN_KEY_SHARE and (cell["d_eff"] or 0.0) > 1:
        yield Recommendation(
            "Write the hottest row less often, or spread it over several rows.",
            f"{row} had {words.share(keys[0]['share'])} of the conflicts ({where}).",
        )


def _row_name(run: Mapping[str, Any], key: Mapping[str, Any] | None) -> str:
    """The hottest row in words: with its table if the scenario has only one, and with its key if known."""
    if key is not None and "space" in key:
        return f"The hottest row, {words.key_name(key)},"
    tables: Sequence[str] = run.get("tables") or ()
    table = f"`{tables[0]}` " if len(tables) == 1 else ""
    return "The hottest row" if key is None else f"The hottest row, {table}{words.key_name(key)},"


def _users(line: Series, usable: Sequence[Cell]) -> Iterator[Recommendation]:
    """The level at which goodput stopped growing, if more users only made transactions slower."""
    knee = stopped_growing(line)
    last = _at_most_users(line)
    if knee is None or knee["users"] == last["users"]:
        return
    before, after = quotable_p99(knee), quotable_p99(last)
    if before is None or after is None or after < _MIN_SLOWER * before:
        return
    yield Recommendation(
        f"Keep to {words.users(knee['users'])} on this skew.",
        f"With {words.users(last['users'])} goodput was {_against(last, knee)}, and p99 latency rose from "
        f"{words.milliseconds(before)} to {words.milliseconds(after)} "
        f"({_where(knee, '', usable, users=False)}).",
    )


def _backoff(line: Series, usable: Sequence[Cell]) -> Iterator[Recommendation]:
    """Backoff, if it takes most of the users' time on the best line."""
    cell = _at_most_users(line)
    held_back = limit(cell)
    if held_back is None or held_back[0] != "backoff" or (held_back[1] or 0.0) < _MIN_BACKOFF_SHARE:
        return
    yield Recommendation(
        "Try a shorter backoff.",
        f"Backoff took {words.share(held_back[1])} of the users' time ({_where(cell, '', usable)}).",
    )


def _alternatives(cells: Sequence[Cell], name: str) -> list[list[Cell]]:
    """Cells that differ in one setting only, at the highest level that all its values reached.

    Repeats are replaced by the one with the median goodput.
    """
    others = [other for other in varied(cells) if other != name]
    values = {setting(cell, name) for cell in cells}
    groups: dict[tuple[Plain | None, ...], dict[int, dict[Plain | None, list[Cell]]]] = {}
    for cell in cells:
        levels = groups.setdefault(tuple(setting(cell, other) for other in others), {})
        levels.setdefault(int(cell["users"]), {}).setdefault(setting(cell, name), []).append(cell)
    complete = [
        levels[max(full)]
        for levels in groups.values()
        if (full := [users for users, found in levels.items() if found.keys() == values])
    ]
    return [[middle(repeats, goodput_per_s) for repeats in found.values()] for found in complete]


def _goodput(cell: Cell) -> float:
    return goodput_per_s(cell) or 0.0


def _is_more(good: Cell, bad: Cell) -> bool:
    """Whether goodput is higher by more than chance and by enough to matter."""
    low, high = good["goodput_per_s"]["low"], bad["goodput_per_s"]["high"]
    apart = low is not None and high is not None and low > high
    return apart and _goodput(bad) > 0 and _goodput(good) >= _MIN_GAIN * _goodput(bad)


def _give_ups(cell: Cell) -> float | None:
    rate: float | None = (cell.get("give_up_rate") or {}).get("value")
    return rate


def _gives_up_less(good: Cell, bad: Cell) -> bool:
    """Whether the policy of one cell gave up less often than that of the other, by more than chance."""
    one, other = good["give_up_rate"], bad["give_up_rate"]
    if one["high"] is None or other["low"] is None:
        return False
    return bool(one["high"] < other["low"] and other["value"] - one["value"] >= _MIN_FEWER_GIVE_UPS)


def _against(good: Cell, bad: Cell) -> str:
    return f"{words.per_second(goodput_per_s(good))} against {words.per_second(goodput_per_s(bad))}"


def _price(good: Cell, bad: Cell) -> str:
    """The higher p99 of the cell with more goodput, if it is higher."""
    slow, fast = quotable_p99(good), quotable_p99(bad)
    if slow is None or fast is None or slow < _MIN_SLOWER * fast:
        return ""
    return f", but p99 latency was {words.milliseconds(slow)} against {words.milliseconds(fast)}"


def _choice(cell: Cell, name: str) -> str:
    """A setting in words, knobs as their option: `--shards 4`, `fresh keys on retry`."""
    if name.startswith("--"):
        return f"{name} {setting(cell, name)}"
    return setting_words(cell, name, short_retries([cell]))


def _where(cell: Cell, but: str, cells: Sequence[Cell], *, users: bool = True) -> str:
    """The settings of a cell in words: skew, users and all that vary but the one that is compared."""
    retries = short_retries(cells)
    others = [setting_words(cell, name, retries) for name in varied(cells) if name not in {but, "keys"}]
    level = [words.users(cell["users"])] if users else []
    return ", ".join([words.skew_words(cell), *level, *others])
