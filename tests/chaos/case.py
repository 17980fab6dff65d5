"""A case of the suite as data: a fault during a run, and the expected result."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.chaos import faults

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from tests.chaos.trial import Trial

LOST_S_MAX = 1.3
"""Records are handed to the operating system once per second; the other 0.3 s allow for a busy machine."""
UNWRITTEN_S_MAX = 32.0
"""A run waits 30 s for space on a full disk."""
ABSENT = "absent"
"""Stands for a cell without a verdict."""


@dataclass(frozen=True, slots=True)
class Case:
    """One case and its expected result."""

    name: str
    fault: Callable[[Trial], None] = faults.nothing
    codes: frozenset[int] = frozenset({4})
    """The allowed exit codes, as documented."""
    report_code: int | None = None
    """The exit code of `hotrow report`, if the run could not write its summary."""
    counting: frozenset[object] = frozenset({True})
    """The allowed verdicts of the check that counts acknowledgements."""
    conserving: frozenset[object] = frozenset({True})
    """The allowed verdicts of the check that does not count."""
    says: str = ""
    """A regular expression that must match in the output of the run or its report, or in its summary."""
    one_line: bool = False
    """Whether hotrow must print exactly one line."""
    loses_s: float = 0.0
    """The longest time span of missing records; 0 if none may be missing."""
    processes: int = 0
    duration: str = "5s"
    within_s: float = 25.0
    """The time limit for the end of the run after the fault."""
    immediately: bool = False
    """Whether the fault comes at the start of the run, not while a cell is measured."""
    endpoint: bool = False
    """Whether the run reaches the stand-in through its endpoint."""
    leaves_records: bool = True
    """Whether a run directory exists at the end."""
    same_goodput: bool = False
    """Whether goodput must agree with the witnesses."""
    setting: Callable[[Trial], AbstractContextManager[None]] = field(default=lambda _: nullcontext())
    skip: Callable[[], str | None] = lambda: None
    """Why the case cannot be tried on this machine."""
    short: bool = False
    """Whether the case is part of the short form."""
