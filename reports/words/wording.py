"""The writing of numbers, skews and settings, the same in every picture, page and table. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

Cell = Mapping[str, Any]
"""One entry of `cells` in summary.json."""

ABSENT = "\N{EN DASH}"
"""The sign for an absent value, which is never written as 0."""

_MIN_WRITTEN, _MAX_WRITTEN = 0.0001, 0.9995
"""Shares between 0 and 1 that lie outside these bounds would be rounded to 0 % or 100 %."""
_SECOND_MS = 1000

_NUMBER = (int, float)
_HIDDEN = r"(?i:password|passwd|pwd|token|secret|credential)"
_SECRET_NAME = re.compile(_HIDDEN)
_SECRET_TEXTS = (
    (re.compile(rf"(\w*{_HIDDEN}\w*\s*[=:]\s*)(?:'[^']*'|\"[^\"]*\"|[^\s&;,]+)"), r"\1…"),
    (re.compile(rf"(--[\w-]*{_HIDDEN}[\w-]*\s+)\S+"), r"\1…"),
    (re.compile(r"(?i)(\b[a-z][a-z0-9+.-]*://[^\s:/@]*):[^\s/]*@"), r"\1:…@"),
)


def redact(value: Any) -> Any:
    """The same JSON value with every password, token and secret in it replaced by `…`.

    The summary should not contain any. This is a second safeguard.
    """
    if isinstance(value, str):
        for pattern, kept in _SECRET_TEXTS:
            value = pattern.sub(kept, value)
        return value
    if isinstance(value, dict):
        return {name: _redact_entry(name, inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [inner if isinstance(inner, _NUMBER) else redact(inner) for inner in value]
    return value


def _redact_entry(name: str, value: Any) -> Any:
    if isinstance(value, dict | list):
        return redact(value)
    if value and _names_a_secret(name):
        return "…"
    return value if isinstance(value, _NUMBER) else redact(value)


@lru_cache
def _names_a_secret(name: str) -> bool:
    """Whether an entry of this name holds a secret. A summary has many cells with the same few names."""
    return _SECRET_NAME.search(str(name)) is not None


def number(value: float | None, digits: int = 3) -> str:
    """A number: whole ones in full, others with `digits` significant figures: `0.523`, `84.2`, `12,346`."""
    if value is None:
        return ABSENT
    if value == round(value):
        return f"{value:,.0f}"
    rounded = float(f"{value:.{digits}g}")
    decimals = digits - 1 - math.floor(math.log10(abs(rounded)))
    return f"{value:,.{max(0, min(decimals, 6))}f}"


def plain(value: float | str) -> str:
    """A number of a run, or the text that joins the numbers of merged runs: `0.5`, `0 / 0.5`."""
    return value if isinstance(value, str) else number(value)


def share(value: float | None) -> str:
    """A share as a percentage. Only exactly 0 and 1 are written as `0 %` and `100 %`."""
    if value is None:
        return ABSENT
    if 0 < value < _MIN_WRITTEN:
        return "<0.01 %"
    if _MAX_WRITTEN <= value < 1:
        return ">99.9 %"
    if value in {0, 1}:
        return f"{100 * value:.0f} %"
    return f"{100 * value:.{1 if value >= 0.01 else 2}f} %"  # noqa: PLR2004 - 1.2 % but 0.34 %


def per_second(value: float | None) -> str:
    """A rate: `142/s`."""
    return ABSENT if value is None else f"{number(value)}/s"


def milliseconds(value: float | None) -> str:
    """A time in milliseconds, or in seconds from one second on."""
    if value is None:
        return ABSENT
    return f"{number(value / 1000)} s" if value >= _SECOND_MS else f"{number(value)} ms"


def count(value: int | None) -> str:
    """A whole number with commas at thousands."""
    return ABSENT if value is None else f"{value:,}"


def users(value: int) -> str:
    """A concurrency level: `1 user`, `32 users`."""
    return f"{value:,} user" + ("" if value == 1 else "s")


def counted(many: int, noun: str) -> str:
    """A number of things: `1 cell`, `2,000 cells`."""
    return f"{many:,} {noun}" + ("" if many == 1 else "s")


def interval(estimate: Mapping[str, float | None], write: Any) -> str:
    """The 95 % interval of an estimate, written with one of the functions above; a dash if absent."""
    low, high = estimate.get("low"), estimate.get("high")
    if low is None or high is None:
        return ABSENT
    return f"{write(low)} to {write(high)}"


def d_eff(value: float | None) -> str:
    """How many equally likely rows a skew amounts to: `D_eff 84`."""
    return f"D_eff {number(value, 2 if value is not None and value < 10 else 3)}"  # noqa: PLR2004 - 3.4 but 84.2


def skew_words(cell: Cell) -> str:
    """A cell's skew in a sentence: `one hot row`, `1,000 uniform keys`, `zipf:0.99 over 1,000 keys`."""
    spaces = cell.get("spaces") or ()
    if spaces:
        parts = (part.partition("=")[2] for part in str(cell["skew"]).split(","))
        return joined(
            f"{space['name']} ({skew_words({'skew': part, 'keys': space['keys']})})"
            for space, part in zip(spaces, parts, strict=False)
        )
    name, _, rest = str(cell["skew"]).partition(":")
    if name == "hot":
        return "one hot row" if rest in {"", "1"} else f"{rest} equally hot rows"
    if name == "uniform":
        return f"{count(cell['keys'])} uniform keys"
    return f"{cell['skew']} over {count(cell['keys'])} keys"


def key_name(key: Mapping[str, Any]) -> str:
    """A key with its key space, if it has one: `branch 3`, `key 3`."""
    return f"{key.get('space', 'key')} {key['key']}"


def redraw_words(redraw: bool) -> str:
    """Whether a retry draws fresh keys, in words (real or fake restart: Agrawal, Carey and Livny 1987)."""
    return "fresh keys on retry" if redraw else "same keys on retry"


def retry_words(spec: str) -> str:
    """A retry policy in words."""
    if spec == "application":
        return "retries of the application's own"
    return "no retry" if spec == "none" else f"retry {spec}"


_HELD_BACK = MappingProxyType(
    {
        "hottest_row": "row",
        "backoff": "backoff",
        "conflicts": "conflicts",
        "errors": "errors",
        "rejected": "rejections",
        "latency": "latency",
        "lock_waits": "lock waits",
        "between": "idle",
    }
)


def held_back(limit: tuple[str, float | None] | None, row: Mapping[str, Any] | None = None) -> str:
    """The limit of goodput and its share of the time, for a column: `row 98 %`, `backoff 70 %`.

    `row` is the hottest row if its key space is known: `branch 3: 98 %`.
    """
    if limit is None or limit[1] is None:
        return ABSENT
    if limit[0] == "hottest_row" and row is not None:
        return f"{key_name(row)}: {100 * limit[1]:.0f} %"
    return f"{_HELD_BACK[limit[0]]} {100 * limit[1]:.0f} %"


def region_names(names: Iterable[str]) -> list[str]:
    """The names of a run's regions. A name that occurs twice gets the region's number, from 1."""
    texts = [str(name) for name in names]
    return [
        name if texts.count(name) == 1 else f"{name} ({number})" for number, name in enumerate(texts, start=1)
    ]


def joined(words: Iterable[str]) -> str:
    """Join with commas and a closing `and`."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
