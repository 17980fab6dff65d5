"""The random generator of a script, and pgbench's distributions of whole numbers.

The generator is xoroshiro128** (Blackman and Vigna), seeded by splitmix64, as in PostgreSQL 15 and later. Its
state is two numbers, so a retry restores it at no cost. The distributions follow the formulas in the section
"Random Functions" of pgbench's documentation. The Zipfian one is Devroye's rejection method ("Non-Uniform
Random Variate Generation", 1986, page 550).
"""

from __future__ import annotations

import math

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15
MAX_INT = (1 << 63) - 1
MIN_INT = -(1 << 63)
LEAST_GAUSSIAN = 2.0
LEAST_ZIPFIAN, MOST_ZIPFIAN = 1.001, 1000.0
"""The range of the parameter of each distribution, as pgbench has it."""


def signed(number: int) -> int:
    """The lowest 64 bits of a number, read as a signed integer."""
    number &= _MASK
    return number - (1 << 64) if number > MAX_INT else number


class Prng:
    """A generator with a state that can be read and restored."""

    __slots__ = ("_s0", "_s1")

    def __init__(self, state: tuple[int, int]) -> None:
        self._s0, self._s1 = state

    @property
    def state(self) -> tuple[int, int]:
        """The state; a generator that is made with it goes on from there."""
        return self._s0, self._s1

    def bits(self) -> int:
        """64 random bits."""
        s0 = self._s0
        mixed = self._s1 ^ s0
        times_5 = s0 * 5 & _MASK
        value = (times_5 << 7 | times_5 >> 57) * 9 & _MASK
        self._s0 = ((s0 << 24 | s0 >> 40) ^ mixed ^ mixed << 16) & _MASK
        self._s1 = (mixed << 37 | mixed >> 27) & _MASK
        return value

    def below(self, size: int) -> int:
        """A whole number from 0 to `size` - 1, each equally likely."""
        most = size - 1
        if most <= 0:
            return 0
        shift = 64 - most.bit_length()
        while True:
            value = self.bits() >> shift
            if value <= most:
                return value

    def fraction(self) -> float:
        """A number from 0 inclusive to 1 exclusive."""
        return (self.bits() >> 12) * 2.0**-52


def seeded(seed: int) -> Prng:
    """A generator with a seed."""
    return Prng((_mixed(seed + _GOLDEN), _mixed(seed + 2 * _GOLDEN)))


def _mixed(state: int) -> int:
    """The output of splitmix64 for one state."""
    state &= _MASK
    state = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    state = (state ^ state >> 27) * 0x94D049BB133111EB & _MASK
    return state ^ state >> 31


def check_range(least: int, most: int) -> None:
    """Check the bounds of a random function.

    Raises:
        ValueError: the range is empty, or has more numbers than an integer can count.
    """
    if most < least:
        raise ValueError(f"the range from {least} to {most} is empty")
    if most - least >= MAX_INT:
        raise ValueError(f"the range from {least} to {most} is too large")


def uniform(prng: Prng, least: int, most: int) -> int:
    """Each number of the range is equally likely."""
    return least + prng.below(most - least + 1)


def gaussian(prng: Prng, least: int, most: int, parameter: float) -> int:
    """A normal distribution around the middle of the range, cut off at `parameter` standard deviations.

    Raises:
        ValueError: the parameter is less than 2.
    """
    if not parameter >= LEAST_GAUSSIAN:
        raise ValueError(f"the parameter {parameter:g} must be at least 2")
    while True:
        # Box and Muller's transform of two uniform numbers
        radius = math.sqrt(-2.0 * math.log(1.0 - prng.fraction()))
        deviation = radius * math.sin(2.0 * math.pi * (1.0 - prng.fraction()))
        if -parameter <= deviation < parameter:
            return least + int((most - least + 1) * ((deviation + parameter) / (2.0 * parameter)))


def exponential(prng: Prng, least: int, most: int, parameter: float) -> int:
    """An exponential distribution from `least` on, cut off at `most`.

    Raises:
        ValueError: the parameter is not above 0.
    """
    if not parameter > 0.0:
        raise ValueError(f"the parameter {parameter:g} must be above 0")
    cut = math.exp(-parameter)
    share = -math.log(cut + (1.0 - cut) * (1.0 - prng.fraction())) / parameter
    return least + min(int((most - least + 1) * share), most - least)


def zipfian(prng: Prng, least: int, most: int, parameter: float) -> int:
    """A bounded Zipf distribution: number k from the start has a weight of k ** -parameter.

    Raises:
        ValueError: the parameter is not from 1.001 to 1000.
    """
    if not LEAST_ZIPFIAN <= parameter <= MOST_ZIPFIAN:
        raise ValueError(f"the parameter {parameter:g} must be from 1.001 to 1000")
    size, exponent = most - least + 1, parameter - 1.0
    if size == 1:
        return least
    base = 2.0**exponent
    while True:
        first, second = prng.fraction(), prng.fraction()
        if first == 0.0:
            continue
        try:
            rank = int(first ** (-1.0 / exponent))
        except OverflowError:
            continue  # far above the range
        ratio = (1.0 + 1.0 / rank) ** exponent
        if rank <= size and second * rank * (ratio - 1.0) / (base - 1.0) <= ratio / base:
            return least + rank - 1
