"""The values of expressions: NULL (None), booleans, 64-bit integers and doubles, converted as in pgbench."""

from __future__ import annotations

import math
import re
from typing import Any

from hotrow.script.prng import MAX_INT, MIN_INT

Value = bool | int | float | None
_INTEGER = re.compile(r"\s*[-+]?\d+")
_TRUE = ("true", "yes")
_FALSE = ("false", "no")
DIGITS = 15
"""The significant digits of a double when it is written as a text."""


class EvaluationError(Exception):
    """An expression has no value; the caller adds the place."""


def value_of(variable: Any) -> Value:
    """The value of a variable in an expression. What a query returned may be a text, a date or a Decimal.

    Raises:
        EvaluationError: the text is neither a number nor a boolean.
    """
    if variable is None or isinstance(variable, bool | int | float):
        return variable
    text = str(variable)
    word = text.strip().lower()
    if word == "null":
        return None
    if word and (any(name.startswith(word) for name in _TRUE) or word == "on"):
        return True
    if word and (any(name.startswith(word) for name in _FALSE) or word in {"off", "of"}):
        return False
    try:
        return whole(int(text)) if _INTEGER.fullmatch(text) else float(text)
    except ValueError:
        raise EvaluationError(f"'{text}' is neither a number nor a boolean") from None


def text_of(value: Any) -> str:
    """The text of a value in a statement, as pgbench writes it."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.{DIGITS}g}" if isinstance(value, float) else str(value)


def whole(number: int) -> int:
    """The number itself.

    Raises:
        EvaluationError: it does not fit into 64 bits.
    """
    if MIN_INT <= number <= MAX_INT:
        return number
    raise EvaluationError(f"{number} does not fit into a bigint")


def to_int(value: Value) -> int:
    """A double is rounded to the nearest integer, halves to the even one.

    Raises:
        EvaluationError: it is a boolean, or does not fit into 64 bits.
    """
    kind = type(value)
    if kind is int:
        return value  # type: ignore[return-value]
    if kind is float:
        if not math.isfinite(value):  # type: ignore[arg-type]
            raise EvaluationError(f"{value} does not fit into a bigint")
        return whole(round(value))  # type: ignore[arg-type]
    raise EvaluationError(f"{text_of(value)} is not a number")


def to_double(value: Value) -> float:
    """An integer or a double as a double.

    Raises:
        EvaluationError: it is a boolean.
    """
    if isinstance(value, bool) or value is None:
        raise EvaluationError(f"{text_of(value)} is not a number")
    return float(value)


def to_bool(value: Value) -> bool:
    """A boolean.

    Raises:
        EvaluationError: it is not one. AND, OR and NOT take no numbers.
    """
    if isinstance(value, bool):
        return value
    raise EvaluationError(f"{text_of(value)} is not a boolean")


def is_true(value: Value) -> bool:
    r"""Whether a condition of `\if` or CASE holds: true, or a number that is not 0. NULL does not hold."""
    return bool(value)
