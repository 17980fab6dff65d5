"""Numbers and durations as people write them: `10000`, `0.99`; a number and its unit, such as `10ms` or `2m`.

A number without a unit is refused, because nobody can tell whether `1` meant a second or a millisecond.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from types import MappingProxyType

from hotrow.errors import UsageError

_SECONDS = MappingProxyType(
    {
        "us": Decimal("0.000001"),
        "ms": Decimal("0.001"),
        "s": Decimal(1),
        "m": Decimal(60),
        "h": Decimal(3600),
    }
)
_ALLOWED = "for example 10ms, 1s or 2m (units: us, ms, s, m, h)"
_LONGEST_S = 36_000_000.0
_DIGITS_MAX = 30
"""Of a number, the point among them; a longer one is a slip of the hand, and slow to read."""
_TEXT_SHOWN = 40
_WHOLE_MAX = 2**63 - 1
_VALUES_MAX = 1000
"""Of a list."""
_TEXT_MAX = 100
"""Of a duration with the blanks around it."""
_DECIMAL = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_NUMBER_AND_UNIT = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)([a-zA-Z]*)")


def shown(text: str) -> str:
    """A text of the user's as an error quotes it: in quotes, on one line, and not more than its beginning."""
    return repr(text) if len(text) <= _TEXT_SHOWN else f"{text[:_TEXT_SHOWN]!r}…"


def told(text: str) -> str:
    """The same without quotes, if it can do without."""
    return text if 0 < len(text) <= _TEXT_SHOWN and text.isprintable() else shown(text)


def whole_number(text: str) -> int | None:
    """The whole number from 0 that ASCII digits spell, at most 30 of them; None if they do not."""
    if len(text) > _DIGITS_MAX or not text.isascii() or not text.isdigit():
        return None
    return int(text)


def decimal_number(text: str) -> float | None:
    """The finite number that ASCII digits spell, with point, sign or exponent; None if they do not."""
    if len(text) > _DIGITS_MAX or not _DECIMAL.fullmatch(text):
        return None
    number = float(text)
    return number if math.isfinite(number) else None


def read_whole(option: str, text: object, *, least: int = 0) -> int:
    """A whole number from `least` to 2^63 - 1, also with `_` between its digits. Raises UsageError."""
    value = whole_number(str(text).replace("_", ""))
    if value is None or not least <= value <= _WHOLE_MAX:
        raise UsageError(f"{option} {told(str(text))}: must be a whole number from {least}")
    return value


def read_number(
    option: str, text: object, *, least: float = 0.0, most: float = math.inf, above_least: bool = False
) -> float:
    """A finite number from `least`, or above it, to `most`. Raises UsageError."""
    value = decimal_number(str(text))
    if value is None or not least <= value <= most or (above_least and value == least):
        start = f"above {least:g}" if above_least else f"from {least:g}"
        end = "" if math.isinf(most) else f" to {most:g}"
        raise UsageError(f"{option} {told(str(text))}: must be a number {start}{end}")
    return value


def read_list(option: str, text: str) -> tuple[str, ...]:
    """Values by commas; a single one has none.

    Raises:
        UsageError: one is missing, or there are too many.
    """
    values = tuple(part.strip() for part in text.split(",", _VALUES_MAX))
    if len(values) > _VALUES_MAX:
        raise UsageError(f"{option} {told(text)}: at most {_VALUES_MAX} values")
    if len(values) > 1 and "" in values:
        raise UsageError(f"{option} {told(text)}: a value is missing between two commas, or at an end")
    return values


def parse_duration_s(text: str, *, option: str) -> float:
    """The seconds that `text` stands for: digits with an optional fraction, then `us`, `ms`, `s`, `m` or `h`.

    A bare `0` needs no unit. `option` is what the user has to change, for example `--retry` or `--host`.

    Raises:
        UsageError: `text` is not a number and a known unit, or is longer than 10000h.
    """
    match = _NUMBER_AND_UNIT.fullmatch(text.strip()) if len(text) <= _TEXT_MAX else None
    if match is None or len(match[1]) > _DIGITS_MAX:
        raise UsageError(f"{option}: {shown(text)} is not a duration; write a number and a unit, {_ALLOWED}")
    number, unit = Decimal(match[1]), match[2]
    if not unit and number == 0:
        return 0.0
    if unit not in _SECONDS:
        fault = f"has the unknown unit {shown(unit)}" if unit else "has no unit"
        raise UsageError(f"{option}: duration {shown(text)} {fault}; write {_ALLOWED}")
    seconds = float(number * _SECONDS[unit])
    if seconds > _LONGEST_S:
        raise UsageError(f"{option}: duration {shown(text)} is too long; allowed: up to 10000h")
    return seconds


def format_duration(seconds: float) -> str:
    """The shortest usual spelling of `seconds` (0 to 10000h): `10ms`, `1.5s`, `90s`, `2m`; 0 is `0`.

    `parse_duration_s` reads it back as the same number. Minutes and hours are used only where they are whole.
    """
    exact = Decimal(repr(seconds))
    if exact == 0:
        return "0"
    for unit in ("h", "m"):
        if exact % _SECONDS[unit] == 0:
            return f"{(exact / _SECONDS[unit]).normalize():f}{unit}"
    unit = next((unit for unit in ("s", "ms") if exact >= _SECONDS[unit]), "us")
    return f"{(exact / _SECONDS[unit]).normalize():f}{unit}"
