"""The exit codes of every command, and the worst of several."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

FINE = 0
GATE_FAILED = 1
ERROR = 2
"""Wrong usage, or something that should not happen."""
INVARIANT_VIOLATED = 3
NOT_USABLE = 4
"""The measurement is not usable: interrupted, records lost, too few samples, client saturated, undecided."""

_WORST_FIRST = (ERROR, INVARIANT_VIOLATED, GATE_FAILED, NOT_USABLE, FINE)


def worst(codes: Iterable[int]) -> int:
    """The code that stands for all: an error before a violated invariant, a failed gate and an unusable run.

    A number that is no exit code of hotrow, such as the negative number of a signal, counts as an error.
    """
    known = [code if code in _WORST_FIRST else ERROR for code in codes]
    return min(known, key=_WORST_FIRST.index, default=FINE)
