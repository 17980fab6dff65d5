"""The columns of the table of cells, shared by the page and the console. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from reports.words import wording as words
from reports.words.metrics import goodput_per_s, hottest_row, is_mostly_rejected, jain, limit, max_over_median
from reports.words.observed_words import OBSERVED
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
    tilted: bool = False
    """Whether its head is written upwards, to save room: its figures are seldom more than a digit."""


def columns(cells: Sequence[Cell]) -> list[Column]:
    """The columns for these cells: the settings that vary, verdict, the main figures, and then the others."""
    fair = any(jain(cell) is not None for cell in cells)
    limited = any(limit(cell) for cell in cells)
    observed = all(cell["skew"] == OBSERVED for cell in cells)
    return [
        *setting_columns(cells),
        *([] if observed else [_judgement()]),
        _estimate("conflict rate", "%", "conflict_rate", percent),
        _goodput(),
        _quantile("p99"),
        _ended("gave_up"),
        *([_limit()] if limited and not observed else []),
        *(replace(_ended(state), tilted=True) for state in RARE_ENDS),
        _quantile("p50"),
        _estimate("retry rate", "", "retry_rate", lambda value: fixed(value, 3)),
        _attempts(),
        _number("wasted", "%", lambda cell: cell["wasted_share"], percent),
        *([] if observed else [_closed_form()]),
        *([_fairness()] if fair else []),
    ]


def _closed_form() -> Column:
    return _number("closed form", "%", lambda cell: cell["predicted"]["conflict_rate"], percent)


def verdict_word(valid: bool | None) -> str:
    """A three-valued verdict in a word."""
    return _VERDICTS[valid]


def setting_columns(cells: Sequence[Cell]) -> list[Column]:
    """The columns of skew and users, and of the other settings that vary."""
    before = [name for name in varied(cells) if name in {"target", "scenario"}]
    after = [name for name in varied(cells) if name not in before]
    repeats = [Column("repeat", "", lambda cell: words.count(cell["repeat"]), lambda cell: cell["repeat"])]
    observed = all(cell["skew"] == OBSERVED for cell in cells)
    return [
        *(_setting(name, cells) for name in before),
        *([] if observed else [_skew()]),
        Column(
            "connections" if observed else "users",
            "",
            lambda cell: words.count(cell["users"]),
            lambda cell: cell["users"],
        ),
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
            below=lambda cell: (
                str(cell["retry"]).removeprefix(short[str(cell["retry"])]).lstrip(":").replace(",", ", ")
            ),
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


def _ended(state: str) -> Column:
    """The number of transactions that ended in this state."""
    return _whole(state.replace("_", " "), partial(_transactions, state))


def _transactions(state: str, cell: Cell) -> int:
    """How many transactions ended in this state."""
    count: int = cell["transactions"][state]
    return count


def _attempts() -> Column:
    return Column(
        "attempts",
        "/s",
        lambda cell: fixed(cell["attempts_per_s"], 1),
        lambda cell: cell["attempts_per_s"],
        below=lambda cell: f"{words.count(cell['attempts']['total'])} in total",
    )


def _quantile(name: str) -> Column:
    """A quantile of the latency of committed transactions."""
    return _number(name, "ms", lambda cell: cell["latency_ms"][name], lambda value: fixed(value, 2))


def _fairness() -> Column:
    """Jain's index, and the commits of the luckiest user / those of the median user."""
    index = _number("Jain's index", "", jain, lambda value: fixed(value, 3))
    return replace(
        index,
        below=lambda cell: (
            "" if max_over_median(cell) is None else f"most {words.number(max_over_median(cell))} : 1"
        ),
    )


def _limit() -> Column:
    """The limit of goodput; see `limit` in docs/summary.md."""
    return _text("held back by", lambda cell: words.held_back(limit(cell), hottest_row(cell)))


def _judgement() -> Column:
    verdict = _text("verdict", lambda cell: verdict_word(cell["verdict"]["valid"]))
    return replace(verdict, below=lambda cell: ", ".join(marks(cell)))


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


def _goodput() -> Column:
    """Goodput; absent in a mostly rejected cell, whose verdict is marked so."""
    measured = _estimate("goodput", "/s", "goodput_per_s", lambda value: fixed(value, 1))
    return replace(
        measured,
        text=lambda cell: fixed(goodput_per_s(cell), 1),
        value=goodput_per_s,
        below=lambda cell: "" if measured.below is None or is_mostly_rejected(cell) else measured.below(cell),
    )


def _whole(head: str, value: Callable[[Cell], int | None]) -> Column:
    return Column(head, "", lambda cell: words.count(value(cell)), value)


def _estimate(head: str, unit: str, name: str, write: Callable[[float | None], str]) -> Column:
    return Column(
        head,
        unit,
        lambda cell: write(cell[name]["value"]),
        lambda cell: cell[name]["value"],
        below=lambda cell: words.interval(cell[name], write).replace(" to ", words.ABSENT),
    )
