"""The columns of the table of cells, shared by the page and the console. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from reports.words import wording as words
from reports.words.metrics import is_mostly_rejected, jain, limit, max_over_median
from reports.words.series import setting, setting_words, short_retries, varied

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reports.words.wording import Cell

UNUSABLE = "not usable"
RARE_ENDS = ("failed", "unknown", "rejected")
"""States of transactions that most runs do not have."""
GATE_FAILED = "gate failed"
REJECTED = "mostly rejected"
_VERDICTS = {True: "valid", False: "INVALID", None: "not checked"}


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its head, its unit, its texts, and the values by which it is sorted."""

    head: str
    unit: str
    text: Callable[[Cell], str]
    value: Callable[[Cell], Any]
    """A number, a text, or None if there is no value."""
    numeric: bool = True
    below: Callable[[Cell], str] | None = None
    """A small line below the text: the 95 % interval of an estimate, the D_eff of a skew."""


def columns(cells: Sequence[Cell]) -> list[Column]:
    """The columns for these cells: the settings that vary, then the measured figures."""
    known = any(jain(cell) is not None for cell in cells)
    return [
        *setting_columns(cells),
        *_rates(),
        *_endings(cells),
        *_work(),
        *_times(),
        *(_fairness() if known else []),
        *(_limit() if any(limit(cell) for cell in cells) else []),
        *_judgement(),
    ]


def verdict_word(valid: bool | None) -> str:
    """A three-valued verdict in a word."""
    return _VERDICTS[valid]


def setting_columns(cells: Sequence[Cell]) -> list[Column]:
    """The columns of skew and users, and of the other settings that vary."""
    before = [name for name in varied(cells) if name in {"target", "scenario"}]
    after = [name for name in varied(cells) if name not in before]
    repeats = [Column("repeat", "", lambda cell: words.count(cell["repeat"]), lambda cell: cell["repeat"])]
    return [
        *(_setting(name, cells) for name in before),
        _skew(),
        Column("users", "", lambda cell: words.count(cell["users"]), lambda cell: cell["users"]),
        *(_setting(name, cells) for name in after),
        *(repeats if len({cell["repeat"] for cell in cells}) > 1 else []),
    ]


def _setting(name: str, cells: Sequence[Cell]) -> Column:
    """The column of one setting that varies. Numbers, such as those of a knob, are right-aligned."""
    if name == "keys":
        return _whole("keys", lambda cell: int(cell["keys"]))
    short = short_retries(cells)
    if name == "retry":
        return replace(
            _text("retry", lambda cell: short[str(cell["retry"])]),
            below=lambda cell: str(cell["retry"]).removeprefix(short[str(cell["retry"])]).lstrip(":"),
        )
    if name == "redraw":
        return _text("on retry", lambda cell: setting_words(cell, name, short).removesuffix(" on retry"))
    numeric = all(isinstance(setting(cell, name), int | float) for cell in cells)
    return Column(
        name.removeprefix("--"),
        "",
        lambda cell: words.ABSENT if setting(cell, name) is None else str(setting(cell, name)),
        lambda cell: setting(cell, name),
        numeric=numeric,
    )


def _skew() -> Column:
    """The column of the skew, sorted by D_eff, because names such as `zipf:0.99` have no order."""
    return Column(
        "skew",
        "",
        lambda cell: str(cell["skew"]),
        lambda cell: cell["d_eff"],
        numeric=False,
        below=lambda cell: words.d_eff(cell["d_eff"]),
    )


def _rates() -> list[Column]:
    return [
        _estimate("conflict rate", "%", "conflict_rate", percent),
        _number("closed form", "%", lambda cell: cell["predicted"]["conflict_rate"], percent),
        _estimate("retry rate", "", "retry_rate", lambda value: fixed(value, 3)),
    ]


def _endings(cells: Sequence[Cell]) -> list[Column]:
    """The numbers of transactions that did not commit, by state; rare states only if some cell has them."""
    rare = [state for state in RARE_ENDS if any(cell["transactions"][state] for cell in cells)]
    return [_whole(state.replace("_", " "), partial(_transactions, state)) for state in ("gave_up", *rare)]


def _transactions(state: str, cell: Cell) -> int:
    """How many transactions ended in this state."""
    count: int = cell["transactions"][state]
    return count


def _work() -> list[Column]:
    return [
        _estimate("goodput", "/s", "goodput_per_s", lambda value: fixed(value, 1)),
        _attempts(),
        _number("wasted", "%", lambda cell: cell["wasted_share"], percent),
    ]


def _attempts() -> Column:
    return Column(
        "attempts",
        "/s",
        lambda cell: fixed(cell["attempts_per_s"], 1),
        lambda cell: cell["attempts_per_s"],
        below=lambda cell: f"{words.count(cell['attempts']['total'])} in total",
    )


def _times() -> list[Column]:
    def quantile(name: str) -> Column:
        return _number(name, "ms", lambda cell: cell["latency_ms"][name], lambda v: fixed(v, 2))

    return [quantile("p50"), quantile("p99")]


def _fairness() -> list[Column]:
    return [
        _number("Jain's index", "", jain, lambda value: fixed(value, 3)),
        _number("most / median commits", "", max_over_median, words.number),
    ]


def _limit() -> list[Column]:
    """The limit of goodput; see `limit` in docs/summary.md."""
    return [_text("held back by", lambda cell: words.held_back(limit(cell)))]


def _judgement() -> list[Column]:
    verdict = _text("verdict", lambda cell: verdict_word(cell["verdict"]["valid"]))
    return [replace(verdict, below=lambda cell: ", ".join(marks(cell)))]


def marks(cell: Cell) -> list[str]:
    """The marks beside a cell's verdict, worst first: why it must not be quoted or compared, or fails."""
    applies = {
        UNUSABLE: not cell["usable"],
        GATE_FAILED: cell.get("gate_failed", False),
        REJECTED: is_mostly_rejected(cell),
    }
    return [mark for mark, is_set in applies.items() if is_set]


def percent(value: float | None) -> str:
    """A share in percent, with two decimals and without the % sign, so that a column lines up."""
    return fixed(None if value is None else 100 * value, 2)


def fixed(value: float | None, decimals: int) -> str:
    """A number with a fixed number of decimals, so that a column lines up."""
    return words.ABSENT if value is None else f"{value:,.{decimals}f}"


def _text(head: str, text: Callable[[Cell], str]) -> Column:
    return Column(head, "", text, text, numeric=False)


def _number(
    head: str,
    unit: str,
    value: Callable[[Cell], float | None],
    write: Callable[[float | None], str],
) -> Column:
    return Column(head, unit, lambda cell: write(value(cell)), value)


def _whole(head: str, value: Callable[[Cell], int | None]) -> Column:
    return Column(head, "", lambda cell: words.count(value(cell)), value)


def _estimate(head: str, unit: str, name: str, write: Callable[[float | None], str]) -> Column:
    return Column(
        head,
        unit,
        lambda cell: write(cell[name]["value"]),
        lambda cell: cell[name]["value"],
        below=lambda cell: words.interval(cell[name], write),
    )
