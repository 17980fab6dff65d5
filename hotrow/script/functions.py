"""The operators and functions of expressions, with pgbench's rules for their types.

Each takes the generator and the values of its arguments. A NULL argument makes NULL, except in `debug`.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hotrow.script import hashes, prng
from hotrow.script.prng import check_range
from hotrow.script.values import EvaluationError, Value, text_of, to_double, to_int, whole

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hotrow.script.prng import Prng

Operation = Callable[..., Value]
_BITS = 64


@dataclass(frozen=True, slots=True)
class Function:
    """A function: how it is calculated, and how many arguments it takes."""

    calculate: Callable[..., Value]
    least: int
    most: int | None
    """None if there is no limit."""
    draws: bool = False
    """Whether it takes the generator as its first argument, before the range."""


def _arithmetic(of_ints: Callable[[int, int], int], of_doubles: Callable[[float, float], float]) -> Operation:
    """An operation on two integers, or on two doubles if one of them is a double."""

    def calculate(left: Value, right: Value) -> Value:
        if type(left) is int and type(right) is int:
            return whole(of_ints(left, right))
        if type(left) is float or type(right) is float:
            return of_doubles(to_double(left), to_double(right))
        return whole(of_ints(to_int(left), to_int(right)))

    return calculate


def _quotient(left: int, right: int) -> int:
    """The integer quotient, rounded towards 0."""
    if right == 0:
        raise EvaluationError("division by zero")
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def _double_quotient(left: float, right: float) -> float:
    if right:
        return left / right
    if left == 0 or math.isnan(left):
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1.0, right)


def _remainder(left: Value, right: Value) -> Value:
    """The remainder of two integers; its sign is that of the left one."""
    dividend, divisor = to_int(left), to_int(right)
    return dividend - divisor * _quotient(dividend, divisor)


def _compares(compare: Callable[[Any, Any], bool]) -> Operation:
    def calculate(left: Value, right: Value) -> Value:
        if type(left) is float or type(right) is float:
            return compare(to_double(left), to_double(right))
        return compare(to_int(left), to_int(right))

    return calculate


def _bitwise(combine: Callable[[int, int], int]) -> Operation:
    def calculate(left: Value, right: Value) -> Value:
        return prng.signed(combine(to_int(left), to_int(right)))

    return calculate


def _shift(left: Value, right: Value, *, up: bool) -> Value:
    number, by = to_int(left), to_int(right)
    if not 0 <= by < _BITS:
        raise EvaluationError(f"a shift by {by}; it must be from 0 to 63")
    return prng.signed(number << by) if up else number >> by


def _absolute(value: Value) -> Value:
    return abs(value) if type(value) is float else whole(abs(to_int(value)))


def _extreme(choose: Callable[..., Any]) -> Operation:
    """`least` and `greatest`: a double if one of the values is a double."""

    def calculate(*values: Value) -> Value:
        convert = to_double if any(type(value) is float for value in values) else to_int
        chosen: Value = choose(map(convert, values))
        return chosen

    return calculate


def _real(function: Callable[[float], float]) -> Operation:
    """A function of one double. Where C gives infinity or NaN, so does it."""

    def calculate(value: Value) -> Value:
        number = to_double(value)
        try:
            return function(number)
        except OverflowError:
            return math.inf
        except ValueError:
            return -math.inf if number == 0 else math.nan

    return calculate


def _power(left: Value, right: Value) -> Value:
    base, exponent = to_double(left), to_double(right)
    try:
        return math.pow(base, exponent)
    except OverflowError:
        return -math.inf if base < 0 and exponent % 2 == 1 else math.inf
    except ValueError:
        return math.inf if base == 0 else math.nan


def _hash(function: Callable[[int, int], int]) -> Operation:
    def calculate(value: Value, seed: Value) -> Value:
        return function(to_int(value), to_int(seed))

    return calculate


def _permute(value: Value, size: Value, seed: Value) -> Value:
    return _faulty(hashes.permute, to_int(value), to_int(size), to_int(seed))


def _faulty(function: Callable[..., int], *arguments: Any) -> int:
    """The result of a function whose ValueError is a fault of the script."""
    try:
        return function(*arguments)
    except ValueError as error:
        raise EvaluationError(str(error)) from None


def _random(distribution: Callable[..., int]) -> Operation:
    def calculate(generator: Prng, least: Value, most: Value, *parameters: Value) -> Value:
        first, last = to_int(least), to_int(most)
        try:
            check_range(first, last)
        except ValueError as error:
            raise EvaluationError(str(error)) from None
        return _faulty(distribution, generator, first, last, *map(to_double, parameters))

    return calculate


def _debug(value: Value) -> Value:
    """Write the value to standard error, and return it."""
    sys.stderr.write(f"debug: {text_of(value)}\n")
    return value


OPERATORS: Mapping[str, Operation] = {
    "+": _arithmetic(lambda left, right: left + right, lambda left, right: left + right),
    "-": _arithmetic(lambda left, right: left - right, lambda left, right: left - right),
    "*": _arithmetic(lambda left, right: left * right, lambda left, right: left * right),
    "/": _arithmetic(_quotient, _double_quotient),
    "%": _remainder,
    "=": _compares(lambda left, right: left == right),
    "<>": _compares(lambda left, right: left != right),
    "<": _compares(lambda left, right: left < right),
    "<=": _compares(lambda left, right: left <= right),
    ">": _compares(lambda left, right: left > right),
    ">=": _compares(lambda left, right: left >= right),
    "&": _bitwise(lambda left, right: left & right),
    "|": _bitwise(lambda left, right: left | right),
    "#": _bitwise(lambda left, right: left ^ right),
    "<<": lambda left, right: _shift(left, right, up=True),
    ">>": lambda left, right: _shift(left, right, up=False),
}
SEEDED = frozenset({"hash", "hash_murmur2", "hash_fnv1a", "permute"})
"""Functions whose last argument is a seed. If it is left out, it is the variable default_seed."""
FUNCTIONS: Mapping[str, Function] = {
    "abs": Function(_absolute, 1, 1),
    "debug": Function(_debug, 1, 1),
    "double": Function(to_double, 1, 1),
    "exp": Function(_real(math.exp), 1, 1),
    "greatest": Function(_extreme(max), 1, None),
    "hash": Function(_hash(hashes.murmur2), 1, 2),
    "hash_fnv1a": Function(_hash(hashes.fnv1a), 1, 2),
    "hash_murmur2": Function(_hash(hashes.murmur2), 1, 2),
    "int": Function(to_int, 1, 1),
    "least": Function(_extreme(min), 1, None),
    "ln": Function(_real(math.log), 1, 1),
    "mod": Function(_remainder, 2, 2),
    "permute": Function(_permute, 2, 3),
    "pi": Function(lambda: math.pi, 0, 0),
    "pow": Function(_power, 2, 2),
    "power": Function(_power, 2, 2),
    "random": Function(_random(prng.uniform), 2, 2, draws=True),
    "random_exponential": Function(_random(prng.exponential), 3, 3, draws=True),
    "random_gaussian": Function(_random(prng.gaussian), 3, 3, draws=True),
    "random_zipfian": Function(_random(prng.zipfian), 3, 3, draws=True),
    "sqrt": Function(_real(math.sqrt), 1, 1),
}
"""By name. pgbench's documentation describes each in "pgbench Functions"."""
