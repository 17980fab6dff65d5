"""Numbers and durations as people write them: `10000`, `0.99`; a number and its unit, such as `10ms` or `2m`.

A duration without a unit is refused: `1` could be a second or a millisecond.
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
_MAX_DURATION_S = 36_000_000.0
_MAX_DIGITS = 30
"""Characters of a number. A longer one is a slip of the hand, and slow to read."""
_MAX_QUOTED = 40
"""Characters of a text that a message quotes."""
_MAX_WHOLE = 2**63 - 1
_MAX_VALUES = 1000
"""Values of a list."""
_MAX_TEXT = 100
"""Characters of a duration, blanks around it included."""
_DECIMAL = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_NUMBER_AND_UNIT = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)([a-zA-Z]*)")


def quoted(text: str) -> str:
    """A user's text as a message quotes it: in quotes, on one line, at most its first 40 characters."""
    return repr(text) if len(text) <= _MAX_QUOTED else f"{text[:_MAX_QUOTED]!r}…"


def as_typed(text: str) -> str:
    """A text as `quoted`, but without quotes if it is short and printable."""
    return text if 0 < len(text) <= _MAX_QUOTED and text.isprintable() else quoted(text)


def whole_number(text: str) -> int | None:
    """The whole number that a text of at most 30 ASCII digits spells; None for any other text."""
    if len(text) > _MAX_DIGITS or not text.isascii() or not text.isdigit():
        return None
    return int(text)


def decimal_number(text: str) -> float | None:
    """The finite number that ASCII digits spell, with point, sign or exponent; None for any other text."""
    if len(text) > _MAX_DIGITS or not _DECIMAL.fullmatch(text):
        return None
    number = float(text)
    return number if math.isfinite(number) else None


def read_whole(option: str, text: object, *, least: int = 0) -> int:
    """A whole number from `least` to 2^63 - 1, also with `_` between its digits. Raises UsageError."""
    value = whole_number(str(text).replace("_", ""))
    if value is None or not least <= value <= _MAX_WHOLE:
        raise UsageError(f"{option} {as_typed(str(text))}: must be a whole number from {least}")
    return value


def read_number(
    option: str, text: object, *, least: float = 0.0, most: float = math.inf, above_least: bool = False
) -> float:
    """A finite number from `least`, or above it, to `most`. Raises UsageError."""
    value = decimal_number(str(text))
    if value is None or not least <= value <= most or (above_least and value == least):
        start = f"above {least:g}" if above_least else f"from {least:g}"
        end = "" if math.isinf(most) else f" to {most:g}"
        raise UsageError(f"{option} {as_typed(str(text))}: must be a number {start}{end}")
    return value


def read_list(option: str, text: str) -> tuple[str, ...]:
    """Values that are separated by commas, without the blanks around them.

    Raises:
        UsageError: a value is missing, or there are more than 1,000.
    """
    values = tuple(part.strip() for part in text.split(",", _MAX_VALUES))
    if len(values) > _MAX_VALUES:
        raise UsageError(f"{option} {as_typed(text)}: at most {_MAX_VALUES} values")
    if len(values) > 1 and "" in values:
        raise UsageError(f"{option} {as_typed(text)}: a value is missing between two commas, or at an end")
    return values


def parse_duration_s(text: str, *, option: str) -> float:
    """A duration in seconds: digits with an optional fraction, then `us`, `ms`, `s`, `m` or `h`.

    `0` needs no unit. `option` names what the user has to change, for example `--retry` or `--host`.

    Raises:
        UsageError: `text` is not a number and a known unit, or is longer than 10000h.
    """
    match = _NUMBER_AND_UNIT.fullmatch(text.strip()) if len(text) <= _MAX_TEXT else None
    if match is None or len(match[1]) > _MAX_DIGITS:
        raise UsageError(f"{option}: {quoted(text)} is not a duration; write a number and a unit, {_ALLOWED}")
    number, unit = Decimal(match[1]), match[2]
    if not unit and number == 0:
        return 0.0
    if unit not in _SECONDS:
        fault = f"has the unknown unit {quoted(unit)}" if unit else "has no unit"
        raise UsageError(f"{option}: duration {quoted(text)} {fault}; write {_ALLOWED}")
    seconds = float(number * _SECONDS[unit])
    if seconds > _MAX_DURATION_S:
        raise UsageError(f"{option}: duration {quoted(text)} is too long; allowed: up to 10000h")
    return seconds


def format_duration(seconds: float) -> str:
    """The shortest usual spelling of `seconds` (0 to 10000h): `10ms`, `1.5s`, `90s`, `2m`; 0 is `0`.

    `parse_duration_s` reads it back as the same number. Minutes and hours are used only for whole numbers.
    """
    exact = Decimal(repr(seconds))
    if exact == 0:
        return "0"
    for unit in ("h", "m"):
        if exact % _SECONDS[unit] == 0:
            return f"{(exact / _SECONDS[unit]).normalize():f}{unit}"
    unit = next((unit for unit in ("s", "ms") if exact >= _SECONDS[unit]), "us")
    return f"{(exact / _SECONDS[unit]).normalize():f}{unit}"
