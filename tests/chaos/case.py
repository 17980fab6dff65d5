"""A case as data: the fault of a run, and the expected result."""

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
"""Records are handed to the operating system once per second; the rest is for a busy machine."""
UNWRITTEN_S_MAX = 32.0
"""A run waits for a full disk for 30 s."""
ABSENT = "absent"
"""Stands for a cell without a verdict."""


@dataclass(frozen=True, slots=True)
class Case:
    """One case and its expected result."""

    name: str
    fault: Callable[[Trial], None] = faults.nothing
    codes: frozenset[int] = frozenset({4})
    """The documented exit codes."""
    report_code: int | None = None
    """The exit code of `hotrow report`, if the run could not write its summary."""
    counting: frozenset[object] = frozenset({True})
    """The allowed verdicts of the check that counts acknowledgements."""
    conserving: frozenset[object] = frozenset({True})
    """The allowed verdicts of the check that does not count."""
    says: str = ""
    """A pattern that must match in the output of the run, its summary or its report."""
    one_line: bool = False
    """Whether the output must be exactly one line."""
    loses_s: float = 0.0
    """The longest time span of missing records; 0 if none may be missing."""
    processes: int = 0
    duration: str = "5s"
    within_s: float = 25.0
    """The time limit for the end of the run after the fault."""
    immediately: bool = False
    """Whether the fault comes at the start and not while a cell is measured."""
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
